"""Real and simulated images are shown alike: blur in millimetres, mask, whole grey levels."""

from __future__ import annotations

import numpy as np
import pytest

from USGanSimLib.evaluation.presentation import Presentation


def test_a_blurred_spot_has_the_wanted_width_in_millimetres_on_both_axes() -> None:
    image = np.zeros((1, 81, 161), np.uint8)
    image[0, 35:46, 70:91] = 255
    shown = Presentation(np.ones((81, 161), bool), (0.5, 1.0)).present(image, 3.0)[0].astype(float)
    v, u = np.mgrid[:81, :161]
    weights = shown / shown.sum()
    for places, mm_per_px, width_px in ((u, 0.5, 21), (v, 1.0, 11)):
        middle = (weights * places).sum()
        variance_mm = (weights * (places - middle) ** 2).sum() * mm_per_px**2
        # A box of n pixels has the variance (n² − 1) / 12; variances add.
        assert np.sqrt(variance_mm - (width_px**2 - 1) / 12 * mm_per_px**2) == pytest.approx(3.0, abs=0.05)


def test_what_a_generator_draws_outside_the_field_of_view_is_seen_neither_there_nor_inside() -> None:
    area = np.zeros((30, 40), bool)
    area[:, 10:30] = True
    inside = np.random.default_rng(0).integers(0, 255, (1, 30, 40), np.uint8) * area
    spoilt = inside + np.where(area, 0, 7).astype(np.uint8)
    presentation = Presentation(area, (1.0, 1.0))
    for sigma_mm in (0.0, 1.5):
        shown = presentation.present(inside, sigma_mm)
        assert np.array_equal(shown, presentation.present(spoilt, sigma_mm))
        assert shown[0][~area].max() == 0
    assert np.array_equal(presentation.present(inside, 0.0), inside)
