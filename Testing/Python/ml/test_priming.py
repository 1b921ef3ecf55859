"""What the tissue begins with, against images of a field that is known everywhere."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from USGanSimLib.ml.beams.priming import prime
from USGanSimLib.ml.beams.tissue import Tissue
from USGanSimLib.ml.parts.places import VOLUME_REACH, coordinate_grid

INSIDE = torch.ones(48, 64, dtype=torch.bool)


def brightness(places: torch.Tensor) -> torch.Tensor:
    """(B, 3, …) → (B, …) of a smooth field, within ± 1."""
    x, y, z = places.unbind(1)
    return (torch.sin(1.5 * x) + torch.cos(y) + z / 2) / 3


def planes(depths: list[float]) -> torch.Tensor:
    """(B, 3, 3): across z, each of 3.2 by 2.4 units."""
    return torch.tensor([[[0.05, 0, -1.6], [0, 0.05, -1.2], [0, 0, depth]] for depth in depths])


def primed(depths: list[float], noise: float = 0.0) -> Tissue:
    torch.manual_seed(0)
    tissue = Tissue(4, 24, 16)
    affine = planes(depths)
    images = brightness(coordinate_grid(affine, 48, 64))[:, None]
    prime(tissue, [(images + noise * torch.randn_like(images), affine)], INSIDE)
    return tissue


def correlation(first: torch.Tensor, second: torch.Tensor) -> float:
    return float(np.corrcoef(first.detach().flatten(), second.detach().flatten())[0, 1])


def test_both_volumes_hold_what_the_frames_showed_where_they_passed() -> None:
    tissue = primed(torch.linspace(-1.5, 1.5, 60).tolist(), noise=0.2)
    seen = coordinate_grid(planes([-0.7, 0.4]), 48, 64)
    assert correlation(tissue.fine.at(seen)[:, 0], brightness(seen)) > 0.97
    assert correlation(tissue.coarse.at(seen)[:, 0], brightness(seen)) > 0.9


def test_between_the_frames_a_place_has_what_lies_around_it() -> None:
    tissue = primed([-1.0, -0.4, 0.2, 0.8])
    between = coordinate_grid(planes([-0.1]), 48, 64)
    assert correlation(tissue.fine.at(between)[:, 0], brightness(between)) > 0.9


def test_coverage_is_more_where_frames_passed_than_where_none_did() -> None:
    tissue = primed([0.0] * 5)
    on, off = (tissue.fine.at(coordinate_grid(planes([depth]), 48, 64))[:, 2].mean() for depth in (0.0, 2.0))
    assert (on - off).detach() > 2


def test_other_features_and_places_beyond_the_volume_are_left_small_and_finite() -> None:
    tissue = primed([0.0])
    assert tissue.fine.features[3].detach().std() == pytest.approx(1e-3, rel=0.05)
    assert bool(tissue.fine.at(torch.full((1, 3, 1, 1), 2 * VOLUME_REACH)).isfinite().all())
