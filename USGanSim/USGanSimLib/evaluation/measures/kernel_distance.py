"""How far two sets of images are apart as distributions: the kernel Inception distance's estimator on any features.

Bińkowski et al. 2018: the squared maximum mean discrepancy with the kernel k(x, y) = (x·y / d + 1)³. Its unbiased
estimate is 0 on average for equal distributions, so it may be below 0, and it does not depend on the number of images
as FID does.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from ..intervals import FEWEST_GROUPS

Matrix = NDArray[np.float64]

RESAMPLES = 200


def kernel(first: Matrix, second: Matrix) -> Matrix:
    """(N, d), (M, d) → (N, M)."""
    values: Matrix = (first @ second.T / first.shape[1] + 1) ** 3
    return values


def squared_distance(first: Matrix, second: Matrix) -> float:
    """The unbiased estimate from two independent samples (N, d) and (M, d), both at
    least 2 (Gretton et al. 2012, eq. 3)."""
    within = [_off_diagonal_mean(kernel(sample, sample)) for sample in (first, second)]
    return within[0] + within[1] - 2 * float(kernel(first, second).mean())


def paired_distance(first: Matrix, second: Matrix, groups: NDArray[np.int_]) -> tuple[float, float, float]:
    """Estimate and 95 % interval from samples (N, d) each whose rows with equal number share a pose.

    Pairs of equal number stay out of the cross term (Gretton et al. 2012, eq. 4): two images of one pose are alike,
    which would pass for closeness of the distributions. The interval is the jackknife's, leaving out one whole group of
    frames (N,) at a time, with Student's t (Tukey 1958): a bootstrap would draw some groups twice, and a U-statistic
    takes two equal images for a sign of a narrow distribution. NaN bounds with fewer than FEWEST_GROUPS groups.
    """
    compared = kernel(first, first) + kernel(second, second) - kernel(first, second) - kernel(second, first)
    value, names = _off_diagonal_mean(compared), np.unique(groups)
    if len(names) < FEWEST_GROUPS:
        return value, float("nan"), float("nan")
    others = [groups != name for name in names]
    without = np.array([_off_diagonal_mean(compared[np.ix_(kept, kept)]) for kept in others])
    count = len(names)
    error = np.sqrt((count - 1) / count * ((without - without.mean()) ** 2).sum())
    reach = float(student.ppf(0.975, count - 1) * error)
    return value, value - reach, value + reach


def halves_interval(sample: Matrix, seed: int = 0) -> tuple[float, float]:
    """Between which values 95 % of the distances between random halves of one sample (N, d) lie: what equal
    distributions come to at that number of images."""
    rng = np.random.default_rng(seed)
    middle = len(sample) // 2
    orders = (rng.permutation(len(sample)) for _ in range(RESAMPLES))
    distances = [squared_distance(sample[order[:middle]], sample[order[middle:]]) for order in orders]
    low, high = np.quantile(distances, [0.025, 0.975])
    return float(low), float(high)


def _off_diagonal_mean(values: Matrix) -> float:
    count = len(values)
    return float((values.sum() - np.trace(values)) / (count * (count - 1)))
