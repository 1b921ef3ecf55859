"""How good the tracking of a recording is: what a lab must see before it trains on it.

Gaps in time, poses that stand still to the last bit while others move, jumps faster than a hand, jitter at rest, the
share of valid poses, and poses whose numbers may be in another unit. All of one transform, moment by moment.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry.transforms import Matrix, TransformTrack
from .stamps import JUMP_FACTOR, JUMP_S

# A tracker's numbers change in every measurement, if only in their last digits: so many equal ones are no measurements.
FROZEN_FRAMES = 5
# No hand moves a probe so fast.
FASTEST_MM_S, FASTEST_DEG_S = 1500.0, 600.0
# Jitter is that of the stillest stretch, where the probe moves by less than this.
REST_S, REST_MM, REST_DEG, _LEAST_AT_REST = 0.5, 1.0, 0.5, 8
# Turned by more than this but moved by less: the lengths are not millimetres, as far as one can tell.
_TURNED_DEG, _MOVED_MM = 10.0, 1.0
_FARTHEST_MM = 5000.0


@dataclass(frozen=True, eq=False)
class TrackingQuality:
    """Of N moments of one transform.

    name            of the transform
    valid           (N,) which have a pose
    frozen          (N,) which repeat the pose before, in runs of FROZEN_FRAMES or more of a recording that moves
    jumped          (N,) which lie further from the valid pose before than a hand moves
    gap_s           (N,) seconds from the moment before where that is a gap, otherwise 0
    rate_hz         moments a second, by the usual step; NaN for one moment
    jitter_mm, jitter_deg
                    RMS about a straight motion in the stillest stretch of REST_S; NaN where there is none
    extent_mm, extent_deg
                    the largest translation and rotation from the first valid pose
    """

    name: str
    valid: NDArray[np.bool_]
    frozen: NDArray[np.bool_]
    jumped: NDArray[np.bool_]
    gap_s: NDArray[np.float64]
    rate_hz: float
    jitter_mm: float
    jitter_deg: float
    extent_mm: float
    extent_deg: float

    def as_dict(self) -> dict[str, Any]:
        """What `info --json` prints."""
        return {
            "transform": self.name,
            "valid_share": float(self.valid.mean()),
            "longest_without_s": self._longest_without_s,
            "rate_hz": self.rate_hz,
            "gaps": int((self.gap_s > 0).sum()),
            "longest_gap_s": float(self.gap_s.max(initial=0.0)),
            "frozen_frames": int(self.frozen.sum()),
            "jumps": int(self.jumped.sum()),
            "jitter_mm": self.jitter_mm,
            "jitter_deg": self.jitter_deg,
        }

    def sentences(self) -> list[str]:
        """What is odd, in words; empty when all is well."""
        count, said = len(self.valid), []
        gaps, frozen, jumps = int((self.gap_s > 0).sum()), int(self.frozen.sum()), int(self.jumped.sum())
        if gaps:
            said.append(f"{gaps} gaps in time, the longest of {self.gap_s.max():.2f} s.")
        if frozen:
            said.append(
                f"{frozen} of {count} poses of {self.name} repeat the one before to the last bit (first: frame "
                f"{_first(self.frozen)}): the tracker may have stopped measuring."
            )
        if jumps:
            said.append(
                f"{jumps} of {count} poses of {self.name} lie further from the one before than a hand moves (first: "
                f"frame {_first(self.jumped)})."
            )
        if self.extent_deg > _TURNED_DEG and self.extent_mm < _MOVED_MM:
            said.append(
                f"{self.name} turns by {self.extent_deg:.0f}° and moves by {self.extent_mm:.2g} mm; its lengths may be "
                "in another unit than millimetres."
            )
        if self.extent_mm > _FARTHEST_MM:
            said.append(f"{self.name} moves by {self.extent_mm:.0f} mm, further than a tracker sees.")
        return said

    @property
    def words(self) -> str:
        """The figures in a line."""
        jitter = (
            "never at rest"
            if math.isnan(self.jitter_mm)
            else f"jitter at rest {self.jitter_mm:.2g} mm, {self.jitter_deg:.2g}°"
        )
        without = f", {self._longest_without_s:.2g} s without at most" if not self.valid.all() else ""
        return f"{self.valid.mean():.1%} valid{without}; {jitter}"

    @property
    def _longest_without_s(self) -> float:
        """The longest run of moments without a pose, by the usual step."""
        lengths = [last - first for first, last in _runs(~self.valid)]
        return max(lengths, default=0) / self.rate_hz if self.rate_hz > 0 else 0.0


def tracking_quality(
    name: str, track: TransformTrack, timestamps_s: NDArray[np.float64], held: NDArray[np.bool_]
) -> TrackingQuality:
    """Of a transform (N moments) with its time stamps (N,). Where `held` (N,) is true a pose was held on purpose and
    repeats itself rightly."""
    steps_s = np.diff(timestamps_s, prepend=timestamps_s[:1])
    forward = steps_s[1:][steps_s[1:] > 0]
    usual_s = float(np.median(forward)) if len(forward) else math.nan
    gap_s = np.where(steps_s > max(JUMP_FACTOR * usual_s, JUMP_S), steps_s, 0.0)
    moved_mm, turned_deg = _from(track.matrices[:-1], track.matrices[1:])
    both = track.valid[1:] & track.valid[:-1]
    equal = both & (track.matrices[1:] == track.matrices[:-1]).all(axis=(1, 2)) & ~held[1:]
    with np.errstate(divide="ignore", invalid="ignore"):
        fast = (moved_mm / steps_s[1:] > FASTEST_MM_S) | (turned_deg / steps_s[1:] > FASTEST_DEG_S)
    jumped = both & fast & (steps_s[1:] > 0)
    poses = track.matrices[track.valid]
    extent_mm, extent_deg = (part.max(initial=0.0) for part in _from(poses[:1], poses))
    jitter_mm, jitter_deg = _jitter(track, timestamps_s, held)
    return TrackingQuality(
        name,
        track.valid,
        np.concatenate([[False], _long_runs(equal) if extent_mm + extent_deg > 0 else 0 * equal > 0]),
        np.concatenate([[False], jumped]),
        gap_s,
        1 / usual_s if usual_s > 0 else math.nan,
        jitter_mm,
        jitter_deg,
        float(extent_mm),
        float(extent_deg),
    )


def _from(first: Matrix, then: Matrix) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Millimetres and degrees between poses, pair by pair."""
    mm = np.linalg.norm(then[:, :3, 3] - first[:, :3, 3], axis=1)
    # |R₁ − R₂| (Frobenius) = √8 · sin(angle / 2)
    chord = np.linalg.norm(then[:, :3, :3] - first[:, :3, :3], axis=(1, 2)) / math.sqrt(8)
    return mm, np.degrees(2 * np.arcsin(np.clip(chord, 0, 1)))


