"""`evaluate MODEL…`: models beside the baselines on the held-out frames of a training set, as a report."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any

from .. import __version__
from ..errors import UserError
from ..evaluation.measures.metrics import Table
from ..evaluation.measures.points import GATE_MM
from ..evaluation.predictors.baselines import baselines, tri_planes
from ..evaluation.predictors.foreign import ForeignImages
from ..evaluation.predictors.predictor import MeanOfSamples
from ..evaluation.report.exclusion_curve import RADII_MM, curve_charts, exclusion_curve
from ..evaluation.report.gallery import save_pictures
from ..evaluation.report.page import MARKER, Report, text_tables
from ..evaluation.study.comparison import ceiling, compare
from ..evaluation.study.facts import about_dataset, in_words
from ..evaluation.study.models import open_models
from ..evaluation.study.suite import Suite, SuiteOptions, suite
from ..files import replacing_folder
from ..model.ranges import SAMPLES, SEED
from ..progress import Progress, terminal_or_silent
from ..recording.dataset import Dataset, open_dataset, resplit
from .options import Number, add_exclusion_options, add_observer_options, chosen_exclusion, number, whole

# As many as make the mean's own noise a quarter of one sample's; no more than one pose's images fit memory.
MEAN_OF, MOST_OF_A_MEAN = 16, 1000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `evaluate`."""
    parser.add_argument(
        "model", type=Path, nargs="*", help="model.safetensors of a run; none: the baselines alone"
    )
    parser.add_argument(
        "--dataset", type=Path, required=True, help="training set; its held-out frames are predicted"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the report")
    add_exclusion_options(parser)
    parser.add_argument(
        "--curve",
        default=",".join(f"{radius:g}" for radius in RADII_MM),
        metavar="MM,…",
        help="exclusion radii at which the baselines are measured again; '' for none (default %(default)s)",
    )
    parser.add_argument(
        "--faults",
        action="store_true",
        help="also plant faults of known size in real images, and say which of them the classifiers and the measures "
        "see (a quarter of an hour)",
    )
    parser.add_argument(
        "--mean-of",
        type=whole(0, MOST_OF_A_MEAN),
        default=MEAN_OF,
        metavar="N",
        help="also measure the mean of N samples of each model, a row of its own in the tables that ask where things "
        "are; 0: none (default %(default)s)",
    )
    parser.add_argument(
        "--images",
        type=Path,
        action="append",
        default=[],
        metavar="FOLDER",
        help="images that another program simulated at the held-out poses, named as heldout.csv of 'export' says; once "
        "for each program",
    )
    parser.add_argument(
        "--tri-planes",
        type=number(0),
        default=0,
        metavar="MINUTES",
        help="also fit a field of grey levels on three planes, for so many minutes of one core, and measure it without "
        "and with a layer of speckle: what a model should beat (default: not)",
    )
    add_measure_options(parser)


def add_measure_options(parser: argparse.ArgumentParser) -> None:
    """Options that `evaluate` and `crossval` share."""
    parser.add_argument(
        "--points",
        type=Path,
        action="append",
        default=[],
        help="true points of the recording's images: a PLUS calibration result (XML), or a table "
        "frame,u_px,v_px in pixels of the full MF-oriented image; once for each recording",
    )
    parser.add_argument(
        "--gate-mm",
        type=number(0, above=True),
        default=GATE_MM,
        help="a spot this far from a true point is not it (default %(default)g)",
    )
    parser.add_argument(
        "--dynamic-range-db",
        type=number(0, above=True, most=300),
        metavar="DB",
        help="of the scanner's display, so that speckle is measured on echo amplitudes",
    )
    add_observer_options(parser)
    parser.add_argument(
        "--samples",
        type=Number(SAMPLES, whole=True),
        default=1,
        help="images of a model for each pose (default %(default)s)",
    )
    parser.add_argument(
        "--seed", type=Number(SEED, whole=True), default=0, help="of all random draws (default %(default)s)"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (default %(default)s)")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Compare, write the report, and return the content of report.json."""
    measured = suite_options(arguments)
    radii_mm = _radii(arguments.curve)
    dataset = open_dataset(arguments.dataset)
    if not len(dataset.heldout_indices):
        raise UserError(f"{arguments.dataset} has no held-out frame.", "Prepare it with a larger --holdout.")
    exclusion = chosen_exclusion(arguments, reference_frame=dataset.reference_frame)
    dataset = resplit(dataset, exclusion=exclusion) if exclusion else dataset
    models, about_models = open_models(
        arguments.model, dataset, arguments.samples, arguments.seed, arguments.device
    )
    tests = suite(dataset, measured)
    foreign = [ForeignImages(folder, dataset) for folder in arguments.images]
    progress = terminal_or_silent()
    predictors = [*baselines(dataset, arguments.samples, arguments.seed), *tests.observed.floor]
    if arguments.tri_planes:
        predictors += tri_planes(dataset, arguments.tri_planes, arguments.samples, arguments.seed, progress)
    predictors += [*models, *foreign]
    means = [MeanOfSamples(model, arguments.mean_of) for model in models if arguments.mean_of]
    details = {
        "kind": "evaluation",
        "software_version": __version__,
        **about_dataset(dataset),
        "points": tests.about_points,
        "observer": tests.observed.about,
        "models": about_models,
        "mean_of": arguments.mean_of,
    }
    with replacing_folder(arguments.out, MARKER) as part:
        rows = compare(dataset, predictors, tests.measures, progress, tests.controls)
        rows += compare(dataset, means, tests.measures_of_means, progress, tests.controls_of_means)
        trained_at = [
            (model, about["exclusion_mm"] if about["trained_here"] else None)
            for model, about in zip(models, about_models, strict=True)
        ]
        details["exclusion_curve"] = (
            exclusion_curve(
                dataset, radii_mm, tests.measures, trained_at, arguments.samples, arguments.seed, progress
            )
            if radii_mm
            else []
        )
        planted = [_planted_faults(dataset, tests, progress)] if arguments.faults else []
        report = Report(
            title="Simulated and real images of held-out frames",
            facts=in_words(details),
            warnings=[
                *tests.observed.warnings,
                *(warning for model in about_models for warning in model["warnings"]),
                *(
                    f"{row.missing} held-out frames have no image in the {row.name}."
                    for row in foreign
                    if row.missing
                ),
            ],
            tables=[*tests.measures, *tests.controls, *planted],
            rows=rows,
            details=details,
            pictures=save_pictures(part, dataset, [*predictors, *means], models, tests),
            charts=curve_charts(details["exclusion_curve"], ceiling(rows), tests.measures),
        )
        report.write(part)
    return {**report.as_json(), "report": str(arguments.out / "report.html")}


def show(result: dict[str, Any]) -> None:
    """Print the tables for a person."""
    print(text_tables(result))
    for warning in result["warnings"]:
        print(f"Warning: {warning}")
    print(f"{result['intended_use']} Report: {result['report']}")


def suite_options(arguments: argparse.Namespace) -> SuiteOptions:
    """The measures that are asked for."""
    return SuiteOptions(
        arguments.points,
        arguments.gate_mm,
        arguments.dynamic_range_db,
        arguments.observer,
        arguments.landmarks,
        arguments.classifier,
    )


def _planted_faults(dataset: Dataset, tests: Suite, progress: Progress) -> Table:
    from ..evaluation.study.sensitivity import sensitivity  # It imports torch, which takes seconds.

    return sensitivity(dataset, tests.measures, tests.observed.warnings.append, progress)


def _radii(text: str) -> list[float]:
    try:
        radii_mm = [float(word) for word in text.split(",") if word.strip()]
    except ValueError as error:
        raise UserError(f"'{text}' are no radii.", "Give millimetres, for example --curve 0,2,5.") from error
    if not all(0 <= radius < math.inf for radius in radii_mm):
        raise UserError(f"'{text}' are no radii.", "Give 0 or more millimetres.")
    return radii_mm
