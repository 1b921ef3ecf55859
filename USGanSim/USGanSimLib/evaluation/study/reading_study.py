"""Landmark error by a person: real and simulated images, shuffled and blind, one landmark to mark in each.

The answers come as a table or as a Slicer point list, and the result is the observer's table (landmark_readings.py).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import UserError
from ...recording.dataset import Dataset
from ..intervals import heldout_groups
from ..measures.landmark_readings import MEASURED, OUTCOMES, UNCLEAR, Reading, summarised
from ..measures.landmarks import Points, markup_points, project
from ..predictors.predictor import Predictor
from ..presentation import Presentation
from .blind_set import BlindSet, Card, read_answer_rows, require_card, write_blind_set

KIND = "landmarks"
REAL = "real image"
CHECKED = "places checked alone"
QUESTION = ("image", "landmark", "outcome", "u_px", "v_px")
NOTE = "One reader, blind, pictures shuffled. Empty outcome with a place: measured. Distances are in the image plane."


@dataclass(frozen=True)
class Answer:
    """The reader's verdict on one picture, and the place in pixels u, v where it is `measured`."""

    outcome: str
    place_px: tuple[float, float] | None = None


def make_reading_study(
    folder: Path,
    key: Path,
    dataset: Dataset,
    predictor: Predictor,
    landmarks_mm: dict[str, Points],
    count: int,
    seed: int,
) -> dict[str, Any]:
    """Write at most `count` pairs, one real and one simulated image of a held-out frame whose plane passes through the
    landmark to mark; landmarks in turn. Raises UserError where there is none."""
    projection = project(dataset.poses, np.array(list(landmarks_mm.values())))
    visible = projection.within(dataset.field.mask()) & dataset.heldout[:, None]
    pairs = _pairs(visible, count, np.random.default_rng(seed))
    if not pairs:
        raise UserError(
            "No held-out frame passes through a landmark.",
            "Check that the landmarks belong to this training set.",
        )
    names, groups, presentation = list(landmarks_mm), heldout_groups(dataset), Presentation.of(dataset)
    cards = []
    for pair, (index, landmark) in enumerate(pairs):
        truth = projection.places_px[index, landmark].tolist()
        for row, images in (
            (REAL, dataset.read_images([index])),
            (predictor.name, predictor.images(index)[:1]),
        ):
            secret = {
                "row": row,
                "pair": pair,
                "frame": index,
                "group": int(groups[index]),
                "truth_px": truth,
            }
            cards.append(Card(presentation.present(images, 0.0)[0], {"landmark": names[landmark]}, secret))
    about = {"mm_per_px": list(dataset.geometry.mm_per_px), "answers": list(OUTCOMES)}
    write_blind_set(folder, key, KIND, about, cards, QUESTION, seed)
    return {
        "kind": KIND,
        "images": len(cards),
        "pairs": len(pairs),
        "landmarks": {name: sum(k == landmark for _, k in pairs) for landmark, name in enumerate(names)},
    }


def score_reading(study: BlindSet, answers: Path, unchecked: Set[str] = frozenset()) -> list[dict[str, Any]]:
    """A row for the real images and one for the simulated: `name` and the numbers of landmark_readings.COLUMNS. Where
    places of some pictures are `unchecked` (placed_points.py), two more for the answers without them. Raises UserError
    where an answer cannot be understood or one is missing."""
    given = _markup_answers(answers, study) if answers.suffix == ".json" else _table_answers(answers, study)
    missing = sorted(study.cards.keys() - given.keys())
    if missing:
        raise UserError(
            f"{answers} lacks an answer to {len(missing)} of {len(study.cards)} pictures (first: "
            f"{missing[0]}).",
            f"Say {', '.join(OUTCOMES)} for each.",
        )
    rows = _rows(study, given)
    sure = {name: answer for name, answer in given.items() if name not in unchecked}
    if unchecked & given.keys() and any(answer.outcome == MEASURED for answer in sure.values()):
        rows += [{**row, "name": f"{row['name']}, {CHECKED}"} for row in _rows(study, sure)]
    return rows


