from __future__ import annotations

import pytest

from USGanSimLib.model.pace import Pace

# 1,000 iterations of a second, 3,000 of two, then four each.
PACE = Pace(((0, 1.0), (1000, 2.0), (4000, 4.0)))


@pytest.mark.parametrize(
    ("iterations", "seconds"), [(0, 0), (10, 10), (1000, 1000), (1001, 1002), (4000, 7000), (4100, 7400)]
)
def test_stages_add_up_and_the_other_way_round(iterations, seconds):
    assert PACE.seconds_for(iterations) == seconds
    assert PACE.iterations_in(seconds) == iterations


def test_half_an_iteration_is_none():
    assert PACE.iterations_in(1001.9) == 1000
    assert Pace(((0, 0.5),)).iterations_in(60) == 120


def test_it_comes_back_from_json():
    assert Pace.of_list(PACE.as_list()) == PACE
