"""Simulated recordings whose truth is known: images at given poses, their table, and their volume.

All of it goes in steps, so that a panel stays alive: `for share in simulating(…)`.
"""

from __future__ import annotations

import csv
import dataclasses
import itertools
import math
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..errors import UserError
from ..files import replacing_file
from ..geometry.compounding import FARTHEST_FILL, Compounding
from ..geometry.transforms import Matrix, TransformTrack
from ..live import Renderer
from ..model.info import INTENDED_USE
from .field.find import find_field, spread_frames
from .sweep import TrackedSweep

IMAGE_TO_REFERENCE, IMAGE_TO_RAS = "ImageToReference", "ImageToRas"
NEAREST_TRAINED_MM, OUTSIDE_TRAINED_RANGE = "NearestTrainedPoseMm", "OutsideTrainedRange"
# Frames a second of poses that no tracker gave.
NOMINAL_RATE_HZ = 20.0
MOST_VOXELS = 40_000_000
_FRAMES_FOR_FIELD = 30
_EDGE_PX = 2


@dataclass(frozen=True, eq=False)
class PosePlan:
    """Where to simulate: ImageToRas (K, 4, 4), which of them are poses at all (K,), and when each is due (K,) s."""

    name: str
    image_to_ras: Matrix
    valid: NDArray[np.bool_]
    timestamps_s: NDArray[np.float64]

    @classmethod
    def of_poses(cls, name: str, image_to_ras: Matrix) -> PosePlan:
        """All valid, at a nominal rate."""
        count = len(image_to_ras)
        return cls(name, image_to_ras, np.ones(count, bool), np.arange(count) / NOMINAL_RATE_HZ)

    def __len__(self) -> int:
        return len(self.image_to_ras)


def simulating(
    renderer: Renderer, plan: PosePlan, reference_to_ras: Matrix, image_to_probe: Matrix
) -> Generator[float, None, TrackedSweep]:
    """Simulate at all poses of a plan, in steps of one image: yields the share that is done, returns the recording.

    It holds ImageToRas, ReferenceToRas (4, 4), ImageToReference, ImageToProbe (4, 4) and ProbeToReference; the frame
    fields tell the distance to the nearest trained pose (RMS of the pixels, mm) and whether it is outside the range.
    """
    count = len(plan)
    ras_to_reference = np.linalg.inv(reference_to_ras)
    poses = ras_to_reference @ plan.image_to_ras
    frames = np.zeros((count, renderer.height_px, renderer.width_px), np.uint8)
    nearest_mm = np.full(count, np.nan)
    outside = np.zeros(count, bool)
    for number in range(count):
        if plan.valid[number]:
            frames[number] = renderer.render(poses[number])
            nearest = renderer.pose_range.nearest(poses[number])
            nearest_mm[number], outside[number] = nearest.rms_mm, not renderer.pose_range.contains(nearest)
        yield (number + 1) / count
    fields = {
        NEAREST_TRAINED_MM: tuple(f"{one:.2f}" for one in nearest_mm),
        OUTSIDE_TRAINED_RANGE: tuple(str(int(one)) for one in outside),
    }
    tracks = {
        IMAGE_TO_RAS: TransformTrack(plan.image_to_ras, plan.valid),
        IMAGE_TO_REFERENCE: TransformTrack(poses, plan.valid),
        "ReferenceToRas": _constant(reference_to_ras, count),
    }
    sweep = TrackedSweep(
        frames, plan.timestamps_s, tracks, plan.valid, plan.name, fields, {"IntendedUse": INTENDED_USE}
    )
    return with_probe(sweep, image_to_probe)


def outside_count(sweep: TrackedSweep) -> int:
    """How many frames of a simulated recording lie outside the trained range."""
    return sum(told == "1" for told in sweep.frame_fields.get(OUTSIDE_TRAINED_RANGE, ()))


def with_probe(sweep: TrackedSweep, image_to_probe: Matrix) -> TrackedSweep:
    """A recording of ImageToReference with the other transforms that PLUS would record: ImageToProbe (4, 4), the same
    in all frames, and ProbeToReference."""
    return dataclasses.replace(
        sweep,
        transforms={
            **sweep.transforms,
            "ImageToProbe": _constant(image_to_probe, len(sweep)),
            "ProbeToReference": sweep.transforms[IMAGE_TO_REFERENCE].after(
                TransformTrack.constant(image_to_probe).inverse()
            ),
        },
    )


def write_poses(path: Path, sweep: TrackedSweep) -> None:
    """Write a table of the true poses, whole or not at all: frame, timestamp_s, valid, ImageToRas row by row (m00 …
    m33; millimetres per pixel and millimetres), and the distance to the trained poses where the recording tells it."""
    track = sweep.transforms[IMAGE_TO_RAS]
    told = [name for name in (NEAREST_TRAINED_MM, OUTSIDE_TRAINED_RANGE) if name in sweep.frame_fields]
    numbers = [f"m{row}{column}" for row, column in itertools.product(range(4), repeat=2)]
    with replacing_file(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["frame", "timestamp_s", "valid", *numbers, *told])
        for frame, stamp_s in enumerate(sweep.timestamps_s.tolist()):
            table.writerow(
                [
                    frame,
                    repr(stamp_s),
                    int(track.valid[frame]),
                    *(repr(number) for number in track.matrices[frame].ravel().tolist()),
                    *(sweep.frame_fields[name][frame] for name in told),
                ]
            )


