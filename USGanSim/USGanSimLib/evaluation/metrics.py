"""What is measured on a predictor's images, each measure a table of the report with fixed keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..recording.dataset import Dataset
from ..recording.sweep import Frames
from .points import Matching, Truth, match_points
from .spots import SpotDetector


@dataclass(frozen=True)
class Column:
    """A number of a row: its key in report.json (with the unit), its heading, its digits after the point."""

    key: str
    heading: str
    digits: int = 2


class Tally(Protocol):
    """Collects one predictor's frames."""

    def add(self, index: int, images: Frames) -> None:
        """Take in the n images (n, H, W) predicted for the frame `index` of the training set."""
        ...

    def values(self) -> dict[str, float | None]:
        """One number for each column; None where it is not defined."""
        ...


class Measure(Protocol):
    """A table of the report: its title, a sentence on how to read it, its columns, and how its numbers come about."""

    @property
    def title(self) -> str: ...

    @property
    def note(self) -> str: ...

    @property
    def columns(self) -> tuple[Column, ...]: ...

    def tally(self) -> Tally: ...


class ImageMeasure:
    """Plain differences between each predicted image and the real one of the same frame."""

    title = "Image differences"
    note = ("Predicted against real image, averaged over frames and samples. At one pose many images are right, so "
            "two real scans of it differ too: a small difference is no proof of realism, and a blurred or black image "
            "can have one.")
    columns = (Column("mae_grey", "mean absolute difference, grey levels"),
               Column("ncc", "normalised cross-correlation", 3),
               Column("sample_sd_grey", "SD between samples of a pose, grey levels"))

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset

    def tally(self) -> Tally:
        return _ImageTally(self.dataset)


class _ImageTally:
    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._mae: list[float] = []
        self._ncc: list[float] = []
        self._sd: list[float] = []

    def add(self, index: int, images: Frames) -> None:
        real = self._dataset.read_images([index])[0].astype(np.float64)
        predicted = images.astype(np.float64)
        self._mae.append(float(np.abs(predicted - real).mean()))
        self._ncc.extend(correlation(image, real) for image in predicted)
        if len(images) > 1:
            self._sd.append(float(predicted.std(axis=0, ddof=1).mean()))

    def values(self) -> dict[str, float | None]:
        return {"mae_grey": float(np.mean(self._mae)), "ncc": float(np.mean(self._ncc)),
                "sample_sd_grey": float(np.mean(self._sd)) if self._sd else None}


class PointMeasure:
    """How far the spots in the predicted image are from the points whose true place is known."""

    title = "Distance to the true points"
    columns = (Column("points_mean_mm", "mean of all, mm"),
               Column("points_median_mm", "median of all, mm"),
               Column("points_within_1mm_share", "within 1 mm, share of all", 3),
               Column("points_missed_share", "missed, share of all", 3),
               Column("points_matched_mean_mm", "mean of the matched, mm"),
               Column("points_extra_per_frame", "extra spots an image"))

    def __init__(self, truth: Truth, detector: SpotDetector, gate_mm: float) -> None:
        self.truth, self.detector, self.gate_mm = truth, detector, gate_mm

    @property
    def note(self) -> str:
        return (f"Spots are found by one detector, set on real training frames (σ {self.detector.scale_mm:g} mm, "
                f"response at least {self.detector.threshold_grey:g} grey levels) and matched with the true points so "
                f"that the sum of distances is least. A point without a spot nearer than {self.gate_mm:g} mm is missed "
                f"and counts as {self.gate_mm:g} mm in the mean and the median of all; an image without any spot "
                f"therefore scores {self.gate_mm:g} mm. Read the mean beside the extra spots: many spots are near "
                "anything.")

    def tally(self) -> Tally:
        return _PointTally(self.truth, self.detector, self.gate_mm)


class _PointTally:
    def __init__(self, truth: Truth, detector: SpotDetector, gate_mm: float) -> None:
        self._truth, self._detector, self._gate_mm = truth, detector, gate_mm
        self._matchings: list[Matching] = []

    def add(self, index: int, images: Frames) -> None:
        true_px = self._truth.by_frame.get(index)
        if true_px is None:
            return
        scale = self._detector.mm_per_px
        self._matchings.extend(match_points(true_px * scale, self._detector.find(image) * scale, self._gate_mm)
                               for image in images)

    def values(self) -> dict[str, float | None]:
        distance_mm = np.concatenate([matching.distance_mm for matching in self._matchings])
        missed = np.concatenate([matching.missed for matching in self._matchings])
        return {"points_mean_mm": float(distance_mm.mean()), "points_median_mm": float(np.median(distance_mm)),
                "points_within_1mm_share": float((distance_mm <= 1.0).mean()),
                "points_missed_share": float(missed.mean()),
                "points_matched_mean_mm": None if missed.all() else float(distance_mm[~missed].mean()),
                "points_extra_per_frame": float(np.mean([matching.extra for matching in self._matchings]))}


def correlation(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Normalised cross-correlation of two images, −1 to 1. An image of one grey level correlates with nothing: 0."""
    first, second = first - first.mean(), second - second.mean()
    size = np.sqrt((first**2).sum() * (second**2).sum())
    return float((first * second).sum() / size) if size > 0 else 0.0
