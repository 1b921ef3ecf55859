"""Guided recording of a pinhead: followed as the images come, with what is still missing in words.

    guide = PinGuide()
    while recording:                      # some times a second
        guide.add(image, probe_to_reference)
        show(guide.progress().missing())

Directions are told about the image's axes where an earlier calibration is given, and about the probe's otherwise: all
three must spread, so that it does not matter much which is which.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import UserError
from ...geometry.transforms import Matrix
from .detection import propose
from .points import PinPoints, write_points, write_poses
from .quality import directions_deg
from .verdict import ADVISED_POINTS, ADVISED_RANGE_SHARE, ADVISED_TILT_DEG

# A hand moves this much between two looks; what moved less adds nothing.
LEAST_MOVE_MM, LEAST_TURN_DEG = 1.0, 1.0


@dataclass(frozen=True)
class PinProgress:
    """What was recorded so far: `points` images that differ; `tilt_deg`, half the range of directions about x, y, z;
    `share`, part of the image's width and depth that the pin went through; `axes_of`, the axes' frame, in words."""

    points: int
    tilt_deg: tuple[float, float, float]
    share: tuple[float, float]
    axes_of: str = "the probe's"

    @property
    def enough(self) -> bool:
        """Whether nothing is missing."""
        return not self.missing()

    def missing(self) -> list[str]:
        """What to do next, most useful first."""
        advice = [
            f"Tilt more about {self.axes_of} {axis} axis: ±{tilt:.0f}° of ±{ADVISED_TILT_DEG:.0f}° so far."
            for axis, tilt in zip("xyz", self.tilt_deg, strict=True)
            if tilt < ADVISED_TILT_DEG
        ]
        advice += [
            f"Show the pin {where}: over {share:.0%} of the image, {ADVISED_RANGE_SHARE:.0%} are needed."
            for where, share in zip(("further left and right", "nearer and deeper"), self.share, strict=True)
            if share < ADVISED_RANGE_SHARE
        ]
        if self.points < ADVISED_POINTS:
            advice.append(f"Go on: {self.points} of {ADVISED_POINTS} different images so far.")
        return advice


class PinGuide:
    """Follows the pinhead. `place` is where it was in the latest image (u, v), None while it is out of sight."""

    def __init__(self, image_to_probe: Matrix | None = None) -> None:
        self._image_to_probe = np.eye(4) if image_to_probe is None else image_to_probe
        self._axes_of = "the probe's" if image_to_probe is None else "the image's"
        self._before: tuple[NDArray[np.uint8], NDArray[np.float64]] | None = None
        self._pixels: list[NDArray[np.float64]] = []
        self._poses: list[Matrix] = []
        self._size_px = (0, 0)
        self.place: NDArray[np.float64] | None = None

    def add(self, image: NDArray[np.uint8], probe_to_reference: Matrix | None) -> None:
        """Look at an image (H, W), with its pose (4, 4) where the tracker has one."""
        if self._size_px != image.shape[::-1]:
            self._before, self._pixels, self._poses, self._size_px = None, [], [], image.shape[::-1]
        self.place = self._find(image)
        if self.place is None:
            return
        self._before = image.copy(), self.place
        if probe_to_reference is not None and not (
            self._poses and _same(self._poses[-1], probe_to_reference)
        ):
            self._pixels.append(self.place)
            self._poses.append(probe_to_reference.copy())

    def points(self) -> PinPoints:
        """All that differ, in the order in which they came, numbered from 0."""
        return PinPoints(
            np.arange(len(self._poses)),
            np.array(self._pixels).reshape(-1, 2),
            np.array(self._poses).reshape(-1, 4, 4),
            *self._size_px,
        )

    def write(self, points_path: Path, poses_path: Path, most: int) -> None:
        """Write at most `most` points, evenly chosen, as the tables of `calibrate pinhead`."""
        points = self.points()
        chosen = points.chosen(
            np.unique(np.linspace(0, len(points) - 1, min(len(points), most)).round().astype(int))
        )
        write_points(points_path, chosen.frames, chosen.pixels, np.zeros(len(chosen)))
        write_poses(poses_path, dict(zip(chosen.frames.tolist(), chosen.probe_to_reference, strict=True)))

    def progress(self) -> PinProgress:
        """How far it went."""
        if len(self._poses) < 2:
            return PinProgress(len(self._poses), (0.0, 0.0, 0.0), (0.0, 0.0), self._axes_of)
        points = self.points()
        x_deg, y_deg, z_deg = np.ptp(directions_deg(self._image_to_probe, points), axis=0) / 2
        across, down = np.ptp(points.pixels, axis=0) / self._size_px
        return PinProgress(
            len(points),
            (float(x_deg), float(y_deg), float(z_deg)),
            (float(across), float(down)),
            self._axes_of,
        )

    def _find(self, image: NDArray[np.uint8]) -> NDArray[np.float64] | None:
        """Near where it was, and otherwise the one spot that stands out."""
        try:
            if self._before is not None:
                found = propose(np.stack([self._before[0], image]), {0: self._before[1]})
                if found.frames[-1] == 1:
                    return np.asarray(found.pixels[-1])
            return np.asarray(propose(image[None], {}).pixels[0])
        except UserError:
            return None


def _same(first: Matrix, second: Matrix) -> bool:
    turn = np.clip((np.trace(first[:3, :3].T @ second[:3, :3]) - 1) / 2, -1, 1)
    return bool(
        np.linalg.norm(first[:3, 3] - second[:3, 3]) < LEAST_MOVE_MM
        and np.degrees(np.arccos(turn)) < LEAST_TURN_DEG
    )
