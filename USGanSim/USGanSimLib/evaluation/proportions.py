"""Statistics of right and wrong answers."""

from __future__ import annotations

from scipy.stats import binomtest, norm


def binomial_interval(correct: int, answers: int) -> tuple[float, float]:
    """Exact 95 % confidence interval of a share (Clopper and Pearson 1934)."""
    low, high = binomtest(correct, answers).proportion_ci(0.95, method="exact")
    return float(low), float(high)


def d_prime(hits: int, signals: int, false_alarms: int, noises: int) -> float:
    """z(hit rate) − z(false-alarm rate). Half an answer is added to each count and one to each total, so that rates of
    0 and 1 stay finite (log-linear correction, Hautus 1995)."""
    hit_rate, false_rate = (hits + 0.5) / (signals + 1), (false_alarms + 0.5) / (noises + 1)
    return float(norm.ppf(hit_rate) - norm.ppf(false_rate))
