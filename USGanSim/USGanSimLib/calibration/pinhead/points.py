"""The pin in N tracked images: what the user marked or a detector found, with the pose of the probe in each image."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import UserError
from ...geometry.transforms import Matrix, TransformTrack, require_rigid
from ...recording.sweep import TrackedSweep
from ..timing import Tracking

Vector = NDArray[np.float64]

_MATRIX_COLUMNS = tuple(f"m{row}{column}" for row in range(4) for column in range(4))


@dataclass(frozen=True, eq=False)
class PinPoints:
    """The pin in N images: `frames` (N,) numbers, `pixels` (N, 2) as u, v of the MF-oriented image, and
    `probe_to_reference` (N, 4, 4) rigid poses. `strengths` (N,) is how bright the pin is, where known, and
    `elevation_mm` (N,) how far it is taken to be off the image plane (0 unless brightness told), each with a spread of
    `elevation_share` (N,) times the usual one. `left_out` says in words which marked points have no use and why."""

    frames: NDArray[np.int_]
    pixels: Vector
    probe_to_reference: Matrix
    width_px: int
    height_px: int
    left_out: tuple[str, ...] = ()
    strengths: Vector | None = None
    elevation_mm: Vector = field(default_factory=lambda: np.zeros(0))
    elevation_share: Vector = field(default_factory=lambda: np.ones(0))

    def __post_init__(self) -> None:
        if not len(self.elevation_share):
            object.__setattr__(self, "elevation_mm", np.zeros(len(self.frames)))
            object.__setattr__(self, "elevation_share", np.ones(len(self.frames)))
        require_rigid(
            TransformTrack(self.probe_to_reference, np.ones(len(self.frames), bool)), "ProbeToReference"
        )
        limit = np.array([self.width_px, self.height_px]) - 1
        outside = np.flatnonzero(_outside(self.pixels, limit))
        if outside.size:
            first = outside[0]
            swapped = not _outside(self.pixels[:, ::-1], limit).any()
            raise UserError(
                f"The point of frame {self.frames[first]}, ({self.pixels[first, 0]:.0f}, {self.pixels[first, 1]:.0f}) "
                f"px, is outside the image of {self.width_px}×{self.height_px} px ({outside.size} of {len(self)} "
                "points).",
                "With u_px and v_px exchanged all points are inside: the columns are swapped."
                if swapped
                else "Check that the columns are frame,u_px,v_px and belong to this recording.",
            )

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def places(self) -> Vector:
        """(5, 2): the pixels in the corners and the centre of the images."""
        return image_places(self.width_px, self.height_px)

    def chosen(self, which: NDArray[np.bool_] | NDArray[np.int_]) -> PinPoints:
        """The points with the given indices or flags."""
        return replace(
            self,
            frames=self.frames[which],
            pixels=self.pixels[which],
            probe_to_reference=self.probe_to_reference[which],
            elevation_mm=self.elevation_mm[which],
            elevation_share=self.elevation_share[which],
            strengths=None if self.strengths is None else self.strengths[which],
        )

    def with_strengths(self, strengths: Mapping[int, float]) -> PinPoints:
        """The points with how bright the pin is, frame → grey levels, where that is known of all."""
        known = all(strengths.get(int(frame), 0.0) > 0 for frame in self.frames)
        return replace(self, strengths=np.array([strengths[int(f)] for f in self.frames])) if known else self


def image_places(width_px: int, height_px: int) -> Vector:
    """(5, 2): the pixels in the four corners and the centre of an image."""
    right, bottom = width_px - 1, height_px - 1
    return np.array([[0, 0], [right, 0], [0, bottom], [right, bottom], [right / 2, bottom / 2]], np.float64)


def one_point_a_frame(points: Mapping[int, Vector], name: str) -> dict[int, Vector]:
    """Frame → (2,) of a table that has one point a frame. Raises UserError where a frame has several."""
    several = [frame for frame, places in points.items() if len(places) > 1]
    if several:
        raise UserError(
            f"{name} has {len(several)} frames with more than one point (first: frame {several[0]} with "
            f"{len(points[several[0]])}).",
            "There is one pinhead; leave one row for each frame.",
        )
    return {frame: places[0] for frame, places in sorted(points.items())}


def points_of_sweep(
    points: Mapping[int, Vector],
    sweep: TrackedSweep,
    lag_s: float = 0.0,
    probe_frame: str = "Probe",
    reference_frame: str = "Reference",
    strengths: Mapping[int, float] | None = None,
) -> PinPoints:
    """Marked points, frame → (2,), with the poses of the recording at the time of the image plus `lag_s`, and with
    `strengths`, frame → grey levels.

    Points in frames without a valid image or pose are left out, and said so. Raises UserError for frames that the
    recording does not have.
    """
    missing = [frame for frame in points if frame >= len(sweep)]
    if missing:
        raise UserError(
            f"Frame {missing[0]} is not in {sweep.name}, whose last is {len(sweep) - 1} ({len(missing)} "
            f"of {len(points)} points).",
            "Frames are counted from 0. Check that the points belong to this recording.",
        )
    track = sweep.probe_to_reference(probe_frame, reference_frame)
    frames = np.array(list(points), int)
    if lag_s:
        poses = Tracking(sweep.timestamps_s, track, sweep.name).at(sweep.timestamps_s[frames] + lag_s)
    else:
        poses = track[frames]
    usable = poses.valid & sweep.image_valid[frames]
    if not usable.any():
        raise UserError(
            f"None of {len(frames)} points is in a frame of {sweep.name} with a valid image and pose.",
            "Mark the pin where the tracker saw the probe.",
        )
    left_out = (
        ()
        if usable.all()
        else (f"{np.sum(~usable)} of {len(frames)} points are in frames without a valid image or pose",)
    )
    return PinPoints(
        frames[usable],
        np.array(list(points.values()))[usable].reshape(-1, 2),
        poses.matrices[usable],
        sweep.width_px,
        sweep.height_px,
        left_out,
    ).with_strengths(strengths or {})


def points_with_poses(
    points: Mapping[int, Vector],
    poses: Mapping[int, Matrix],
    size_px: tuple[int, int] | None,
    strengths: Mapping[int, float] | None = None,
) -> PinPoints:
    """Marked points, frame → (2,), with poses, frame → (4, 4), and with `strengths`, frame → grey levels. Where the
    image size is not known, that of the smallest image that holds the points stands for it. Points without a pose are
    left out, and said so."""
    frames = np.array([frame for frame in points if frame in poses], int)
    if not frames.size:
        raise UserError(
            f"None of {len(points)} points has a pose (poses are of frames {min(poses)} to {max(poses)}).",
            "Points and poses go together by their frame number.",
        )
    pixels = np.array([points[frame] for frame in frames])
    width_px, height_px = size_px or (int(size) for size in np.ceil(np.maximum(pixels.max(axis=0), 1)) + 1)
    without = len(points) - len(frames)
    left_out = (f"{without} of {len(points)} points have no pose",) if without else ()
    matrices = np.array([poses[frame] for frame in frames])
    found = PinPoints(frames, pixels, matrices, width_px, height_px, left_out)
    return found.with_strengths(strengths or {})


def read_poses(path: Path) -> dict[int, Matrix]:
    """Frame → (4, 4) of a table with the columns frame, m00 … m33, row by row. Raises UserError for anything else."""
    try:
        reader = csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines())
        names, lines = reader.fieldnames or [], [(row, reader.line_num) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no table of text"
        raise UserError(f"The poses {path} cannot be read: {reason}.", "Check the path.") from error
    missing = [name for name in ("frame", *_MATRIX_COLUMNS) if name not in names]
    if missing:
        raise UserError(
            f"{path.name} has no column {', '.join(missing)}.",
            "The first line must be frame,m00,m01,…,m33: ProbeToReference, row by row.",
        )
    poses: dict[int, Matrix] = {}
    for row, line in lines:
        try:
            frame, matrix = (
                int(row["frame"]),
                np.array([float(row[name]) for name in _MATRIX_COLUMNS]).reshape(4, 4),
            )
        except (TypeError, ValueError) as error:
            raise UserError(
                f"{path.name}, line {line}, is no frame number and 16 numbers.",
                "Write frame,m00,m01,…,m33.",
            ) from error
        if frame in poses:
            raise UserError(f"{path.name} has frame {frame} twice (line {line}).", "Keep one of the two.")
        poses[frame] = matrix
    if not poses:
        raise UserError(f"{path.name} holds no pose.", "Write frame,m00,m01,…,m33 and a line for each frame.")
    _require_row_major(np.array(list(poses.values())), path.name)
    return poses


def write_poses(path: Path, poses: Mapping[int, Matrix]) -> None:
    """Write poses, frame → (4, 4), as `read_poses` reads them, to the last digit."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("frame", *_MATRIX_COLUMNS))
        for frame, pose in poses.items():
            writer.writerow((frame, *(repr(number) for number in pose.ravel().tolist())))


