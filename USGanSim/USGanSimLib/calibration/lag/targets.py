"""Targets that tell the lag: the flat floor of a bath, a pinhead, wires (or any points that trace straight lines)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...errors import UserError
from ...geometry.transforms import Matrix
from ..pinhead.checks import require_turned
from ..pinhead.fit import FEWEST_POINTS, PinFit, fit_pinhead, refine, robust_start, weighted
from ..pinhead.model import residuals_mm
from ..pinhead.points import PinPoints
from ..timing import Tracking
from .estimate import Flags, Values
from .floor import FloorLine
from .wires import WireTrack

# Less motion than this drowns in the noise of line and tracker.
LEAST_ROW_SD_PX = 3.0
LEAST_EXPLAINED = 0.5
# Wires lie this well on straight lines (0.23 mm RMS in PLUS's fCal recording).
WIRE_SPREAD_MM = 0.2
_START_LAGS_S = tuple(0.05 * step for step in range(-8, 9))


@dataclass(frozen=True, eq=False)
class Floor:
    """A probe moved up and down over a flat floor: its row in the image goes with the probe's principal motion."""

    frames: NDArray[np.int_]
    rows_px: Values
    method: str = "flat bottom"
    unit: str = "px"

    @classmethod
    def seen(cls, line: FloorLine, image_valid: Flags, name: str) -> Floor:
        """The images that show the line. Raises UserError where it hardly moves."""
        frames = np.flatnonzero(np.isfinite(line.rows_px) & image_valid)
        rows = line.rows_px[frames]
        if not len(frames):
            raise UserError(
                f"No image of {name} shows a bright straight line.",
                "Record the floor of a water bath, or give the --points of another target.",
            )
        if rows.std() < LEAST_ROW_SD_PX:
            raise UserError(
                f"The line in {name} moves by {rows.std():.1f} px (standard deviation), where "
                f"{LEAST_ROW_SD_PX:g} px are needed.",
                "Move the probe up and down by 1 to 3 cm, about one stroke a second.",
            )
        return cls(frames, rows)

    def misfit(self, poses: Matrix, used: Flags) -> float:
        """RMS of the rows that a straight line over the principal motion leaves, px."""
        motion = poses[used, :3, 3] - poses[used, :3, 3].mean(axis=0)
        along = motion @ np.linalg.svd(motion, full_matrices=False)[2][0]
        design = np.column_stack([along, np.ones_like(along)])
        left = self.rows_px[used] - design @ np.linalg.lstsq(design, self.rows_px[used], rcond=None)[0]
        return float(np.sqrt(np.mean(left**2)))

    def require_explained(self, misfit: float) -> None:
        """Raise UserError where the line does not follow the probe at the best lag."""
        explained = 1 - (misfit / self.rows_px.std()) ** 2
        if explained < LEAST_EXPLAINED:
            raise UserError(
                f"The line follows the probe's motion in {max(explained, 0):.0%} of its variance only "
                f"({LEAST_EXPLAINED:.0%} are needed).",
                "Move the probe straight up and down over a flat floor, without tilting it.",
            )


@dataclass(frozen=True, eq=False)
class Pin:
    """A fixed pinhead under a moving probe: at the right lag it is most fixed, calibrated anew at every lag."""

    points: PinPoints
    frames: NDArray[np.int_]
    start: PinFit
    method: str = "pinhead"
    unit: str = "spreads"

    @classmethod
    def marked(
        cls, marks: Mapping[int, Values], image_times_s: Values, tracking: Tracking, size_px: tuple[int, int]
    ) -> Pin:
        """Marks, frame → (2,), in a recording with these time stamps. The pin is first fitted at the lag, of some,
        that holds it best. Raises UserError where the points have no poses or agree on no pin."""
        frames, pixels = np.array(list(marks), int), np.array(list(marks.values()))

        def points_at(lag_s: float) -> PinPoints:
            poses = tracking.at(image_times_s[frames] + lag_s)
            return PinPoints(frames[poses.valid], pixels[poses.valid], poses.matrices[poses.valid], *size_px)

        trials = [points for points in map(points_at, _START_LAGS_S) if len(points) >= FEWEST_POINTS]
        if not trials:
            raise UserError(
                f"Fewer than {FEWEST_POINTS} of {len(frames)} points have a pose.",
                "Check that images and poses are of the same clock.",
            )
        require_turned(trials[0])
        every = PinPoints(frames, pixels, np.tile(np.eye(4), (len(frames), 1, 1)), *size_px)
        return cls(every, frames, fit_pinhead(min(trials, key=lambda points: robust_start(points)[1])))

    def misfit(self, poses: Matrix, used: Flags) -> float:
        """RMS of the residuals, each in units of its kind's spread at the start, since the image tells the pin's place
        much better in its plane than across."""
        points = replace(self.points, probe_to_reference=poses)
        fitted = refine(self.start.parameters, points, used, self.start.spreads, None, robust=True)
        squares = (weighted(residuals_mm(fitted, points)[used], self.start.spreads) ** 2).sum(axis=1)
        return float(np.sqrt(np.mean(_bounded(squares, 3.0))))


@dataclass(frozen=True, eq=False)
class Wires:
    """Straight wires through the image of a calibrated probe: at the right lag they are straightest in Reference."""

    frames: NDArray[np.int_]
    tracks: Sequence[WireTrack]
    image_to_probe: Matrix
    method: str = "wires"
    unit: str = "mm"

    @classmethod
    def followed(cls, tracks: Sequence[WireTrack], image_to_probe: Matrix) -> Wires:
        """All frames in which some wire was seen."""
        if not tracks:
            raise UserError("No wire could be followed through the images.", "Give the points of the wires.")
        return cls(np.unique(np.concatenate([track.frames for track in tracks])), tracks, image_to_probe)

    def misfit(self, poses: Matrix, used: Flags) -> float:
        """RMS distance of the points from the straight line through those of their wire, mm."""
        squares = []
        for track in self.tracks:
            rows = np.searchsorted(self.frames, track.frames)
            seen = used[rows]
            pixels = np.column_stack([track.pixels[seen], np.zeros(seen.sum()), np.ones(seen.sum())])
            places = np.einsum("nij,nj->ni", poses[rows[seen]], pixels @ self.image_to_probe.T)[:, :3]
            if len(places) > 3:
                squares.append(_from_line(places))
        return (
            float(np.sqrt(np.mean(_bounded(np.concatenate(squares), WIRE_SPREAD_MM))))
            if squares
            else float("inf")
        )


def _from_line(places: Values) -> Values:
    """(N,) squared distances from the line through (N, 3) places."""
    centred = places - np.median(places, axis=0)
    for _ in range(3):
        along = np.linalg.svd(centred, full_matrices=False)[2][0]
        across = centred - np.outer(centred @ along, along)
        distance = np.linalg.norm(across, axis=1)
        near = distance <= 3 * np.median(distance) + 1e-9
        centred = centred - centred[near].mean(axis=0)
        along = np.linalg.svd(centred[near], full_matrices=False)[2][0]
    across = centred - np.outer(centred @ along, along)
    result: Values = (across**2).sum(axis=1)
    return result


def _bounded(squares: Values, width: float) -> Values:
    """Squared residuals that grow slowly beyond `width` (Cauchy), so that misplaced points do not decide. The width is
    fixed: one taken from the residuals would jump with the lag."""
    return width**2 * np.log1p(squares / width**2)
