"""Cross-validation (Hu et al. 2017): every frame is held out once, training frames near a held-out pose are left out.

A fold is the same training set split anew; images are not copied. Baselines are made anew for every fold, and so is a
model where a recipe is given.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...errors import UserError
from ...progress import Progress
from ...recording.dataset import Dataset, resplit
from ...recording.splits import Exclusion
from ..intervals import bootstrap_95
from ..predictors.baselines import baselines
from ..predictors.predictor import Predictor
from .comparison import Row, compare
from .suite import Suite, SuiteOptions, suite

SPLITS = ("blocks", "sweeps")

# Makes the models of one fold, given its training set and its number, counted from 1.
Models = Callable[[Dataset, int], Sequence[Predictor]]


@dataclass(frozen=True)
class Fold:
    """One fold's outcome: its training set, what was measured, and a row a predictor."""

    dataset: Dataset
    tests: Suite
    predictors: list[Predictor]
    rows: list[Row]


def fold_masks(dataset: Dataset, split: str, count: int) -> list[NDArray[np.bool_]]:
    """The held-out frames (N,) of every fold.

    "blocks": fold k holds out the k-th of `count` contiguous parts of each sweep; "sweeps": one whole sweep each.
    Held poses stay whole. Raises UserError where the set cannot be split so.
    """
    sweeps = np.unique(dataset.sweep)
    if split == "sweeps":
        if len(sweeps) < 2:
            raise UserError("There is one sweep, so none can be left out.", "Use --split blocks.")
        return [dataset.sweep == sweep for sweep in sweeps]
    if not 2 <= count <= len(dataset):
        raise UserError(f"{count} folds of {len(dataset)} frames make no sense.", "Give --folds 2 or more.")
    fold = np.zeros(len(dataset), int)
    for sweep in sweeps:
        frames = np.flatnonzero(dataset.sweep == sweep)
        fold[frames] = np.arange(len(frames)) * count // len(frames)
    for hold in np.unique(dataset.hold[dataset.hold >= 0]):
        fold[dataset.hold == hold] = fold[dataset.hold == hold][0]
    masks = [fold == number for number in range(count)]
    if not all(mask.any() for mask in masks):
        raise UserError(
            f"{len(dataset)} frames of {len(sweeps)} sweeps are too few for {count} folds.",
            "Give fewer --folds.",
        )
    return masks


def cross_validate(
    dataset: Dataset,
    masks: Sequence[NDArray[np.bool_]],
    split: str,
    exclusion: Exclusion,
    options: SuiteOptions,
    models: Models,
    samples: int,
    seed: int,
    progress: Progress,
) -> list[Fold]:
    """Measure every fold. Raises UserError where a fold has no training frame left."""
    # All folds are checked before the first of perhaps long trainings begins.
    sets = [resplit(dataset, mask, exclusion, split) for mask in masks]
    folds = []
    for number, fold in enumerate(sets, 1):
        progress.emit(
            "fold",
            fold=number,
            of=len(sets),
            training_frames=len(fold.train_indices),
            heldout_frames=len(fold.heldout_indices),
        )
        tests = suite(fold, options)
        predictors = [*baselines(fold, samples, seed), *tests.observed.floor, *models(fold, number)]
        folds.append(
            Fold(fold, tests, predictors, compare(fold, predictors, tests.measures, progress, tests.controls))
        )
    return folds


def pooled(folds: Sequence[Fold]) -> list[Row]:
    """One row a predictor: the mean over the folds of every number, and its 95 % interval by drawing folds; counts are
    added up. A number that is the same in every fold, as the real images' distance from themselves is, keeps its own
    interval: the means of its bounds."""
    names = list(dict.fromkeys(row.name for fold in folds for row in fold.rows))
    tables = [*folds[0].tests.measures, *folds[0].tests.controls]
    counts = {column.key for table in tables for column in table.columns if column.count}
    return [
        _pooled_row([row for fold in folds for row in fold.rows if row.name == name], counts)
        for name in names
    ]


def pooled_warnings(folds: Sequence[Fold]) -> list[str]:
    """What the tests of any fold warn of, each once, with the number of folds."""
    warnings = [warning for fold in folds for warning in fold.tests.observed.warnings]
    return [
        f"{warning} (In {warnings.count(warning)} of {len(folds)} folds.)"
        for warning in dict.fromkeys(warnings)
    ]


def _pooled_row(rows: Sequence[Row], counts: Set[str]) -> Row:
    values: dict[str, float | None] = {}
    keys = [
        key
        for key in dict.fromkeys(key for row in rows for key in row.values)
        if not key.endswith(("_ci_low", "_ci_high"))
    ]
    for key in keys:
        found = [value for row in rows if (value := row.values.get(key)) is not None]
        if not found or key in counts:
            values[key] = float(sum(found)) if found else None
            continue
        values[key] = float(np.mean(found))
        interval = _own_interval(rows, key) if len(set(found)) == 1 else None
        low, high = interval or bootstrap_95(found, range(len(found))) or (None, None)
        values[f"{key}_ci_low"], values[f"{key}_ci_high"] = low, high
    return Row(rows[0].name, sum(row.frames for row in rows), max(row.samples for row in rows), values)


def _own_interval(rows: Sequence[Row], key: str) -> tuple[float, float] | None:
    bounds = [
        [bound for row in rows if (bound := row.values.get(f"{key}_ci_{side}")) is not None]
        for side in ("low", "high")
    ]
    return (float(np.mean(bounds[0])), float(np.mean(bounds[1]))) if all(bounds) else None
