"""The rows that stand in every report beside the models."""

from __future__ import annotations

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
from .speckle_layer import ReslicedWithSpeckle
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
    speckled = ReslicedWithSpeckle(reslice, samples, seed)
    # Without tissue in the images (wires in water) there is no speckle to add.
    return [
        NearestTrainingFrame(dataset),
        NearTrainingSamples(dataset, samples, seed),
        reslice,
        *([speckled] if speckled.model.strength_grey else []),
        AverageTrainingImage(dataset),
    ]
