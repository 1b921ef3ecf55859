"""Charts: where points land, and the numbers on the axes."""

from __future__ import annotations

import numpy as np
import pytest

from USGanSimLib.calibration.chart import BLUE, RED, Chart, side_by_side, ticks


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 820, [0, 200, 400, 600, 800]),
        (-1.2, 1.3, [-1, -0.5, 0, 0.5, 1]),
        (0.31, 0.352, [0.31, 0.32, 0.33, 0.34, 0.35]),
    ],
)
def test_axes_carry_round_numbers(low, high, expected):
    assert ticks(low, high) == pytest.approx(expected)


@pytest.mark.parametrize("downward", [False, True])
def test_a_dot_lies_where_its_numbers_say(downward):
    chart = Chart("t", "x", "y", (0, 10), (0, 10), (300, 300), downward)
    chart.dots(np.array([5.0]), np.array([8.0]), BLUE, 3)
    pixels = np.asarray(chart.picture()).astype(int)
    rows, columns = np.nonzero((np.abs(pixels - BLUE) < 30).all(axis=2))
    across, down = columns.mean() / 300, rows.mean() / 300
    assert across == pytest.approx(0.57, abs=0.03)
    assert down > 0.6 if downward else down < 0.3


def test_a_cross_beyond_the_axes_stands_on_their_edge():
    chart = Chart("t", "x", "y", (0, 10), (0, 10), (300, 300))
    chart.crosses(np.array([99.0]), np.array([5.0]), [""], RED)
    _, columns = np.nonzero((np.abs(np.asarray(chart.picture()).astype(int) - RED) < 40).all(axis=2))
    assert columns.size
    assert columns.min() > 270


def test_charts_stand_side_by_side():
    charts = [Chart("t", "x", "y", (0, 1), (0, 1), size) for size in ((200, 150), (100, 180))]
    assert side_by_side(charts).size == (300, 180)
