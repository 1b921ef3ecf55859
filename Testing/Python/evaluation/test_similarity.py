"""SSIM and its multi-scale form against their closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from USGanSimLib.evaluation.measures.similarity import correlation, ms_ssim, psnr_db, ssim

RANDOM = np.random.default_rng(0)
TEXTURE = RANDOM.uniform(60, 180, (120, 160))


@pytest.mark.parametrize("measure", [ssim, ms_ssim, correlation])
def test_an_image_is_fully_like_itself(measure) -> None:
    assert measure(TEXTURE, TEXTURE) == pytest.approx(1)


def test_noise_of_a_known_size_has_its_psnr() -> None:
    """20 log₁₀(255 / 5.1) for a difference of 5.1 grey levels everywhere, whatever its sign."""
    signs = RANDOM.choice([-1, 1], TEXTURE.shape)
    assert psnr_db(TEXTURE, TEXTURE + 5.1 * signs) == pytest.approx(20 * np.log10(50))
    assert psnr_db(TEXTURE, TEXTURE) == np.inf


def test_two_even_images_differ_by_luminance_alone() -> None:
    """(2·100·150 + C₁) / (100² + 150² + C₁), with C₁ = (0.01·255)²."""
    expected = (2 * 100 * 150 + 2.55**2) / (100**2 + 150**2 + 2.55**2)
    assert ssim(np.full((40, 50), 100.0), np.full((40, 50), 150.0)) == pytest.approx(expected)


def test_contrast_about_the_mean_has_its_closed_form() -> None:
    """x and −x about one level: (−2σ² + C₂) / (2σ² + C₂) times full luminance; checked where σ² dwarfs C₂ = 58.5."""
    checks = 100.0 * (-1) ** np.add.outer(np.arange(60), np.arange(60))
    assert ssim(128 + checks, 128 - checks) == pytest.approx((-2e4 + 58.5) / (2e4 + 58.5), abs=0.01)
    assert ms_ssim(128 + checks, 128 - checks) == 0


def test_coarse_change_costs_more_at_many_scales_than_fine_noise_does() -> None:
    noisy = TEXTURE + RANDOM.normal(0, 40, TEXTURE.shape)
    assert ms_ssim(TEXTURE, noisy) > ssim(TEXTURE, noisy)
    assert ms_ssim(TEXTURE, RANDOM.permuted(TEXTURE)) < 0.3


def test_small_images_have_fewer_scales_and_still_an_answer() -> None:
    for shape in ((60, 80), (24, 32), (12, 16)):
        first, second = RANDOM.uniform(0, 255, (2, *shape))
        assert 0 <= ms_ssim(first, second) < 0.6
        assert ms_ssim(first, first) == pytest.approx(1)
