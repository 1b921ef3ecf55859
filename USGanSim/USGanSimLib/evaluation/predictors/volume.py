"""Freehand volume reconstruction and reslicing: what a lab has today without a model (PLUS, Slicer's Volume Reslice).

The training frames are compounded by mean (geometry/compounding.py); a slice is interpolated trilinearly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ...geometry.compounding import Compounding, Voxels
from ...geometry.conditioning import grid, pixel_affine
from ...geometry.image_geometry import ImageGeometry
from ...geometry.transforms import Matrix
from ...recording.dataset import Dataset
from ...recording.sweep import Frames
from .predictor import PosePredictor

# Memory is bounded by this: four arrays of single precision while a volume is built, one of them afterwards.
MOST_VOXELS = 16_000_000
_FRAMES_AT_ONCE = 16


@dataclass(frozen=True, eq=False)
class Volume:
    """Grey levels (X, Y, Z) of voxels whose first centre is `origin_mm` in Reference, `spacing_mm` apart; `seen_share`
    of the voxels were hit by a pixel, `filled_share` were filled."""

    grey: Voxels
    origin_mm: NDArray[np.float64]
    spacing_mm: float
    seen_share: float
    filled_share: float

    def slice(self, pose: Matrix, geometry: ImageGeometry) -> NDArray[np.float64]:
        """The image (H, W) at ImageToReference (4, 4); 0 outside the volume."""
        places = voxel_places(pose, geometry, self.origin_mm, self.spacing_mm)
        result: NDArray[np.float64] = ndimage.map_coordinates(self.grey, places, order=1, output=np.float64)
        return result


class VolumeReslice(PosePredictor):
    """The training frames compounded to a volume, resliced at the pose."""

    def __init__(self, dataset: Dataset) -> None:
        super().__init__("reconstructed volume, resliced", dataset)
        self.field = dataset.field.mask()
        self.volume = reconstruct(dataset, self.field)

    def at(self, pose: Matrix, count: int, seed: int) -> Frames:
        return np.repeat(np.rint(self.grey(pose)).astype(np.uint8)[None], count, axis=0)

    def grey(self, pose: Matrix) -> NDArray[np.float64]:
        """The slice (H, W), black outside the field of view."""
        return np.where(self.field, self.volume.slice(pose, self.dataset.geometry), 0.0)


def reconstruct(dataset: Dataset, field: NDArray[np.bool_]) -> Volume:
    """The volume of a set's training frames, of the pixels inside `field` (H, W).

    Voxels are as large as pixels, or larger where they would be more than MOST_VOXELS.
    """
    indices = dataset.train_indices
    origin_mm, extent_mm = _bounds(dataset.poses[indices], dataset.geometry)
    spacing_mm = max(*dataset.geometry.mm_per_px, float((extent_mm.prod() / MOST_VOXELS) ** (1 / 3)))
    x, y, z = (int(size) for size in np.floor(extent_mm / spacing_mm) + 2)
    reference_to_voxel = np.diag([*np.full(3, 1 / spacing_mm), 1.0])
    reference_to_voxel[:3, 3] = -origin_mm / spacing_mm
    compounding = Compounding((x, y, z), reference_to_voxel)
    for start in range(0, len(indices), _FRAMES_AT_ONCE):
        chosen = indices[start : start + _FRAMES_AT_ONCE]
        for image, pose in zip(dataset.read_images(chosen), dataset.poses[chosen], strict=True):
            compounding.add(image, pose, field)
    for _ in compounding.fill():
        pass
    return Volume(compounding.grey, origin_mm, spacing_mm, compounding.seen_share, compounding.filled_share)


def voxel_places(
    pose: Matrix, geometry: ImageGeometry, origin_mm: NDArray[np.float64], spacing_mm: float
) -> NDArray[np.float64]:
    """The pixels of an image in voxel indices, (3, H, W)."""
    places_mm = grid(pixel_affine(pose), geometry.width_px, geometry.height_px)
    result: NDArray[np.float64] = (places_mm - origin_mm[:, None, None]) / spacing_mm
    return result


def _bounds(poses: Matrix, geometry: ImageGeometry) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    corners = np.array(
        [[u, v, 1] for u in (0, geometry.width_px - 1) for v in (0, geometry.height_px - 1)], float
    )
    places_mm = np.einsum("nij,kj->nki", pixel_affine(poses), corners).reshape(-1, 3)
    low = places_mm.min(axis=0)
    return low, places_mm.max(axis=0) - low
