"""The kernel distance against closed forms for Gaussians."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from USGanSimLib.evaluation.measures.kernel_distance import (
    halves_interval,
    kernel,
    paired_distance,
    squared_distance,
)

SIZE = 4
SHIFT = np.array([0.8, -0.5, 0.0, 0.3])


def gaussians(count: int, middle: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(size=(count, SIZE)) + middle


def expected_kernel(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """E (x·y / d + 1)³ for independent x ~ N(first, I), y ~ N(second, I), from the moments of s = x·y.

    Given y, s ~ N(a·y, |y|²); the moments over y ~ N(b, I) follow from E|y|² = d + |b|² and Stein's lemma.
    """
    a_b, a_a, b_b, d = first @ second, first @ first, second @ second, SIZE
    one = a_b
    two = a_b**2 + a_a + b_b + d
    three = a_b**3 + 3 * a_b * a_a + 3 * (a_b * (d + b_b) + 2 * a_b)
    return float(three / d**3 + 3 * two / d**2 + 3 * one / d + 1)


def true_distance(shift: NDArray[np.float64]) -> float:
    zero = np.zeros(SIZE)
    return expected_kernel(zero, zero) + expected_kernel(shift, shift) - 2 * expected_kernel(zero, shift)


def test_the_kernel_has_its_published_form() -> None:
    assert kernel(np.array([[1.0, 2.0]]), np.array([[3.0, -1.0], [0.0, 0.0]])) == pytest.approx(
        np.array([[(1 / 2 + 1) ** 3, 1.0]])
    )


def test_a_shifted_gaussian_is_as_far_as_the_closed_form_says() -> None:
    found = [
        squared_distance(gaussians(400, 0 * SHIFT, 2 * seed), gaussians(300, SHIFT, 2 * seed + 1))
        for seed in range(60)
    ]
    error = np.std(found, ddof=1) / np.sqrt(len(found))
    assert np.mean(found) == pytest.approx(true_distance(SHIFT), abs=3 * error)
    assert error < 0.05 * true_distance(SHIFT)


def test_equal_distributions_are_zero_on_average_and_not_always_above() -> None:
    found = np.array(
        [
            squared_distance(gaussians(40, SHIFT, 2 * seed), gaussians(40, SHIFT, 2 * seed + 1))
            for seed in range(200)
        ]
    )
    assert abs(found.mean()) < 3 * found.std(ddof=1) / np.sqrt(len(found))
    assert 0.3 < (found < 0).mean() < 0.9


def paired(count: int, shift: NDArray[np.float64], seed: int) -> tuple[float, float, float]:
    """Two images a pose: what the pose brings is common to both."""
    pose = gaussians(count, 0 * SHIFT, 3 * seed)
    first, second = (pose + 0.5 * gaussians(count, 0 * SHIFT, 3 * seed + k) for k in (1, 2))
    return paired_distance(first, second + shift, np.arange(count) // (count // 12))


def test_two_scans_of_the_same_poses_are_zero_on_average_although_their_images_are_alike() -> None:
    found = np.array([paired(60, 0 * SHIFT, seed)[0] for seed in range(200)])
    assert abs(found.mean()) < 3 * found.std(ddof=1) / np.sqrt(len(found))


def test_intervals_cover_zero_for_equal_and_not_for_shifted_distributions() -> None:
    equal = [paired(120, 0 * SHIFT, seed) for seed in range(60)]
    covered = np.mean([low <= 0 <= high for _, low, high in equal])
    assert 0.85 <= covered <= 1
    assert all(low > 0 for _, low, _ in (paired(120, 1.5 * SHIFT, seed) for seed in range(10)))


def test_an_interval_needs_three_groups() -> None:
    sample = gaussians(20, SHIFT, 0)
    value, low, high = paired_distance(sample, sample + 1, np.arange(20) // 10)
    assert value > 0
    assert np.isnan([low, high]).all()


def test_random_halves_show_the_noise_of_that_many_images() -> None:
    wide = halves_interval(gaussians(40, SHIFT, 0))
    narrow = halves_interval(gaussians(640, SHIFT, 0))
    assert wide[0] < 0 < wide[1]
    assert narrow[1] - narrow[0] < 0.25 * (wide[1] - wide[0])
