"""What every evaluation measures: the measures of each image, and the controls of each predictor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ...recording.dataset import Dataset
from ..measures.controls import ShuffledPoses, Speed
from ..measures.geometry_control import GeometryControl
from ..measures.metrics import Control, ImageMeasure, Measure, PointMeasure
from ..measures.points import GATE_MM, Truth, read_points, truth_of_dataset
from ..measures.same_pose import SamePose
from ..measures.shadow_measure import ShadowMeasure
from ..measures.speckle_measure import SpeckleMeasure
from ..measures.spots import fit_detector
from ..measures.video import VideoControl
from ..observer.observed import ObserverTests, observer_tests
from .facts import about_truth


@dataclass(frozen=True)
class SuiteOptions:
    """What depends on the recordings.

    points             files of true points, one for each recording (points.py)
    gate_mm            a spot this far from a true point is not it
    dynamic_range_db   of the scanner's display, where it is known
    observer, landmarks, classifier    see observer/observed.py
    """

    points: Sequence[Path] = ()
    gate_mm: float = GATE_MM
    dynamic_range_db: float | None = None
    observer: Path | None = None
    landmarks: Path | None = None
    classifier: bool = False


@dataclass(frozen=True)
class Suite:
    """Measures and controls for one training set, its true points and what the report says of those, and the observer's
    part of the tests."""

    measures: list[Measure]
    controls: list[Control]
    same_pose: SamePose
    truth: Truth | None
    about_points: dict[str, Any] | None
    observed: ObserverTests

    @property
    def measures_of_means(self) -> list[Measure]:
        """Those that ask where things are, which a mean of samples can answer. It has no speckle and no sharp shadow,
        and would be told from real at a glance: measures of the look are not asked of it."""
        return [
            measure
            for measure in self.measures
            if isinstance(measure, ImageMeasure | PointMeasure) or measure is self.observed.landmarks
        ]

    @property
    def controls_of_means(self) -> list[Control]:
        """The same among the controls; a mean has neither spread nor the flicker of a video, nor a speed of its own."""
        return [control for control in self.controls if isinstance(control, ShuffledPoses | GeometryControl)]


def suite(dataset: Dataset, options: SuiteOptions) -> Suite:
    """Everything that can be measured on the held-out frames. Raises UserError where points do not fit the set."""
    observed = observer_tests(dataset, options.observer, options.landmarks, options.classifier)
    measures: list[Measure] = [
        *observed.measures,
        ImageMeasure(dataset),
        SpeckleMeasure(dataset, options.dynamic_range_db),
        ShadowMeasure(dataset, options.dynamic_range_db),
    ]
    same_pose = SamePose(dataset)
    controls: list[Control] = [
        ShuffledPoses(dataset),
        GeometryControl(dataset),
        same_pose,
        VideoControl(dataset),
        *observed.controls,
        Speed(dataset),
    ]
    if not options.points:
        return Suite(measures, controls, same_pose, None, None, observed)
    truth = truth_of_dataset(dataset, [read_points(path) for path in options.points])
    detector = fit_detector(dataset, truth, options.gate_mm)
    about = {
        "files": [str(path) for path in options.points],
        "gate_mm": options.gate_mm,
        "detector": asdict(detector),
        **about_truth(dataset, truth),
    }
    return Suite(
        [PointMeasure(truth, detector, options.gate_mm), *measures],
        controls,
        same_pose,
        truth,
        about,
        observed,
    )
