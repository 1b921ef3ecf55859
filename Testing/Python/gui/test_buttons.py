"""Buttons: what is missing for one that is off, and what went wrong with one that was pressed."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest

from USGanSimLib.errors import UserError

# Panels catch and log them; conftest.py asks for none elsewhere.
PROVOKES_ERRORS = True


def says_only_what_it_does(panel, section) -> list[str]:
    """The buttons of a section that are off, and have the tooltip of their .ui file or none."""
    tree = ElementTree.parse(panel.resourcePath(f"UI/{section.ui_file}"))
    tips = {
        widget.get("name"): widget.findtext("property[@name='toolTip']/string") or ""
        for widget in tree.iter("widget")
    }
    return [
        name
        for name, widget in vars(section.ui).items()
        if widget.className() == "QPushButton"
        and not widget.enabled
        and widget.toolTip in ("", tips.get(name, ""))
    ]


def bare(panel) -> dict[str, list[str]]:
    found = {type(section).__name__: says_only_what_it_does(panel, section) for section in panel.sections}
    return {name: buttons for name, buttons in found.items() if buttons}


def test_every_button_of_the_empty_simulation_panel_that_is_off_says_what_is_missing(panel, parts):
    panel.parent.exit()
    panel.parent.enter()
    assert not parts["Live"].ui.startButton.enabled
    assert parts["Variation"].ui.freezeButton.toolTip == "Press Start first"
    assert bare(panel) == {}


def test_every_button_of_the_empty_training_panel_that_is_off_says_what_is_missing(training_panel, tab):
    assert tab("PinSection").ui.saveButton.toolTip == "Calibrate first"
    assert tab("RecordSection").ui.keepButton.toolTip == "Choose a sweep of the table"
    assert tab("EvaluateSection").ui.scoreButton.toolTip == "Choose the folder of a study, or make one"
    assert bare(training_panel) == {}


def test_buttons_that_can_be_pressed_again_say_what_they_do(live):
    assert live["Variation"].ui.freezeButton.toolTip.startswith("Hold the pose")
    assert live["Live"].ui.showButton.toolTip.startswith("Lay out the views")


def test_the_mock_probe_in_use_is_not_offered_again(panel, parts, model, until):
    panel.parameters.modelFile = model
    panel.parameters.mockMotion = type(panel.parameters.mockMotion).HAND
    button = parts["MockProbe"].ui.moveButton
    assert button.text == "Use a mock probe"
    button.click()
    assert (button.text, button.enabled) == ("The mock probe is in use", False)
    panel.parameters.probe = None
    assert (button.text, button.enabled) == ("Use a mock probe", True)


@pytest.mark.parametrize(
    ("error", "told", "logged"),
    [
        (RuntimeError("no memory"), "“Draw samples” did not work: RuntimeError: no memory", 1),
        (UserError("The disk is full."), "“Draw samples” did not work: The disk is full.", 0),
    ],
)
def test_a_press_that_fails_is_told_on_top_of_the_panel_until_the_next(
    panel, live, monkeypatch, caplog, error, told, logged
):
    def fail():
        raise error

    ui, before = live["Variation"].ui, panel.logic.simulation
    ui.samplesSpinBox.value = 2
    monkeypatch.setattr(before, "samples", lambda count: fail())
    monkeypatch.setattr("USGanSimLib.gui.simulation.variation.UserError", ())
    ui.stripButton.click()
    assert panel._trouble_label.text == told
    assert caplog.text.count("Traceback") == logged
    monkeypatch.undo()
    ui.stripButton.click()
    assert panel._trouble_label.text == ""


def test_a_button_that_changes_its_words_forgets_what_it_told_under_others(harness):
    import qt

    from USGanSimLib.gui.troubles import Troubles

    button, troubles, fails = qt.QPushButton("Start"), Troubles(lambda: None), [True, False]

    def action():
        button.text = "Stop"
        if fails.pop(0):
            raise RuntimeError("no memory")

    troubles.on_press(button, action)
    button.click()
    assert "Start" in troubles.words
    button.click()
    assert troubles.words == ""


def test_an_answer_that_cannot_be_written_is_told_in_the_window_and_asked_again(
    tab, harness, tmp_path, monkeypatch
):
    from USGanSimLib.gui.training.study_window import StudyWindow
    from USGanSimLib.gui.troubles import Troubles

    class Sheet:
        names, mm_per_px = ["0001", "0002"], (1, 1)

        def first_open(self):
            return 0

        def picture(self, place):
            return tmp_path / "none.png"

        def answer(self, place, answer):
            raise UserError("The disk is full.")

    window = StudyWindow(Sheet(), Troubles(lambda: None), lambda: None)
    window.open()
    harness.process_events(0.3)  # It has its full size then, and keys.
    harness.qt.QTest.keyClick(window.window, harness.qt.Qt.Key_R)
    harness.process_events(0.05)
    assert window.words.text == "The answer is not kept: The disk is full."
    assert window._place == 0
    window.close()
