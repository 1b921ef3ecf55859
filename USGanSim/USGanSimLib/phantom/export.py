"""The phantom's anatomy for other programs: a label map, a CT-like volume, and landmarks, all in Reference mm.

Volumes are NRRD files with `space: right-anterior-superior`, so that Reference stands where Slicer's RAS is, as under
an identity ReferenceToRas.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from ..recording.exchange.volume_file import write_volume
from .body import Body
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
    names = [f"Segment{label}:={tissue.name}" for label, tissue in enumerate(TISSUES)]
    for path, voxels in volumes.items():
        more = names if voxels is body.labels else []
        write_volume(path, voxels, body.lower_mm, body.voxel_mm, more)
    return [*volumes]
