"""Freehand volume reconstruction and reslicing: what a lab has today without a model (PLUS, Slicer's Volume Reslice).

The training frames are compounded by mean (geometry/compounding.py); a slice is interpolated trilinearly.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ...geometry.compounding import Compounding, Voxels
from ...geometry.conditioning import grid as pixel_grid
from ...geometry.conditioning import pixel_affine
from ...geometry.image_geometry import ImageGeometry
from ...geometry.transforms import Matrix
from ...geometry.volume_grid import grid_around
from ...recording.dataset import Dataset
from ...recording.sweep import Frames
from .predictor import PosePredictor

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

    Voxels are as large as pixels, or larger where memory asks for it (grid_around).
    """
    indices = dataset.train_indices
    grid = grid_around(dataset.poses[indices], dataset.geometry)
    compounding = Compounding(grid.shape, grid.reference_to_voxel)
    for _ in frames_into(compounding, dataset, field):
        pass
    return Volume(
        compounding.grey, grid.origin_mm, grid.spacing_mm, compounding.seen_share, compounding.filled_share
    )


def frames_into(compounding: Compounding, dataset: Dataset, field: NDArray[np.bool_]) -> Iterator[int]:
    """Compound a set's training frames, of the pixels inside `field` (H, W); yields the number of frames that are in
    it, and fills it after the last."""
    indices, done = dataset.train_indices, 0
    for start in range(0, len(indices), _FRAMES_AT_ONCE):
        chosen = indices[start : start + _FRAMES_AT_ONCE]
        for image, pose in zip(dataset.read_images(chosen), dataset.poses[chosen], strict=True):
            compounding.add(image, pose, field)
            done += 1
            yield done
    for _ in compounding.fill():
        pass


def voxel_places(
    pose: Matrix, geometry: ImageGeometry, origin_mm: NDArray[np.float64], spacing_mm: float
) -> NDArray[np.float64]:
    """The pixels of an image in voxel indices, (3, H, W)."""
    places_mm = pixel_grid(pixel_affine(pose), geometry.width_px, geometry.height_px)
    result: NDArray[np.float64] = (places_mm - origin_mm[:, None, None]) / spacing_mm
    return result
