"""Flips to MF, against the definition: where the marked side and the depth lie in the stored image."""

from __future__ import annotations

import numpy as np
import pytest

from USGanSimLib.errors import UserError
from USGanSimLib.recording.orientation import to_mf

# In MF x points to the marked side and y away from the probe: bottom right is marked and far.
MF = np.array([[[1, 2, 3], [4, 5, 6]]], np.uint8)
STORED = {
    "MF": [[1, 2, 3], [4, 5, 6]],
    "MN": [[4, 5, 6], [1, 2, 3]],
    "UF": [[3, 2, 1], [6, 5, 4]],
    "UN": [[6, 5, 4], [3, 2, 1]],
}


@pytest.mark.parametrize("letters", STORED)
@pytest.mark.parametrize("third", ["", "A", "D"])
def test_b_mode_is_turned_to_mf(letters, third):
    stored = np.array([STORED[letters]], np.uint8)
    assert np.array_equal(to_mf(stored, letters + third, "x"), MF)


def test_turning_copies_no_pixel():
    stored = np.zeros((1, 2, 3), np.uint8)
    assert np.shares_memory(to_mf(stored, "UN", "x"), stored)


@pytest.mark.parametrize("written", ["", "mf", "US_IMG_ORIENT_MF", "MFA"])
def test_other_spellings_of_mf(written):
    assert np.array_equal(to_mf(MF, written, "x"), MF)


@pytest.mark.parametrize("letters", ["FM", "FU", "NM", "NU", "FMA"])
def test_an_orientation_that_needs_a_transposition_is_refused(letters):
    with pytest.raises(UserError, match=f"x.mha has orientation {letters}: its scan lines run along x"):
        to_mf(MF, letters, "x.mha")


@pytest.mark.parametrize("letters", ["XX", "M", "MU", "AMF", "FN"])
def test_an_unknown_orientation_is_refused(letters):
    with pytest.raises(UserError, match=f"unknown image orientation '{letters}'"):
        to_mf(MF, letters, "x")
