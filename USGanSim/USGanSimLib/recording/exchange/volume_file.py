"""Volumes as NRRD files whose axes are those of Reference: Slicer shows them where its RAS is, as under an identity
ReferenceToRas."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...files import replacing_file

_KINDS = {"uint8": "uchar", "int16": "short"}


def write_volume(
    path: Path,
    voxels: NDArray[np.generic],
    first_mm: Sequence[float] | NDArray[np.float64],
    voxel_mm: float,
    more: Sequence[str] = (),
) -> None:
    """Write a (Z, Y, X) volume, uint8 or int16, compressed and whole or not at all; `first_mm` is the middle of its
    first voxel, `more` are further lines of the header."""
    depth, height, width = voxels.shape
    x, y, z = (float(place) for place in first_mm)
    header = [
        "NRRD0005",
        f"type: {_KINDS[voxels.dtype.name]}",
        "dimension: 3",
        "space: right-anterior-superior",
        f"sizes: {width} {height} {depth}",
        "endian: little",
        "encoding: gzip",
        "kinds: domain domain domain",
        f"space directions: ({voxel_mm},0,0) (0,{voxel_mm},0) (0,0,{voxel_mm})",
        f"space origin: ({x},{y},{z})",
        *more,
    ]
    with replacing_file(path) as part, part.open("wb") as stream:
        stream.write(("\n".join(header) + "\n\n").encode())
        with gzip.GzipFile(fileobj=stream, mode="wb", compresslevel=4, mtime=0) as pixels:
            pixels.write(np.ascontiguousarray(voxels.astype(voxels.dtype.newbyteorder("<"))).data)
