"""The grid of a volume around image planes: axes of Reference, voxels as large as asked or as memory allows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .conditioning import pixel_affine
from .image_geometry import ImageGeometry
from .transforms import Matrix

# Memory is bounded by this: four arrays of single precision while a volume is made.
MOST_VOXELS = 16_000_000


@dataclass(frozen=True, eq=False)
class VolumeGrid:
    """`shape` (X, Y, Z) voxels, `spacing_mm` apart, the middle of the first at `origin_mm` in Reference."""

    origin_mm: NDArray[np.float64]
    spacing_mm: float
    shape: tuple[int, int, int]

    @property
    def reference_to_voxel(self) -> Matrix:
        """(4, 4) mm to voxel indices."""
        matrix = np.diag([*np.full(3, 1 / self.spacing_mm), 1.0])
        matrix[:3, 3] = -self.origin_mm / self.spacing_mm
        return matrix


def grid_around(poses: Matrix, geometry: ImageGeometry, spacing_mm: float | None = None) -> VolumeGrid:
    """Around images at ImageToReference (N, 4, 4); voxels of `spacing_mm`, as large as pixels where none is given, and
    larger where they would be more than MOST_VOXELS."""
    corners = np.array(
        [[u, v, 1] for u in (0, geometry.width_px - 1) for v in (0, geometry.height_px - 1)], float
    )
    places_mm = np.einsum("nij,kj->nki", pixel_affine(poses), corners).reshape(-1, 3)
    low_mm = places_mm.min(axis=0)
    extent_mm = places_mm.max(axis=0) - low_mm
    least_mm = float((extent_mm.prod() / MOST_VOXELS) ** (1 / 3))
    wanted_mm = max(geometry.mm_per_px) if spacing_mm is None else spacing_mm
    spacing = max(wanted_mm, least_mm)
    x, y, z = (int(size) for size in np.floor(extent_mm / spacing) + 2)
    return VolumeGrid(low_mm, spacing, (x, y, z))
