"""Everything that can be asked for the image of a held-out frame: real images, baselines, models.

More baselines are in volume.py (reslicing a reconstruction) and speckle_layer.py.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from ...errors import UserError
from ...geometry.image_geometry import corner_distance_mm
from ...geometry.pose_distance import PoseDistance
from ...geometry.transforms import Matrix
from ...model.info import FIT_TOLERANCE_MM, ModelInfo
from ...recording.dataset import Dataset
from ...recording.sweep import Frames

if TYPE_CHECKING:
    from ...ml.renderer import ModelRenderer

NEIGHBOURS = 5
_CHUNK = 256


class Predictor(Protocol):
    """Turns the index of a frame into images, always the same ones for the same index."""

    @property
    def name(self) -> str: ...

    def images(self, index: int) -> Frames:
        """(n, H, W) uint8 images for the pose of frame `index` of the training set; n is the same for every frame,
        or 0 where there is none."""
        ...


class PosePredictor(ABC):
    """A predictor that answers at any pose, not only at those of frames, with as many samples as are asked for."""

    def __init__(self, name: str, dataset: Dataset, samples: int = 1, seed: int = 0) -> None:
        self.name = name
        self.dataset, self.samples, self.seed = dataset, samples, seed

    @abstractmethod
    def at(self, pose: Matrix, count: int, seed: int) -> Frames:
        """(count, H, W) uint8 samples for one ImageToReference (4, 4), the same for the same seed."""

    def images(self, index: int) -> Frames:
        return self.at(self.dataset.poses[index], self.samples, frame_seed(self.seed, index))


class RealImage:
    """The held-out image itself: the ceiling of every measure."""

    name = "real image"

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset

    def images(self, index: int) -> Frames:
        return self._dataset.read_images([index])


class SecondScan:
    """Another real image of the same held pose: how far two real scans are apart, which no predictor has to beat."""

    name = "second real scan"

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset

    def images(self, index: int) -> Frames:
        others = repeats(self._dataset, index)
        return self._dataset.read_images(others[others > index][:1] if (others > index).any() else others[:1])


class NearestTrainingFrame(PosePredictor):
    """The training image whose pose is nearest, by RMS pixel displacement."""

    def __init__(self, dataset: Dataset) -> None:
        super().__init__("nearest training frame", dataset)
        self._near = NearTrainingPoses(dataset)

    def at(self, pose: Matrix, count: int, seed: int) -> Frames:
        return np.repeat(self.dataset.read_images(self._near.indices(pose, 1)), count, axis=0)

    def distances_mm(self) -> NDArray[np.float64]:
        """RMS pixel displacement between each held-out pose and the nearest training pose."""
        poses = self.dataset.poses[self.dataset.heldout_indices]
        return np.array([self._near.distances_mm(pose).min() for pose in poses])


class NearTrainingSamples(PosePredictor):
    """Training images drawn from those of the k nearest poses: as realistic as real ones, and in the wrong place."""

    def __init__(
        self, dataset: Dataset, samples: int = 1, seed: int = 0, neighbours: int = NEIGHBOURS
    ) -> None:
        super().__init__(f"one of {neighbours} nearest training frames", dataset, samples, seed)
        self._near, self._neighbours = NearTrainingPoses(dataset), neighbours

    def at(self, pose: Matrix, count: int, seed: int) -> Frames:
        near = self._near.indices(pose, self._neighbours)
        random = np.random.default_rng(seed)
        # Every neighbour once, then every one again: samples differ as long as they can.
        orders = [random.permutation(near) for _ in range(-(-count // len(near)))]
        return self.dataset.read_images(np.concatenate(orders)[:count])


class AverageTrainingImage(PosePredictor):
    """The mean of all training images, whatever the pose."""

    NAME = "average training image"

    def __init__(self, dataset: Dataset) -> None:
        super().__init__(self.NAME, dataset)
        indices = dataset.train_indices
        total = np.zeros(dataset.images.shape[1:])
        for start in range(0, len(indices), _CHUNK):
            total += dataset.read_images(indices[start : start + _CHUNK]).sum(axis=0)
        self._image = np.round(total / len(indices)).astype(np.uint8)

    def at(self, pose: Matrix, count: int, seed: int) -> Frames:
        return np.repeat(self._image[None], count, axis=0)


class ModelImages(PosePredictor):
    """Samples of a model: the noise differs from frame to frame and from sample to sample, fixed by the seed."""

    def __init__(
        self, name: str, renderer: ModelRenderer, dataset: Dataset, samples: int = 1, seed: int = 0
    ) -> None:
        super().__init__(name, dataset, samples, seed)
        self._renderer = renderer

    def at(self, pose: Matrix, count: int, seed: int) -> Frames:
        return self._renderer.sample(pose, count, seed)


class MeanOfSamples(PosePredictor):
    """The mean of a predictor's samples at a pose, one image: where things are, without the speckle of any sample."""

    def __init__(self, of: PosePredictor, samples: int) -> None:
        super().__init__(f"{of.name}, mean of {samples} samples", of.dataset, seed=of.seed)
        self._of, self._drawn = of, samples

    def at(self, pose: Matrix, count: int, seed: int) -> Frames:
        mean = self._of.at(pose, self._drawn, seed).mean(axis=0)
        return np.repeat(np.rint(mean).astype(np.uint8)[None], count, axis=0)


