"""Time stamps of images and poses: checked, and poses interpolated between the tracker's samples."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

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
        raise UserError(f"The time stamps of {name} jump back {back.size} times (first: by {-steps[back[0]]:.3f} s at "
                        f"frame {back[0] + 1}).", "Use one recording from one clock; split it where the clock was set.")
    new = np.concatenate([[True], steps > 0])
    repeated = int((~new).sum())
    if repeated * 10 > len(times_s):
        raise UserError(f"{repeated} of {len(times_s)} time stamps of {name} repeat the one before (first: frame "
                        f"{np.flatnonzero(~new)[0]}).", "Record again: without own stamps there is no lag to find.")
    return new


def poses_at(times_s: NDArray[np.float64], track: TransformTrack, at_s: NDArray[np.float64],
             name: str) -> TransformTrack:
    """The poses of a track, stamped `times_s`, at other moments; invalid ones are bridged where the gap is short."""
    known = require_increasing(times_s, name) & track.valid
    if known.sum() < 2:
        raise UserError(f"{name} has {known.sum()} valid poses.", "Check that the probe was in the tracker's view.")
    gap_s = max(LARGEST_POSE_GAP_S, 2 * float(np.median(np.diff(times_s))))
    return interpolate(times_s[known], track[known], at_s, gap_s)
