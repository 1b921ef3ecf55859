"""Everything that can be asked for the image of a held-out frame: the real image, baselines, models."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from ..geometry.image_geometry import corner_distance_mm
from ..geometry.pose_distance import PoseDistance
from ..model_info import FIT_TOLERANCE_MM, ModelInfo
from ..recording.dataset import Dataset
from ..recording.sweep import Frames

if TYPE_CHECKING:
    from ..ml.renderer import ModelRenderer

_CHUNK = 256


class Predictor(Protocol):
    """Turns the index of a frame into images, always the same ones for the same index."""

    @property
    def name(self) -> str: ...

    def images(self, index: int) -> Frames:
        """(n, H, W) uint8 images for the pose of frame `index` of the training set; n is the same for every frame."""
        ...


class RealImage:
    """The held-out image itself: the ceiling of every measure."""

    name = "real image"

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset

    def images(self, index: int) -> Frames:
        return self._dataset.read_images([index])


class NearestTrainingFrame:
    """The training image whose pose is nearest, by RMS pixel displacement."""

    name = "nearest training frame"

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._known = dataset.poses[dataset.train_indices]
        self._distance = PoseDistance(dataset.geometry.width_px, dataset.geometry.height_px)
        self._embedded = self._distance.embed(self._known)

    def images(self, index: int) -> Frames:
        nearest = self._distance.nearest(self._dataset.poses[index], self._known, self._embedded)
        return self._dataset.read_images([int(self._dataset.train_indices[nearest.index])])

    def distances_mm(self) -> NDArray[np.float64]:
        """RMS pixel displacement between each held-out pose and the nearest training pose."""
        poses = self._dataset.poses[self._dataset.heldout_indices]
        return np.array([self._distance.nearest(pose, self._known, self._embedded).rms_mm for pose in poses])


class AverageTrainingImage:
    """The mean of all training images, whatever the pose."""

    name = "average training image"

    def __init__(self, dataset: Dataset) -> None:
        indices = dataset.train_indices
        total = np.zeros(dataset.images.shape[1:])
        for start in range(0, len(indices), _CHUNK):
            total += dataset.read_images(indices[start : start + _CHUNK]).sum(axis=0)
        self._images = np.round(total / len(indices)).astype(np.uint8)[None]

    def images(self, index: int) -> Frames:
        return self._images


class ModelImages:
    """Samples of a model: the noise differs from frame to frame and from sample to sample, fixed by the seed."""

    def __init__(self, name: str, renderer: ModelRenderer, dataset: Dataset, samples: int = 1, seed: int = 0) -> None:
        self.name = name
        self._renderer, self._poses, self._samples, self._seed = renderer, dataset.poses, samples, seed

    def images(self, index: int) -> Frames:
        seed = int(np.random.default_rng([self._seed, index]).integers(2**31))
        return self._renderer.sample(self._poses[index], self._samples, seed)


def baselines(dataset: Dataset) -> list[Predictor]:
    """The rows of every report."""
    return [RealImage(dataset), NearestTrainingFrame(dataset), AverageTrainingImage(dataset)]


def require_comparable(info: ModelInfo, dataset: Dataset, path: Path) -> None:
    """Raise UserError when a model's images are not those of the training set: size, place or coordinates."""
    mine, other = info.geometry, dataset.geometry
    if (mine.width_px, mine.height_px) != (other.width_px, other.height_px):
        raise UserError(f"{path} makes images of {mine.width_px}×{mine.height_px} px, those of {dataset.folder} have "
                        f"{other.width_px}×{other.height_px} px.", "Prepare a training set of the model's size.")
    if info.reference_frame != dataset.reference_frame:
        raise UserError(f"{path} takes poses in the frame {info.reference_frame}, {dataset.folder} has them in "
                        f"{dataset.reference_frame}.", "Prepare the training set with the model's --reference-frame.")
    distance_mm = corner_distance_mm(mine, other)
    if distance_mm > FIT_TOLERANCE_MM:
        raise UserError(f"The images of {path} and of {dataset.folder} are {distance_mm:.1f} mm apart at a corner "
                        f"({FIT_TOLERANCE_MM:g} mm are allowed).",
                        "Prepare the training set with the model's calibration and crop.")
