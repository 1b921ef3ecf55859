"""A training set on disk: a folder of numpy files and `dataset.json`, opened without reading the images.

images.npy        (N, H, W) uint8, MF orientation
poses.npy         (N, 4, 4) float64, ImageToReference of these pixels (pixels to millimetres)
timestamps_s.npy  (N,) float64, image time stamps of the recordings
sweep_index.npy   (N,) int32, which of `sources` a frame comes from
source_frame.npy  (N,) int32, the frame's index in that recording
heldout.npy       (N,) bool, frames that training must never see
excluded.npy      (N,) bool, frames left out of training for being near a held-out pose; only where there are any
hold.npy          (N,) int32, frames with one number show one held pose, −1 none; only where poses were held
sweep_part.npy    (N,) int32, which sweep of its recording a frame is from; only where one holds several
dataset.json      everything else, see Dataset
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import tokenize
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from ..files import replacing_folder, write_json
from ..geometry.conditioning import CoordinateNormalisation
from ..geometry.field_of_view import FieldOfView
from ..geometry.image_geometry import Crop, ImageGeometry
from ..geometry.sampling import evenly
from ..geometry.transforms import Matrix
from .field.find import MOST_FRAMES, find_field
from .splits import Exclusion
from .sweep import Frames

MARKER = "dataset.json"
FORMAT_VERSION = 1
# What a file of another content or shape raises; the last three are NumPy's of a file that holds no array.
_DAMAGE = (
    *(AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError),
    *(EOFError, tokenize.TokenError, zipfile.BadZipFile),
)
_COLUMNS = {
    "poses": np.float64,
    "timestamps_s": np.float64,
    "sweep_index": np.int32,
    "source_frame": np.int32,
    "heldout": np.bool_,
    "excluded": np.bool_,
    "hold": np.int32,
    "sweep_part": np.int32,
}
# Columns that need no file where every frame has this value.
_USUAL = {"excluded": False, "hold": -1, "sweep_part": 0}
_FRAMES_AT_ONCE = 64
_Columns = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Source:
    """A recording that went into a training set: its file name and hash, how many frames it has, how many of them
    were used, and why the others were not (reason → frames)."""

    name: str
    sha256: str
    frames_in: int
    frames_out: int
    excluded: dict[str, int] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Dataset:
    """An opened training set. The arrays are those of the files above; `images` is a read-only memory map.

    geometry         size and ImageToProbe of the images as stored, after crop and resize
    source_size_px   width and height of the recordings' images
    crop             the part of the recordings' images that was kept
    lag_s            the lag that was applied: an image stamped t has the pose stamped t + lag_s
    normalisation    mean and SD of the coordinates over every pixel of the training frames
    exclusion        how `excluded` came about
    sha256           content hash of pixels, poses, split, exclusion and geometry
    split_sha256     the same without the exclusion: sets that hold out the same frames share it
    stored_field     where the ultrasound is in the images, as `prepare` found it; None in sets of before it did
    """

    folder: Path
    images: Frames
    poses: Matrix
    timestamps_s: NDArray[np.float64]
    sweep_index: NDArray[np.int32]
    source_frame: NDArray[np.int32]
    heldout: NDArray[np.bool_]
    excluded: NDArray[np.bool_]
    hold: NDArray[np.int32]
    sweep_part: NDArray[np.int32]
    geometry: ImageGeometry
    source_size_px: tuple[int, int]
    crop: Crop
    lag_s: float
    reference_frame: str
    split: str
    normalisation: CoordinateNormalisation
    exclusion: Exclusion
    sha256: str
    split_sha256: str
    sources: tuple[Source, ...]
    stored_field: FieldOfView | None = None

    def __len__(self) -> int:
        return len(self.poses)

    @property
    def train_indices(self) -> NDArray[np.int_]:
        """Indices of the frames to train on, ascending."""
        return np.flatnonzero(~self.heldout & ~self.excluded)

    @property
    def heldout_indices(self) -> NDArray[np.int_]:
        """Indices of the held-out frames, ascending."""
        return np.flatnonzero(self.heldout)

    @property
    def sweep(self) -> NDArray[np.int_]:
        """(N,) the number of a frame's sweep, counted over all recordings."""
        pairs = np.column_stack([self.sweep_index, self.sweep_part])
        return np.unique(pairs, axis=0, return_inverse=True)[1].reshape(-1)

    @functools.cached_property
    def field(self) -> FieldOfView:
        """Where the ultrasound is in the images: as it is stored, or looked for in the training frames."""
        if self.stored_field is not None:
            return self.stored_field
        frames = self.train_indices
        chosen = frames[evenly(len(frames), MOST_FRAMES)]
        x_mm, y_mm = self.geometry.mm_per_px
        return find_field((self.read_images([frame])[0] for frame in chosen), y_mm / x_mm)

    def read_images(self, indices: Sequence[int] | NDArray[np.int_]) -> Frames:
        """A copy (B, H, W) of some images, read from the file.

        Touching the map instead would leave its pages in resident memory until the whole set is there. Every
        call has a file handle of its own, so threads and forked processes do not disturb each other.
        """
        chosen = np.asarray(indices, dtype=np.int64)
        if chosen.size and not (-len(self) <= chosen.min() and chosen.max() < len(self)):
            raise IndexError(f"image indices {chosen.min()} to {chosen.max()} of a set of {len(self)}")
        batch = np.empty((len(chosen), *self.images.shape[1:]), np.uint8)
        start, size = _pixels_offset(self.images), batch[:1].nbytes
        with (self.folder / "images.npy").open("rb", buffering=0) as stream:
            for image, index in zip(batch, chosen % len(self), strict=True):
                stream.seek(start + int(index) * size)
                if stream.readinto(image.data) != size:
                    raise _damaged(self.folder, "images.npy is cut short")
        return batch


