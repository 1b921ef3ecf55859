"""The folded generator, the naive path and the grids, against the trained network in float64 and closed forms."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from USGanSimLib.geometry.conditioning import grid
from USGanSimLib.ml.benchmark import untrained_model
from USGanSimLib.ml.folding import FoldedGenerator
from USGanSimLib.ml.naive_path import NaivePath
from USGanSimLib.ml.parts.greys import to_grey_levels
from USGanSimLib.model.recipes import choose_recipe

# Rows 15 and 30 of `paper` at 160×120 are cropped; 120 px high is in 4 × 4 blocks, 41 and 46 are not.
SETTINGS = {
    "paper": ({"generator_channels": 64}, 160, 120),
    "paper, all channels": ({}, 160, 120),
    "paper-fig1": ({"up_layers": 4, "down_layers": 5, "generator_channels": 32}, 160, 120),
    "odd sizes": ({"up_layers": 3, "down_layers": 2, "generator_channels": 32}, 33, 41),
    "even, no blocks": (
        {"up_layers": 2, "down_layers": 2, "generator_channels": 16, "noise_size": 7},
        34,
        46,
    ),
    "one layer": ({"up_layers": 1, "down_layers": 1, "generator_channels": 8, "noise_size": 3}, 12, 9),
}


@pytest.fixture(params=SETTINGS.values(), ids=SETTINGS)
def model(request):
    """(generator, info) with batch-norm statistics and contrast."""
    changes, width_px, height_px = request.param
    return untrained_model(choose_recipe("paper", **changes), width_px, height_px)


def exact_grey_levels(generator, noise, affine):
    """What the network says in float64, rounded by numpy."""
    with torch.no_grad():
        images = copy.deepcopy(generator).double()(noise.double(), affine.double())
    return np.rint((images[:, 0].numpy() + 1) * 127.5).astype(int)


def coefficients(info, count):
    poses = info.pose_range.poses[:count]
    return torch.from_numpy(info.normalisation.fold(poses[:, :3, [0, 1, 3]]).astype(np.float32))


@torch.inference_mode()
def test_the_folded_generator_is_the_trained_one_within_a_grey_level(model):
    generator, info = model
    noise, affine = torch.randn(3, generator.settings.noise_size), coefficients(info, 3)
    exact = exact_grey_levels(generator, noise, affine)
    folded = FoldedGenerator(generator)
    ours = folded(folded.noise_part(noise), affine).numpy()
    assert ours.dtype == np.uint8
    assert exact.std() > 10  # a black image would agree with anything
    assert np.abs(ours - exact).max() <= 1
    assert (ours == exact).mean() > 0.98


@torch.inference_mode()
def test_one_pose_serves_many_noises(model):
    generator, info = model
    noise, affine = torch.randn(4, generator.settings.noise_size), coefficients(info, 1)
    folded = FoldedGenerator(generator)
    ours = folded(folded.noise_part(noise), affine).numpy()
    assert np.abs(ours - exact_grey_levels(generator, noise, affine.expand(4, 3, 3))).max() <= 1


def test_the_naive_path_is_the_trained_generator_within_a_grey_level(model):
    generator, info = model
    noise = torch.randn(2, generator.settings.noise_size)
    naive = NaivePath(generator, info.normalisation, torch.device("cpu"))
    exact = exact_grey_levels(generator, noise, coefficients(info, 1).expand(2, 3, 3))
    assert np.abs(naive.render(info.pose_range.poses[0], noise) - exact).max() <= 1


@torch.inference_mode()
def test_the_grids_of_all_levels_hold_the_true_positions_of_their_cells(model):
    generator, info = model
    affine = coefficients(info, 2)
    sizes = generator.settings.level_sizes
    for level, ours in enumerate(FoldedGenerator(generator).grids(affine)):
        height, width = sizes[level]
        exact = grid(affine.double().numpy(), width, height, 2 ** (len(sizes) - 1 - level))
        np.testing.assert_allclose(ours.numpy(), exact, rtol=1e-5, atol=1e-5)


@torch.inference_mode()
def test_the_original_generator_is_left_as_it_was(model):
    generator, info = model
    noise, affine = torch.randn(1, generator.settings.noise_size), coefficients(info, 1)
    before = generator(noise, affine)
    for weights in FoldedGenerator(generator).parameters():
        weights.zero_()
    assert torch.equal(generator(noise, affine), before)
    assert generator.to_image.weight.is_contiguous()


def test_the_folded_generator_shares_no_memory_with_the_original(model):
    generator = model[0]
    ours, theirs = (
        {tensor.data_ptr() for tensor in [*network.parameters(), *network.buffers()] if tensor.numel()}
        for network in (FoldedGenerator(generator), generator)
    )
    assert ours
    assert not ours & theirs


def test_grey_levels_are_the_nearest_whole_numbers():
    levels = torch.tensor([0.0, 10.4, 10.6, 127.5, 254.6, 255.0], dtype=torch.float64)
    assert to_grey_levels(levels / 127.5 - 1).tolist() == [0, 10, 11, 128, 255, 255]
