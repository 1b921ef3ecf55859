"""Tracked recordings as files: PLUS sequences in MetaImage (`.igs.mha`, `.igs.mhd`) and NRRD (`.igs.nrrd`)."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from ..files import replacing_file
from ..geometry.transforms import Matrix, split_transform_name
from . import metafile, nrrd
from .orientation import to_mf
from .pixels import read_pixels
from .sequence_fields import INVALID, OK, frame_data, frame_lines
from .sequence_format import SequenceFormat, SequenceHeader
from .sweep import TrackedSweep

FORMATS = {".mha": metafile.FORMAT, ".mhd": metafile.FORMAT, ".nrrd": nrrd.FORMAT}

# Level 6 makes speckle 3 % smaller and takes three times as long.
_COMPRESSION_LEVEL = 1


def read_sweep(path: Path) -> TrackedSweep:
    """Read a recording, its images turned to MF. Memory stays bounded: pixels are mapped from the file or from an
    unpacked temporary one. Raises UserError for a file that is missing, damaged, or no tracked 8-bit B-mode."""
    return load_sweep(read_header(path))


def read_header(path: Path) -> SequenceHeader:
    """Read what a recording says before its pixels. Raises UserError as `read_sweep` does."""
    try:
        with path.open("rb") as stream:
            is_nrrd = stream.read(len(nrrd.MAGIC)) == nrrd.MAGIC.encode()
        return nrrd.read_header(path) if is_nrrd else metafile.read_header(path)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}.", "Check the path.") from error


def load_sweep(header: SequenceHeader) -> TrackedSweep:
    """The recording that a header belongs to."""
    frames = read_pixels(header)
    # One pixel has no orientation; recordings of a tracker alone may have such images.
    if frames[0].size > 1:
        frames = to_mf(frames, header.orientation, header.path.name)
    data = frame_data(header)
    return TrackedSweep(
        frames,
        data.timestamps_s,
        data.transforms,
        data.image_valid,
        header.path.name,
        data.other,
        header.fields,
    )


def write_sweep(path: Path, sweep: TrackedSweep, compress: bool = True) -> None:
    """Write a recording, whole or not at all. The format follows the file name: .mha, .mhd (pixels beside it) or
    .nrrd. Pixels, time stamps and matrices come back bit for bit. Raises UserError where it cannot be written."""
    for _ in writing_sweep(path, sweep, compress):
        pass


def writing_sweep(path: Path, sweep: TrackedSweep, compress: bool = True) -> Iterator[int]:
    """`write_sweep` in steps: yields the number of frames that are written. Who leaves off leaves nothing behind."""
    with SweepWriter(path, sweep.width_px, sweep.height_px, sweep.header, compress) as writer:
        for frame in range(len(sweep)):
            writer.append(
                sweep.frames[frame],
                float(sweep.timestamps_s[frame]),
                {
                    name: (track.matrices[frame], bool(track.valid[frame]))
                    for name, track in sweep.transforms.items()
                },
                bool(sweep.image_valid[frame]),
                {name: values[frame] for name, values in sweep.frame_fields.items()},
            )
            yield frame + 1


class SweepWriter:
    """Writes a recording frame by frame in bounded memory; the file appears when the `with` block ends well.

    A header precedes the pixels and counts them, so frame fields and pixels wait in nameless files beside the target
    until the last frame is known. On an error nothing is left. Raises UserError for a full disk, a missing folder, a
    file name of no known format, and for a recording without frames.
    """

    def __init__(
        self,
        path: Path,
        width_px: int,
        height_px: int,
        header: Mapping[str, str] | None = None,
        compress: bool = True,
    ) -> None:
        self._path, self._size = path, (height_px, width_px)
        self._header = dict(header or {})
        self._format = _format_of(path)
        if path.suffix == ".mhd":
            require_nameable(path)
        self._frames = 0
        self._pixel_bytes = 0
        self._compressor = (
            zlib.compressobj(_COMPRESSION_LEVEL, wbits=self._format.wbits)
            if compress and width_px * height_px
            else None
        )

    def __enter__(self) -> SweepWriter:
        self._writing = self._written_parts()
        self._writing.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        return self._writing.__exit__(kind, error, traceback)

    def append(
        self,
        image: NDArray[np.uint8],
        timestamp_s: float,
        transforms: Mapping[str, tuple[Matrix, bool]],
        image_valid: bool = True,
        fields: Mapping[str, str | None] | None = None,
    ) -> None:
        """Add a frame: (H, W) pixels in MF orientation, seconds, name `AToB` → ((4, 4) matrix, valid), other fields."""
        if image.shape != self._size or image.dtype != np.uint8:
            raise ValueError(f"image must be {self._size} uint8, not {image.shape} {image.dtype}")
        for name in transforms:
            split_transform_name(name)
        pixels = np.ascontiguousarray(image).data
        self._write_pixels(self._compressor.compress(pixels) if self._compressor else pixels)
        lines = frame_lines(timestamp_s, transforms, fields or {})
        lines[self._format.image_status] = OK if image_valid else INVALID
        for field, value in lines.items():
            self._fields.write(field_line(f"Seq_Frame{self._frames:04d}_{field}", value, self._format))
        self._frames += 1

    @contextlib.contextmanager
    def _written_parts(self) -> Iterator[None]:
        folder, detached = self._path.parent, None
        with contextlib.ExitStack() as parts:
            whole = parts.enter_context(replacing_file(self._path))
            self._fields: IO[bytes] = parts.enter_context(tempfile.TemporaryFile(dir=folder))
            if self._path.suffix == ".mhd":
                detached = self._path.with_suffix(".zraw" if self._compressor else ".raw")
                pixel_part = parts.enter_context(replacing_file(detached))
                self._pixels: IO[bytes] = parts.enter_context(pixel_part.open("wb"))
            else:
                self._pixels = parts.enter_context(tempfile.TemporaryFile(dir=folder))
            yield
            self._finish(whole, detached)

    def _finish(self, whole: Path, detached: Path | None) -> None:
        if self._frames == 0:
            raise UserError(f"There is no frame to write to {self._path}.")
        if self._compressor:
            self._write_pixels(self._compressor.flush())
        height_px, width_px = self._size
        _require_writable(self._header, self._format)
        with whole.open("wb") as file:
            file.write(
                self._format.opening(
                    width_px,
                    height_px,
                    self._frames,
                    self._pixel_bytes if self._compressor else None,
                    self._header,
                ).encode("latin-1")
            )
            _copy(self._fields, file)
            file.write(self._format.closing(detached.name if detached else None).encode("latin-1"))
            if not detached:
                _copy(self._pixels, file)

    def _write_pixels(self, data: bytes | memoryview) -> None:
        self._pixel_bytes += self._pixels.write(data)


def _format_of(path: Path) -> SequenceFormat:
    if path.suffix not in FORMATS:
        raise UserError(
            f"{path} is not the name of a recording.",
            "Let it end in .igs.mha, .igs.mhd (pixels in a second file) or .igs.nrrd.",
        )
    return FORMATS[path.suffix]


def field_line(name: str, value: str, form: SequenceFormat) -> bytes:
    """A field as the bytes of a file. Raises UserError for a value that takes no single line of Latin-1."""
    text = f"{name}{form.separator}{value}"
    try:
        encoded = text.encode("latin-1")
    except UnicodeEncodeError as error:
        raise UserError(
            f"The field {name} has characters that the format cannot hold: {value[:60]!r}.",
            "Use letters of Latin-1.",
        ) from error
    if b"\n" in encoded or b"\r" in encoded:
        raise UserError(f"The field {name} has more than one line: {value[:60]!r}.", "Use one line.")
    return encoded + b"\n"


def require_nameable(path: Path) -> None:
    """Raise UserError where a header cannot name the pixels beside it, which are called as it is."""
    try:
        field_line("ElementDataFile", path.name, metafile.FORMAT)
    except UserError as error:
        raise UserError(
            f"{path.name!r} is no name for a recording with its pixels in a second file.",
            "Use letters of Latin-1 (a to z, ä, é, …), digits, - and _.",
        ) from error


def _require_writable(header: Mapping[str, str], form: SequenceFormat) -> None:
    for name, value in header.items():
        field_line(name, value, form)


def _copy(source: IO[bytes], target: IO[bytes]) -> None:
    source.seek(0)
    shutil.copyfileobj(source, target, 1 << 20)
