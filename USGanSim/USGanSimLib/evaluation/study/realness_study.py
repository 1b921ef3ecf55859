"""Real or simulated? A blind set for a reader, as in Hu et al. 2017, and how often the answers are right.

At each blur the same number of real and simulated images is shown, of frames drawn at random from the held-out ones,
no frame twice at one blur. The strongest blur comes first, so that nothing seen sharp helps with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import binomtest

from ...errors import UserError
from ...recording.dataset import Dataset
from ..intervals import binomial_interval, d_prime
from ..measures.metrics import Column
from ..predictors.predictor import Predictor
from ..presentation import Presentation
from .blind_set import BlindSet, Card, read_answer_rows, write_blind_set

KIND = "real-or-simulated"
REAL, SIMULATED = "real", "simulated"
SIGMAS_MM = (2.0, 1.5, 1.0, 0.5, 0.0)
ACCURACY = Column("accuracy", "accuracy", 3)
COLUMNS: tuple[Column, ...] = (
    Column("answers", "answers", 0),
    Column("unanswered", "without answer", 0),
    Column("correct", "correct", 0),
    ACCURACY,
    Column("simulated_detected_share", "simulated ones called simulated", 3),
    Column("real_doubted_share", "real ones called simulated", 3),
    Column("d_prime", "d-prime"),
    Column("p_of_guessing", "p if it were guessing", 4),
)
NOTE = (
    "Accuracy with the exact binomial interval; 0.5 is guessing. d-prime counts 'simulated' as the signal. "
    "Hu et al. 2017, one sonographer, 200 images: 81 % at σ = 0 mm, 62 % at 1 mm, guessing above 1.5 mm."
)


def make_realness_study(
    folder: Path,
    key: Path,
    dataset: Dataset,
    predictor: Predictor,
    count: int,
    sigmas_mm: Sequence[float],
    seed: int,
) -> dict[str, Any]:
    """Write `count` real and `count` simulated images for each blur. Raises UserError with too few held-out frames."""
    heldout = dataset.heldout_indices
    if len(heldout) < 2 * count:
        raise UserError(
            f"{count} real and {count} simulated images need {2 * count} held-out frames; {dataset.folder} "
            f"has {len(heldout)}.",
            f"Give --count {len(heldout) // 2} or less, or hold out more.",
        )
    rng = np.random.default_rng(seed)
    presentation = Presentation.of(dataset)
    cards: list[Card] = []
    for block, sigma_mm in enumerate(sorted(set(sigmas_mm), reverse=True)):
        chosen = rng.permutation(heldout)[: 2 * count]
        for kind, indices in ((REAL, chosen[:count]), (SIMULATED, chosen[count:])):
            for index in map(int, indices):
                image = (dataset.read_images([index]) if kind == REAL else predictor.images(index))[:1]
                cards.append(
                    Card(
                        presentation.present(image, sigma_mm)[0],
                        {"sigma_mm": sigma_mm},
                        {"kind": kind, "frame": index, "sigma_mm": sigma_mm},
                        block,
                    )
                )
    about = {"mm_per_px": list(dataset.geometry.mm_per_px), "answers": [REAL, SIMULATED]}
    write_blind_set(folder, key, KIND, about, cards, ("image", "answer"), seed)
    return {
        "kind": KIND,
        "images": len(cards),
        "sigmas_mm": sorted(set(sigmas_mm), reverse=True),
        "count": count,
    }


def score_realness(study: BlindSet, answers: Path) -> list[dict[str, Any]]:
    """A row for each blur, strongest first: `name` and one value for each of COLUMNS. Raises UserError for answers
    other than real and simulated, and where a blur has no answer."""
    rows = read_answer_rows(answers, study, ("answer",))
    given = {name: row["answer"].lower() for name, row in rows.items()}
    wrong = [f"{name}: '{word}'" for name, word in given.items() if word not in (REAL, SIMULATED)]
    if wrong:
        raise UserError(
            f"{answers} has {len(wrong)} answers that are neither {REAL} nor {SIMULATED} ({wrong[0]}).",
            "Correct them.",
        )
    try:
        sigmas = sorted({float(card["sigma_mm"]) for card in study.cards.values()}, reverse=True)
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            "The study's key has a blur that is no number.", "Give the key made with it."
        ) from error
    return [
        _row(
            sigma,
            {name: card["kind"] for name, card in study.cards.items() if card["sigma_mm"] == sigma},
            given,
        )
        for sigma in sigmas
    ]


def _row(sigma_mm: float, truth: Mapping[str, str], given: Mapping[str, str]) -> dict[str, Any]:
    answered = [(truth[name], given[name]) for name in truth if name in given]
    row: dict[str, Any] = {
        "name": f"σ = {sigma_mm:g} mm",
        "sigma_mm": sigma_mm,
        "frames": len(truth),
        "answers": len(answered),
        "unanswered": len(truth) - len(answered),
    }
    if not answered:
        return row
    correct = sum(kind == answer for kind, answer in answered)
    low, high = binomial_interval(correct, len(answered))
    row |= {
        "correct": correct,
        ACCURACY.key: correct / len(answered),
        ACCURACY.low_key: low,
        ACCURACY.high_key: high,
        "p_of_guessing": float(binomtest(correct, len(answered)).pvalue),
    }
    signals, noises = (sum(kind == wanted for kind, _ in answered) for wanted in (SIMULATED, REAL))
    hits, alarms = (sum(pair == (kind, SIMULATED) for pair in answered) for kind in (SIMULATED, REAL))
    if signals and noises:
        row |= {
            "simulated_detected_share": hits / signals,
            "real_doubted_share": alarms / noises,
            "d_prime": d_prime(hits, signals, alarms, noises),
        }
    return row
