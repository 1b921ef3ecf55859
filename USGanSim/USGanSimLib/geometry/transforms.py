"""Named transforms: `AToB` maps frame A to frame B with column vectors; a small graph answers any `AToB`.

Names follow PLUS (PlusLib, docs/CoordinateSystemDefinitions.md). Every frame is in millimetres, except Image, which
is in pixels of an MF-oriented image.
"""

from __future__ import annotations

import itertools
import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation, Slerp

from ..errors import UserError

Matrix = NDArray[np.float64]

# Six printed digits leave a rotation orthonormal to 4e-4 at worst (measured on PLUS recordings).
RIGID_TOLERANCE = 5e-3


@dataclass(frozen=True)
class TransformTrack:
    """One transform over N moments: `matrices` (N, 4, 4), and `valid` (N,) bool, from the tracker's status alone."""

    matrices: Matrix
    valid: NDArray[np.bool_]

    def __post_init__(self) -> None:
        count = len(self.valid)
        if self.matrices.shape != (count, 4, 4):
            raise ValueError(f"matrices {self.matrices.shape} do not go with {count} validity flags")

    def __len__(self) -> int:
        return len(self.valid)

    def __getitem__(self, chosen: slice | NDArray[np.int_] | NDArray[np.bool_]) -> TransformTrack:
        return TransformTrack(self.matrices[chosen], self.valid[chosen])

    @classmethod
    def constant(cls, matrix: Matrix) -> TransformTrack:
        """A track of one moment; it broadcasts against tracks of any length."""
        return cls(np.asarray(matrix, np.float64).reshape(1, 4, 4), np.ones(1, bool))

    def inverse(self) -> TransformTrack:
        """The opposite direction. Invalid moments become the identity, whatever numbers they carry, and a matrix
        without an inverse becomes NaN, which is never rigid."""
        usable = self._usable()
        with np.errstate(invalid="ignore"):
            singular = (np.linalg.det(usable) == 0)[:, None, None]
        inverses = np.linalg.inv(np.where(singular, np.eye(4), usable))
        return TransformTrack(np.where(singular, np.nan, inverses), self.valid)

    def after(self, first: TransformTrack) -> TransformTrack:
        """`self · first` at every moment, valid where both are."""
        valid = self.valid & first.valid
        return TransformTrack(
            np.where(valid[:, None, None], self._usable() @ first._usable(), np.eye(4)), valid
        )

    def _usable(self) -> Matrix:
        return np.where(self.valid[:, None, None], self.matrices, np.eye(4))


def split_transform_name(name: str) -> tuple[str, str]:
    """`ProbeToTracker` → (`Probe`, `Tracker`). The `To` is followed by a capital and there is exactly one such.

    Raises UserError for any other name.
    """
    places = [match.start() for match in re.finditer(r"To(?=[A-Z])", name) if match.start() > 0]
    if len(places) != 1:
        raise UserError(
            f"'{name}' does not name a transform.", "Write it as FromToTo, for example ProbeToTracker."
        )
    return name[: places[0]], name[places[0] + 2 :]


class TransformGraph:
    """Named transforms as edges between frames; `track` chains and inverts them along the shortest path."""

    def __init__(self, transforms: Mapping[str, TransformTrack]) -> None:
        self._edges: dict[str, dict[str, TransformTrack]] = {}
        # Given directions first: where a recording holds both AToB and BToA, each is used as it was measured.
        for name, track in transforms.items():
            source, target = split_transform_name(name)
            self._edges.setdefault(source, {})[target] = track
        for source, target, track in [(s, t, k) for s, ends in self._edges.items() for t, k in ends.items()]:
            self._edges.setdefault(target, {}).setdefault(source, track.inverse())

    @property
    def frames(self) -> list[str]:
        """The names of all coordinate frames."""
        return sorted(self._edges)

    def reachable(self, source: str) -> list[str]:
        """The frames that `source` can be mapped to, itself left out."""
        return sorted(set(self._paths(source)) - {source})

    def path(self, source: str, target: str) -> list[str]:
        """The frames on the shortest way, both ends included; empty where there is none."""
        return self._paths(source).get(target, [])

    def track(self, source: str, target: str) -> TransformTrack:
        """`sourceTotarget` over all moments. Raises UserError where the frames are not connected."""
        path = self.path(source, target)
        if not path:
            known = ", ".join(self.reachable(source)) or "nothing"
            raise UserError(
                f"There is no transform {source}To{target}: from {source} one reaches {known}.",
                "Name a frame that is there, or give the missing transform (for Image: a calibration).",
            )
        result = TransformTrack.constant(np.eye(4))
        for start, end in itertools.pairwise(path):
            result = self._edges[start][end].after(result)
        return result

    def _paths(self, source: str) -> dict[str, list[str]]:
        paths = {source: [source]} if source in self._edges else {}
        waiting = deque(paths)
        while waiting:
            frame = waiting.popleft()
            for neighbour in self._edges[frame]:
                if neighbour not in paths:
                    paths[neighbour] = [*paths[frame], neighbour]
                    waiting.append(neighbour)
        return paths


