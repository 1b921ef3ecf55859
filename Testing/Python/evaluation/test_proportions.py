"""Intervals and sensitivities against published tables."""

from __future__ import annotations

import pytest

from USGanSimLib.evaluation.intervals import binomial_interval, d_prime


@pytest.mark.parametrize(
    ("correct", "answers", "low", "high"),
    [
        (0, 10, 0.0, 0.3085),  # 1 − 0.025^(1/10)
        (10, 10, 0.6915, 1.0),
        (5, 10, 0.1871, 0.8129),  # exact tables, for example Documenta Geigy
        (1, 20, 0.0013, 0.2487),
        (162, 200, 0.7487, 0.8619),  # the paper's 81 %
    ],
)
def test_exact_intervals_agree_with_tables(correct: int, answers: int, low: float, high: float) -> None:
    assert binomial_interval(correct, answers) == pytest.approx((low, high), abs=5e-4)


def test_d_prime_is_the_distance_of_two_normal_distributions() -> None:
    # Unit normals 1 apart, criterion in the middle: hit rate Φ(0.5) = 0.691462, false alarms Φ(−0.5).
    assert d_prime(691_462, 1_000_000, 308_538, 1_000_000) == pytest.approx(1.0, abs=1e-4)
    # Macmillan and Creelman: hits 0.9, false alarms 0.1 → 2.563; 0.7 and 0.7 → 0.
    assert d_prime(90_000, 100_000, 10_000, 100_000) == pytest.approx(2.563, abs=1e-3)
    assert d_prime(70, 100, 70, 100) == 0


def test_d_prime_of_a_perfect_reader_is_finite_and_of_a_reversed_one_its_negative() -> None:
    # Log-linear correction: 100.5 / 101 and 0.5 / 101. By tables z(0.995) = 2.5758; 0.00005 / φ(z) = 0.0034 more.
    assert d_prime(100, 100, 0, 100) == pytest.approx(5.158, abs=2e-3)
    assert d_prime(0, 100, 100, 100) == pytest.approx(-5.158, abs=2e-3)
