"""Images and a table of poses as a recording."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import UserError
from ...geometry.transforms import Matrix, TransformTrack, require_rigid, split_transform_name
from ..orientation import to_mf
from ..sequence_file import SweepWriter
from ..sweep import Frames
from .matching import matched, way_of
from .pose_table import PoseTable

ORIGINS = ("corner", "middle", "top")
_SAME_SCALE = 1e-3


@dataclass(frozen=True, eq=False)
class Images:
    """Images one after another, how many, their names and times as far as there are any."""

    frames: Iterable[Frames]
    count: int
    names: Sequence[str] | None = None
    times_s: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class BringOptions:
    """What neither images nor table say.

    transform    what the poses are, for example ProbeToReference; ImageToReference where they place the image itself
    orientation  of the images: MF, MN, UF or UN
    match        a way of matching.WAYS, or None for the surest
    tolerance_s  between the times of an image and its pose
    rate_hz      of the images, where they have no times
    start_s      the first image's time on the table's clock
    mm_per_px    (x, y), for poses that place the image in mm
    origin       where those poses have the image's zero: its first pixel, its middle, or the middle of its first row
    """

    transform: str
    orientation: str = "MF"
    match: str | None = None
    tolerance_s: float = 0.02
    rate_hz: float | None = None
    start_s: float = 0.0
    mm_per_px: tuple[float, float] | None = None
    origin: str = "corner"
    image_frame: str = "Image"
    probe_frame: str = "Probe"


@dataclass(frozen=True, eq=False)
class Brought:
    """What was written. `image_to_probe` is known where the poses place the image itself."""

    frames: int
    with_pose: int
    matched_by: str
    size_px: tuple[int, int]
    image_to_probe: Matrix | None


def bring(images: Images, table: PoseTable, out: Path, options: BringOptions) -> Brought:
    """Write a recording. Images without a pose stay in it, marked invalid. Raises UserError."""
    of, to = split_transform_name(options.transform)
    of_image = of == options.image_frame
    times_s = _image_times_s(images, options)
    way = options.match or way_of(table, images.names, times_s)
    rows = matched(table, images.count, images.names, times_s, way, options.tolerance_s)
    stamps_s = _stamps_s(table, rows, times_s)
    places, mm_per_px = _of_the_image(table, options) if of_image else (table.matrices, None)
    require_rigid(TransformTrack(places, table.valid), options.transform)
    name = f"{options.probe_frame if of_image else of}To{to}"
    usable = (rows >= 0) & table.valid[rows]
    first, frames = _first(images.frames)
    height_px, width_px = to_mf(first[None], options.orientation, out.name).shape[1:]
    with SweepWriter(out, width_px, height_px) as writer:
        for number, image in enumerate(frames):
            pose = places[rows[number]], bool(usable[number])
            turned = to_mf(image[None], options.orientation, out.name)[0]
            writer.append(turned, float(stamps_s[number]), {name: pose})
    calibration = (
        None if mm_per_px is None else _calibration(mm_per_px, (width_px, height_px), options.origin)
    )
    return Brought(images.count, int(usable.sum()), way, (width_px, height_px), calibration)


def _first(frames: Iterable[Frames]) -> tuple[Frames, Iterator[Frames]]:
    """The first image, and all of them."""
    rest = iter(frames)
    first = next(rest)
    return first, itertools.chain([first], rest)


def _image_times_s(images: Images, options: BringOptions) -> NDArray[np.float64] | None:
    """On the table's clock, as far as they are known."""
    if options.rate_hz is not None:
        return options.start_s + np.arange(images.count) / options.rate_hz
    return None if images.times_s is None else options.start_s + images.times_s


def _stamps_s(
    table: PoseTable, rows: NDArray[np.int_], times_s: NDArray[np.float64] | None
) -> NDArray[np.float64]:
    """Of the frames: the images' own times, or those of their rows; where a row is missing, between its neighbours."""
    if times_s is not None:
        return times_s
    if table.times_s is None:
        raise UserError(
            "Neither images nor table say when an image was taken.", "Give --rate, in images a second."
        )
    known = np.flatnonzero(rows >= 0)
    return np.interp(np.arange(len(rows)), known, table.times_s[rows[known]])


def _of_the_image(table: PoseTable, options: BringOptions) -> tuple[Matrix, tuple[float, float]]:
    """Poses of the image itself → rigid ones, and its mm per pixel: those that the matrices hold, or the given ones."""
    scales = np.linalg.norm(table.matrices[table.valid][:, :3, :3], axis=1)
    if not len(scales):
        raise UserError("No pose of the table is valid.", "Give a table with poses.")
    x, y, z = np.median(scales, axis=0)
    if np.abs(scales / (x, y, z) - 1).max() > _SAME_SCALE:
        raise UserError(
            f"The matrices stretch the image differently: by {scales[:, 0].min():g} to {scales[:, 0].max():g} along x.",
            "Give poses of one image size.",
        )
    in_pixels = max(abs(x - 1), abs(y - 1)) > _SAME_SCALE
    if in_pixels == (options.mm_per_px is not None):
        raise UserError(
            f"The matrices stretch the image by {x:g} and {y:g}, so they "
            + ("take pixels." if in_pixels else "take millimetres."),
            "Leave out --mm-per-px." if in_pixels else "Give --mm-per-px.",
        )
    rigid = table.matrices.copy()
    rigid[:, :3, :3] /= np.array([x, y, z])
    return rigid, (float(x), float(y)) if options.mm_per_px is None else options.mm_per_px


def _calibration(mm_per_px: tuple[float, float], size_px: tuple[int, int], origin: str) -> Matrix:
    """ImageToProbe where "Probe" is the image's own frame in mm, whose zero is at `origin`."""
    matrix = np.diag([*mm_per_px, 1.0, 1.0])
    middle = [(side - 1) / 2 for side in size_px]
    zero = {"corner": (0.0, 0.0), "middle": middle, "top": (middle[0], 0.0)}[origin]
    matrix[:2, 3] = [-step * place for step, place in zip(mm_per_px, zero, strict=True)]
    return matrix
