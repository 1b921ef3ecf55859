"""What points determine of a pinhead calibration: from the derivatives of the residuals at the fit, not from their
size, which looks the same for good and bad data.

Neighbouring images of a sweep err alike, so that N residuals count as fewer independent ones.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ...geometry.transforms import Matrix
from .model import in_probe_mm, residuals_mm
from .points import PinPoints, Vector

# A number whose change by 1 (radian, millimetre, factor e) moves all residuals together by less of their spread, or
# that others make up for to one part in this, is not determined by the points.
LEAST_EFFECT = 1e-4
LARGEST_CONDITION = 1e7


def numeric_jacobian(function: Callable[[Vector], Vector], at: Vector, step: float = 1e-6) -> Matrix:
    """(M, K) central differences of a function of K numbers that returns M."""
    steps = step * np.eye(len(at))
    return np.column_stack([(function(at + offset) - function(at - offset)) / (2 * step) for offset in steps])


def weighted_jacobian(parameters: Vector, points: PinPoints, spreads: tuple[float, float]) -> Matrix:
    """(3N, 11): derivatives of the residuals in units of their spreads."""
    weights = np.array([spreads[0], spreads[0], spreads[1]])
    return numeric_jacobian(lambda x: (residuals_mm(x, points) / weights).ravel(), parameters)


def condition(jacobian: Matrix) -> float:
    """The condition number of a fit, from the derivatives (M, K) of its weighted residuals by its free parameters, with
    every parameter in units of its own effect; infinite where one has none, or where others make up for it."""
    effects = np.linalg.norm(jacobian, axis=0)
    if not effects.min() > LEAST_EFFECT:
        return float("inf")
    number = float(np.linalg.cond(jacobian / effects))
    return number if number < LARGEST_CONDITION else float("inf")


def parameter_covariance(
    parameters: Vector,
    points: PinPoints,
    residuals: Vector,
    spreads: tuple[float, float],
    free: NDArray[np.int_],
) -> Matrix:
    """(11, 11), of the parameters, from the curvature of the weighted squares at the solution, where the points have
    these residuals (N, 3), mm; zero for what is not free. All that is must be determined (`condition` is finite).

    Each kind of residual counts as fewer independent ones. The pin wanders off the image plane as slowly as the hand
    moves, though the residual hides it: the fit takes slow errors for a tilt of the image. So those count as no more
    independent than the places in the image do; where a hand strokes in a rhythm, the pin may leave the plane in the
    rhythm of its places.
    """
    places = points.pixels - points.pixels.mean(axis=0)
    across = max(alikeness(residuals[:, 2:]), alikeness(places), rhythm(places))
    alike = np.array([alikeness(residuals[:, :2]), across])
    independent = np.array([2, 1]) * len(points) / alike
    widths = np.asarray(spreads) * np.sqrt(alike)
    # Each kind's spread is judged by what is left of it after it has determined its share of the parameters.
    determined = np.zeros(2)
    for _ in range(3):
        factors = np.sqrt(independent / np.maximum(independent - determined, 1.0))
        jacobian = weighted_jacobian(parameters, points, tuple(widths * factors))[:, free]
        of_free = np.linalg.pinv(jacobian.T @ jacobian, hermitian=True)
        leverage = np.einsum("ni,ij,nj->n", jacobian, of_free, jacobian).reshape(-1, 3)
        determined = np.array([leverage[:, :2].sum(), leverage[:, 2].sum()])
    result = np.zeros((11, 11))
    result[np.ix_(free, free)] = of_free
    return result


def slowness(points: PinPoints) -> float:
    """How many neighbouring points count as one by their places in the image."""
    return alikeness(points.pixels - points.pixels.mean(axis=0))


def alikeness(residuals: Vector) -> float:
    """How many neighbouring residuals (N, K), in the order of the frames, count as one: 1 + 2 Σ ρ_k over the lags
    before the first autocorrelation ρ_k that is no longer clearly positive (twice its SD 1/√N)."""
    count = len(residuals)
    power = float(np.sum(residuals**2))
    total = 1.0
    for lag in range(1, count // 4):
        correlation = float(np.sum(residuals[lag:] * residuals[:-lag])) / power
        if correlation < 2 / np.sqrt(count):
            break
        total += 2 * correlation
    return total


def rhythm(course: Vector) -> float:
    """How many neighbours in a course (N, K) of mean 0 count as one when another of the same kind is correlated with
    it: 1 + 2 Σ ρ_k² (Bartlett 1946) over the lags whose autocorrelation ρ_k is no chance (three times its SD 1/√N)."""
    count = len(course)
    power = float(np.sum(course**2))
    correlations = np.array([np.sum(course[lag:] * course[:-lag]) / power for lag in range(1, count // 2)])
    return float(1 + 2 * np.sum(correlations[np.abs(correlations) > 3 / np.sqrt(count)] ** 2))


def predicted_error_mm(parameters: Vector, covariance: Matrix, pixels: Vector) -> Vector:
    """(K,): the expected distance (mm) between the fitted and the true place in the probe frame of each pixel (K, 2).

    The mean length of a normal vector of covariance C, to second order: √τ · (1 − tr(C²) / 4τ²) with τ = tr C. Infinite
    where the points do not determine the fit.
    """
    if not np.isfinite(covariance).all():
        return np.full(len(pixels), np.inf)
    jacobian = numeric_jacobian(lambda x: in_probe_mm(x, pixels).ravel(), parameters).reshape(-1, 3, 11)
    of_places = jacobian @ covariance @ np.swapaxes(jacobian, 1, 2)
    total = np.trace(of_places, axis1=1, axis2=2)
    squares = np.einsum("kij,kji->k", of_places, of_places)
    result: Vector = np.sqrt(total) * (1 - squares / (4 * total**2))
    return result
