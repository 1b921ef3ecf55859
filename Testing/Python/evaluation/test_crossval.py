"""Folds: every frame once, held poses whole, near frames left out; means over folds."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from USGanSimLib.errors import UserError
from USGanSimLib.evaluation.measures.metrics import Column
from USGanSimLib.evaluation.observer.observed import ObserverTests
from USGanSimLib.evaluation.predictors.predictor import RealImage
from USGanSimLib.evaluation.study import crossval
from USGanSimLib.evaluation.study.comparison import Row
from USGanSimLib.evaluation.study.crossval import Fold, cross_validate, fold_masks, pooled, pooled_warnings
from USGanSimLib.evaluation.study.suite import Suite, SuiteOptions, suite
from USGanSimLib.progress import Silent
from USGanSimLib.recording.splits import Exclusion


def two_sweeps(dotted_set):
    return dataclasses.replace(dotted_set.dataset, sweep_index=(np.arange(24) >= 10).astype(np.int32))


def test_every_frame_is_held_out_once_in_a_contiguous_part_of_each_sweep(dotted_set) -> None:
    masks = fold_masks(two_sweeps(dotted_set), "blocks", 4)
    assert np.sum(masks, axis=0).tolist() == [1] * 24
    assert [np.flatnonzero(mask).tolist() for mask in masks] == [
        [0, 1, 2, 10, 11, 12, 13],
        [3, 4, 14, 15, 16],
        [5, 6, 7, 17, 18, 19, 20],
        [8, 9, 21, 22, 23],
    ]


def test_one_sweep_a_fold(dotted_set) -> None:
    masks = fold_masks(two_sweeps(dotted_set), "sweeps", 10)
    assert [np.flatnonzero(mask).tolist() for mask in masks] == [[*range(10)], [*range(10, 24)]]
    with pytest.raises(UserError, match="There is one sweep"):
        fold_masks(dotted_set.dataset, "sweeps", 10)


def test_held_poses_stay_whole(dotted_set) -> None:
    held = dataclasses.replace(dotted_set.dataset, hold=(np.arange(24) // 5).astype(np.int32))
    for mask in fold_masks(held, "blocks", 3):
        assert all(len(set(mask[held.hold == hold])) == 1 for hold in range(5))


@pytest.mark.parametrize(("count", "reason"), [(1, "1 folds of 24"), (25, "25 folds of 24")])
def test_folds_that_cannot_be_are_refused(dotted_set, count, reason) -> None:
    with pytest.raises(UserError, match=reason):
        fold_masks(dotted_set.dataset, "blocks", count)


def test_more_folds_than_frames_of_a_sweep_are_refused_when_one_is_empty(dotted_set) -> None:
    held = dataclasses.replace(dotted_set.dataset, hold=np.zeros(24, np.int32))
    with pytest.raises(UserError, match="too few for 3 folds"):
        fold_masks(held, "blocks", 3)


def test_a_fold_trains_on_nothing_near_what_it_holds_out(dotted_set, monkeypatch) -> None:
    dataset, seen = dotted_set.dataset, []
    monkeypatch.setattr(crossval, "suite", lambda *what: dataclasses.replace(suite(*what), controls=[]))

    def models(fold, number):
        seen.append((number, fold.train_indices.tolist(), fold.heldout_indices.tolist()))
        return [RealImage(fold)]

    folds = cross_validate(
        dataset,
        fold_masks(dataset, "blocks", 3),
        "blocks",
        Exclusion(1.1),
        SuiteOptions(),
        models,
        1,
        0,
        Silent(),
    )
    # Frames are 0.5 mm apart, so two on each side of a block go.
    assert seen == [
        (1, [*range(10, 24)], [*range(8)]),
        (2, [*range(6), *range(18, 24)], [*range(8, 16)]),
        (3, [*range(14)], [*range(16, 24)]),
    ]
    assert [row.name for row in folds[0].rows][-1] == "real image"
    assert sum(fold.rows[0].frames for fold in folds) == 24
    assert len({fold.dataset.sha256 for fold in folds}) == 3


def test_an_exclusion_that_empties_a_fold_is_refused_before_any_work(dotted_set) -> None:
    def models(fold, number):
        raise AssertionError("no fold may begin")

    dataset = dotted_set.dataset
    with pytest.raises(UserError, match="No training frame is left"):
        cross_validate(
            dataset,
            fold_masks(dataset, "blocks", 3),
            "blocks",
            Exclusion(6),
            SuiteOptions(),
            models,
            1,
            0,
            Silent(),
        )


def folds_of(*values: dict) -> list[Fold]:
    class Tables:
        columns = (Column("read", "read", 0, count=True), Column("a", "a"))

    tests = Suite([Tables], [], None, None, None, ObserverTests(warnings=["Too few."]))
    return [Fold(None, tests, [], [Row("x", 4, 1, found)]) for found in values]


def test_counts_are_added_up_and_what_is_equal_by_definition_keeps_its_interval() -> None:
    folds = folds_of(
        {"read": 3.0, "a": 0.0, "a_ci_low": -0.1, "a_ci_high": 0.3},
        {"read": 9.0, "a": 0.0, "a_ci_low": -0.3, "a_ci_high": 0.5},
        {"read": None, "a": 0.0},
    )
    (row,) = pooled(folds)
    assert row.values["read"] == 12
    assert (row.values["a"], row.values["a_ci_low"], row.values["a_ci_high"]) == (0, -0.2, 0.4)


def test_warnings_are_told_once_with_the_number_of_folds() -> None:
    assert pooled_warnings(folds_of({}, {}, {})) == ["Too few. (In 3 of 3 folds.)"]


def test_numbers_are_means_over_the_folds_that_have_them() -> None:
    values = [{"a": 1.0, "b": None, "a_ci_low": 9.0}, {"a": 2.0, "b": 5.0}, {"a": 6.0, "b": None}]
    (row,) = pooled(folds_of(*values))
    assert (row.name, row.frames, row.values["a"], row.values["b"]) == ("x", 12, 3.0, 5.0)
    assert 1 <= row.values["a_ci_low"] < 3 < row.values["a_ci_high"] <= 6
    assert row.values["b_ci_low"] is None