def read_strengths(path: Path) -> dict[int, float]:
    """Frame → brightness of the pin, from the column `strength` of a table of points; empty where it has none."""
    try:
        return {
            int(row["frame"]): float(row["strength"])
            for row in csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines())
        }
    except (KeyError, TypeError, ValueError, csv.Error):
        return {}


def read_marks(path: Path) -> tuple[NDArray[np.int_], Vector, Vector]:
    """Frames (N,), pixels (N, 2) and strengths (N,; 0 where not known) of a table that `write_points` wrote. Raises
    UserError for anything else."""
    try:
        rows = [
            (int(row["frame"]), float(row["u_px"]), float(row["v_px"]), float(row.get("strength") or 0))
            for row in csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines())
        ]
    except OSError as error:
        raise UserError(
            f"The points {path} cannot be read: {error.strerror or error}.", "Check the path."
        ) from error
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise UserError(
            f"{path.name} is no table of points ({error}).",
            "The first line must be frame,u_px,v_px,strength.",
        ) from error
    numbers = np.array(rows, float).reshape(-1, 4)
    return numbers[:, 0].astype(int), numbers[:, 1:3], numbers[:, 3]


def write_points(path: Path, frames: NDArray[np.int_], pixels: Vector, strengths: Vector) -> None:
    """Write `frame,u_px,v_px,strength`, which a person may correct and give back."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("frame", "u_px", "v_px", "strength"))
        for frame, (u_px, v_px), strength in zip(frames, pixels, strengths, strict=True):
            writer.writerow((int(frame), f"{u_px:.2f}", f"{v_px:.2f}", f"{strength:.1f}"))


def _outside(pixels: Vector, limit: NDArray[np.int_]) -> NDArray[np.bool_]:
    return np.asarray(~((pixels >= 0) & (pixels <= limit)).all(axis=1))


def _require_row_major(matrices: Matrix, name: str) -> None:
    last_row = (matrices[:, 3, :3] != 0).any(axis=1)
    if last_row.any() and (matrices[:, :3, 3] == 0).all():
        raise UserError(
            f"The matrices of {name} are written column by column: the translation of {last_row.sum()} of "
            f"{len(matrices)} stands in m30, m31, m32.",
            "Write them row by row; it belongs in m03, m13, m23.",
        )
