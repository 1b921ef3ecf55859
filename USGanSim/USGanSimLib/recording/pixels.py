"""Pixels of a sequence file as an (N, H, W) array of bounded memory, whatever the size of the file.

Uncompressed pixels are mapped from the file. Compressed ones are unpacked piece by piece, small recordings into
memory, large ones into a temporary file without a name, which is mapped and disappears with the array.
"""

from __future__ import annotations

import io
import mmap
import tempfile
import zlib
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from .sequence_format import SequenceHeader
from .sweep import Frames

IN_MEMORY_BYTES = 64 * 1024 * 1024
_PIECE_BYTES = 1 << 20
_ZLIB_OR_GZIP = zlib.MAX_WBITS + 32


def read_pixels(header: SequenceHeader) -> Frames:
    """The (N, H, W) uint8 pixels as stored, read-only.

    Raises UserError for pixels other than one 8-bit number each, and where the file holds fewer or more of them than
    its header says.
    """
    layout = header.layout
    if not header.has_pixels:
        return np.zeros((layout.size("n"), layout.size("y"), layout.size("x")), np.uint8)
    _require_grey(header)
    return _arranged(_unpacked(header) if header.compressed else _mapped(header), header)


def _require_grey(header: SequenceHeader) -> None:
    name, channels = header.path.name, header.layout.size("c")
    if channels > 1:
        raise UserError(
            f"{name} has {channels} colours a pixel. Colour has no single meaning as B-mode brightness.",
            "Record grey images (BRIGHTNESS), without the scanner's coloured overlays.",
        )
    if not header.is_uint8:
        raise UserError(
            f"{name} has pixels of type {header.element_type}. How they scale to 8-bit B-mode is not told.",
            "Record or convert 8-bit images (MET_UCHAR, uint8).",
        )
    if header.image_type.upper().removeprefix("US_IMG_") not in ("", "XX", "BRIGHTNESS"):
        raise UserError(
            f"{name} holds {header.image_type}, not B-mode.", "Record B-mode images (BRIGHTNESS)."
        )


def _mapped(header: SequenceHeader) -> NDArray[np.uint8]:
    expected, found = header.layout.pixel_bytes, _bytes_there(header)
    # A text editor leaves a newline at the end of a file; anything more means another size than the header's.
    if not expected <= found <= expected + 2:
        raise UserError(
            f"{header.data_path.name} holds {found} bytes of pixels, where {_sizes(header)} need {expected}.",
            "The file is cut short or its header is wrong; copy or record it again.",
        )
    return np.memmap(header.data_path, np.uint8, "r", header.data_offset, (expected,))


def _unpacked(header: SequenceHeader) -> NDArray[np.uint8]:
    promised, found = header.compressed_bytes or 0, _bytes_there(header)
    if found < promised:
        raise UserError(
            f"{header.data_path.name} is cut short: {found} of {promised} bytes of compressed pixels are "
            "there.",
            "Copy or record the file again.",
        )
    expected = header.layout.pixel_bytes
    with header.data_path.open("rb") as source:
        source.seek(header.data_offset)
        if expected <= IN_MEMORY_BYTES:
            memory = io.BytesIO()
            _unpack(source, memory, header)
            pixels = np.frombuffer(memory.getbuffer(), np.uint8)
            pixels.flags.writeable = False
            return pixels
        try:
            with tempfile.TemporaryFile(prefix="usgansim-") as unnamed:
                _unpack(source, unnamed, header)
                unnamed.flush()
                return np.memmap(unnamed, np.uint8, "r", shape=(expected,))
        except OSError as error:
            raise UserError(
                f"The {expected} bytes of pixels of {header.path.name} could not be unpacked into "
                f"{tempfile.gettempdir()}: {error.strerror or error}.",
                "Free some space there, or let TMPDIR name another folder.",
            ) from error


def _unpack(source: BinaryIO, sink: BinaryIO | io.BytesIO, header: SequenceHeader) -> None:
    written, expected = 0, header.layout.pixel_bytes
    machine = zlib.decompressobj(_ZLIB_OR_GZIP)
    try:
        piece = source.read(_PIECE_BYTES)
        while piece and not machine.eof and written <= expected:
            written += sink.write(machine.decompress(piece, _PIECE_BYTES))
            piece = machine.unconsumed_tail or source.read(_PIECE_BYTES)
        if written <= expected:
            written += sink.write(machine.flush())
    except zlib.error as error:
        raise UserError(
            f"{header.data_path.name}: the compressed pixels are damaged after {written} of {expected} "
            f"bytes ({error}).",
            "Copy or record the file again.",
        ) from error
    if not machine.eof or written != expected:
        amount = f"more than {expected}" if written > expected else str(written)
        raise UserError(
            f"{header.data_path.name} unpacks to {amount} bytes of pixels, where {_sizes(header)} need "
            f"{expected}.",
            "The file is cut short or its header is wrong; copy or record it again.",
        )


def _arranged(pixels: NDArray[np.uint8], header: SequenceHeader) -> Frames:
    """A view of the pixels with axes (frame, row, column), wherever the file has its frame axis."""
    layout = header.layout
    stored = pixels.reshape(layout.sizes[::-1])
    if "n" not in layout.axes:
        stored = stored[np.newaxis]
    slowest_first = (layout.axes if "n" in layout.axes else layout.axes + "n")[::-1]
    others = [axis for axis in slowest_first if axis not in "nyx"]
    ordered = stored.transpose([slowest_first.index(axis) for axis in ["n", "y", "x", *others]])
    return ordered.reshape(ordered.shape[:3]) if others else ordered


def _bytes_there(header: SequenceHeader) -> int:
    if not header.data_path.is_file():
        raise UserError(
            f"{header.path.name} has its pixels in {header.data_path.name}, which is not beside it.",
            "Keep the two files together.",
        )
    return header.data_path.stat().st_size - header.data_offset


def _sizes(header: SequenceHeader) -> str:
    layout = header.layout
    return f"{layout.size('n')} images of {layout.size('x')}×{layout.size('y')} px"


def release_pages(frames: Frames) -> None:
    """Let go of the resident pages behind an array or a view of a file map; they are read again when needed.

    Does nothing for arrays in memory, and on systems without `madvise`, which trim such pages on their own. Only
    for maps of a file that are shared or read-only: private changes would be lost.
    """
    base: object = frames
    while isinstance(base, np.ndarray):
        base = base.base
    if isinstance(base, mmap.mmap) and hasattr(base, "madvise"):
        base.madvise(mmap.MADV_DONTNEED)
