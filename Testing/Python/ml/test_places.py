"""Features of a learned volume, against closed forms."""

from __future__ import annotations

import torch

from USGanSimLib.ml.parts.places import FEATURE_SCALE, VOLUME_REACH, FeatureVolume, linear_in_cells


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_a_volume_that_holds_a_linear_function_gives_that_function():
    cells, volume = 12, FeatureVolume(2, 12)
    centres = VOLUME_REACH * ((2 * torch.arange(cells) + 1) / cells - 1)
    z, y, x = torch.meshgrid(centres, centres, centres, indexing="ij")
    with torch.no_grad():
        volume.features.copy_(torch.stack([x + 2 * y - z, 3 * z]).flatten(1))
    grid = 2 * torch.rand(3, 3, 5, 7, generator=seeded(4)) - 1
    found = volume.at(grid)
    assert torch.allclose(found[:, 0], FEATURE_SCALE * (grid[:, 0] + 2 * grid[:, 1] - grid[:, 2]), atol=1e-4)
    assert torch.allclose(found[:, 1], FEATURE_SCALE * 3 * grid[:, 2], atol=1e-4)


def test_the_volume_is_read_alike_where_there_is_no_grid_sample():
    volume = FeatureVolume(3, 7)
    grid = 3 * VOLUME_REACH * (torch.rand(4, 3, 6, 5, generator=seeded(11)) - 0.5)
    ours = FEATURE_SCALE * linear_in_cells(volume.features, 7, grid / VOLUME_REACH)
    theirs = volume.at(grid)
    assert torch.allclose(ours, theirs, atol=1e-6)
    weights = torch.randn(theirs.shape, generator=seeded(12))
    gradients = [torch.autograd.grad((weights * found).sum(), volume.features)[0] for found in (ours, theirs)]
    assert torch.allclose(*gradients, atol=1e-3)


def test_beyond_a_volume_its_border_stands():
    volume = FeatureVolume(3, 6)
    border, beyond = (
        volume.at(torch.full((1, 3, 1, 1), place)) for place in (VOLUME_REACH, 5 * VOLUME_REACH)
    )
    assert torch.equal(border, beyond)
