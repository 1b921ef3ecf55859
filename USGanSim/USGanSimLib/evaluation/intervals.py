"""Confidence intervals of means over frames, where neighbouring frames are no independent draws, and of shares."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest, norm

from ..recording.dataset import Dataset

DRAWS = 2000
# With fewer groups an interval would say more about their number than about the mean.
FEWEST_GROUPS = 3


def heldout_groups(dataset: Dataset) -> NDArray[np.int_]:
    """(N,) the number of the contiguous held-out stretch that a frame lies in; −1 for frames that are not held out."""
    other_sweep = np.diff(dataset.sweep, prepend=-1) != 0
    begins = dataset.heldout & (~np.concatenate([[False], dataset.heldout[:-1]]) | other_sweep)
    return np.where(dataset.heldout, np.cumsum(begins) - 1, -1)


def bootstrap_95(values: Sequence[float], groups: Sequence[int], seed: int = 0) -> tuple[float, float] | None:
    """The 95 % interval of the mean by drawing whole groups with replacement (cluster bootstrap, percentiles); None
    with fewer than FEWEST_GROUPS groups."""
    names, member = np.unique(np.asarray(groups), return_inverse=True)
    if len(names) < FEWEST_GROUPS:
        return None
    sums, sizes = np.bincount(member, np.asarray(values, float)), np.bincount(member)
    drawn = np.random.default_rng(seed).integers(0, len(names), (DRAWS, len(names)))
    means = sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


def binomial_interval(correct: int, answers: int) -> tuple[float, float]:
    """Exact 95 % confidence interval of a share (Clopper and Pearson 1934)."""
    low, high = binomtest(correct, answers).proportion_ci(0.95, method="exact")
    return float(low), float(high)


def d_prime(hits: int, signals: int, false_alarms: int, noises: int) -> float:
    """z(hit rate) − z(false-alarm rate). Half an answer is added to each count and one to each total, so that rates of
    0 and 1 stay finite (log-linear correction, Hautus 1995)."""
    hit_rate, false_rate = (hits + 0.5) / (signals + 1), (false_alarms + 0.5) / (noises + 1)
    return float(norm.ppf(hit_rate) - norm.ppf(false_rate))
