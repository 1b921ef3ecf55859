"""Options of `evaluate` for what looks at images as a person would: the landmark observer and a classifier."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..evaluation.metrics import Measure
from ..recording.dataset import Dataset


def add_observer_options(parser: argparse.ArgumentParser) -> None:
    """`--observer`, `--landmarks` and `--classifier`."""
    parser.add_argument("--observer", type=Path, help="landmark observer, the file that 'train-observer' wrote; adds "
                        "the landmark table and the distribution table")
    parser.add_argument("--landmarks", type=Path, help="true landmarks in Reference for --observer: "
                        "NAME.landmarks.json of 'phantom', or a Slicer point list (.mrk.json)")
    parser.add_argument("--classifier", action="store_true",
                        help="also train a small network to tell every row from real images (about a minute each)")


def observer_measures(arguments: argparse.Namespace, dataset: Dataset
                      ) -> tuple[list[Measure], dict[str, Any] | None, list[str]]:
    """The measures, what report.json says of the observer, and warnings. Raises UserError for one of --observer and
    --landmarks without the other, and for files that cannot be used."""
    if (arguments.observer is None) != (arguments.landmarks is None):
        raise UserError("The observer needs true landmarks, and landmarks an observer.",
                        "Give both --observer and --landmarks, or neither.")
    measures: list[Measure] = []
    about, warnings = None, []
    # torch takes seconds to import; without these tables none of it is needed.
    if arguments.observer is not None:
        from ..evaluation.distribution_measure import DistributionMeasure
        from ..evaluation.landmark_measure import landmark_measure

        landmarks = landmark_measure(dataset, arguments.observer, arguments.landmarks)
        measures += [landmarks, DistributionMeasure(dataset, landmarks.observer)]
        about = {"observer": str(arguments.observer), "landmarks": str(arguments.landmarks), **landmarks.about()}
        subject = phantom_subject(arguments.landmarks)
        if subject in landmarks.observer.info.subjects:
            warnings.append(f"{arguments.observer} was trained on subject {subject}, which these landmarks belong to; "
                            "its readings are not independent.")
    if arguments.classifier:
        from ..evaluation.realness_measure import RealnessMeasure

        measures.append(RealnessMeasure(dataset))
    return measures, about, warnings


def phantom_subject(landmarks: Path) -> int | None:
    """The virtual subject of a NAME.landmarks(.mrk).json, told by the NAME.phantom.json beside it; None without it."""
    try:
        beside = landmarks.with_name(f"{landmarks.name.split('.')[0]}.phantom.json")
        return int(json.loads(beside.read_text(encoding="utf-8"))["subject"])
    except (OSError, KeyError, TypeError, ValueError):
        return None
