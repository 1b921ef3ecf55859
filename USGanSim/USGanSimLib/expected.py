"""What a model expects to see, without the noise of a single image: the mean and the SD of its images at a pose, and a
volume of those means. Without torch: a renderer is handed in."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from .geometry.compounding import Compounding
from .geometry.field_of_view import FieldOfView
from .geometry.pose_distance import PoseRange
from .geometry.transforms import Matrix
from .geometry.volume_grid import VolumeGrid, grid_around
from .live import SamplingRenderer
from .model.info import ModelInfo

SAMPLES = 8
# Planes beside each kept training pose, so that the volume has no holes between them.
_BESIDE_MM = 4.0


def expected(
    renderer: SamplingRenderer, image_to_reference: Matrix, samples: int = SAMPLES, seed: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(H, W) mean and SD in grey levels of `samples` images, two at least, of one pose (4, 4); the same each time, and
    the noise that stands is left alone."""
    images = renderer.sample(image_to_reference, samples, seed).astype(np.float64)
    return images.mean(axis=0), images.std(axis=0, ddof=1)


class ModelVolume:
    """The volume that a model has learned, in the making: mean images at its kept training poses and beside them,
    compounded. `made` does a step at a time; then `grey` (Z, Y, X) uint8 and the mask `known` (Z, Y, X) are there."""

    def __init__(
        self,
        renderer: SamplingRenderer,
        info: ModelInfo,
        spacing_mm: float | None = None,
        samples: int = SAMPLES,
    ) -> None:
        self._renderer, self._samples = renderer, samples
        size_px = info.geometry.width_px, info.geometry.height_px
        self._area = (info.field or FieldOfView.whole(size_px)).mask()
        self.poses = planes_of(info.pose_range)
        self.grid: VolumeGrid = grid_around(self.poses, info.geometry, spacing_mm)
        self._compounding = Compounding(self.grid.shape, self.grid.reference_to_voxel)

    def made(self) -> Iterator[int]:
        """Yields the number of planes that are in it."""
        for number, pose in enumerate(self.poses, 1):
            mean = expected(self._renderer, pose, self._samples, seed=number)[0]
            self._compounding.add(np.rint(mean).astype(np.uint8), pose, self._area)
            yield number
        for _ in self._compounding.fill():
            pass

    @property
    def grey(self) -> NDArray[np.uint8]:
        return np.rint(self._compounding.grey.transpose(2, 1, 0)).astype(np.uint8)

    @property
    def known(self) -> NDArray[np.bool_]:
        """Where a plane passed, or near it."""
        return self._compounding.known.transpose(2, 1, 0)


def planes_of(pose_range: PoseRange) -> Matrix:
    """(N, 4, 4): the kept training poses, and each moved along its normal to either side, by no more than what the
    kept ones leave out between them."""
    beside_mm = min(_BESIDE_MM, pose_range.coverage_mm)
    poses = [pose_range.poses]
    for step_mm in (-beside_mm, beside_mm):
        moved = pose_range.poses.copy()
        normals = np.cross(moved[:, :3, 0], moved[:, :3, 1])
        moved[:, :3, 3] += step_mm * normals / np.linalg.norm(normals, axis=1, keepdims=True)
        poses.append(moved)
    return np.concatenate(poses)
