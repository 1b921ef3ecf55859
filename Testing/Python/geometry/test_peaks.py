"""Peaks between pixels against surfaces whose top is known."""

from __future__ import annotations

import numpy as np
import pytest

from USGanSimLib.geometry.peaks import refined, vertex


@pytest.mark.parametrize("top", [-0.5, -0.2, 0.0, 0.35, 0.5])
def test_the_top_of_a_parabola_is_found_exactly(top):
    before, peak, after = (np.array([7 - 3 * (x - top) ** 2]) for x in (-1, 0, 1))
    assert vertex(before, peak, after) == pytest.approx(top)


def test_a_level_line_has_no_top():
    assert vertex(*np.ones((3, 1))) == 0


def test_the_peak_of_a_paraboloid_is_found_in_u_and_v_and_stays_on_the_border():
    rows, columns = np.mgrid[:9, :12]
    surface = 50 - (columns - 6.3) ** 2 - 2 * (rows - 3.6) ** 2
    np.testing.assert_allclose(refined(surface, np.array([4]), np.array([6])), [[6.3, 3.6]])
    sloping = np.where(columns == 11, 1.0, 0.0) * np.exp(-((rows - 4) ** 2))
    np.testing.assert_allclose(refined(sloping, np.array([4]), np.array([11])), [[11, 4]])
