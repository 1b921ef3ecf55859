"""Groups of neighbouring frames, and intervals of means over them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from USGanSimLib.evaluation.intervals import bootstrap_95, heldout_groups


def test_every_held_out_stretch_of_every_sweep_is_a_group(dotted_set) -> None:
    dataset = dataclasses.replace(
        dotted_set.dataset,
        heldout=np.isin(np.arange(24), [2, 3, 7, 11, 12, 13, 23]),
        sweep_index=(np.arange(24) >= 12).astype(np.int32),
    )
    groups = heldout_groups(dataset)
    assert groups[[2, 3, 7, 11, 12, 13, 23]].tolist() == [0, 0, 1, 2, 3, 3, 4]
    assert (np.delete(groups, [2, 3, 7, 11, 12, 13, 23]) == -1).all()


def test_the_first_frame_of_a_set_may_be_held_out(dotted_set) -> None:
    dataset = dataclasses.replace(dotted_set.dataset, heldout=np.arange(24) % 23 == 0)
    assert heldout_groups(dataset)[[0, 23]].tolist() == [0, 1]


def test_the_interval_is_as_wide_as_the_normal_one_of_independent_groups() -> None:
    values = np.random.default_rng(0).normal(5, 2, 400)
    low, high = bootstrap_95(values, range(400))
    half = 1.96 * values.std() / np.sqrt(400)
    assert (low, high) == (
        pytest.approx(values.mean() - half, abs=0.04),
        pytest.approx(values.mean() + half, abs=0.04),
    )


def test_frames_that_only_repeat_their_group_make_it_no_narrower() -> None:
    values = np.random.default_rng(1).normal(5, 2, 40)
    once, often = (
        bootstrap_95(values, range(40)),
        bootstrap_95(np.repeat(values, 50), np.repeat(range(40), 50)),
    )
    np.testing.assert_allclose(once, often)


def test_two_groups_have_no_interval() -> None:
    assert bootstrap_95([1, 2, 3, 4], [0, 0, 1, 1]) is None
