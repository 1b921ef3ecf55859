"""What the two PLUS sequence formats have in common: the header as read, the layout of the pixels, and how to write."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import UserError

# field → frame number → value, for example ["Timestamp"][12] = "345.62"
FrameFields = dict[str, dict[int, str]]

_LONGEST_LINE_BYTES = 1 << 20
_MOST_DIGITS = 18  # of what 64 bits hold
_ROLES = {
    "domain": "domain",
    "space": "domain",
    "list": "n",
    "time": "n",
    "vector": "c",
    "rgb-color": "c",
    "rgba-color": "c",
    "3-color": "c",
    "4-color": "c",
    "scalar": "c",
}


@dataclass(frozen=True)
class PixelLayout:
    """The axes of the pixel data, fastest first: `axes` has one letter an axis, of x, y, z (space), n (frames) and
    c (channels of a colour), `sizes` its length."""

    axes: str
    sizes: tuple[int, ...]

    def size(self, axis: str) -> int:
        """The length of an axis; one that is not there has length 1."""
        return self.sizes[self.axes.index(axis)] if axis in self.axes else 1

    @property
    def pixel_bytes(self) -> int:
        """Bytes of all pixels, of 8 bits each."""
        product = 1
        for size in self.sizes:
            product *= size
        return product


@dataclass(frozen=True)
class SequenceHeader:
    """The header of a sequence file.

    element_type      type of a pixel, as written; `is_uint8` tells whether it is the one that is read
    orientation       letters of UltrasoundImageOrientation, empty where the file has none
    image_type        BRIGHTNESS, RF_REAL, …; empty where the file has none
    compressed        whether the pixels are one zlib or gzip stream
    compressed_bytes  length of that stream as promised, or None
    data_path         the file with the pixels, which begin at `data_offset`
    fields            the other header fields
    frame_fields      the fields of single frames; `image_status` is the name of the one that tells an image's status
    """

    path: Path
    layout: PixelLayout
    element_type: str
    is_uint8: bool
    orientation: str
    image_type: str
    compressed: bool
    compressed_bytes: int | None
    data_path: Path
    data_offset: int
    fields: Mapping[str, str]
    frame_fields: FrameFields
    image_status: str

    @property
    def has_pixels(self) -> bool:
        """Whether there are pixels; recordings of a tracker alone have images of size 0 × 0."""
        return self.layout.pixel_bytes > 0


@dataclass(frozen=True)
class SequenceFormat:
    """How one of the formats is written.

    separator     what stands between a field's name and its value
    image_status  the frame field of an image's status
    wbits         zlib's code for the kind of compressed stream
    opening       (width, height, frames, compressed bytes or None, header fields) → the lines before the frame fields
    closing       name of the detached pixel file or None → the lines after them
    """

    separator: str
    image_status: str
    wbits: int
    opening: Callable[[int, int, int, int | None, Mapping[str, str]], str]
    closing: Callable[[str | None], str]


class HeaderLines:
    """The lines of a header one by one, numbered, in Latin-1; `offset` is where the next one begins."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.number = 0
        self.offset = 0

    def __iter__(self) -> Iterator[str]:
        with self.path.open("rb") as stream:
            while line := stream.readline(_LONGEST_LINE_BYTES):
                self.number += 1
                self.offset = stream.tell()
                yield line.decode("latin-1").rstrip("\r\n")

    def error(self, what: str, line: str) -> UserError:
        """The error for the line just read."""
        return UserError(
            f"{self.path.name}, line {self.number}: {what}: {line[:60]!r}.",
            "The header is damaged; copy or record the file again.",
        )


def add_once(known: dict[str, str], name: str, value: str, lines: HeaderLines) -> None:
    """Store a header field. Some writers repeat a line; two different values are an error."""
    if known.setdefault(name, value) != value:
        raise lines.error(f"{name} was {known[name][:60]!r} before", value)


def add_frame_field(known: FrameFields, name: str, value: str, lines: HeaderLines) -> None:
    """Store `Seq_FrameNNNN_Field`; numbers have four digits, more from frame 10000 on."""
    number, underscore, field = name.removeprefix("Seq_Frame").partition("_")
    if not (is_count(number) and underscore and field):
        raise lines.error("no field of a frame", name)
    if known.setdefault(field, {}).setdefault(int(number), value) != value:
        raise lines.error(f"frame {int(number)} has another {field} already", value)


def is_count(word: str) -> bool:
    """Whether a word is a whole number, 0 or more, of a size that a file can mean."""
    return word.isascii() and word.isdigit() and len(word) <= _MOST_DIGITS


def pixels_beside(path: Path, data_file: str) -> Path:
    """The file with the pixels of a header. Raises UserError where its name is none of a file in the same folder."""
    if data_file in ("", "..") or Path(data_file).name != data_file:
        raise UserError(
            f"{path.name} has its pixels in {data_file[:60]!r}, which is no file beside it.",
            "Keep the two files together.",
        )
    return path.with_name(data_file)


def pixel_layout(sizes: str, kinds: str | None, channels: int, path: Path) -> PixelLayout:
    """The layout told by the words of DimSize/sizes and Kinds/kinds (fastest first).

    Old files have no kinds: then a third or fourth axis counts the frames. `channels` > 1 stands for a colour axis
    before the first one. Raises UserError for sizes that are no numbers, and for other than two-dimensional frames.
    """
    words = sizes.split()
    if not words or not all(map(is_count, words)):
        raise UserError(
            f"{path.name} gives its size as {sizes[:60]!r}.",
            "Whole numbers are expected, as in '820 616 97'.",
        )
    if kinds is None:
        kinds = (
            " ".join(["domain"] * len(words)) if len(words) == 2 else "domain " * (len(words) - 1) + "list"
        )
    if len(kinds.split()) != len(words):
        raise UserError(
            f"{path.name} has {len(words)} sizes ({sizes!r}) and {len(kinds.split())} kinds ({kinds!r}).",
            "The header is damaged; record the file again.",
        )
    axes = _axes(kinds.split(), path)
    numbers = tuple(int(word) for word in words)
    layout = PixelLayout(axes, numbers) if channels == 1 else PixelLayout("c" + axes, (channels, *numbers))
    _require_flat_frames(layout, path)
    return layout


def _axes(kinds: Sequence[str], path: Path) -> str:
    space = iter("xyz")
    axes = ""
    for kind in kinds:
        role = _ROLES.get(kind.lower())
        axes += next(space, "?") if role == "domain" else role or "?"
    if "?" in axes or "y" not in axes or len(set(axes)) != len(axes):
        raise UserError(
            f"{path.name} has axes of the kinds '{' '.join(kinds)}'.",
            "Read are two-dimensional images: 'domain domain list'.",
        )
    return axes


def _require_flat_frames(layout: PixelLayout, path: Path) -> None:
    if layout.size("z") > 1:
        raise UserError(
            f"{path.name} holds volumes of {layout.size('z')} slices, not two-dimensional images.",
            "Choose a recording of a two-dimensional B-mode probe.",
        )
    if layout.size("n") == 0:
        raise UserError(f"{path.name} holds no frames.", "Record it again.")
