"""Peaks to a fraction of a pixel: the top of the parabola through three values."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


def refined(response: Values, rows: NDArray[np.int_], columns: NDArray[np.int_]) -> Values:
    """(K, 2) pixels u, v of the peaks of a (H, W) response at `rows` and `columns` (K,), to a fraction of a pixel."""
    # Reflected, the neighbours of a peak on the border are equal: no fraction where there is nothing to tell it.
    padded = np.pad(response, 1, mode="reflect")
    rows, columns = rows + 1, columns + 1
    peak = padded[rows, columns]
    u = columns - 1 + vertex(padded[rows, columns - 1], peak, padded[rows, columns + 1])
    v = rows - 1 + vertex(padded[rows - 1, columns], peak, padded[rows + 1, columns])
    return np.column_stack([u, v]).astype(np.float64)


def vertex(before: Values, peak: Values, after: Values) -> Values:
    """Where the parabola through three equally spaced values has its top, from the middle one, in −0.5…0.5."""
    bend = before - 2 * peak + after
    return np.where(bend < 0, (before - after) / (2 * np.where(bend < 0, bend, -1.0)), 0.0)
