"""The rows that stand in every report beside the models."""

from __future__ import annotations

from ...progress import Progress
from ...recording.dataset import Dataset
from .predictor import (
    AverageTrainingImage,
    NearestTrainingFrame,
    NearTrainingSamples,
    PosePredictor,
    Predictor,
    RealImage,
    SecondScan,
    repeats,
)
from .speckle_layer import Even, WithSpeckle
from .tri_planes import TriPlaneField
from .volume import VolumeReslice


def baselines(dataset: Dataset, samples: int = 1, seed: int = 0) -> list[Predictor]:
    """Real images, then what needs no model, for the training frames that the set has left."""
    second = (
        [SecondScan(dataset)] if any(len(repeats(dataset, int(k))) for k in dataset.heldout_indices) else []
    )
    return [RealImage(dataset), *second, *trained_baselines(dataset, samples, seed)]


def trained_baselines(dataset: Dataset, samples: int = 1, seed: int = 0) -> list[PosePredictor]:
    """The baselines that depend on the training frames."""
    reslice = VolumeReslice(dataset)
    return [
        NearestTrainingFrame(dataset),
        NearTrainingSamples(dataset, samples, seed),
        reslice,
        *with_speckle("reconstructed volume with speckle", reslice, samples, seed),
        AverageTrainingImage(dataset),
    ]


def with_speckle(name: str, even: Even, samples: int, seed: int) -> list[PosePredictor]:
    """The mean images of a predictor with a layer of speckle; none where images have no tissue (wires in water)."""
    speckled = WithSpeckle(name, even, samples, seed)
    return [speckled] if speckled.model.strength_grey else []


def tri_planes(
    dataset: Dataset, minutes: float, samples: int, seed: int, progress: Progress
) -> list[PosePredictor]:
    """A field on three planes that is fitted for so many minutes of one core, without and with speckle."""
    field = TriPlaneField(dataset, 60 * minutes, seed, progress)
    return [field, *with_speckle(f"{field.name}, with speckle", field, samples, seed)]
