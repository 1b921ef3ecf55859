"""The box and the fan that enclose the most votes, searched over the whole range of shapes on a small map of votes."""

from __future__ import annotations

import itertools
import math

import numpy as np
from numpy.typing import NDArray

# Where the apex may lie above the first lit row, in heights of the lit box, and beside its middle, in widths.
_APEX_HEIGHTS = (-0.02, 0.04, 0.1, 0.17, 0.25, 0.35, 0.5, 0.7, 1.0, 1.4, 2.0, 3.0, 4.5)
_APEX_SHIFTS = (-0.2, -0.12, -0.06, 0.0, 0.06, 0.12, 0.2)
_HALF_ANGLES_DEG = range(5, 75, 2)
_DEGREES = 90

Votes = NDArray[np.float64]


def box_of_most_votes(votes: Votes) -> tuple[float, float, float, float]:
    """Left, top, right, bottom border in a map (H, W), rows and columns in turn; pixels are at their centres."""
    height, width = votes.shape
    left, right, top, bottom = 0, width - 1, 0, height - 1
    for _ in range(4):
        _, top, bottom = _best_run(votes[:, left : right + 1].sum(axis=1))
        _, left, right = _best_run(votes[top : bottom + 1].sum(axis=0))
    return left - 0.5, top - 0.5, right + 0.5, bottom + 0.5


def fan_of_most_votes(votes: Votes, aspect: float) -> tuple[float, float, float, float, float]:
    """Apex u, v, both radii and half the angle (deg) of the best upright symmetric fan in a map (H, W) of pixels that
    are `aspect` times as high as wide.

    About each apex the votes are summed in rings and angles; then the best radii of every angle are found at once.
    """
    lit_rows, lit_columns = (np.flatnonzero((votes > 0).any(axis=axis)) for axis in (1, 0))
    high, wide = np.ptp(lit_rows) + 1, np.ptp(lit_columns) + 1
    middle = (lit_columns[0] + lit_columns[-1]) / 2
    v, u = pixel_places(votes)
    best, found = -math.inf, (0.0, 0.0, 0.0, 1.0, 1.0)
    for above, shift in itertools.product(_APEX_HEIGHTS, _APEX_SHIFTS):
        apex_u, apex_v = middle + shift * wide, lit_rows[0] - above * high
        right, down = u - apex_u, (v - apex_v) * aspect
        ring = np.rint(np.hypot(right, down)).astype(np.int64)
        angle = np.degrees(np.arctan2(np.abs(right), down)).astype(np.int64)
        place = (ring * _DEGREES + angle)[angle < _DEGREES]
        table = np.bincount(place, votes[angle < _DEGREES], (ring.max() + 1) * _DEGREES)
        within: Votes = np.cumsum(table.reshape(-1, _DEGREES), axis=1, dtype=np.float64)
        for half in _HALF_ANGLES_DEG:
            total, first, last = _best_run(within[:, half])
            if total > best:
                best, found = total, (apex_u, apex_v, max(first - 0.5, 0.0), last + 0.5, half + 1.0)
    return found


def _best_run(votes: NDArray[np.float64]) -> tuple[float, int, int]:
    """The largest sum of neighbouring numbers, and the first and last of them (Kadane's algorithm)."""
    sums = np.concatenate([[0.0], np.cumsum(votes)])
    gains = sums[1:] - np.minimum.accumulate(sums[:-1])
    last = int(gains.argmax())
    return float(gains[last]), int(sums[: last + 1].argmin()), last


def pixel_places(votes: Votes) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """v and u of every pixel, (H, W) each."""
    places = np.indices(votes.shape).astype(np.float64)
    return places[0], places[1]


def reduced(votes: Votes, step: int) -> Votes:
    """Means over squares of `step` pixels; what is missing at the right and lower border counts as nothing."""
    height, width = (math.ceil(size / step) * step for size in votes.shape)
    padded = np.zeros((height, width))
    padded[: votes.shape[0], : votes.shape[1]] = votes
    means: Votes = padded.reshape(height // step, step, width // step, step).mean(axis=(1, 3))
    return means


def from_reduced(places: NDArray[np.float64], step: int) -> NDArray[np.float64]:
    """From pixels that are means over squares of `step` to those that they are made of."""
    return (places + 0.5) * step - 0.5
