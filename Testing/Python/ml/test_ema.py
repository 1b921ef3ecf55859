from __future__ import annotations

import copy

import pytest
import torch

from USGanSimLib.geometry.field_of_view import FieldOfView
from USGanSimLib.ml.beams.generator import BeamGenerator
from USGanSimLib.ml.networks import Generator
from USGanSimLib.ml.training.ema import decay_at, recompute_statistics, update_average
from USGanSimLib.model.beam_settings import BeamSettings
from USGanSimLib.model.network_settings import NetworkSettings

SETTINGS = NetworkSettings(
    32, 32, noise_size=8, up_layers=5, generator_channels=32, down_layers=2, discriminator_channels=4
)


@pytest.fixture
def generator():
    torch.manual_seed(3)
    generator = Generator(SETTINGS)
    with torch.no_grad():
        for parameter in generator.parameters():  # Away from the tiny initial weights, where nothing shows.
            parameter.mul_(3)
    return generator


def inputs(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(seed)
    affine = torch.randn(count, 3, 3, generator=random) * torch.tensor([0.03, 0.03, 0.5])
    return torch.randn(count, 8, generator=random), affine


def test_the_average_is_the_weighted_sum_of_its_past(generator):
    average, past = copy.deepcopy(generator), generator.project.weight.detach().clone()
    with torch.no_grad():
        generator.project.weight.add_(1)
    update_average(average, generator, 0.75)
    assert torch.allclose(average.project.weight, past + 0.25)


def test_all_weights_at_once_move_exactly_as_one_after_another(generator):
    average, one_by_one = copy.deepcopy(generator), copy.deepcopy(generator)
    with torch.no_grad():
        for weight in generator.parameters():
            weight.add_(torch.randn_like(weight))
        for mean, weight in zip(one_by_one.parameters(), generator.parameters(), strict=True):
            mean.lerp_(weight, 1 - 0.999)
    update_average(average, generator, 0.999)
    assert all(map(torch.equal, average.parameters(), one_by_one.parameters()))


def test_a_short_run_forgets_its_initial_weights():
    share_of_initial = 1.0
    for step in range(100):
        share_of_initial *= decay_at(step, 0.999)
    assert share_of_initial < 1e-6
    assert decay_at(10**6, 0.999) == 0.999


def test_a_single_frame_in_eval_mode_looks_as_it_did_in_a_training_batch(generator):
    noise, affine = inputs(4096, 1)
    with torch.no_grad():
        generator.train()
        trained = generator(noise, affine)
        generator.eval()
        before = generator(noise[:1], affine[:1])
        recompute_statistics(generator, [inputs(512, seed) for seed in range(10, 20)])
        single = generator(noise[:1], affine[:1])
    contrast = trained[0].std()
    # What is left is the sampling error of two sets of random inputs.
    assert (single - trained[0]).abs().mean() < 0.1 * contrast
    assert (before - trained[0]).abs().mean() > 0.5 * contrast


def test_statistics_are_the_means_over_the_batches_and_nothing_older(generator):
    batches = [inputs(16, seed) for seed in range(3)]
    with torch.no_grad():
        seeds = [torch.relu(generator.project(noise)).view(16, 32, 1, 1) for noise, _ in batches]
        maps = [
            generator.layers[0].up(torch.cat([seed, affine_grid(affine)], 1))
            for seed, (_, affine) in zip(seeds, batches, strict=True)
        ]
    means = torch.stack([batch.mean(dim=(0, 2, 3)) for batch in maps]).mean(dim=0)
    variances = torch.stack([batch.transpose(0, 1).flatten(1).var(dim=1) for batch in maps]).mean(dim=0)
    recompute_statistics(generator, batches)
    norm = generator.layers[0].up_norm
    assert torch.allclose(norm.running_mean, means, atol=1e-5)
    assert torch.allclose(norm.running_var, variances, rtol=1e-4)
    assert not generator.training
    assert norm.momentum == 0.1


def affine_grid(affine: torch.Tensor) -> torch.Tensor:
    """Coordinates of the seed's one cell of 32 × 32 pixels, by hand."""
    return (affine @ torch.tensor([15.5, 15.5, 1.0]))[:, :, None, None]


def test_a_generator_without_batch_norm_is_left_as_it_is():
    settings = BeamSettings(32, 32, depths=16, lines=16, volume_cells=16, plane_cells=16, noise_size=8)
    plain = BeamGenerator(settings, FieldOfView.whole((32, 32)))
    before = copy.deepcopy(plain.state_dict())
    recompute_statistics(plain, [inputs(4, 0)])
    assert all(torch.equal(before[name], tensor) for name, tensor in plain.state_dict().items())
