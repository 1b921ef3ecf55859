"""PLUS sequence metafiles (`.igs.mha`, `.igs.mhd`): MetaImage with fields for every frame.

Format: PlusLib, docs/file-formats/FileSequenceFile.md; MetaIO, metaImage.cxx. `name = value` lines in Latin-1; the
last one is `ElementDataFile`, and the pixels begin right after its newline or lie in the file it names.
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
    is_count,
    pixel_layout,
    pixels_beside,
)

IMAGE_STATUS = "ImageStatus"

# Where the image lies in space is told by the transforms of each frame; PLUS keeps these for other software alone.
_PLACEMENT = {
    "AnatomicalOrientation": "RAI",
    "CenterOfRotation": "0 0 0",
    "ElementSpacing": "1 1 1",
    "Offset": "0 0 0",
    "TransformMatrix": "1 0 0 0 1 0 0 0 1",
}
_LAYOUT = {
    "ObjectType",
    "NDims",
    "BinaryData",
    "BinaryDataByteOrderMSB",
    "ElementByteOrderMSB",
    "CompressedData",
    "CompressedDataSize",
    "DimSize",
    "Kinds",
    "ElementNumberOfChannels",
    "ElementType",
    "HeaderSize",
    "UltrasoundImageOrientation",
    "UltrasoundImageType",
    "ElementDataFile",
}


def read_header(path: Path) -> SequenceHeader:
    """Read everything before the pixels. Raises UserError for anything but a sequence metafile, OSError for no file."""
    lines = HeaderLines(path)
    known: dict[str, str] = {}
    frame_fields: FrameFields = {}
    for line in lines:
        name, equals, value = (part.strip() for part in line.partition("="))
        if lines.number == 1 and (name, value) != ("ObjectType", "Image"):
            raise UserError(
                f"{path.name} is neither a MetaImage nor an NRRD file.",
                "Choose a recording that PLUS or this software wrote (.igs.mha, .igs.mhd, .igs.nrrd).",
            )
        if name.startswith("Seq_Frame") and equals:
            add_frame_field(frame_fields, name, value, lines)
        elif equals:
            add_once(known, name, value, lines)
        elif line.strip():
            raise lines.error("no 'name = value'", line)
        if name == "ElementDataFile":
            return _header(path, known, frame_fields, lines.offset)
    raise UserError(
        f"{path.name} ends after {lines.number} lines, before the line ElementDataFile.",
        "The file is cut short; copy or record it again.",
    )


def _header(path: Path, known: Mapping[str, str], frame_fields: FrameFields, offset: int) -> SequenceHeader:
    for needed in ("DimSize", "ElementType"):
        if needed not in known:
            raise UserError(f"{path.name} has no {needed}.", "The header is damaged; record the file again.")
    axes = len(known["DimSize"].split())
    if known.get("NDims", str(axes)) != str(axes):
        raise UserError(
            f"{path.name} has NDims = {known['NDims']} and {axes} sizes ({known['DimSize']!r}).",
            "The header is damaged; record the file again.",
        )
    if not _flag(known, "BinaryData", "True"):
        raise UserError(
            f"{path.name} has its pixels as text (BinaryData = False).", "Save it with binary pixels."
        )
    data_file = known["ElementDataFile"]
    detached = data_file.upper() != "LOCAL"
    promised = known.get("CompressedDataSize", "")
    return SequenceHeader(
        path=path,
        element_type=known["ElementType"],
        is_uint8=known["ElementType"] == "MET_UCHAR",
        layout=pixel_layout(known["DimSize"], known.get("Kinds"), _channels(known, path), path),
        orientation=known.get("UltrasoundImageOrientation", ""),
        image_type=known.get("UltrasoundImageType", ""),
        compressed=_flag(known, "CompressedData", "False"),
        compressed_bytes=int(promised) if is_count(promised) else None,
        data_path=pixels_beside(path, data_file) if detached else path,
        data_offset=0 if detached else offset,
        fields={name: value for name, value in known.items() if name not in _LAYOUT},
        frame_fields=frame_fields,
        image_status=IMAGE_STATUS,
    )


def _flag(known: Mapping[str, str], name: str, default: str) -> bool:
    return known.get(name, default).lower() == "true"


def _channels(known: Mapping[str, str], path: Path) -> int:
    text = known.get("ElementNumberOfChannels", "1")
    if not is_count(text) or int(text) == 0:
        raise UserError(
            f"{path.name} gives ElementNumberOfChannels as {text[:60]!r}.", "The header is damaged."
        )
    return int(text)


def _opening(
    width_px: int, height_px: int, frames: int, compressed_bytes: int | None, fields: Mapping[str, str]
) -> str:
    has_pixels = width_px * height_px > 0
    compression = (
        {"CompressedData": "False"}
        if compressed_bytes is None
        else {"CompressedData": "True", "CompressedDataSize": str(compressed_bytes)}
    )
    placement = {
        name: fields[name] if len(fields.get(name, "").split()) == len(default.split()) else default
        for name, default in _PLACEMENT.items()
    }
    lines = {
        "ObjectType": "Image",
        "NDims": "3",
        "BinaryData": "True",
        "BinaryDataByteOrderMSB": "False",
        **compression,
        "DimSize": f"{width_px} {height_px} {frames}",
        "Kinds": "domain domain list",
        **placement,
        "ElementNumberOfChannels": "1",
        "ElementType": "MET_UCHAR",
        "UltrasoundImageOrientation": "MFA" if has_pixels else "XX",
        "UltrasoundImageType": "BRIGHTNESS" if has_pixels else "XX",
    }
    lines |= {name: value for name, value in fields.items() if name not in lines}
    return "".join(f"{name} = {value}\n" for name, value in lines.items())


def _closing(data_file: str | None) -> str:
    return f"ElementDataFile = {data_file or 'LOCAL'}\n"


FORMAT = SequenceFormat(
    separator=" = ", image_status=IMAGE_STATUS, wbits=zlib.MAX_WBITS, opening=_opening, closing=_closing
)
