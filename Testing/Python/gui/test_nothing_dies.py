"""Errors in what timers and observers call: told in words, tried again, and never the end of what goes on."""

from __future__ import annotations

import itertools
import time

import pytest
import slicer
import vtk

from USGanSimLib.errors import UserError
from USGanSimLib.live import PoseState

# Panels catch and log them; conftest.py asks for none elsewhere.
PROVOKES_ERRORS = True


def images(panel) -> int:
    return panel.logic.simulation.live.counts.rendered


@pytest.fixture
def goes_on(panel, tracked, move, until):
    """Asserts that images come at new poses."""

    def check():
        before, places = images(panel), itertools.count()

        def two_more():
            move(tracked, 1 + next(places) % 20)
            return images(panel) > before + 2

        until(two_more)

    return check


def failing(*_arguments):
    raise RuntimeError("no memory")


def test_an_error_of_the_renderer_is_told_and_tried_again(
    panel, live, tracked, move, goes_on, until, monkeypatch
):
    monkeypatch.setattr(panel.logic.simulation.renderer, "render", failing, raising=False)
    move(tracked, 6)
    label = live["Live"].ui.stateLabel
    until(lambda: "No image can be simulated: RuntimeError: no memory" in label.text)
    assert live["Live"].ui.startButton.text == "Stop"
    monkeypatch.undo()
    goes_on()
    until(lambda: label.text == "live")


@pytest.mark.parametrize("part", ["views", "listener"])
def test_an_error_after_the_image_is_told_and_images_go_on(panel, live, goes_on, until, monkeypatch, part):
    if part == "views":
        monkeypatch.setattr(live["Live"].views, "update", failing)
    else:
        monkeypatch.setitem(live["Live"].listeners, "Someone is not told", failing)
    goes_on()
    label = live["Live"].ui.stateLabel
    until(lambda: "RuntimeError: no memory" in label.text)
    monkeypatch.undo()
    goes_on()
    if part == "views":
        until(lambda: label.text == "live")


def test_a_bent_transform_above_the_image_is_named_and_when_it_has_gone_all_is_well(
    panel, live, tracked, goes_on, until
):
    above = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLBSplineTransformNode", "Warp")
    above.SetAndObserveTransformFromParent(vtk.vtkThinPlateSplineTransform())
    reference = tracked.GetParentTransformNode()
    reference.SetAndObserveTransformNodeID(above.GetID())
    goes_on()
    label = live["Live"].ui.stateLabel
    until(lambda: "hangs under Warp, which is not a linear transform" in label.text)
    reference.SetAndObserveTransformNodeID(None)
    goes_on()
    until(lambda: label.text == "live")


def test_a_tick_that_does_not_come_is_noticed_and_made_up_for(live, goes_on, until):
    # As while a step of the tick waits for a person in a dialog.
    live["Live"]._timer.stop()
    live["Live"]._ticking = True
    until(lambda: "No image for 1 s" in live["Live"].ui.stateLabel.text)
    live["Live"]._ticking = False
    goes_on()
    until(lambda: live["Live"].ui.stateLabel.text == "live")


def test_a_start_that_fails_is_told_and_start_can_be_pressed_again(
    panel, parts, model, tracked, until, harness
):
    panel.logic._loadRenderer = failing
    panel.parameters.probe, panel.parameters.modelFile = tracked, model
    parts["Live"].ui.startButton.click()
    until(lambda: "RuntimeError: no memory" in parts["Live"].ui.stateLabel.text)
    assert parts["Live"].ui.startButton.text == "Start"
    assert panel.logic.simulation.live.status.state is PoseState.STOPPED
    # The traceback goes to the console, for whoever has to mend it.
    assert ["RuntimeError: no memory" in told for told in harness.problems.take()] == [True]


def test_a_section_that_fails_is_named_on_top_of_the_panel_and_keeps_no_other_from_its_work(
    panel, parts, model, tracked, monkeypatch
):
    monkeypatch.setattr(parts["Inputs"], "show", failing)
    panel.parameters.probe, panel.parameters.modelFile = tracked, model
    assert panel._trouble_label.text == "Inputs is not up to date: RuntimeError: no memory"
    assert parts["Live"].ui.startButton.enabled
    monkeypatch.undo()
    panel.show()
    assert panel._trouble_label.text == ""


def test_closing_the_scene_goes_through_whatever_a_section_does(panel, live, monkeypatch):
    monkeypatch.setattr(live["Inputs"], "close_scene", failing)
    slicer.mrmlScene.Clear(False)
    assert not panel.logic.simulation.live.running
    assert not live["Live"]._timer.active
    assert panel.parameters is not None


def test_every_timer_goes_on_after_an_error_and_tells_it_once(harness, until, caplog):
    import qt

    from USGanSimLib.gui.troubles import Repeating, Troubles

    owner, told, calls = qt.QWidget(), [], []
    troubles = Troubles(lambda: told.append(troubles.words))

    def action():
        calls.append(time.monotonic())
        if len(calls) < 4:
            failing()

    timer = Repeating(owner, troubles, "It is not done", action, 5)
    timer.start()
    until(lambda: len(calls) > 5)
    timer.stop()
    assert told == ["It is not done: RuntimeError: no memory", ""]
    assert caplog.text.count("Traceback") == 1
    owner.deleteLater()


@pytest.mark.parametrize("failing_part", ["step", "end"])
def test_work_in_steps_survives_what_shows_it(harness, until, failing_part):
    import qt

    from USGanSimLib.gui.stepwise import Stepwise
    from USGanSimLib.gui.troubles import Troubles

    owner, ended = qt.QWidget(), []
    troubles = Troubles(lambda: None)
    work = Stepwise(owner, troubles)

    def steps():
        yield "words"
        yield 1
        return "done"

    work.start(
        steps(),
        failing if failing_part == "step" else lambda value: None,
        failing if failing_part == "end" else lambda result, error: ended.append(result),
    )
    until(lambda: not work.running)
    assert ended == ([] if failing_part == "end" else ["done"])
    assert "RuntimeError: no memory" in troubles.words
    owner.deleteLater()


def test_a_sentence_for_people_is_not_logged_as_an_error(harness, caplog):
    from USGanSimLib.gui.troubles import Troubles

    troubles = Troubles(lambda: None)

    def refuse():
        raise UserError("The disk is full.")

    assert not troubles.attempt("It is not written", refuse)
    assert troubles.words == "It is not written: The disk is full."
    assert caplog.text == ""
