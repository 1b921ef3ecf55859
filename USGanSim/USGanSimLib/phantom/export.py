"""The phantom's anatomy for other programs: a label map, a CT-like volume, and landmarks, all in Reference mm.

Volumes are NRRD files with `space: right-anterior-superior`, so that Reference stands where Slicer's RAS is, as under
an identity ReferenceToRas.
"""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from ..files import replacing_file
from .body import Body
from .shapes import Vector
from .tissues import TISSUES, table

MARKUPS_SCHEMA = (
    "https://raw.githubusercontent.com/slicer/slicer/master/Modules/Loadable/Markups/Resources/Schema/"
    "markups-schema-v1.0.3.json#"
)
CT_NOISE_HU, CT_BLUR_VOXELS = 12.0, 0.7


def markups(landmarks_mm: dict[str, list[float]]) -> dict[str, Any]:
    """A Slicer markups document (.mrk.json) with one point list."""
    points = [
        {
            "id": str(number),
            "label": name,
            "position": place,
            "selected": True,
            "locked": True,
            "visibility": True,
            "positionStatus": "defined",
        }
        for number, (name, place) in enumerate(landmarks_mm.items(), start=1)
    ]
    return {
        "@schema": MARKUPS_SCHEMA,
        "markups": [
            {
                "type": "Fiducial",
                "coordinateSystem": "RAS",
                "coordinateUnits": "mm",
                "locked": True,
                "controlPoints": points,
            }
        ],
    }


def ct_like(body: Body, seed: int = 0) -> NDArray[np.int16]:
    """Hounsfield units (Z, Y, X) of the body with a scanner's blur and noise."""
    values = gaussian_filter(table("hounsfield")[body.labels], CT_BLUR_VOXELS)
    noise = np.random.default_rng([seed, 6]).standard_normal(values.shape, dtype=np.float32)
    values += np.float32(CT_NOISE_HU) * noise
    return np.asarray(np.rint(values), np.int16)


def write_volumes(folder: Path, name: str, body: Body) -> list[Path]:
    """Write NAME.labels.nrrd (label of each voxel, tissues named in its header) and NAME.ct.nrrd; returns both."""
    volumes: dict[Path, NDArray[Any]] = {
        folder / f"{name}.labels.nrrd": body.labels,
        folder / f"{name}.ct.nrrd": ct_like(body),
    }
    for path, voxels in volumes.items():
        write_volume(path, voxels, body.lower_mm, body.voxel_mm)
    return [*volumes]


def write_volume(path: Path, voxels: NDArray[np.generic], lower_mm: Vector, voxel_mm: float) -> None:
    """Write a (Z, Y, X) volume, uint8 or int16, as a compressed NRRD whose axes are those of Reference."""
    kind = {"uint8": "uchar", "int16": "short"}[voxels.dtype.name]
    depth, height, width = voxels.shape
    x, y, z = lower_mm
    header = [
        "NRRD0005",
        f"type: {kind}",
        "dimension: 3",
        "space: right-anterior-superior",
        f"sizes: {width} {height} {depth}",
        "endian: little",
        "encoding: gzip",
        "kinds: domain domain domain",
        f"space directions: ({voxel_mm},0,0) (0,{voxel_mm},0) (0,0,{voxel_mm})",
        f"space origin: ({x},{y},{z})",
    ]
    if kind == "uchar":
        header += [f"Segment{label}:={tissue.name}" for label, tissue in enumerate(TISSUES)]
    with replacing_file(path) as part, part.open("wb") as stream:
        stream.write(("\n".join(header) + "\n\n").encode())
        with gzip.GzipFile(fileobj=stream, mode="wb", compresslevel=4, mtime=0) as pixels:
            pixels.write(np.ascontiguousarray(voxels.astype(voxels.dtype.newbyteorder("<"))).data)
