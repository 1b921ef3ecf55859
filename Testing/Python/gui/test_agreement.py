"""The line that says whether the real image is where the model expects it."""

from __future__ import annotations

import numpy as np
import pytest

# Panels catch and log them; conftest.py asks for none elsewhere.
PROVOKES_ERRORS = True
GOOD = np.array([0.9, 0.8, 0.8, 0.8, 0.8, 0.8, 0.8])
# It fits best where 4 mm further along the third axis was looked.
MOVED = np.array([0.8, 0.7, 0.7, 0.7, 0.7, 0.9, 0.6])


@pytest.fixture
def looked(monkeypatch):
    """Every look is at a new place, with these numbers."""
    numbers, count = [GOOD], [0]

    def looking(simulation, real, place):
        yield
        count[0] += 1
        pose = np.eye(4)
        pose[0, 3] = 10 * count[0]
        if numbers[0] is None:
            raise RuntimeError("no memory")
        place.add(numbers[0], pose)

    monkeypatch.setattr("USGanSimLib.gui.simulation.agreement.looking", looking)
    monkeypatch.setattr("USGanSimLib.gui.simulation.agreement.TICK_MS", 5)
    return numbers


def test_a_real_image_is_looked_at_while_it_is_compared_and_a_moved_reference_is_told(
    panel, live, real, until, looked
):
    from USGanSimLib.mrml.live.real_image import View

    label = live["Comparison"].ui.agreementLabel
    assert label.text == ""
    panel.parameters.realImage = real
    assert "0 of 10 places are seen" in label.text
    until(lambda: "It fits best 0.0 mm" in label.text)
    assert "usually less than 1.5 mm" in label.text
    assert "<b>" not in label.text
    panel.parameters.comparison = View.BLEND
    assert "It fits best 0.0 mm" in label.text  # Another view of the two changes nothing.
    looked[0] = MOVED
    until(lambda: "Has the reference or a marker moved" in label.text)
    assert "out of plane +" in label.text
    panel.parameters.realImage, panel.parameters.comparison = None, View.SIDE_BY_SIDE
    assert label.text == ""
    assert not live["Comparison"].agreement._timer.active


def test_an_error_while_looking_is_told_and_it_is_looked_again(panel, live, real, until, looked):
    looked[0] = None
    panel.parameters.realImage = real
    until(lambda: "is not known: RuntimeError: no memory" in panel._trouble_label.text)
    looked[0] = GOOD
    until(lambda: "It fits best" in live["Comparison"].ui.agreementLabel.text)
    until(lambda: panel._trouble_label.text == "")
    panel.parameters.realImage = None


def test_another_start_learns_anew(panel, live, real, until, looked, move, tracked):
    label = live["Comparison"].ui.agreementLabel
    panel.parameters.realImage = real
    until(lambda: "It fits best" in label.text)
    live["Live"].ui.startButton.click()
    live["Live"].ui.startButton.click()
    until(lambda: panel.logic.simulation.live.running)
    until(lambda: "of 10 places are seen" in label.text)
    panel.parameters.realImage = None
