"""How the noise changes, against the arithmetic of an Ornstein-Uhlenbeck process."""

from __future__ import annotations

import pytest

from USGanSimLib.errors import UserError
from USGanSimLib.variation import Variation, drift_step


class Spy:
    """Notes what it is told to do."""

    def __init__(self):
        self.told = []

    def resample(self):
        self.told.append("resample")

    def drift(self, step):
        self.told.append(step)


@pytest.mark.parametrize("rate_hz", [5, 24, 60])
def test_half_of_the_likeness_is_gone_after_the_half_life_at_any_rate(rate_hz):
    half_life_s = 2.0
    step = drift_step(1 / rate_hz, half_life_s)
    # One step multiplies the correlation by √(1 − step²).
    assert ((1 - step**2) ** 0.5) ** (rate_hz * half_life_s) == pytest.approx(0.5)


def test_no_time_is_no_drift_and_long_time_is_new_noise():
    assert drift_step(0, 1) == 0
    assert drift_step(100, 1) == pytest.approx(1)


@pytest.mark.parametrize("half_life_s", [0, -1, float("nan"), 1000])
def test_a_half_life_out_of_range_is_refused_with_its_number(half_life_s):
    with pytest.raises(UserError, match=f"{half_life_s:g} s"):
        drift_step(0.1, half_life_s)


def test_each_variation_does_what_it_says():
    spy = Spy()
    assert not Variation.FIXED.change(spy, 0.1, 2.0)
    assert Variation.RESAMPLED.change(spy, 0.1, 2.0)
    assert Variation.DRIFTING.change(spy, 0.1, 2.0)
    assert spy.told == ["resample", drift_step(0.1, 2.0)]
