"""`evaluate MODEL…`: models beside the baselines on the held-out frames of a training set, as a report."""

from __future__ import annotations

import argparse
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .. import __version__
from ..errors import UserError
from ..evaluation.comparison import compare
from ..evaluation.facts import about_dataset, about_model, about_truth, in_words
from ..evaluation.metrics import ImageMeasure, Measure, PointMeasure
from ..evaluation.pictures import RING_MM, panel_frames, save_panel
from ..evaluation.points import GATE_MM, Truth, read_points, truth_of_dataset
from ..evaluation.predictors import ModelImages, Predictor, baselines, require_comparable
from ..evaluation.report import MARKER, Report, text_tables
from ..evaluation.spots import fit_detector
from ..files import replacing_folder
from ..model_info import read_model_header
from ..progress import terminal_or_silent
from ..recording.dataset import Dataset, open_dataset


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `evaluate`."""
    parser.add_argument("model", type=Path, nargs="*", help="model.safetensors of a run; none: the baselines alone")
    parser.add_argument("--dataset", type=Path, required=True, help="training set; its held-out frames are predicted")
    parser.add_argument("--out", type=Path, required=True, help="folder of the report")
    parser.add_argument("--points", type=Path, action="append", default=[],
                        help="true points of the recording's images: a PLUS calibration result (XML), or a table "
                             "frame,u_px,v_px in pixels of the full MF-oriented image; once for each recording")
    parser.add_argument("--gate-mm", type=float, default=GATE_MM,
                        help="a spot this far from a true point is not it (default %(default)g)")
    parser.add_argument("--samples", type=int, default=1, help="images of a model for each pose (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the models' noise (default %(default)s)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (default %(default)s)")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Compare, write the report, and return the content of report.json."""
    _require_sensible(arguments)
    dataset = open_dataset(arguments.dataset)
    if not len(dataset.heldout_indices):
        raise UserError(f"{arguments.dataset} has no held-out frame.", "Prepare it with a larger --holdout.")
    truth, measures, about_points = _measures(arguments, dataset)
    models, about_models = _models(arguments, dataset)
    predictors = [*baselines(dataset), *models]
    details = {"kind": "evaluation", "software_version": __version__, **about_dataset(dataset),
               "points": about_points, "models": about_models}
    with replacing_folder(arguments.out, MARKER) as part:
        rows = compare(dataset, predictors, measures, terminal_or_silent())
        save_panel(part / "panel.png", dataset, predictors, panel_frames(dataset, truth), truth)
        rings = f" (rings of {RING_MM:g} mm radius: the true points)" if truth else ""
        report = Report(
            title="Simulated and real images of held-out frames", facts=in_words(details),
            warnings=[warning for model in about_models for warning in model["warnings"]],
            measures=measures, rows=rows, details=details,
            pictures={f"Held-out frames{rings}": part / "panel.png"})
        report.write(part)
    return {**report.as_json(), "report": str(arguments.out / "report.html")}


def show(result: dict[str, Any]) -> None:
    """Print the tables for a person."""
    print(text_tables(result))
    for warning in result["warnings"]:
        print(f"Warning: {warning}")
    print(f"{result['intended_use']} Report: {result['report']}")


def _require_sensible(arguments: argparse.Namespace) -> None:
    if arguments.samples < 1:
        raise UserError(f"{arguments.samples} samples are asked for.", "Give --samples 1 or more.")
    if arguments.seed < 0:
        raise UserError(f"The seed {arguments.seed} is negative.", "Give --seed 0 or more.")
    if not 0 < arguments.gate_mm < math.inf:
        raise UserError(f"A gate of {arguments.gate_mm:g} mm makes no sense.", "Give --gate-mm above 0.")


def _measures(arguments: argparse.Namespace,
              dataset: Dataset) -> tuple[Truth | None, list[Measure], dict[str, Any] | None]:
    """The true points, the measures, and what the report says of the points."""
    images = ImageMeasure(dataset)
    if not arguments.points:
        return None, [images], None
    truth = truth_of_dataset(dataset, [read_points(path) for path in arguments.points])
    detector = fit_detector(dataset, truth, arguments.gate_mm)
    about = {"files": [str(path) for path in arguments.points], "gate_mm": arguments.gate_mm,
             "detector": asdict(detector), **about_truth(dataset, truth)}
    return truth, [PointMeasure(truth, detector, arguments.gate_mm), images], about


def _models(arguments: argparse.Namespace, dataset: Dataset) -> tuple[list[Predictor], list[dict[str, Any]]]:
    """The models as predictors, and what the report says of each; all are checked before the first is loaded."""
    infos = [(path, read_model_header(path).info) for path in arguments.model]
    for path, info in infos:
        require_comparable(info, dataset, path)
    models: list[Predictor] = []
    about = []
    for path, info in infos:
        # torch takes seconds to import; the baselines alone need none of it.
        from ..ml.renderer import ModelRenderer
        name = f"{info.recipe} ({'/'.join(path.parts[-2:])})"
        renderer = ModelRenderer.load(path, device=arguments.device)
        models.append(ModelImages(name, renderer, dataset, arguments.samples, arguments.seed))
        about.append({"name": name, "samples": arguments.samples, "sample_seed": arguments.seed,
                      **about_model(path, info, dataset)})
    return models, about
