"""What an observer or a person reads off images, in the three rates of Hu et al. 2017 and in millimetres.

Every landmark of every image is read: wrong region, right region but no clear landmark, or measured. A distance exists
for measured ones alone, so it is never told without the rates; shares and the median of ALL count the others as
infinitely far off.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .metrics import Column

WRONG_REGION, UNCLEAR, MEASURED = "wrong region", "unclear", "measured"
OUTCOMES = (WRONG_REGION, UNCLEAR, MEASURED)
NEAR_MM = 5.0
PAPER = (
    "Hu et al. 2017, on their phantom, by a person: 2.5 % wrong region, 39.2 % not clear, 58.3 % measured, with "
    "6.1 ± 1.2 mm to the real image's landmark."
)

WITHIN = Column("landmark_within_5mm_share", "within 5 mm of the truth, share of all", 3)
MEAN = Column("landmark_mean_mm", "mean of the measured, mm")
COLUMNS: tuple[Column, ...] = (
    Column("landmark_readings", "landmarks read", 0, count=True),
    Column("landmark_wrong_region_share", "wrong region", 3),
    Column("landmark_unclear_share", "right region, not clear", 3),
    Column("landmark_measured_share", "measured", 3),
    WITHIN,
    Column("landmark_median_of_all_mm", "median of all, mm"),
    MEAN,
    Column("landmark_sd_mm", "SD of the measured, mm"),
    Column("landmark_to_real_mean_mm", "to the reading of the real image: mean, mm"),
    Column("landmark_to_real_sd_mm", "to the reading of the real image: SD, mm"),
    Column("landmark_to_real_median_mm", "to the reading of the real image: median, mm"),
    Column(
        "landmark_to_real_within_5mm_share", "within 5 mm of the reading of the real image, share of all", 3
    ),
)


@dataclass(frozen=True)
class Reading:
    """One landmark of one image. `group` numbers the stretch of frames it comes from; distances in mm, to the
    truth where it is measured, and to the reading of the real image where both are (else infinite)."""

    group: int
    outcome: str
    to_truth_mm: float = math.inf
    to_real_mm: float = math.inf


def summarised(readings: Sequence[Reading]) -> dict[str, float | None]:
    """One number for each of COLUMNS, and 95 % intervals of the share within 5 mm and of the mean by drawing whole
    groups (intervals.py), since images of one sweep are alike."""
    if not readings:
        return {column.key: None for column in COLUMNS}
    outcomes = np.array([reading.outcome for reading in readings])
    to_truth, to_real = (
        np.array([getattr(reading, name) for reading in readings]) for name in ("to_truth_mm", "to_real_mm")
    )
    groups = np.array([reading.group for reading in readings])
    found = np.isfinite(to_truth)
    values: dict[str, float | None] = {
        "landmark_readings": float(len(readings)),
        "landmark_wrong_region_share": float((outcomes == WRONG_REGION).mean()),
        "landmark_unclear_share": float((outcomes == UNCLEAR).mean()),
        "landmark_measured_share": float((outcomes == MEASURED).mean()),
        **WITHIN.with_interval(list(map(float, to_truth <= NEAR_MM)), groups.tolist()),
        "landmark_median_of_all_mm": _median(to_truth),
        MEAN.key: None,
        "landmark_sd_mm": _sd(to_truth[found]),
        "landmark_to_real_within_5mm_share": float((to_real <= NEAR_MM).mean()),
    }
    if found.any():
        values |= MEAN.with_interval(to_truth[found].tolist(), groups[found].tolist())
    both = to_real[np.isfinite(to_real)]
    return values | {
        "landmark_to_real_mean_mm": float(both.mean()) if len(both) else None,
        "landmark_to_real_sd_mm": _sd(both),
        "landmark_to_real_median_mm": _median(both),
    }


def _sd(distance_mm: NDArray[np.float64]) -> float | None:
    return float(distance_mm.std(ddof=1)) if len(distance_mm) > 1 else None


def _median(distance_mm: NDArray[np.float64]) -> float | None:
    """The upper of the two middle ones where they are two, so that half of all are no further; None where it is
    infinite or nothing is there."""
    middle = float(np.sort(distance_mm)[len(distance_mm) // 2]) if len(distance_mm) else math.inf
    return middle if math.isfinite(middle) else None
