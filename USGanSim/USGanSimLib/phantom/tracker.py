"""An optical tracker as labs have them: jitter, latency, drop-outs, a reference askew, a calibration error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ..geometry.transforms import Matrix, TransformTrack
from .shapes import Vector


@dataclass(frozen=True)
class Tracker:
    """jitter SDs of one reading; lag_s as defined for `prepare` (the image stamped t shows the pose stamped t + lag);
    share of time in which the probe is not seen, in gaps of about `gap_s`."""

    jitter_mm: float = 0.12
    jitter_deg: float = 0.05
    lag_s: float = 0.0
    lost_share: float = 0.01
    gap_s: float = 0.4


REFERENCE_TO_TRACKER = np.eye(4)
REFERENCE_TO_TRACKER[:3, :3] = Rotation.from_euler("xyz", (21, -34, 158), degrees=True).as_matrix()
REFERENCE_TO_TRACKER[:3, 3] = (-120.0, 85.0, -1450.0)


def tracked(
    probe_to_reference: Matrix, times_s: Vector, tracker: Tracker, rng: np.random.Generator
) -> dict[str, TransformTrack]:
    """What the tracker reports for true poses (N, 4, 4): ProbeToTracker and ReferenceToTracker, N moments each."""
    count = len(times_s)
    steady = np.broadcast_to(REFERENCE_TO_TRACKER, (count, 4, 4))
    seen = _seen(times_s, tracker, rng)
    return {
        "ProbeToTracker": TransformTrack(_jittered(steady @ probe_to_reference, tracker, rng), seen),
        "ReferenceToTracker": TransformTrack(_jittered(steady, tracker, rng), np.ones(count, bool)),
    }


def misplaced(image_to_probe: Matrix, error_mm: float, error_deg: float, rng: np.random.Generator) -> Matrix:
    """ImageToProbe with a calibration error: moved by `error_mm` and turned by `error_deg` in random directions."""
    if error_mm == 0 and error_deg == 0:
        return image_to_probe
    shift, axis = (v / np.linalg.norm(v) for v in rng.standard_normal((2, 3)))
    error = np.eye(4)
    error[:3, :3] = Rotation.from_rotvec(np.deg2rad(error_deg) * axis).as_matrix()
    error[:3, 3] = error_mm * shift
    return error @ image_to_probe


def _jittered(poses: Matrix, tracker: Tracker, rng: np.random.Generator) -> Matrix:
    """Each pose turned about the tool's own origin and moved by the tracker's jitter."""
    result = poses.copy()
    turns = Rotation.from_rotvec(
        np.deg2rad(tracker.jitter_deg / np.sqrt(3)) * rng.standard_normal((len(poses), 3))
    )
    result[:, :3, :3] = turns.as_matrix() @ poses[:, :3, :3]
    result[:, :3, 3] += tracker.jitter_mm / np.sqrt(3) * rng.standard_normal((len(poses), 3))
    return result


def _seen(times_s: Vector, tracker: Tracker, rng: np.random.Generator) -> NDArray[np.bool_]:
    duration_s = times_s[-1] - times_s[0]
    seen = np.ones(len(times_s), bool)
    for start in times_s[0] + duration_s * rng.random(round(tracker.lost_share * duration_s / tracker.gap_s)):
        seen[(times_s >= start) & (times_s < start + rng.exponential(tracker.gap_s))] = False
    return seen