@dataclass(frozen=True, eq=False)
class Grid:
    """Voxels: their number (X, Y, Z), and the (4, 4) from voxel indices to RAS millimetres."""

    shape: tuple[int, int, int]
    ijk_to_ras: Matrix

    @classmethod
    def around(cls, sweep: TrackedSweep, voxel_mm: float) -> Grid:
        """Cubes of `voxel_mm` along R, A and S around all images of a recording."""
        corners = _corners_ras(sweep)
        low, high = corners.min(axis=0), corners.max(axis=0)
        ijk_to_ras = np.diag([voxel_mm, voxel_mm, voxel_mm, 1.0])
        ijk_to_ras[:3, 3] = low
        x, y, z = (int(size) for size in np.ceil((high - low) / voxel_mm) + 1)
        return cls((x, y, z), ijk_to_ras)

    @staticmethod
    def voxel_that_fits_mm(sweep: TrackedSweep, wanted_mm: float) -> float:
        """The wanted size of a voxel, or the next tenth of a millimetre with which the images can be compounded."""
        extent_mm = np.ptp(_corners_ras(sweep), axis=0)
        tried_mm = wanted_mm
        while np.prod(np.ceil(extent_mm / tried_mm) + 1) > MOST_VOXELS:
            tried_mm = (math.floor(10 * tried_mm + 1e-6) + 1) / 10
        return tried_mm


@dataclass(frozen=True, eq=False)
class Compounded:
    """A volume (X, Y, Z) uint8 on a grid; the share of its voxels near the images that were hit, and filled."""

    grey: NDArray[np.uint8]
    grid: Grid
    seen_share: float
    filled_share: float


def compounding(sweep: TrackedSweep, grid: Grid) -> Generator[float, None, Compounded]:
    """Compound a recording with ImageToRas to a volume on a grid: yields the share that is done, returns the volume.

    Worked on is the part of the grid around the images. Raises UserError where they miss the grid, or where that part
    has more than MOST_VOXELS voxels.
    """
    begin, end = _part(sweep, grid)
    to_part = np.eye(4)
    to_part[:3, 3] = -begin
    x, y, z = (int(size) for size in end - begin)
    work = Compounding((x, y, z), to_part @ np.linalg.inv(grid.ijk_to_ras))
    track = sweep.transforms[IMAGE_TO_RAS]
    valid = np.flatnonzero(track.valid & sweep.image_valid)
    found = find_field(spread_frames(sweep.frames, valid, _FRAMES_FOR_FIELD))
    # The outermost pixels of a fan are half black.
    field = ndimage.binary_erosion(found.mask(), iterations=_EDGE_PX, border_value=1)
    for done, number in enumerate(valid, 1):
        work.add(sweep.frames[number], track.matrices[number], field)
        yield 0.5 * done / len(valid)
    for share in work.fill():
        yield 0.5 + 0.5 * share
    grey = np.zeros(grid.shape, np.uint8)
    grey[tuple(map(slice, begin, end))] = np.rint(work.grey)
    return Compounded(grey, grid, work.seen_share, work.filled_share)


def _part(sweep: TrackedSweep, grid: Grid) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    """First voxel, and the one after the last, of the part of a grid that the images can reach."""
    voxels = (np.c_[_corners_ras(sweep), np.ones(4 * len(sweep))] @ np.linalg.inv(grid.ijk_to_ras).T)[:, :3]
    begin = np.clip(np.floor(voxels.min(axis=0)).astype(int) - FARTHEST_FILL, 0, grid.shape)
    end = np.clip(np.ceil(voxels.max(axis=0)).astype(int) + FARTHEST_FILL + 1, 0, grid.shape)
    count = int(np.prod(end - begin))
    if count == 0:
        raise UserError(
            "None of the images lies in the chosen volume.",
            "Choose another volume, or check the registration.",
        )
    if count > MOST_VOXELS:
        raise UserError(
            f"The images reach {count / 1e6:.0f} million voxels ({MOST_VOXELS / 1e6:.0f} are possible).",
            "Choose larger voxels, or a volume with larger ones.",
        )
    return begin, end


def _corners_ras(sweep: TrackedSweep) -> NDArray[np.float64]:
    """(4 N, 3) mm; those of invalid images are those of a valid one."""
    track = sweep.transforms[IMAGE_TO_RAS]
    if not track.valid.any():
        raise UserError(f"{sweep.name} has no valid pose.", "Choose another set.")
    poses = np.where(track.valid[:, None, None], track.matrices, track.matrices[track.valid][0])
    right, bottom = sweep.width_px - 1, sweep.height_px - 1
    corners = np.array([[0, 0, 0, 1], [right, 0, 0, 1], [right, bottom, 0, 1], [0, bottom, 0, 1]], float)
    result: NDArray[np.float64] = (poses[:, :3] @ corners.T).transpose(0, 2, 1).reshape(-1, 3)
    return result


def _constant(matrix: Matrix, count: int) -> TransformTrack:
    return TransformTrack(np.repeat(matrix[None], count, axis=0), np.ones(count, bool))
