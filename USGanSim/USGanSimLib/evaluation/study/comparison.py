"""Runs predictors through measures and controls on the held-out frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...progress import Progress
from ...recording.dataset import Dataset
from ..measures.metrics import Control, Measure
from ..predictors.predictor import Predictor, SecondScan


@dataclass(frozen=True)
class Row:
    """One predictor: how many images of how many frames were measured, and its numbers by key."""

    name: str
    frames: int
    samples: int
    values: dict[str, float | None]

    def as_dict(self) -> dict[str, Any]:
        """What report.json holds of it."""
        return {"name": self.name, "frames": self.frames, "samples": self.samples, **self.values}


def compare(
    dataset: Dataset,
    predictors: Sequence[Predictor],
    measures: Sequence[Measure],
    progress: Progress,
    controls: Sequence[Control] = (),
    indices: NDArray[np.int_] | None = None,
) -> list[Row]:
    """One row for each predictor, in order. Every image is made once and seen by every measure; controls ask for what
    they need themselves. `indices` are the frames to measure on, by default all held-out ones."""
    chosen = dataset.heldout_indices if indices is None else indices
    return [_row(chosen, predictor, measures, controls, progress) for predictor in predictors]


def _row(
    indices: NDArray[np.int_],
    predictor: Predictor,
    measures: Sequence[Measure],
    controls: Sequence[Control],
    progress: Progress,
) -> Row:
    tallies = [measure.tally() for measure in measures]
    samples = frames = 0
    for done, index in enumerate(indices, 1):
        images = predictor.images(int(index))
        if len(images):
            samples, frames = len(images), frames + 1
            for tally in tallies:
                tally.add(int(index), images)
        progress.emit("step", row=predictor.name, step=done, of=len(indices))
    values = {key: value for tally in tallies for key, value in tally.values().items()} if frames else {}
    for control in controls:
        progress.emit("step", row=predictor.name, control=control.title)
        values |= control.values(predictor)
    return Row(predictor.name, frames, samples, values)


def ceiling(rows: Sequence[Row]) -> Row:
    """The real row that a predictor cannot be expected to beat: the second scan where there is one."""
    return rows[1] if rows[1].name == SecondScan.name else rows[0]