def write_dataset(
    folder: Path,
    images: Iterable[Frames],
    poses: Matrix,
    geometry: ImageGeometry,
    *,
    heldout: NDArray[np.bool_] | None = None,
    timestamps_s: NDArray[np.float64] | None = None,
    sweep_index: NDArray[np.int_] | None = None,
    source_frame: NDArray[np.int_] | None = None,
    source_size_px: tuple[int, int] | None = None,
    crop: Crop | None = None,
    field: FieldOfView | None = None,
    lag_s: float = 0.0,
    reference_frame: str = "Reference",
    split: str = "blocks",
    exclusion: Exclusion | None = None,
    hold: NDArray[np.int_] | None = None,
    sweep_part: NDArray[np.int_] | None = None,
    sources: Sequence[Source] = (),
) -> Dataset:
    """Write a training set, whole or not at all, and open it.

    `images` are N arrays (H, W) uint8, taken one at a time; `poses` (N, 4, 4) are their ImageToReference and
    `geometry` is theirs. Defaults: nothing held out or excluded, time stamps and source frames by counting, one
    sweep, no crop. Raises UserError where no training frame is left, the disk is full, or `folder` holds other files.
    """
    count, exclusion = len(poses), exclusion or Exclusion()
    columns: _Columns = {
        "poses": poses,
        "timestamps_s": _or_counting(timestamps_s, count),
        "sweep_index": np.zeros(count) if sweep_index is None else sweep_index,
        "source_frame": _or_counting(source_frame, count),
        "heldout": np.zeros(count, bool) if heldout is None else heldout,
        "hold": np.full(count, -1) if hold is None else hold,
        "sweep_part": np.zeros(count) if sweep_part is None else sweep_part,
    }
    columns["excluded"] = exclusion.of(poses, np.asarray(columns["heldout"], bool), geometry)
    columns = {name: np.asarray(columns[name], dtype) for name, dtype in _COLUMNS.items()}
    if any(len(column) != count for column in columns.values()):
        raise ValueError(f"{count} poses do not go with { {name: len(c) for name, c in columns.items()} }")
    trained = _trained(columns["poses"], columns["heldout"], columns["excluded"])
    size_px = (geometry.width_px, geometry.height_px)
    with replacing_folder(folder, MARKER) as part:
        digest = hashlib.sha256(_settled(columns["poses"], columns["heldout"], geometry))
        _write_images(part / "images.npy", images, (count, *reversed(size_px)), digest)
        for name, column in columns.items():
            if name not in _USUAL or (column != _USUAL[name]).any():
                np.save(part / f"{name}.npy", column)
        write_json(
            part / MARKER,
            {
                "format": FORMAT_VERSION,
                "frames": count,
                "width_px": size_px[0],
                "height_px": size_px[1],
                "image_to_probe": geometry.image_to_probe.tolist(),
                "source_size_px": source_size_px or size_px,
                "crop_px": dataclasses.astuple(crop or Crop(0, 0, *size_px)),
                "field": field.as_dict() if field else None,
                "lag_s": float(lag_s),
                "reference_frame": reference_frame,
                "split": split,
                "normalisation": dataclasses.asdict(CoordinateNormalisation.of_poses(trained, *size_px)),
                "exclusion": exclusion.as_dict(),
                "split_sha256": digest.hexdigest(),
                "sha256": _with_exclusion(digest.hexdigest(), columns["excluded"]),
                "sources": [dataclasses.asdict(source) for source in sources],
            },
        )
    return open_dataset(folder)