class NearTrainingPoses:
    """The training frames of a set by distance from a pose."""

    def __init__(self, dataset: Dataset) -> None:
        self._frames = dataset.train_indices
        self._distance = PoseDistance(dataset.geometry.width_px, dataset.geometry.height_px)
        self._embedded = self._distance.embed(dataset.poses[self._frames])

    def distances_mm(self, pose: Matrix) -> NDArray[np.float64]:
        """RMS pixel displacement from one pose (4, 4) to every training pose."""
        return np.asarray(np.linalg.norm(self._embedded - self._distance.embed(pose), axis=1))

    def indices(self, pose: Matrix, count: int) -> NDArray[np.int_]:
        """The indices of the `count` nearest training frames, or of all if there are fewer; the nearest first."""
        order = np.argsort(self.distances_mm(pose), kind="stable")
        nearest: NDArray[np.int_] = self._frames[order[:count]]
        return nearest


def repeats(dataset: Dataset, index: int) -> NDArray[np.int_]:
    """The other frames of the held pose that frame `index` shows, ascending; none where no pose was held."""
    hold = dataset.hold[index]
    same = np.flatnonzero(dataset.hold == hold) if hold >= 0 else np.zeros(0, int)
    others: NDArray[np.int_] = same[same != index]
    return others


def frame_seed(seed: int, index: int) -> int:
    """The seed of one frame's samples."""
    return int(np.random.default_rng([seed, index]).integers(2**31))


def require_comparable(info: ModelInfo, dataset: Dataset, path: Path) -> None:
    """Raise UserError when a model's images are not those of the training set: size, place or coordinates."""
    mine, other = info.geometry, dataset.geometry
    if (mine.width_px, mine.height_px) != (other.width_px, other.height_px):
        raise UserError(
            f"{path} makes images of {mine.width_px}×{mine.height_px} px, those of {dataset.folder} have "
            f"{other.width_px}×{other.height_px} px.",
            "Prepare a training set of the model's size.",
        )
    if info.reference_frame != dataset.reference_frame:
        raise UserError(
            f"{path} takes poses in the frame {info.reference_frame}, {dataset.folder} has them in "
            f"{dataset.reference_frame}.",
            "Prepare the training set with the model's --reference-frame.",
        )
    distance_mm = corner_distance_mm(mine, other)
    if distance_mm > FIT_TOLERANCE_MM:
        raise UserError(
            f"The images of {path} and of {dataset.folder} are {distance_mm:.1f} mm apart at a corner "
            f"({FIT_TOLERANCE_MM:g} mm are allowed).",
            "Prepare the training set with the model's calibration and crop.",
        )
