"""The landmark table of a report: the observer reads every predictor's images where the truth is in the plane."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import UserError
from ...geometry.sampling import evenly
from ...recording.dataset import Dataset
from ...recording.sweep import Frames
from ..intervals import heldout_groups
from ..measures.landmark_readings import COLUMNS, MEASURED, PAPER, UNCLEAR, WRONG_REGION, Reading, summarised
from ..measures.landmarks import IN_PLANE_MM, Points, project, read_landmarks
from .landmark_observer import (
    CLEAR_QUANTILE,
    LEAST_EXAMPLES,
    REGION_QUANTILE,
    Look,
    Observer,
    Thresholds,
    fit_thresholds,
    load_observer,
)

_MOST_THRESHOLD_FRAMES = 1500


@dataclass(frozen=True, eq=False)
class Seen:
    """The true landmarks of a training set's N frames, in the observer's order: places_px (N, L, 2), and visible
    (N, L), whether the frame's plane passes through the landmark where the images show tissue."""

    places_px: Points
    visible: NDArray[np.bool_]


class LandmarkMeasure:
    """An observer's readings. The thresholds are those of real TRAINING frames of the set itself; a landmark that too
    few of them show is left out (its name is in `left_out`)."""

    title = "Landmarks, read by the observer"
    columns = COLUMNS

    def __init__(self, dataset: Dataset, observer: Observer, landmarks_mm: dict[str, Points]) -> None:
        self.dataset, self.observer = dataset, observer
        self.seen = _seen(dataset, observer.info.landmarks, landmarks_mm)
        self.thresholds = self._fit()
        known = np.isfinite(self.thresholds.clear)
        self.left_out = [name for name, kept in zip(observer.info.landmarks, known, strict=True) if not kept]
        self.wanted = self.seen.visible & known
        self.groups = heldout_groups(dataset)
        self._real: dict[int, Look] = {}
        if not self.seen.visible.any():
            raise UserError(
                f"None of {len(dataset)} frames passes through a landmark.",
                "Check that the landmarks belong to this training set.",
            )

    @property
    def readable(self) -> bool:
        """Whether any held-out frame shows a landmark that can be judged."""
        return bool(self.wanted[self.dataset.heldout_indices].any())

    @property
    def warnings(self) -> list[str]:
        """A sentence where nothing can be judged."""
        if self.readable:
            return []
        return [
            f"The observer judges no landmark: no held-out frame passes through one that {LEAST_EXAMPLES} or more "
            "training frames show."
        ]

    @property
    def note(self) -> str:
        left_out = (
            f" Left out, for want of real training frames that show them: {', '.join(self.left_out)}."
            * bool(self.left_out)
        )
        return (
            f"Every true landmark less than {IN_PLANE_MM:g} mm off a held-out frame's plane, in every predictor's "
            "image of that frame, by a network trained on other virtual subjects. A landmark is clear when it is "
            f"more likely there than not, or scores as high as all but {CLEAR_QUANTILE:.0%} of the real training "
            "frames that show it; where it is not clear, its region is right when that is likely, or scores as "
            f"high as all but {REGION_QUANTILE:.0%}. The real image is the observer's ceiling; shuffled poses and "
            "the average image are its floor. Distances are in the image plane. Means are of the measured ones "
            "alone: read them beside the shares. In brackets: 95 % interval by drawing whole held-out stretches."
            f"{left_out} {PAPER}"
        )

    def tally(self) -> _LandmarkTally:
        return _LandmarkTally(self)

    def about(self) -> dict[str, Any]:
        """Facts for report.json."""
        heldout = self.dataset.heldout_indices
        info = self.observer.info
        counts = self.wanted[heldout].sum(axis=0)
        return {
            "heldout_landmarks": dict(zip(info.landmarks, map(int, counts), strict=True)),
            "left_out": self.left_out,
            "groups": len(set(self.groups[heldout].tolist())),
            "in_plane_mm": IN_PLANE_MM,
            "observer_subjects": list(info.subjects),
            "observer_seed": info.seed,
            "observer_metrics": dict(info.metrics),
        }

    def look(self, images: Frames) -> Look:
        """The observer's look at images of the set's size."""
        return self.observer.look(images, self.dataset.geometry.mm_per_px)

    def real_look(self, index: int) -> Look:
        """The look at a frame's real image, which every row is compared with."""
        if index not in self._real:
            self._real[index] = self.look(self.dataset.read_images([index]))
        return self._real[index]

    def _fit(self) -> Thresholds:
        """Thresholds from training frames that show a landmark, at most some, evenly spread."""
        shown = self.dataset.train_indices[self.seen.visible[self.dataset.train_indices].any(axis=1)]
        chosen = shown[evenly(len(shown), _MOST_THRESHOLD_FRAMES)]
        if not len(chosen):
            nothing = (float("nan"),) * len(self.observer.info.landmarks)
            return Thresholds(nothing, nothing)
        return fit_thresholds(self.look(self.dataset.read_images(chosen)), self.seen.visible[chosen])


class _LandmarkTally:
    def __init__(self, measure: LandmarkMeasure) -> None:
        self._measure = measure
        self._readings: list[Reading] = []

    def add(self, index: int, images: Frames) -> None:
        measure = self._measure
        if len(images) and measure.wanted[index].any():
            look, real = measure.look(images), measure.real_look(index)
            for landmark in np.flatnonzero(measure.wanted[index]):
                self._readings += [
                    self._read(index, int(landmark), look, row, real) for row in range(len(images))
                ]

    def _read(self, index: int, landmark: int, look: Look, row: int, real: Look) -> Reading:
        measure = self._measure
        scale = np.array(measure.dataset.geometry.mm_per_px)
        said, said_of_real = (
            outcome(*seen, landmark, measure.thresholds) for seen in ((look, row), (real, 0))
        )
        place = look.places_px[row, landmark]

        def away_mm(other: Points) -> float:
            return float(np.linalg.norm((place - other) * scale)) if said == MEASURED else np.inf

        return Reading(
            int(measure.groups[index]),
            said,
            away_mm(measure.seen.places_px[index, landmark]),
            away_mm(real.places_px[0, landmark]) if said_of_real == MEASURED else np.inf,
        )

    def values(self) -> dict[str, float | None]:
        return summarised(self._readings)


def outcome(look: Look, row: int, landmark: int, thresholds: Thresholds) -> str:
    """What the observer says of one landmark of one image. A landmark that is clear tells its region by itself."""
    if look.clear[row, landmark] >= thresholds.clear[landmark]:
        return MEASURED
    return UNCLEAR if look.region[row, landmark] >= thresholds.region[landmark] else WRONG_REGION


def landmark_measure(dataset: Dataset, observer: Path, landmarks: Path) -> LandmarkMeasure:
    """The measure of an observer's file and a file of true landmarks. Raises UserError where either cannot be used."""
    return LandmarkMeasure(dataset, load_observer(observer), read_landmarks(landmarks))


def _seen(dataset: Dataset, names: tuple[str, ...], landmarks_mm: dict[str, Points]) -> Seen:
    missing = [name for name in names if name not in landmarks_mm]
    if missing:
        raise UserError(
            f"The landmarks have no {', '.join(missing)}; known are {', '.join(landmarks_mm)}.",
            "Name all that the observer was trained for.",
        )
    projection = project(dataset.poses, np.array([landmarks_mm[name] for name in names]))
    return Seen(projection.places_px, projection.within(dataset.field.mask()))