def rigidity_error(matrices: Matrix) -> NDArray[np.float64]:
    """How far each (…, 4, 4) matrix is from a rigid transform: the largest entry of |RᵀR − I|, with infinity for
    NaN, a mirrored rotation or a last row other than 0 0 0 1. Shape (…,)."""
    rotation = matrices[..., :3, :3]
    with np.errstate(invalid="ignore"):
        error = np.abs(np.swapaxes(rotation, -1, -2) @ rotation - np.eye(3)).max(axis=(-2, -1))
        proper = (np.linalg.det(rotation) > 0) & (matrices[..., 3, :] == (0, 0, 0, 1)).all(axis=-1)
    return np.where(proper & np.isfinite(matrices).all(axis=(-2, -1)), error, np.inf)


def require_rigid(track: TransformTrack, name: str) -> None:
    """Raise UserError when a valid matrix of the track is no rigid transform (scaled, sheared, mirrored or NaN)."""
    error = np.where(track.valid, rigidity_error(track.matrices), 0.0)
    bad = np.flatnonzero(error > RIGID_TOLERANCE)
    if bad.size:
        raise UserError(
            f"{name} is not a rigid transform in {bad.size} of {len(track)} frames (first: frame {bad[0]}, "
            f"off by {error[bad[0]]:.3g} where {RIGID_TOLERANCE:g} is allowed).",
            "A tracker pose has a rotation and a translation alone; check which transform this is.",
        )


def interpolate(
    times_s: NDArray[np.float64],
    track: TransformTrack,
    at_s: NDArray[np.float64],
    largest_gap_s: float = np.inf,
) -> TransformTrack:
    """The rigid track at other moments: rotations by slerp, translations linearly, between neighbouring samples.

    A result is valid where both neighbours are valid, no further apart than `largest_gap_s`, and `at_s` lies between
    them; there is no extrapolation. `times_s` must increase strictly (N ≥ 2).
    """
    if len(times_s) < 2 or not (np.diff(times_s) > 0).all():
        raise UserError(
            "Time stamps must increase from frame to frame to be interpolated.",
            "Sort the frames by time and remove repeated ones.",
        )
    usable = track._usable()
    after = np.clip(np.searchsorted(times_s, at_s), 1, len(times_s) - 1)
    before = after - 1
    # Exactly on a sample only that sample counts, so that a lag of zero changes nothing.
    on_before, on_after = at_s == times_s[before], at_s == times_s[after]
    gap_ok = times_s[after] - times_s[before] <= largest_gap_s
    valid = np.where(
        on_before,
        track.valid[before],
        np.where(on_after, track.valid[after], track.valid[before] & track.valid[after] & gap_ok),
    )
    valid &= (at_s >= times_s[0]) & (at_s <= times_s[-1])
    clamped = np.clip(at_s, times_s[0], times_s[-1])
    share = (clamped - times_s[before]) / (times_s[after] - times_s[before])
    result = np.tile(np.eye(4), (len(at_s), 1, 1))
    result[:, :3, :3] = Slerp(times_s, Rotation.from_matrix(usable[:, :3, :3]))(clamped).as_matrix()
    result[:, :3, 3] = usable[before, :3, 3] + share[:, None] * (usable[after, :3, 3] - usable[before, :3, 3])
    # An undisturbed sample keeps its printed matrix bit for bit.
    result[on_before] = usable[before][on_before]
    result[on_after] = usable[after][on_after]
    return TransformTrack(result, valid)
