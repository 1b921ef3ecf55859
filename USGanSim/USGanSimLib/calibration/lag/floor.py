"""The floor of a water bath in ultrasound images: one bright, nearly straight line across the image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import siegelslopes

# A column shows the line where its brightest pixel is this bright, absolutely and beside the image's brightest.
_FAINTEST_GREY, _LEAST_SHARE = 10.0, 0.3
_HALF_THICKNESS_PX = 4
_LARGEST_DISTANCE_PX = 4.0
_LEAST_COLUMNS_SHARE = 0.1
_MOST_COLUMNS = 120


@dataclass(frozen=True, eq=False)
class FloorLine:
    """The line in N images: `rows_px` (N,) its row at `column_px`, NaN in images without it."""

    rows_px: NDArray[np.float64]
    column_px: float


def floor_line(images: NDArray[np.uint8]) -> FloorLine:
    """The floor in (N, H, W) images, at the middle of the columns that show it: an image is scanned line by line, and
    its time stamp goes with its middle line."""
    lines = [_line(image) for image in images]
    middles = [line[2] for line in lines if line]
    column = float(np.median(middles)) if middles else (images.shape[2] - 1) / 2
    return FloorLine(np.array([line[0] * column + line[1] if line else np.nan for line in lines]), column)


def _line(image: NDArray[np.uint8]) -> tuple[float, float, float] | None:
    """Slope, row at column 0, and middle of the columns; None where there is no line.

    Repeated medians (Siegel 1982) bear up to half of the columns showing something else.
    """
    brightest = image.max(axis=0).astype(float)
    columns = np.flatnonzero(brightest >= max(_LEAST_SHARE * brightest.max(initial=0.0), _FAINTEST_GREY))
    least = max(_LEAST_COLUMNS_SHARE * image.shape[1], 10)
    if len(columns) < least:
        return None
    rows = _centres(image, columns)
    some = np.unique(np.linspace(0, len(columns) - 1, _MOST_COLUMNS).astype(int))
    slope, start = siegelslopes(rows[some], columns[some])
    near = np.abs(rows - slope * columns - start) <= _LARGEST_DISTANCE_PX
    if near.sum() < max(least, len(columns) / 2):
        return None
    slope, start = np.polyfit(columns[near], rows[near], 1)
    return float(slope), float(start), float(columns[near][[0, -1]].mean())


def _centres(image: NDArray[np.uint8], columns: NDArray[np.int_]) -> NDArray[np.float64]:
    """The row of the line in each column: the centre of brightness around the brightest pixel."""
    peaks = image[:, columns].argmax(axis=0)
    around = np.clip(
        peaks + np.arange(-_HALF_THICKNESS_PX, _HALF_THICKNESS_PX + 1)[:, None], 0, len(image) - 1
    )
    weights = image[around, columns].astype(float)
    centres: NDArray[np.float64] = (weights * around).sum(axis=0) / weights.sum(axis=0)
    return centres
