"""Time stamps of images and poses: checked, and poses interpolated between the tracker's samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.spatial.transform import Rotation, RotationSpline

from ..errors import UserError
from ..geometry.transforms import TransformTrack, interpolate

# A pose is not guessed across a longer gap than this, or than two usual steps of a slow recording.
LARGEST_POSE_GAP_S = 0.25


def require_increasing(times_s: NDArray[np.float64], name: str) -> NDArray[np.bool_]:
    """The frames (N,) whose stamp is new: a repeated one carries no time of its own and is left out.

    Raises UserError where the clock runs backwards, or where a tenth of the stamps or more is repeated.
    """
    steps = np.diff(times_s)
    back = np.flatnonzero(~(steps >= 0))
    if back.size:
        raise UserError(
            f"The time stamps of {name} jump back {back.size} times (first: by {-steps[back[0]]:.3f} s at "
            f"frame {back[0] + 1}).",
            "Use one recording from one clock; split it where the clock was set.",
        )
    new = np.concatenate([[True], steps > 0])
    repeated = int((~new).sum())
    if repeated * 10 > len(times_s):
        raise UserError(
            f"{repeated} of {len(times_s)} time stamps of {name} repeat the one before (first: frame "
            f"{np.flatnonzero(~new)[0]}).",
            "Record again: without own stamps there is no lag to find.",
        )
    return new


@dataclass(frozen=True, eq=False)
class Tracking:
    """Poses of a tracker (M moments, ProbeToReference) with their own time stamps, and their name for messages.

    Between its samples a hand speeds up and slows down: over the 0.1 s from image to image that are usual, a straight
    line would cut the strokes short by half a percent and make the pixels as much too small. Cubic splines do not.
    """

    times_s: NDArray[np.float64]
    poses: TransformTrack
    name: str

    def __post_init__(self) -> None:
        known = require_increasing(self.times_s, self.name) & self.poses.valid
        if known.sum() < 2:
            raise UserError(
                f"{self.name} has {known.sum()} valid poses.",
                "Check that the probe was in the tracker's view.",
            )
        times_s, matrices = self.times_s[known], self.poses.matrices[known]
        object.__setattr__(self, "_known_s", times_s)
        object.__setattr__(self, "_known", self.poses[known])
        object.__setattr__(self, "_places", CubicSpline(times_s, matrices[:, :3, 3]))
        object.__setattr__(self, "_turns", RotationSpline(times_s, Rotation.from_matrix(matrices[:, :3, :3])))
        object.__setattr__(
            self, "_gap_s", max(LARGEST_POSE_GAP_S, 2 * float(np.median(np.diff(self.times_s))))
        )

    def at(self, times_s: NDArray[np.float64]) -> TransformTrack:
        """The poses at other moments, valid where the tracker's samples are near; invalid samples are bridged where
        the gap is short."""
        known_s: NDArray[np.float64] = self._known_s  # type: ignore[attr-defined]
        valid = interpolate(known_s, self._known, times_s, self._gap_s).valid  # type: ignore[attr-defined]
        within = np.clip(times_s, known_s[0], known_s[-1])
        matrices = np.tile(np.eye(4), (len(times_s), 1, 1))
        matrices[:, :3, :3] = self._turns(within).as_matrix()  # type: ignore[attr-defined]
        matrices[:, :3, 3] = self._places(within)  # type: ignore[attr-defined]
        return TransformTrack(np.where(valid[:, None, None], matrices, np.eye(4)), valid)
