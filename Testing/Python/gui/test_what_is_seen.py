"""What a person sees in a narrow panel, in a dark theme, and while something runs."""

from __future__ import annotations

import numpy as np
import pytest

NARROW_PX = 400
MARGINS_PX, TAB_PX = 22, 4  # around the groups of a panel, and around those on a tab


def least_width(panel) -> int:
    """Of the groups, by their layouts: the stand-in's own buttons cannot be narrower than they like to be."""
    return max(
        widget.layout().minimumSize().width()
        for section in panel.sections
        for widget in vars(section.ui).values()
        if "CollapsibleButton" in widget.className()
    )


def opened(panel, harness):
    """Every group of the panel is open, and has its size."""
    for section in panel.sections:
        for widget in vars(section.ui).values():
            if "Collapsible" in widget.className():
                widget.collapsed = False
    harness.process_events(0.1)


def test_nothing_of_the_simulation_panel_is_wider_than_400_pixels(panel, live, harness):
    from USGanSimLib.gui.choices import MockMotion, PoseSet

    opened(panel, harness)
    for motion, poses in zip(MockMotion, PoseSet, strict=True):
        panel.parameters.mockMotion, panel.parameters.poseSet = motion, poses
        harness.process_events(0.05)
        assert least_width(panel) <= NARROW_PX - MARGINS_PX, (motion, poses)


def test_nothing_of_the_tabs_is_wider_than_400_pixels(training_panel, harness):
    opened(training_panel, harness)
    tabs = training_panel.tabs.widget
    for index in range(tabs.count):
        tabs.setCurrentIndex(index)
        harness.process_events(0.05)
        assert least_width(training_panel) <= NARROW_PX - MARGINS_PX - TAB_PX, tabs.tabText(index)


def test_no_label_of_an_input_is_cut_at_400_pixels(panel, live, harness):
    """A QFormLayout gives its labels what they need; a label beside several boxes in a row was cut."""
    opened(panel, harness)
    panel.parent.resize(NARROW_PX, 2600)
    panel.parent.show()
    harness.process_events(0.05)
    cut = [
        widget.text
        for section in panel.sections
        for widget in vars(section.ui).values()
        if widget.className() == "QLabel"
        and widget.visible
        and not widget.wordWrap
        and widget.text
        and widget.width < widget.sizeHint().width()
    ]
    assert cut == []


def test_the_icon_of_the_state_is_seen_on_a_dark_ground(panel, live, harness, until):
    import qt

    icon, before = live["Live"].ui.stateIcon, qt.QApplication.palette()
    dark = qt.QPalette(before)
    dark.setColor(qt.QPalette.WindowText, qt.QColor("#ffffff"))
    qt.QApplication.setPalette(dark)

    def darkest():
        image = icon.pixmap.toImage()
        drawn = [
            image.pixelColor(x, y)
            for x in range(image.width())
            for y in range(image.height())
            if image.pixelColor(x, y).alpha() > 200
        ]
        return min((colour.lightness() for colour in drawn), default=0)

    try:
        until(lambda: darkest() > 200)  # live
        live["Variation"].ui.freezeButton.click()
        until(lambda: live["Live"].ui.stateLabel.text.startswith("frozen"))
        assert darkest() > 200
        live["Live"].ui.startButton.click()
        assert live["Live"].ui.stateLabel.text == "stopped"
        assert darkest() > 200
    finally:
        qt.QApplication.setPalette(before)


@pytest.mark.parametrize(("name", "said"), [("a/b:c", "'a/b:c' is no file name"), ("heart", "")])
def test_a_name_that_no_file_can_have_is_told_before_record_is_pressed(live, panel, tmp_path, name, said):
    panel.parameters.recordFolder, panel.parameters.recordName = tmp_path, name
    button = live["Recording"].ui.recordButton
    assert button.enabled == (not said)
    assert said in button.toolTip


def test_a_sweep_s_name_is_told_and_its_frames_are_counted_while_they_come(tab, harness, until, tmp_path):
    slicer, record = harness.slicer, tab("RecordSection")
    scene, parameters = slicer.mrmlScene, record.parameters
    image = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Image")
    slicer.util.updateVolumeFromArray(image, np.zeros((1, 6, 8), np.uint8))
    parameters.recordProbe = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "ProbeToReference")
    parameters.recordImage, parameters.sessionFolder = image, tmp_path / "session"
    parameters.sweepName = "a/b:c"
    assert "'a/b:c' is no name for a sweep" in record.ui.startButton.toolTip
    assert not record.ui.startButton.enabled
    parameters.sweepName = "heart"
    record.ui.startButton.click()

    def frames():
        return record.ui.sweepsTable.item(0, 2).text()

    for number in (1, 2, 3):
        slicer.util.arrayFromVolume(image)[:] = number
        slicer.util.arrayFromVolumeModified(image)
    until(lambda: frames() == "3")
    assert record.recorder.recording
    record.ui.startButton.click()
    assert frames() == "3"


def test_voxels_that_are_too_many_are_proposed_larger(live, panel, until, monkeypatch, move, tracked):
    from USGanSimLib.gui.choices import PoseSet
    from USGanSimLib.recording import simulated

    monkeypatch.setattr(simulated, "MOST_VOXELS", 300_000)
    parameters, section = panel.parameters, live["Registration"]
    parameters.poseSet, parameters.gridSteps, parameters.voxelSizeMm = PoseSet.GRID, 3, 0.1
    section.ui.simulateButton.click()
    until(lambda: not section._work.running)
    proposed_mm = parameters.voxelSizeMm
    assert proposed_mm > 0.1
    assert f"Voxels of {proposed_mm:g} mm are proposed" in section.ui.registrationStateLabel.text
    parameters.voxelSizeMm = 0.1
    section.ui.compoundButton.click()
    until(lambda: not section._work.running)
    assert "Press again to take them" in section.ui.registrationStateLabel.text
    assert parameters.voxelSizeMm == proposed_mm
    section.ui.compoundButton.click()
    until(lambda: not section._work.running)
    assert "voxels; of those around" in section.ui.registrationStateLabel.text


def test_a_steadied_hand_tells_how_far_it_is_behind(live, panel, tracked, move, until):
    from USGanSimLib.gui.choices import Steadiness

    box, label = live["Live"].ui.steadinessComboBox, live["Live"].ui.poseLabel
    assert box.currentText == "As tracked"
    assert panel.logic.simulation.live.hand is None
    box.currentIndex = 2
    assert panel.parameters.steadiness is Steadiness.MEDIUM
    places = iter(range(1000))

    def told():
        move(tracked, next(places) % 20)
        return "ms behind the hand" in label.text and "of the jitter left" in label.text

    until(told)
    box.currentIndex = 0
    until(lambda: not told() and panel.logic.simulation.live.hand is None)
