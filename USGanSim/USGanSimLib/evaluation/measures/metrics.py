"""What is measured on a predictor, each measure or control a table of the report with fixed keys.

A measure sees the images of the held-out frames; a control asks the predictor for more than those.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ...recording.dataset import Dataset
from ...recording.sweep import Frames
from ..intervals import bootstrap_95, heldout_groups
from ..predictors.predictor import Predictor
from .points import Matching, Truth, match_points
from .similarity import correlation, psnr_db, ssim
from .spots import SpotDetector


@dataclass(frozen=True)
class Column:
    """A number of a row: its key in report.json (with the unit), its heading, its digits after the point. A number with
    a 95 % interval has it under `low_key` and `high_key`. A `count` says how much was measured, not how well."""

    key: str
    heading: str
    digits: int = 2
    count: bool = False

    @property
    def low_key(self) -> str:
        return f"{self.key}_ci_low"

    @property
    def high_key(self) -> str:
        return f"{self.key}_ci_high"

    def with_interval(self, values: Sequence[float], groups: Sequence[int]) -> dict[str, float | None]:
        """The mean of some values under the key, and its interval, where there are groups enough (intervals.py)."""
        interval = bootstrap_95(values, groups)
        low, high = interval or (None, None)
        return {self.key: float(np.mean(values)), self.low_key: low, self.high_key: high}


class Tally(Protocol):
    """Collects one predictor's frames."""

    def add(self, index: int, images: Frames) -> None:
        """Take in the n images (n, H, W) predicted for the frame `index` of the training set."""
        ...

    def values(self) -> dict[str, float | None]:
        """One number for each column; None where it is not defined."""
        ...


class Table(Protocol):
    """A table of the report: its title, a sentence on how to read it, its columns."""

    @property
    def title(self) -> str: ...

    @property
    def note(self) -> str: ...

    @property
    def columns(self) -> tuple[Column, ...]: ...


class Measure(Table, Protocol):
    """A table of numbers that come about frame by frame."""

    def tally(self) -> Tally: ...


class Control(Table, Protocol):
    """A table of numbers for which the predictor is asked for images of the control's own choice."""

    def values(self, predictor: Predictor) -> dict[str, float | None]:
        """One number for each column; None where it is not defined for this predictor."""
        ...


class ImageMeasure:
    """Plain differences between each predicted image and the real one of the same frame."""

    title = "Image differences"
    note = (
        "Predicted against real image, averaged over frames and samples. At one pose many images are right, so "
        "two real scans of it differ too: a small difference is no proof of realism, and a blurred or black image "
        "can have one. The mean of many samples comes near the least squared error, and so the highest PSNR, that its "
        "model can reach; it has no speckle. All of the image counts, the black around the field of view too. An "
        "image that is the real one has no PSNR (it is infinite). In brackets: 95 % interval by drawing whole "
        "held-out stretches."
    )
    columns = (
        Column("mae_grey", "mean absolute difference, grey levels"),
        Column("ncc", "normalised cross-correlation", 3),
        Column("psnr_db", "PSNR, dB", 1),
        Column("ssim", "SSIM", 3),
        Column("sample_sd_grey", "SD between samples of a pose, grey levels"),
    )

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset

    def tally(self) -> Tally:
        return _ImageTally(self.dataset)


class _ImageTally:
    def __init__(self, dataset: Dataset) -> None:
        self._dataset, self._group_of = dataset, heldout_groups(dataset)
        self._groups: list[int] = []
        self._found: dict[str, list[float]] = {column.key: [] for column in ImageMeasure.columns}

    def add(self, index: int, images: Frames) -> None:
        real = self._dataset.read_images([index])[0].astype(np.float64)
        predicted = images.astype(np.float64)
        self._groups.append(int(self._group_of[index]))
        self._found["mae_grey"].append(float(np.abs(predicted - real).mean()))
        self._found["ncc"].append(float(np.mean([correlation(image, real) for image in predicted])))
        self._found["psnr_db"].append(float(np.mean([psnr_db(image, real) for image in predicted])))
        self._found["ssim"].append(float(np.mean([ssim(image, real) for image in predicted])))
        if len(images) > 1:
            self._found["sample_sd_grey"].append(float(predicted.std(axis=0, ddof=1).mean()))

    def values(self) -> dict[str, float | None]:
        result: dict[str, float | None] = {}
        for column in ImageMeasure.columns:
            found = self._found[column.key]
            told = bool(found) and bool(np.isfinite(found).all())
            result |= column.with_interval(found, self._groups) if told else {column.key: None}
        return result


class PointMeasure:
    """How far the spots in the predicted image are from the points whose true place is known."""

    title = "Distance to the true points"
    columns = (
        Column("points_mean_mm", "mean of all, mm"),
        Column("points_median_mm", "median of all, mm"),
        Column("points_within_1mm_share", "within 1 mm, share of all", 3),
        Column("points_missed_share", "missed, share of all", 3),
        Column("points_matched_mean_mm", "mean of the matched, mm"),
        Column("points_extra_per_frame", "extra spots an image"),
    )

    def __init__(self, truth: Truth, detector: SpotDetector, gate_mm: float) -> None:
        self.truth, self.detector, self.gate_mm = truth, detector, gate_mm

    @property
    def note(self) -> str:
        return (
            f"Spots are found by one detector, set on real training frames (σ {self.detector.scale_mm:g} mm, "
            f"response at least {self.detector.threshold_grey:g} grey levels) and matched with the true points so "
            f"that the sum of distances is least. A point without a spot nearer than {self.gate_mm:g} mm is missed "
            f"and counts as {self.gate_mm:g} mm in the mean and the median of all; an image without any spot "
            f"therefore scores {self.gate_mm:g} mm. Read the mean beside the extra spots: many spots are near "
            "anything."
        )

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
        self._matchings.extend(
            match_points(true_px * scale, self._detector.find(image) * scale, self._gate_mm)
            for image in images
        )

    def values(self) -> dict[str, float | None]:
        distance_mm = np.concatenate([matching.distance_mm for matching in self._matchings])
        missed = np.concatenate([matching.missed for matching in self._matchings])
        return {
            "points_mean_mm": float(distance_mm.mean()),
            "points_median_mm": float(np.median(distance_mm)),
            "points_within_1mm_share": float((distance_mm <= 1.0).mean()),
            "points_missed_share": float(missed.mean()),
            "points_matched_mean_mm": None if missed.all() else float(distance_mm[~missed].mean()),
            "points_extra_per_frame": float(np.mean([matching.extra for matching in self._matchings])),
        }
