"""geometry/sampling.py against what a ruler gives."""

from __future__ import annotations

import numpy as np
import pytest

from USGanSimLib.geometry.sampling import evenly


@pytest.mark.parametrize(
    ("count", "most", "expected"),
    [
        (9, 3, [0, 4, 8]),
        (5, 9, [0, 1, 2, 3, 4]),
        (1, 4, [0]),
        (0, 4, []),
        (4, 0, []),
        (100, 1, [0]),
        (6, 4, [0, 2, 3, 5]),
    ],
)
def test_some_of_many_are_evenly_spread_with_both_ends(count: int, most: int, expected: list[int]) -> None:
    assert evenly(count, most).tolist() == expected


def test_gaps_differ_by_one_at_most() -> None:
    for count in (7, 100, 1234):
        gaps = np.diff(evenly(count, 7))
        assert gaps.max() - gaps.min() <= 1
