"""Recordings written by hand, line by line, as another program would write them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

TWO_STAMPS = "Seq_Frame0000_Timestamp = 1.5\nSeq_Frame0001_Timestamp = 2.5\n"


@pytest.fixture
def a_metafile(tmp_path: Path) -> Callable[..., Path]:
    """Writes a metafile of two frames of 3×2 pixels, numbered 0 to 11 in the order of the file.

    `frames` are the lines of the frame fields, `pixels` the bytes after the header, and every other argument is a
    header field; None leaves it out.
    """

    def write(
        name: str = "hand.igs.mha",
        frames: str = TWO_STAMPS,
        pixels: bytes = bytes(range(12)),
        **fields: str | None,
    ) -> Path:
        known: dict[str, str | None] = {
            "ObjectType": "Image",
            "NDims": "3",
            "BinaryData": "True",
            "CompressedData": "False",
            "DimSize": "3 2 2",
            "Kinds": "domain domain list",
            "ElementType": "MET_UCHAR",
            "UltrasoundImageOrientation": "MF",
        }
        last = fields.pop("ElementDataFile", "LOCAL")
        header = "".join(f"{key} = {value}\n" for key, value in (known | fields).items() if value is not None)
        path = tmp_path / name
        path.write_bytes((header + frames + f"ElementDataFile = {last}\n").encode("latin-1") + pixels)
        return path

    return write


@pytest.fixture
def an_nrrd(tmp_path: Path) -> Callable[..., Path]:
    """Writes an NRRD of two frames of 3×2 pixels, numbered 0 to 11. `lines` are added to the header; every other
    argument is a basic field, underscores for blanks, and None leaves it out."""

    def write(
        name: str = "hand.igs.nrrd",
        lines: str = TWO_STAMPS.replace(" = ", ":="),
        pixels: bytes = bytes(range(12)),
        **fields: str | None,
    ) -> Path:
        known: dict[str, str | None] = {
            "dimension": "3",
            "type": "uint8",
            "encoding": "raw",
            "sizes": "3 2 2",
            "kinds": "domain domain list",
        }
        basic = "".join(
            f"{key.replace('_', ' ')}: {value}\n"
            for key, value in (known | fields).items()
            if value is not None
        )
        path = tmp_path / name
        path.write_bytes(
            ("NRRD0004\n# a comment: of no meaning\n" + basic + lines + "\n").encode("latin-1") + pixels
        )
        return path

    return write
