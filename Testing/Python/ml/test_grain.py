"""Noise spread over the image: white, another for another z, and the same everywhere for the same."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from USGanSimLib.ml.networks import Generator, NetworkSettings, grain_of

SETTINGS = NetworkSettings(64, 48, noise_size=100, up_layers=3, generator_channels=16, down_layers=2, grain=2)


@pytest.fixture(scope="module")
def grains():
    """(200, 2, 48, 64), of 200 independent z."""
    noise = torch.randn(200, 100, generator=torch.Generator().manual_seed(0))
    return Generator(SETTINGS).grain_for(noise).numpy()


def test_the_signs_are_those_of_the_hash_that_is_named():
    def hashed(x: int) -> int:
        x = (x ^ x >> 16) * 0x7FEB352D % 2**32
        return (x ^ x >> 15) * 0x846CA68B % 2**32

    ours = grain_of(SETTINGS).flatten()
    for place in (0, 1, 2, 3, 1000, 77_777, len(ours) - 1):
        assert ours[place].item() == pytest.approx((1 - 2 * (hashed(place) >> 16 & 1)) / math.sqrt(100))


def test_grain_is_standard_normal_at_every_pixel(grains):
    assert grains.mean() == pytest.approx(0, abs=0.01)
    assert grains.std(axis=0) == pytest.approx(1, abs=0.25)
    assert np.mean(grains**4) == pytest.approx(3, abs=0.15)


def test_pixels_channels_and_samples_know_nothing_of_each_other(grains):
    right, down = grains[..., 1:] * grains[..., :-1], grains[:, :, 1:] * grains[:, :, :-1]
    for products in (right, down, grains[:, 0] * grains[:, 1], grains[1:] * grains[:-1]):
        assert products.mean() == pytest.approx(0, abs=0.01)


def test_a_little_more_noise_changes_the_grain_little():
    generator, noise = Generator(SETTINGS), torch.randn(2, 100, generator=torch.Generator().manual_seed(1))
    near = math.sqrt(1 - 0.1**2) * noise[:1] + 0.1 * noise[1:]
    both = generator.grain_for(torch.cat([noise[:1], near])).flatten(1)
    assert torch.corrcoef(both)[0, 1].item() == pytest.approx(math.sqrt(1 - 0.1**2), abs=0.01)


def test_a_model_file_holds_no_grain():
    assert not [name for name in Generator(SETTINGS).state_dict() if "grain" in name]