def open_dataset(folder: Path) -> Dataset:
    """Open a training set. Raises UserError where it is missing, of another version, or damaged."""
    try:
        data = json.loads((folder / MARKER).read_text(encoding="utf-8"))
        if data["format"] != FORMAT_VERSION:
            raise UserError(
                f"{folder} has format {data['format']}; this version reads {FORMAT_VERSION}.",
                "Prepare the training set again.",
            )
        shape = (int(data["frames"]), int(data["height_px"]), int(data["width_px"]))
        images = np.load(folder / "images.npy", mmap_mode="r", allow_pickle=False)
        columns = {name: _column(folder, name, shape[0]) for name in _COLUMNS}
        _require_shapes(folder, images, columns, shape)
        return Dataset(
            folder=folder,
            images=images,
            **columns,
            geometry=_geometry(data),
            source_size_px=(int(data["source_size_px"][0]), int(data["source_size_px"][1])),
            crop=Crop(*data["crop_px"]),
            lag_s=float(data["lag_s"]),
            reference_frame=str(data["reference_frame"]),
            split=str(data["split"]),
            normalisation=CoordinateNormalisation(
                **{name: tuple(values) for name, values in data["normalisation"].items()}
            ),
            exclusion=Exclusion.from_dict(data.get("exclusion", Exclusion().as_dict())),
            sha256=str(data["sha256"]),
            split_sha256=str(data.get("split_sha256", data["sha256"])),
            sources=tuple(Source(**source) for source in data["sources"]),
            stored_field=_stored_field(data),
        )
    except FileNotFoundError as error:
        raise UserError(
            f"{folder} is not a training set: there is no {Path(error.filename).name} in it.",
            "Give the folder that 'usgansim prepare' wrote.",
        ) from error
    except _DAMAGE as error:
        raise _damaged(folder, str(error)) from error


def resplit(
    dataset: Dataset,
    heldout: NDArray[np.bool_] | None = None,
    exclusion: Exclusion | None = None,
    split: str | None = None,
) -> Dataset:
    """The same frames, split anew: nothing is copied or written. What is not given stays.

    Raises UserError where no training frame is left.
    """
    heldout = dataset.heldout if heldout is None else heldout
    exclusion = exclusion or dataset.exclusion
    excluded = exclusion.of(dataset.poses, heldout, dataset.geometry)
    trained = _trained(dataset.poses, heldout, excluded)
    base = dataset.split_sha256
    if not np.array_equal(heldout, dataset.heldout):
        digest = hashlib.sha256(_settled(dataset.poses, heldout, dataset.geometry))
        for start in range(0, len(dataset), _FRAMES_AT_ONCE):
            stop = min(start + _FRAMES_AT_ONCE, len(dataset))
            digest.update(dataset.read_images(np.arange(start, stop)).data)
        base = digest.hexdigest()
    size_px = (dataset.geometry.width_px, dataset.geometry.height_px)
    return dataclasses.replace(
        dataset,
        heldout=heldout,
        excluded=excluded,
        exclusion=exclusion,
        split=split or dataset.split,
        normalisation=CoordinateNormalisation.of_poses(trained, *size_px),
        split_sha256=base,
        sha256=_with_exclusion(base, excluded),
    )


