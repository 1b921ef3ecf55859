"""How far two sets of images are apart as distributions: the kernel Inception distance's estimator on any features.

Bińkowski et al. 2018: the squared maximum mean discrepancy with the kernel k(x, y) = (x·y / d + 1)³. Its unbiased
estimate is 0 on average for equal distributions, so it may be below 0, and it does not depend on the number of images
as FID does.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]

RESAMPLES = 400


def kernel(first: Matrix, second: Matrix) -> Matrix:
    """(N, d), (M, d) → (N, M)."""
    values: Matrix = (first @ second.T / first.shape[1] + 1) ** 3
    return values


def squared_distance(first: Matrix, second: Matrix) -> float:
    """The unbiased estimate from two independent samples (N, d) and (M, d), both at
    least 2 (Gretton et al. 2012, eq. 3)."""
    within = [_off_diagonal_mean(kernel(sample, sample)) for sample in (first, second)]
    return within[0] + within[1] - 2 * float(kernel(first, second).mean())


def paired_distance(first: Matrix, second: Matrix, groups: NDArray[np.int_], seed: int = 0
                    ) -> tuple[float, float, float]:
    """Estimate and 95 % interval from samples (N, d) each whose rows with equal number share a pose.

    Pairs of equal number stay out of the cross term (Gretton et al. 2012, eq. 4): two images of one pose are alike,
    which would pass for closeness of the distributions. For the interval, whole groups of frames are drawn with
    replacement, and each draw compares `first` at a random half of the frames with `second` at the other half, so two
    sets of the same images have an interval that shows the noise of that many images.
    """
    kernels = kernel(first, first), kernel(second, second), kernel(first, second)
    here, there, across = (_off_diagonal_mean(values) for values in kernels)
    rng = np.random.default_rng(seed)
    drawn = [_resampled(kernels, groups, rng) for _ in range(RESAMPLES)]
    low, high = np.nanquantile(drawn, [0.025, 0.975])
    return here + there - 2 * across, float(low), float(high)


def _resampled(kernels: tuple[Matrix, Matrix, Matrix], groups: NDArray[np.int_], rng: np.random.Generator) -> float:
    numbers, member = np.unique(groups, return_inverse=True)
    times = np.bincount(rng.integers(len(numbers), size=len(numbers)), minlength=len(numbers))[member].astype(float)
    half = rng.permutation(len(groups)) < len(groups) // 2
    mine, theirs = times * half, times * ~half
    if np.count_nonzero(mine) < 2 or np.count_nonzero(theirs) < 2:
        return float("nan")
    return (_weighted(kernels[0], mine) + _weighted(kernels[1], theirs)
            - 2 * float(mine @ kernels[2] @ theirs / (mine.sum() * theirs.sum())))


def _weighted(values: Matrix, weights: NDArray[np.float64]) -> float:
    """Weighted mean over pairs of different rows: a row drawn twice is no pair with itself."""
    total = weights @ values @ weights - (weights**2) @ np.diag(values)
    return float(total / (weights.sum() ** 2 - (weights**2).sum()))


def _off_diagonal_mean(values: Matrix) -> float:
    count = len(values)
    return float((values.sum() - np.trace(values)) / (count * (count - 1)))
