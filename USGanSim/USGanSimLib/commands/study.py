"""`study make` and `study score`: blind sets of real and simulated images for a reader, and what the answers say."""

from __future__ import annotations

import argparse
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..evaluation.measures import landmark_readings
from ..evaluation.measures.landmarks import read_landmarks
from ..evaluation.predictors.predictor import ModelImages, require_comparable
from ..evaluation.report.page import text_tables
from ..evaluation.study import reading_study, realness_study
from ..evaluation.study.blind_set import ANSWERS, read_blind_set
from ..evaluation.study.placed_points import PlacedPoints
from ..files import write_json
from ..model.info import INTENDED_USE, read_model_header
from ..model.ranges import SEED
from ..recording.dataset import open_dataset
from .options import Number, whole

KINDS = (realness_study.KIND, reading_study.KIND)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `study`."""
    actions = parser.add_subparsers(dest="action", metavar="make|score", required=True)
    make = actions.add_parser("make", help="write a folder of numbered pictures and its key")
    make.add_argument("kind", choices=KINDS, help="what the reader is asked")
    make.add_argument("model", type=Path, metavar="MODEL", help="model.safetensors of a run")
    make.add_argument(
        "--dataset", type=Path, required=True, help="training set; its held-out frames are shown"
    )
    make.add_argument("--out", type=Path, required=True, help="folder for the reader")
    make.add_argument(
        "--key", type=Path, required=True, help="key to write, out of the reader's sight (.json)"
    )
    make.add_argument(
        "--count",
        type=whole(1),
        default=100,
        metavar="N",
        help="real images and as many simulated ones, at each blur (default 100)",
    )
    make.add_argument(
        "--sigma-mm",
        default=",".join(f"{sigma:g}" for sigma in realness_study.SIGMAS_MM),
        help=f"SDs of the blur for {realness_study.KIND} (default %(default)s)",
    )
    make.add_argument("--landmarks", type=Path, help=f"true places in Reference for {reading_study.KIND}")
    make.add_argument(
        "--seed", type=Number(SEED, whole=True), default=0, help="of frames, order and noise (default 0)"
    )
    make.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (default auto)")
    score = actions.add_parser("score", help="compare a reader's answers with the key")
    score.add_argument("study", type=Path, metavar="STUDY", help="folder that 'study make' wrote")
    score.add_argument("--key", type=Path, required=True, help="key that 'study make' wrote")
    score.add_argument(
        "--answers",
        type=Path,
        help=f"the filled-in table (default {ANSWERS} of the study), or for {reading_study.KIND} a "
        "Slicer point list (.mrk.json)",
    )
    score.add_argument("--out", type=Path, help="file for the result (.json)")
    for action in (make, score):
        # The parser of `study` has the same option with its default; here it only says yes.
        action.add_argument(
            "--json",
            action="store_true",
            default=argparse.SUPPRESS,
            help="print the result as JSON on standard output",
        )


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Make or score a study; returns what was made, or the table."""
    return _make(arguments) if arguments.action == "make" else _score(arguments)


def show(result: dict[str, Any]) -> None:
    """Print the result for a person."""
    if "rows" in result:
        print(text_tables(result))
        print(result["tables"][0]["note"])
        return
    print(
        f"{result['images']} pictures in {result['study']}; the reader fills in {ANSWERS} there. Key: "
        f"{result['key']}. {INTENDED_USE}"
    )


def _make(arguments: argparse.Namespace) -> dict[str, Any]:
    sigmas_mm, dataset = _sigmas(arguments.sigma_mm), open_dataset(arguments.dataset)
    if arguments.kind == reading_study.KIND and arguments.landmarks is None:
        raise UserError(
            "A study of landmarks needs their true places.", "Give --landmarks NAME.landmarks.json."
        )
    landmarks = read_landmarks(arguments.landmarks) if arguments.landmarks else {}
    info = read_model_header(arguments.model).info
    require_comparable(info, dataset, arguments.model)
    from ..ml.renderer import ModelRenderer

    renderer = ModelRenderer.load(arguments.model, device=arguments.device)
    predictor = ModelImages(f"{info.recipe} (simulated)", renderer, dataset, seed=arguments.seed)
    if arguments.kind == reading_study.KIND:
        made = reading_study.make_reading_study(
            arguments.out, arguments.key, dataset, predictor, landmarks, arguments.count, arguments.seed
        )
    else:
        made = realness_study.make_realness_study(
            arguments.out, arguments.key, dataset, predictor, arguments.count, sigmas_mm, arguments.seed
        )
    return {**made, "study": str(arguments.out), "key": str(arguments.key)}


def _score(arguments: argparse.Namespace) -> dict[str, Any]:
    study = read_blind_set(arguments.study, arguments.key)
    answers = arguments.answers or arguments.study / ANSWERS
    unchecked: set[str] = set()
    if study.kind == reading_study.KIND:
        if arguments.answers is None:
            unchecked = PlacedPoints(arguments.study).unsure()
        rows = reading_study.score_reading(study, answers, unchecked)
        columns, note = landmark_readings.COLUMNS, f"{reading_study.NOTE} {landmark_readings.PAPER}"
        if unchecked:
            note += (
                f" {len(unchecked)} places were not checked to lie on their picture: they come from a table, or from "
                "a version that did not look."
            )
    elif study.kind == realness_study.KIND:
        rows, columns, note = (
            realness_study.score_realness(study, answers),
            realness_study.COLUMNS,
            realness_study.NOTE,
        )
    else:
        raise UserError(f"{arguments.study} is a study of '{study.kind}'.", f"Known are {', '.join(KINDS)}.")
    table = {
        "title": study.kind.replace("-", " ").capitalize(),
        "note": note,
        "columns": [*map(asdict, columns)],
    }
    result = {
        "kind": study.kind,
        "answers": str(answers),
        "tables": [table],
        "rows": rows,
        "unchecked": len(unchecked),
        "intended_use": INTENDED_USE,
    }
    if arguments.out:
        write_json(arguments.out, result)
    return result


def _sigmas(text: str) -> list[float]:
    try:
        sigmas = [float(word) for word in text.split(",")]
        if not all(0 <= sigma < math.inf for sigma in sigmas):
            raise ValueError
    except ValueError as error:
        raise UserError(
            f"'{text}' is no list of blurs.", "Give SDs in mm, 0 or more, for example 2,1,0."
        ) from error
    return sigmas
