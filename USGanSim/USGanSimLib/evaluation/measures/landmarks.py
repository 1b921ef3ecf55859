"""Anatomical landmarks with known places in Reference: reading them, and where a frame's image shows them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import UserError
from ...geometry.transforms import Matrix

# A landmark nearer to the image plane than this is in the image: two SDs of the thickness of the beam.
IN_PLANE_MM = 2.0
_HINT = "Give the NAME.landmarks.json of 'usgansim phantom', or a Slicer point list (.mrk.json) in Reference."
_TO_RAS = {
    "RAS": np.ones(3),
    "LPS": np.array([-1.0, -1.0, 1.0]),
    "0": np.ones(3),
    "1": np.array([-1.0, -1.0, 1.0]),
}

Points = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Projection:
    """Where N images show L landmarks: `places_px` (N, L, 2) pixels u, v of the nearest point of the image plane, and
    `off_plane_mm` (N, L), the signed distance from that plane."""

    places_px: Points
    off_plane_mm: Points

    def within(self, seen: NDArray[np.bool_], reach_mm: float = IN_PLANE_MM) -> NDArray[np.bool_]:
        """(N, L): nearer than `reach_mm` to the plane, at a pixel of `seen` (H, W), where the images show tissue."""
        u, v = np.rint(self.places_px).astype(int).transpose(2, 0, 1)
        height, width = seen.shape
        inside = (u >= 0) & (u < width) & (v >= 0) & (v < height)
        shown = seen[np.clip(v, 0, height - 1), np.clip(u, 0, width - 1)]
        result: NDArray[np.bool_] = inside & shown & (np.abs(self.off_plane_mm) <= reach_mm)
        return result


def project(image_to_reference: Matrix, landmarks_mm: Points) -> Projection:
    """Landmarks (L, 3), or (N, L, 3) where they move, seen from poses (N, 4, 4) whose columns are scaled to pixels."""
    axes = image_to_reference[:, :3, :3].copy()
    axes[:, :, 2] = np.cross(axes[:, :, 0], axes[:, :, 1])
    axes[:, :, 2] /= np.linalg.norm(axes[:, :, 2], axis=1, keepdims=True)
    offsets = landmarks_mm - image_to_reference[:, None, :3, 3]
    places: Points = np.linalg.solve(axes, offsets.transpose(0, 2, 1)).transpose(0, 2, 1).astype(np.float64)
    return Projection(places[..., :2], places[..., 2])


def read_landmarks(path: Path) -> dict[str, Points]:
    """Name → (3,) mm in Reference, from a NAME.landmarks.json or a Slicer point list.

    A point list is taken to stand in Reference coordinates, as under an identity ReferenceToRas. Raises UserError for
    any other file, another unit or coordinate system, and names that occur twice.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(
            f"The landmarks {path} cannot be read: {error.strerror}.", "Check the path."
        ) from error
    except ValueError as error:
        raise UserError(f"{path} is no JSON: {error}.", _HINT) from error
    try:
        named = markup_points(content) if "markups" in content else _own_points(content)
        landmarks = {name: np.array(place, float) for name, place in named}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path} holds no landmarks ({type(error).__name__}: {error}).", _HINT) from error
    if len(landmarks) != len(named):
        raise UserError(f"{path} names {len(named) - len(landmarks)} of {len(named)} landmarks twice.", _HINT)
    bad = [name for name, place in landmarks.items() if place.shape != (3,) or not np.isfinite(place).all()]
    if bad or not landmarks:
        raise UserError(f"{path}: {', '.join(bad) or 'nothing'} has a place of three numbers.", _HINT)
    return landmarks


def markup_points(content: Mapping[str, Any]) -> list[tuple[str, Points]]:
    """(label, (3,) in RAS mm) of every placed point in a Slicer markups document. Raises KeyError, TypeError or
    ValueError for anything else."""
    points = []
    for node in content["markups"]:
        if node.get("coordinateUnits", "mm") not in ("mm", ["mm", "UCUM", "millimeter"]):
            raise ValueError(f"coordinates in {node['coordinateUnits']}, not mm")
        to_ras = _TO_RAS[str(node["coordinateSystem"])]
        points += [
            (str(point["label"]), to_ras * np.array(point["position"], float))
            for point in node["controlPoints"]
            if point.get("positionStatus", "defined") == "defined"
        ]
    return points


def _own_points(content: Mapping[str, Any]) -> list[tuple[str, Any]]:
    if (content["frame"], content["unit"]) != ("Reference", "mm"):
        raise ValueError(f"landmarks in {content['unit']} of {content['frame']}, not mm of Reference")
    return list(content["landmarks"].items())
