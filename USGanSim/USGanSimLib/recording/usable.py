"""The frames of a recording that can be trained on, and which sweep and held pose each of them shows."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from ..geometry.transforms import Matrix, interpolate
from .sweep import TrackedSweep

# Between samples further apart than this the probe may have been anywhere.
LARGEST_GAP_S = 0.5
# Sweeps that follow one another in one recording are told apart by this field, and held poses, which may be numbered
# anew in every sweep, by both.
SWEEP_FIELD = "Sweep"
HOLD_FIELDS = (SWEEP_FIELD, "Hold")
# Why a frame is left out, in the order in which it is asked, and in words.
REASONS = {
    "image_invalid": "the image is invalid",
    "pose_invalid": "the pose or its neighbour is invalid",
    "outside_recording": "the lag leads outside the recording",
    "pose_gap": f"the poses around it are more than {LARGEST_GAP_S:g} s apart",
}


@dataclass(frozen=True, eq=False)
class UsableFrames:
    """The frames of a sweep that can be trained on: indices (K,), ProbeToReference (K, 4, 4) at the time that each
    image shows, and how many frames were left out, by reason."""

    frames: NDArray[np.int_]
    probe_to_reference: Matrix
    excluded: dict[str, int] = dataclasses.field(default_factory=dict)


def usable_frames(sweep: TrackedSweep, lag_s: float, probe_frame: str, reference_frame: str) -> UsableFrames:
    """Which frames have a valid image and a pose at the time it shows. Every other frame is counted, once."""
    track = sweep.probe_to_reference(probe_frame, reference_frame)
    at_s = sweep.timestamps_s + lag_s
    inside = (at_s >= sweep.timestamps_s[0]) & (at_s <= sweep.timestamps_s[-1])
    any_gap = near = track
    if lag_s:
        _require_increasing(sweep)
        any_gap = interpolate(sweep.timestamps_s, track, at_s)
        near = interpolate(sweep.timestamps_s, track, at_s, LARGEST_GAP_S)
    else:
        inside = np.ones(len(sweep), bool)
    passed = {
        "image_invalid": sweep.image_valid,
        "outside_recording": inside,
        "pose_invalid": any_gap.valid | ~inside,
        "pose_gap": near.valid,
    }
    left, excluded = np.ones(len(sweep), bool), {}
    for reason in REASONS:
        excluded[reason] = int((left & ~passed[reason]).sum())
        left &= passed[reason]
    return UsableFrames(np.flatnonzero(left), near.matrices[left], excluded)


def sweep_parts(sweep: TrackedSweep) -> NDArray[np.int_]:
    """(N,) for every frame of a recording, which of the sweeps that it holds it is from: their field changes."""
    names = sweep.frame_fields.get(SWEEP_FIELD)
    if names is None:
        return np.zeros(len(sweep), int)
    changes = [before != after for before, after in itertools.pairwise(names)]
    return np.cumsum([0, *changes])


def held_on_purpose(sweep: TrackedSweep) -> NDArray[np.bool_]:
    """(N,) which frames of a recording show a held pose, which is to be there several times."""
    names = sweep.frame_fields.get(HOLD_FIELDS[-1], (None,) * len(sweep))
    return np.array([name is not None for name in names], bool)


def held_poses(
    sweeps: Sequence[TrackedSweep], usable: Sequence[UsableFrames]
) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    """For every usable frame: the number of the held pose that it shows (−1: none), and the place of the first frame
    of that pose among the usable ones (its own place: none)."""
    first: dict[tuple[int, str | None, str], int] = {}
    firsts: list[int] = []
    for number, (sweep, kept) in enumerate(zip(sweeps, usable, strict=True)):
        parts, holds = (sweep.frame_fields.get(name, (None,) * len(sweep)) for name in HOLD_FIELDS)
        for frame in kept.frames:
            hold = holds[frame]
            place = len(firsts)
            firsts.append(place if hold is None else first.setdefault((number, parts[frame], hold), place))
    numbers = {place: number for number, place in enumerate(first.values())}
    return np.array([numbers.get(place, -1) for place in firsts], int), np.array(firsts, int)


def _require_increasing(sweep: TrackedSweep) -> None:
    wrong = np.flatnonzero(~(np.diff(sweep.timestamps_s) > 0)) + 1
    if wrong.size:
        before_s, time_s = sweep.timestamps_s[wrong[0] - 1 : wrong[0] + 1]
        raise UserError(
            f"The time stamps of {sweep.name} do not increase at {wrong.size} of {len(sweep)} frames (first: frame "
            f"{wrong[0]} at {time_s:.6f} s after {before_s:.6f} s), so no lag can be applied.",
            "Remove repeated frames from the recording, or use --lag-s 0.",
        )