def _trained(poses: Matrix, heldout: NDArray[np.bool_], excluded: NDArray[np.bool_]) -> Matrix:
    trained: Matrix = poses[~heldout & ~excluded]
    if not len(trained):
        near = f", and {excluded.sum()} are too near one of them" if excluded.any() else ""
        raise UserError(
            f"No training frame is left: {'all' if not near else heldout.sum()} of {len(poses)} frames are "
            f"held out{near}.",
            "Hold out fewer, or exclude less." if near else "Hold out fewer.",
        )
    return trained


def _with_exclusion(split_sha256: str, excluded: NDArray[np.bool_]) -> str:
    if not excluded.any():
        return split_sha256
    return hashlib.sha256(split_sha256.encode() + excluded.tobytes()).hexdigest()


def _column(folder: Path, name: str, count: int) -> NDArray[Any]:
    path = folder / f"{name}.npy"
    if name in _USUAL and not path.exists():
        return np.full(count, _USUAL[name], _COLUMNS[name])
    column: NDArray[Any] = np.load(path, allow_pickle=False)
    return column


def _write_images(
    path: Path, images: Iterable[Frames], shape: tuple[int, ...], digest: hashlib._Hash
) -> None:
    with path.open("wb") as stream:
        _write_header(stream, shape)
        written = 0
        for image in images:
            if image.shape != shape[1:] or image.dtype != np.uint8:
                raise ValueError(f"image {written} is {image.shape} {image.dtype}, not {shape[1:]} uint8")
            pixels = np.ascontiguousarray(image).data
            digest.update(pixels)
            stream.write(pixels)
            written += 1
    if written != shape[0]:
        raise ValueError(f"{written} images do not go with {shape[0]} poses")


def _write_header(stream: BinaryIO, shape: tuple[int, ...]) -> None:
    np.lib.format.write_array_header_1_0(stream, {"descr": "|u1", "fortran_order": False, "shape": shape})


def _settled(poses: Matrix, heldout: NDArray[np.bool_], geometry: ImageGeometry) -> bytes:
    # What the hash covers besides the pixels, the same bytes on every machine.
    size_px = np.array([len(poses), geometry.width_px, geometry.height_px], "<i8")
    return b"".join(
        [
            size_px.tobytes(),
            geometry.image_to_probe.astype("<f8").tobytes(),
            poses.astype("<f8").tobytes(),
            heldout.tobytes(),
        ]
    )


def _or_counting(column: NDArray[Any] | None, count: int) -> NDArray[Any]:
    return np.arange(count) if column is None else column


def _stored_field(data: dict[str, Any]) -> FieldOfView | None:
    told = data.get("field")
    return FieldOfView.from_dict(told) if told else None


def _geometry(data: dict[str, Any]) -> ImageGeometry:
    matrix = np.array(data["image_to_probe"], dtype=np.float64).reshape(4, 4)
    return ImageGeometry(int(data["width_px"]), int(data["height_px"]), matrix)


def _pixels_offset(images: Frames) -> int:
    return int(images.offset)  # type: ignore[attr-defined]


def _require_shapes(folder: Path, images: Frames, columns: _Columns, shape: tuple[int, ...]) -> None:
    if images.shape != shape or images.dtype != np.uint8:
        raise _damaged(folder, f"images.npy is {images.shape} {images.dtype}, not {shape} uint8")
    for name, column in columns.items():
        wanted = (shape[0], 4, 4) if name == "poses" else shape[:1]
        if column.shape != wanted or column.dtype != _COLUMNS[name]:
            raise _damaged(folder, f"{name}.npy is {column.shape} {column.dtype}, not {wanted}")


def _damaged(folder: Path, reason: str) -> UserError:
    return UserError(f"The training set {folder} is damaged: {reason}.", "Prepare it again.")