def _first(mask: NDArray[np.bool_]) -> int:
    return int(np.flatnonzero(mask)[0])


def _runs(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """(first, past the last) of every run."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(int)))
    return [(int(first), int(last)) for first, last in edges.reshape(-1, 2)]


def _long_runs(equal: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The mask without runs of fewer than FROZEN_FRAMES."""
    kept = np.zeros_like(equal)
    for first, last in _runs(equal):
        if last - first >= FROZEN_FRAMES:
            kept[first:last] = True
    return kept


def _jitter(
    track: TransformTrack, timestamps_s: NDArray[np.float64], held: NDArray[np.bool_]
) -> tuple[float, float]:
    """RMS in mm and degrees about a straight motion, in the stillest stretch of REST_S with measurements."""
    found = (math.nan, math.nan)
    measured = track.valid & ~held
    first = 0
    for last in range(len(timestamps_s)):
        while timestamps_s[last] - timestamps_s[first] > REST_S:
            first += 1
        stretch = slice(first, last + 1)
        if last + 1 - first < _LEAST_AT_REST or not measured[stretch].all():
            continue
        poses = track.matrices[stretch]
        mm, deg = _from(poses[:1], poses)
        if mm.max() > REST_MM or deg.max() > REST_DEG or not mm.any():
            continue
        rms_mm, rms_deg = _about_a_line(poses, timestamps_s[stretch])
        if math.isnan(found[0]) or rms_mm < found[0]:
            found = rms_mm, rms_deg
    return found


def _about_a_line(poses: Matrix, times_s: NDArray[np.float64]) -> tuple[float, float]:
    """RMS of translation, in mm, and of rotation, in degrees, about motions that are even in time. A degree of freedom
    is what the line takes."""
    basis = np.stack([np.ones_like(times_s), times_s - times_s.mean()], axis=1)
    # Small turns from the first pose: R₁ᵀR ≈ 1 + [r]ₓ.
    relative = np.swapaxes(poses[:1, :3, :3], 1, 2) @ poses[:, :3, :3]
    turns = np.degrees(np.stack([relative[:, 2, 1], relative[:, 0, 2], relative[:, 1, 0]], axis=1))
    free = len(times_s) - 2
    rest = [v - basis @ np.linalg.lstsq(basis, v, rcond=None)[0] for v in (poses[:, :3, 3], turns)]
    rms_mm, rms_deg = (float(np.sqrt((r**2).sum() / free)) for r in rest)
    return rms_mm, rms_deg
