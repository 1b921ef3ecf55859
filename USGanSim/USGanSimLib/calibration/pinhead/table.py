"""The residuals of a pinhead calibration point by point, from what CAL.json holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class PinResidual:
    """How far off a point is, in the image plane and across it (signed), millimetres; `used` is False for an outlier.

    Where brightness told how far the pin was off the plane, `across_mm` is what that leaves.
    """

    frame: int
    in_plane_mm: float
    across_mm: float
    used: bool

    @property
    def mm(self) -> float:
        """In space."""
        return float(np.hypot(self.in_plane_mm, self.across_mm))


def pin_residuals(result: Mapping[str, Any]) -> list[PinResidual]:
    """One for each point of CAL.json, the one that is furthest off first."""
    outliers = set(result["outlier_frames"])
    found = [
        PinResidual(frame, in_plane_mm, across_mm, frame not in outliers)
        for frame, (in_plane_mm, across_mm) in zip(result["frames"], result["residuals_mm"], strict=True)
    ]
    return sorted(found, key=lambda one: -one.mm)
