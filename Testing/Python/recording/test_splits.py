"""recording/splits.py: contiguous, spread, deterministic."""

from __future__ import annotations

import numpy as np
import pytest

from USGanSimLib.errors import UserError
from USGanSimLib.recording.splits import held_out


def runs(flags: np.ndarray) -> list[tuple[int, int]]:
    """First and last index of every run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(int), [0]])))
    return [(int(start), int(stop) - 1) for start, stop in edges.reshape(-1, 2)]


def test_two_blocks_lie_in_the_middle_of_the_two_halves() -> None:
    assert runs(held_out("blocks", [100], 0.2, 2)) == [(20, 29), (70, 79)]


def test_one_block_lies_in_the_middle() -> None:
    assert runs(held_out("blocks", [100], 0.3, 1)) == [(35, 64)]


def test_every_sweep_has_blocks_of_its_own() -> None:
    assert runs(held_out("blocks", [50, 40], 0.2, 1)) == [(20, 29), (66, 73)]


@pytest.mark.parametrize("length", [45, 97, 190, 26396])
@pytest.mark.parametrize("holdout", [0.1, 0.2, 0.5])
@pytest.mark.parametrize("blocks", [1, 2, 5])
def test_blocks_are_contiguous_and_hold_the_share_that_was_asked_for(
    length: int, holdout: float, blocks: int
) -> None:
    flags = held_out("blocks", [length], holdout, blocks)
    found = runs(flags)
    assert len(found) == blocks
    assert abs(flags.sum() - holdout * length) <= blocks / 2 + 1e-9
    assert found[0][0] > 0, "the sweep begins with trained frames"
    assert found[-1][1] < length - 1, "and ends with them"


def test_whole_sweeps_are_held_out_spread_over_the_list() -> None:
    assert (
        np.repeat([False, True, False, False, True, False], 3).tolist()
        == held_out("sweeps", [3] * 6, 0.33).tolist()
    )
    assert held_out("sweeps", [4, 2, 5, 3], 0.2).tolist() == [False] * 6 + [True] * 5 + [False] * 3


def test_nothing_is_held_out_where_nothing_is_asked() -> None:
    assert not held_out("blocks", [5, 6], 0).any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("sweeps", [100], 0.2, 2), "one sweep"),
        (("blocks", [3], 0.2, 2), "3 usable frames are too short"),
        (("blocks", [100], 1.0, 2), "share is 1"),
        (("blocks", [100], -0.1, 2), "share is -0.1"),
        (("blocks", [100], float("nan"), 2), "share is nan"),
        (("blocks", [100], 0.2, 0), "0 held-out blocks"),
    ],
)
def test_a_split_that_cannot_be_had_is_refused(
    arguments: tuple[str, list[int], float, int], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        held_out(*arguments)