def _rows(study: BlindSet, given: Mapping[str, Answer]) -> list[dict[str, Any]]:
    """Of the pictures with an answer."""
    scale = np.array(study.about["mm_per_px"])
    cards = {name: card for name, card in study.cards.items() if name in given}
    real = {card["pair"]: given[name] for name, card in cards.items() if card["row"] == REAL}
    rows: dict[str, list[Reading]] = {REAL: []}
    for name, card in cards.items():
        answer, other = given[name], real.get(card["pair"], Answer(UNCLEAR))
        rows.setdefault(card["row"], []).append(
            Reading(
                card["group"],
                answer.outcome,
                _distance_mm(answer.place_px, card["truth_px"], scale),
                _distance_mm(answer.place_px, other.place_px, scale),
            )
        )
    return [
        {"name": name, "frames": len(readings), **summarised(readings)} for name, readings in rows.items()
    ]


def _pairs(visible: NDArray[np.bool_], count: int, rng: np.random.Generator) -> list[tuple[int, int]]:
    """At most `count` (frame, landmark), landmarks in turn, frames at random and none twice for one landmark."""
    queues = [list(map(int, rng.permutation(np.flatnonzero(column)))) for column in visible.T]
    pairs: list[tuple[int, int]] = []
    while len(pairs) < count and any(queues):
        for landmark, queue in enumerate(queues):
            if queue and len(pairs) < count:
                pairs.append((queue.pop(), landmark))
    return pairs


def _table_answers(path: Path, study: BlindSet) -> dict[str, Answer]:
    rows = read_answer_rows(path, study, ("outcome", "u_px", "v_px"))
    return {name: _answer(path, name, row) for name, row in rows.items()}


def _answer(path: Path, name: str, row: Mapping[str, str]) -> Answer:
    has_place = bool(row["u_px"] or row["v_px"])
    outcome = row["outcome"].lower() or MEASURED
    if outcome not in OUTCOMES or has_place != (outcome == MEASURED):
        raise UserError(
            f"{path}, picture {name}: {dict(row)} is no answer.",
            f"Give {MEASURED} with u_px and v_px, or one of {', '.join(OUTCOMES[:-1])} without.",
        )
    return Answer(outcome, _place(path, name, row["u_px"], row["v_px"]) if has_place else None)


def _place(path: Path, name: str, *words: str) -> tuple[float, float]:
    try:
        u, v = map(float, words)
        if not (math.isfinite(u) and math.isfinite(v)):
            raise ValueError
    except ValueError as error:
        raise UserError(f"{path}, picture {name}: {words} is no pixel.", "Give two numbers.") from error
    return u, v


def _markup_answers(path: Path, study: BlindSet) -> dict[str, Answer]:
    """A point labelled with a picture's name stands at its pixel (u, v), as Slicer shows a picture: (−u, −v, 0) in RAS.
    A point labelled with a name and an outcome (`0007 wrong region`) gives that; a picture without a point is unclear.
    """
    try:
        points = markup_points(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise UserError(f"The answers {path} cannot be read: {error.strerror}.", "Check the path.") from error
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{path} is no Slicer point list ({type(error).__name__}: {error}).",
            "Save the points as .mrk.json, or fill in the table.",
        ) from error
    given: dict[str, Answer] = {}
    for label, place in points:
        name, _, outcome = label.strip().partition(" ")
        require_card(path, name, study, given)
        if outcome and outcome not in OUTCOMES:
            raise UserError(
                f"{path}: the label '{label}' has no outcome.", f"Known are {', '.join(OUTCOMES)}."
            )
        measured = outcome in ("", MEASURED)
        given[name] = Answer(outcome or MEASURED, (-float(place[0]), -float(place[1])) if measured else None)
    return {name: given.get(name, Answer(UNCLEAR)) for name in study.cards}


def _distance_mm(
    first: tuple[float, float] | None, second: tuple[float, float] | None, mm_per_px: NDArray[np.float64]
) -> float:
    if first is None or second is None:
        return math.inf
    return float(np.linalg.norm((np.array(first) - np.array(second)) * mm_per_px))
