"""What looks at images as a person would: the landmark observer and classifiers, where a report asks for them.

torch takes seconds to import, so it is imported only where one of them is wanted.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import UserError
from ...recording.dataset import Dataset
from ..measures.floor import RealImageElsewhere
from ..measures.metrics import Control, Measure
from ..predictors.predictor import Predictor

if TYPE_CHECKING:
    from .landmark_measure import LandmarkMeasure


@dataclass(frozen=True)
class ObserverTests:
    """Measures, controls, the rows that show the observer's floor, what report.json says of it, the landmark measure
    among the measures, and warnings."""

    measures: list[Measure] = field(default_factory=list)
    controls: list[Control] = field(default_factory=list)
    floor: list[Predictor] = field(default_factory=list)
    about: dict[str, Any] | None = None
    landmarks: LandmarkMeasure | None = None
    warnings: list[str] = field(default_factory=list)


def observer_tests(
    dataset: Dataset, observer: Path | None, landmarks: Path | None, classifier: bool
) -> ObserverTests:
    """Raises UserError for one of `observer` and `landmarks` without the other, and for files that cannot be used."""
    if (observer is None) != (landmarks is None):
        raise UserError(
            "The observer needs true landmarks, and landmarks an observer.",
            "Give both --observer and --landmarks, or neither.",
        )
    tests = ObserverTests()
    if classifier:
        from .realness.control import EachObserver, RealnessControl

        control = RealnessControl(dataset, warn=tests.warnings.append)
        tests.controls.extend([control, EachObserver(control)])
    if observer is None or landmarks is None:
        return tests
    from .distribution_measure import DistributionMeasure
    from .landmark_measure import landmark_measure

    measure = landmark_measure(dataset, observer, landmarks)
    about = {"observer": str(observer), "landmarks": str(landmarks), **measure.about()}
    tests.warnings.extend(measure.warnings)
    tests.warnings.extend(_not_independent(landmarks, observer, measure.observer.info.subjects))
    return ObserverTests(
        [measure, DistributionMeasure(dataset, measure.observer)],
        tests.controls,
        [RealImageElsewhere(dataset)],
        about,
        measure,
        tests.warnings,  # This list itself: the classifiers add to it while they are asked.
    )


def _not_independent(landmarks: Path, observer: Path, trained_on: tuple[int, ...]) -> list[str]:
    """A warning where the NAME.phantom.json beside NAME.landmarks.json names a subject that the observer knows."""
    try:
        beside = landmarks.with_name(f"{landmarks.name.split('.')[0]}.phantom.json")
        subject = int(json.loads(beside.read_text(encoding="utf-8"))["subject"])
    except (OSError, KeyError, TypeError, ValueError):
        return []
    return [
        f"{observer} was trained on subject {subject}, which {landmarks} belongs to; its readings are not "
        "independent."
    ] * (subject in trained_on)
