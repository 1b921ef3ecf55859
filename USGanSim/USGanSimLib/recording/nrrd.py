"""PLUS sequences in NRRD (`.igs.nrrd`): the same fields as the metafile, as `key:=value` pairs.

Format: teem.sourceforge.net/nrrd/format.html. `field: value` and `key:=value` lines, an empty line, then the pixels,
raw or as a gzip stream; a header without pixels names their file.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from pathlib import Path

from ..errors import UserError
from .sequence_format import (
    FrameFields,
    HeaderLines,
    SequenceFormat,
    SequenceHeader,
    add_frame_field,
    add_once,
    pixel_layout,
    pixels_beside,
)

MAGIC = "NRRD"
IMAGE_STATUS = "Status"
_ORIENTATION, _IMAGE_TYPE = "ultrasound image orientation", "ultrasound image type"
_UINT8 = {"uchar", "unsigned char", "uint8", "uint8_t"}


def read_header(path: Path) -> SequenceHeader:
    """Read everything before the pixels. Raises UserError for anything but an NRRD sequence, OSError for no file."""
    lines = HeaderLines(path)
    basic: dict[str, str] = {}
    pairs: dict[str, str] = {}
    frame_fields: FrameFields = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not line:
            return _header(path, basic, pairs, frame_fields, lines.offset)
        if line.startswith("#") or lines.number == 1:
            continue
        if not colon:
            raise lines.error("no 'field: value' and no 'key:=value'", line)
        if not value.startswith("="):
            add_once(basic, name.strip().lower(), value.strip(), lines)
        elif name.startswith("Seq_Frame"):
            add_frame_field(frame_fields, name.strip(), value[1:].strip(), lines)
        else:
            add_once(pairs, name.strip(), value[1:].strip(), lines)
    return _header(path, basic, pairs, frame_fields, lines.offset)


def _header(
    path: Path, basic: Mapping[str, str], pairs: Mapping[str, str], frame_fields: FrameFields, offset: int
) -> SequenceHeader:
    for needed in ("sizes", "type", "encoding"):
        if needed not in basic:
            raise UserError(
                f"{path.name} has no field '{needed}'.", "The header is damaged; record the file again."
            )
    encoding = basic["encoding"].lower()
    if encoding not in ("raw", "gz", "gzip"):
        raise UserError(
            f"{path.name} has pixels in the encoding {basic['encoding']!r}.", "Save it as raw or gzip."
        )
    data_file = basic.get("data file", basic.get("datafile"))
    for name in ("line skip", "lineskip", "byte skip", "byteskip"):
        if basic.get(name, "0") != "0":
            raise UserError(
                f"{path.name} has '{name}: {basic[name]}', which is not read.", "Save it as one file."
            )
    if data_file is not None and (data_file.startswith("LIST") or "%" in data_file):
        raise UserError(
            f"{path.name} spreads its pixels over several files ({data_file}).", "Save it as one file."
        )
    return SequenceHeader(
        path=path,
        element_type=basic["type"],
        is_uint8=basic["type"].lower() in _UINT8,
        layout=pixel_layout(basic["sizes"], basic.get("kinds"), 1, path),
        orientation=pairs.get(_ORIENTATION, ""),
        image_type=pairs.get(_IMAGE_TYPE, ""),
        compressed=encoding != "raw",
        compressed_bytes=None,
        data_path=path if data_file is None else pixels_beside(path, data_file),
        data_offset=offset if data_file is None else 0,
        fields={name: value for name, value in pairs.items() if name not in (_ORIENTATION, _IMAGE_TYPE)},
        frame_fields=frame_fields,
        image_status=IMAGE_STATUS,
    )


def _opening(
    width_px: int, height_px: int, frames: int, compressed_bytes: int | None, fields: Mapping[str, str]
) -> str:
    has_pixels = width_px * height_px > 0
    pairs = {
        _ORIENTATION: "MFA" if has_pixels else "XX",
        _IMAGE_TYPE: "BRIGHTNESS" if has_pixels else "XX",
        **fields,
    }
    return (
        f"NRRD0004\n# Complete NRRD file format specification at:\n# http://teem.sourceforge.net/nrrd/format.html\n"
        f"type: uint8\ndimension: 3\nspace dimension: 2\nsizes: {width_px} {height_px} {frames}\n"
        f"space directions: (1,0) (0,1) none\nkinds: domain domain list\nendian: little\n"
        f"encoding: {'raw' if compressed_bytes is None else 'gz'}\nspace origin: (0,0)\n"
        + "".join(f"{name}:={value}\n" for name, value in pairs.items())
    )


def _closing(data_file: str | None) -> str:
    return "\n" if data_file is None else f"data file: {data_file}\n\n"


FORMAT = SequenceFormat(
    separator=":=", image_status=IMAGE_STATUS, wbits=zlib.MAX_WBITS + 16, opening=_opening, closing=_closing
)
