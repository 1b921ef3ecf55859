"""A recording on disk that can be read up to its last frame, whatever happens while it is made.

Two files grow beside each other:

    NAME.igs.raw         the pixels, already where they will stay
    NAME.igs.recording   the header of NAME.igs.mhd: its opening with 0 frames, then the lines of each frame

Sealing them writes the number of frames into its place, adds the last line of the header and renames it to
NAME.igs.mhd. No pixel is copied, and a full disk has room for it. `LiveFile.finish` seals a recording, `recover` one
whose program was killed. Every frame is handed to the operating system at once, so a killed program loses none that
was appended; `sync` makes the disk keep them through a power cut.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from ..files import disk_error
from ..geometry.transforms import Matrix, split_transform_name
from ..locking import mark
from .metafile import FORMAT, IMAGE_STATUS
from .sequence_fields import INVALID, OK, frame_lines
from .sequence_file import field_line, require_nameable

FINISHED, PIXELS, UNFINISHED = ".igs.mhd", ".igs.raw", ".igs.recording"
COMPRESSED = ".igs.mha"  # what `compress` makes of a finished one
RECOVER_HINT = "'usgansim recover' makes it readable."

# The line with the size is padded with blanks, so that any number of frames fits into its place.
_SIZE_LINE = re.compile(rb"^DimSize = (\d+) (\d+) (\d+) *\n", re.MULTILINE)
_SIZE_LINE_BYTES = 48
_OPENING_BYTES = 1 << 16


@dataclass(frozen=True)
class Recovered:
    """A recording made readable: its file, its frames, and the bytes of an incomplete last frame that were cut off."""

    path: Path
    frames: int
    cut_bytes: int


class LiveFile:
    """Appends frames to a recording that is called `path` (NAME.igs.mhd) once it is finished.

    frames  how many are on disk
    bytes   what they take, pixels and fields
    Raises UserError where one of the files exists already (a recording is never overwritten) or cannot be written.
    """

    def __init__(
        self, path: Path, width_px: int, height_px: int, header: Mapping[str, str] | None = None
    ) -> None:
        require_new(path)
        self.path = path
        self.width_px, self.height_px = width_px, height_px
        self.frames = 0
        self._index_path, self._pixels_path = _parts(path)
        opening = _opening(width_px, height_px, header or {})
        self._index_bytes = len(opening)
        try:
            with contextlib.ExitStack() as undo:
                self._index = _new_file(self._index_path, undo)
                self._pixels = _new_file(self._pixels_path, undo)
                mark(self._index)
                _write(self._index, opening)
                undo.pop_all()
        except OSError as error:
            raise disk_error(error, path) from error

    @property
    def bytes(self) -> int:
        return self.frames * self._frame_bytes + self._index_bytes

    @property
    def _frame_bytes(self) -> int:
        return self.width_px * self.height_px

    def append(
        self,
        image: NDArray[np.uint8],
        timestamp_s: float,
        transforms: Mapping[str, tuple[Matrix, bool]],
        image_valid: bool = True,
        fields: Mapping[str, str | None] | None = None,
    ) -> None:
        """Add a frame: (H, W) pixels in MF orientation, seconds, name `AToB` → ((4, 4) matrix, valid), other fields.

        Raises UserError for an image of another size and for a full disk; the frames before stay as they are.
        """
        if image.shape != (self.height_px, self.width_px) or image.dtype != np.uint8:
            raise UserError(
                f"An image of {_size(image)} cannot follow {self.frames} of {self.width_px}×"
                f"{self.height_px} px in one recording.",
                "Stop, and record the new images by themselves.",
            )
        for name in transforms:
            split_transform_name(name)
        # The image's status comes last: a frame with this line is whole.
        lines = frame_lines(timestamp_s, transforms, fields or {}) | {
            IMAGE_STATUS: OK if image_valid else INVALID
        }
        block = b"".join(
            field_line(f"Seq_Frame{self.frames:04d}_{field}", value, FORMAT) for field, value in lines.items()
        )
        try:
            _write(self._pixels, np.ascontiguousarray(image).data)
            _write(self._index, block)
        except OSError as error:
            self._cut_back()
            raise disk_error(error, self.path) from error
        self.frames += 1
        self._index_bytes += len(block)

    def sync(self) -> None:
        """Make the disk keep what was appended. Raises UserError when it cannot, or when the folder has gone."""
        try:
            for file in (self._pixels, self._index):
                os.fsync(file.fileno())
        except OSError as error:
            raise disk_error(error, self.path) from error
        if not self._in_place():
            raise UserError(f"The folder {self.path.parent} is no longer there, after {self.frames} frames.")

    def finish(self) -> Path:
        """Make the recording readable, and return its file.

        Where the folder was deleted meanwhile, it is made again and the recording copied into it. Raises UserError
        where there is no frame (nothing is left then), where the folder was moved, and where it cannot be written.
        """
        with self._index, self._pixels:
            try:
                if self.frames and not self._in_place():
                    self._rescue()
            except OSError as error:
                raise disk_error(error, self.path) from error
        if self.frames == 0:
            for part in (self._index_path, self._pixels_path):
                part.unlink(missing_ok=True)
            raise UserError(f"{self.path.name} has no frame, and was not kept.", "Check that images arrive.")
        return _sealed(self.path, self.frames, self._index_bytes, self._frame_bytes).path

    def close(self) -> None:
        """Leave the recording unfinished, as the end of the program does; `recover` makes it readable."""
        self._index.close()
        self._pixels.close()

    def _cut_back(self) -> None:
        """Take an incomplete frame off again; `recover` would, where the disk refuses even that."""
        with contextlib.suppress(OSError):
            self._pixels.truncate(self.frames * self._frame_bytes)
            self._pixels.seek(0, os.SEEK_END)
            self._index.truncate(self._index_bytes)
            self._index.seek(0, os.SEEK_END)

    def _in_place(self) -> bool:
        try:
            return all(
                os.path.samestat(os.fstat(file.fileno()), path.stat())
                for file, path in ((self._index, self._index_path), (self._pixels, self._pixels_path))
            )
        except OSError:
            return False

    def _rescue(self) -> None:
        """Copy the files, deleted but still open, to where they were."""
        if os.fstat(self._index.fileno()).st_nlink:
            raise UserError(
                f"The folder {self.path.parent} was moved while recording. The {self.frames} frames of "
                f"{self._index_path.name} are where it is now.",
                RECOVER_HINT,
            )
        self.path.parent.mkdir(parents=True, exist_ok=True)
        for file, path in ((self._index, self._index_path), (self._pixels, self._pixels_path)):
            file.seek(0)
            with path.open("xb") as copy:
                shutil.copyfileobj(file, copy, 1 << 20)


def require_new(path: Path) -> None:
    """Raise UserError for a name that is none of a live recording, and where a file of that recording exists."""
    if not path.name.endswith(FINISHED):
        raise UserError(
            f"{path.name} is not the name of a recording while it is made.", f"Let it end in {FINISHED}."
        )
    require_nameable(path)
    for existing in (path, *_parts(path)):
        if existing.exists():
            raise UserError(
                f"{existing} exists already.",
                RECOVER_HINT
                if existing.name.endswith(UNFINISHED)
                else "Choose another name: a recording is never overwritten.",
            )


def unfinished(folder: Path) -> list[Path]:
    """The recordings in a folder that were never finished, by name of their `.igs.recording` file."""
    return sorted(folder.glob(f"*{UNFINISHED}"))


def recover(path: Path) -> Recovered:
    """Make a recording readable whose program was killed; `path` is NAME.igs.recording or the NAME.igs.mhd it was to
    become. Raises UserError where there is nothing to recover and while it is still being recorded."""
    target = path.with_name(path.name.removesuffix(UNFINISHED).removesuffix(FINISHED) + FINISHED)
    index_path, pixels_path = _parts(target)
    if not index_path.is_file() or not pixels_path.is_file():
        missing = index_path if not index_path.is_file() else pixels_path
        raise UserError(
            f"{path} cannot be recovered: there is no {missing.name} beside it.",
            "Name a folder with unfinished recordings, or one of their files.",
        )
    require_nameable(target)
    try:
        with index_path.open("rb") as index:
            if not mark(index):
                raise UserError(f"{index_path.name} is still being recorded.", "Stop the recording instead.")
            width_px, height_px = _image_size(index.read(_OPENING_BYTES), index_path)
            ends = list(_frame_ends(index))
        frames = min(len(ends), pixels_path.stat().st_size // (width_px * height_px))
        if frames == 0:
            raise UserError(f"{index_path.name} holds no whole frame.", "Delete it and its pixels.")
        return _sealed(target, frames, ends[frames - 1], width_px * height_px)
    except OSError as error:
        raise disk_error(error, target) from error


def _parts(path: Path) -> tuple[Path, Path]:
    """The two files that grow: header and pixels."""
    stem = path.name.removesuffix(FINISHED)
    return path.with_name(stem + UNFINISHED), path.with_name(stem + PIXELS)


def _opening(width_px: int, height_px: int, header: Mapping[str, str]) -> bytes:
    for name, value in header.items():
        field_line(name, value, FORMAT)
    return _with_frames(FORMAT.opening(width_px, height_px, 0, None, header).encode("latin-1"), 0)


def _with_frames(opening: bytes, frames: int) -> bytes:
    """The opening of a header with another number of frames. Its length is the same for every number."""
    return _SIZE_LINE.sub(
        lambda found: (b"DimSize = %s %s %d" % (found[1], found[2], frames)).ljust(_SIZE_LINE_BYTES) + b"\n",
        opening,
        count=1,
    )


def _image_size(opening: bytes, path: Path) -> tuple[int, int]:
    found = _SIZE_LINE.search(opening)
    if not found or int(found[1]) * int(found[2]) == 0:
        raise UserError(
            f"{path.name} has no size of images in its first lines.", "It is no unfinished recording."
        )
    return int(found[1]), int(found[2])


def _frame_ends(index: BinaryIO) -> Iterator[int]:
    """Where the lines of each whole frame end, in bytes. What follows a damaged line is lost."""
    index.seek(0)
    place, frames = 0, 0
    for line in index:
        place += len(line)
        if not line.endswith(b"\n") or (frames and not line.startswith(b"Seq_Frame")):
            return
        if line.startswith(f"Seq_Frame{frames:04d}_{IMAGE_STATUS}{FORMAT.separator}".encode()):
            frames += 1
            yield place


def _sealed(path: Path, frames: int, index_bytes: int, frame_bytes: int) -> Recovered:
    """Cut the two files to `frames` frames, complete the header, and give it its name."""
    index_path, pixels_path = _parts(path)
    found = index_path.stat().st_size + pixels_path.stat().st_size
    try:
        os.truncate(pixels_path, frames * frame_bytes)
        with index_path.open("r+b") as index:
            index.truncate(index_bytes)
            opening = _with_frames(index.read(_OPENING_BYTES), frames)
            index.seek(0)
            index.write(opening)
            index.seek(0, os.SEEK_END)
            index.write(FORMAT.closing(pixels_path.name).encode("latin-1"))
            index.flush()
            os.fsync(index.fileno())
        index_path.replace(path)
    except OSError as error:
        raise disk_error(error, path) from error
    return Recovered(path, frames, found - index_bytes - frames * frame_bytes)


def _new_file(path: Path, undo: contextlib.ExitStack) -> FileIO:
    file = path.open("x+b", buffering=0)
    undo.callback(path.unlink)
    undo.callback(file.close)
    return file


def _write(file: FileIO, data: bytes | memoryview) -> None:
    # An unbuffered write may take a part only; the next one then says why.
    view = memoryview(data).cast("B")
    while view:
        view = view[file.write(view) :]


def _size(image: NDArray[np.uint8]) -> str:
    size = "×".join(map(str, image.shape[::-1]))
    return f"{size} px" if image.dtype == np.uint8 else f"{size} px of type {image.dtype}"
