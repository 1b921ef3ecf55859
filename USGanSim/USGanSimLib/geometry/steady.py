"""A steadier hand: poses without the jitter of the tracker, at the price of a lag that is known.

A pose counts less the older it is, by e each time constant. That is a mean of translations, and of rotations along
the shortest way between them, which stays a rotation.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.spatial.transform import Rotation

from ..errors import UserError
from .transforms import Matrix

LONGEST_S = 2.0
# After so long without a pose the hand may be anywhere: the next one counts alone.
FORGET_AFTER_S = 0.5


class SteadyHand:
    """Smooths rigid poses as they come, with one time constant. Raises UserError for one out of range."""

    def __init__(self, constant_s: float) -> None:
        if not 0 < constant_s <= LONGEST_S:
            raise UserError(
                f"A hand cannot be steadied over {constant_s:g} s.",
                f"Give more than 0, up to {LONGEST_S:g} s.",
            )
        self.constant_s = constant_s
        self.restart()

    def restart(self) -> None:
        """The next pose counts alone."""
        self._rotation: Rotation | None = None
        self._translation_mm = np.zeros(3)
        self._at_s = 0.0
        self._age_s, self._weights_squared = 0.0, 1.0

    @property
    def lag_s(self) -> float:
        """How far what comes out is behind a hand that moves steadily: the mean age of the poses in it."""
        return self._age_s

    @property
    def jitter_share(self) -> float:
        """What is left of the SD of a jitter that differs from pose to pose."""
        return math.sqrt(self._weights_squared)

    def steady(self, pose: Matrix, at_s: float) -> Matrix:
        """The smoothed pose (4, 4) after one that came at `at_s`, in seconds of a clock that does not go back."""
        rotation, translation_mm = Rotation.from_matrix(pose[:3, :3]), pose[:3, 3]
        elapsed_s = max(at_s - self._at_s, 0.0)
        if self._rotation is None or elapsed_s > FORGET_AFTER_S:
            self.restart()
            share, elapsed_s, self._rotation = 1.0, 0.0, rotation
        else:
            share = -math.expm1(-elapsed_s / self.constant_s)
            turn = (rotation * self._rotation.inv()).as_rotvec()
            self._rotation = Rotation.from_rotvec(share * turn) * self._rotation
        self._translation_mm = self._translation_mm + share * (translation_mm - self._translation_mm)
        self._at_s, self._age_s = at_s, (1 - share) * (self._age_s + elapsed_s)
        self._weights_squared = (1 - share) ** 2 * self._weights_squared + share**2
        smoothed = np.eye(4)
        smoothed[:3, :3], smoothed[:3, 3] = self._rotation.as_matrix(), self._translation_mm
        return smoothed
