"""Runs predictors through measures on the held-out frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..progress import Progress
from ..recording.dataset import Dataset
from .metrics import Measure
from .predictors import Predictor


@dataclass(frozen=True)
class Row:
    """One predictor: how many images of how many frames were measured, and its numbers by key."""

    name: str
    frames: int
    samples: int
    values: dict[str, float | None]


def compare(dataset: Dataset, predictors: Sequence[Predictor], measures: Sequence[Measure],
            progress: Progress) -> list[Row]:
    """One row for each predictor, in order. Every image is made once and seen by every measure."""
    return [_row(dataset, predictor, measures, progress) for predictor in predictors]


def _row(dataset: Dataset, predictor: Predictor, measures: Sequence[Measure], progress: Progress) -> Row:
    tallies = [measure.tally() for measure in measures]
    indices, samples = dataset.heldout_indices, 0
    for done, index in enumerate(indices, 1):
        images = predictor.images(int(index))
        samples = len(images)
        for tally in tallies:
            tally.add(int(index), images)
        progress.emit("step", row=predictor.name, step=done, of=len(indices))
    values = {key: value for tally in tallies for key, value in tally.values().items()}
    return Row(predictor.name, len(indices), samples, values)
