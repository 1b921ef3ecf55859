"""Scenes saved and loaded while the panel of USGanSim is open, closed or live: it shows what the node holds, and one
press of Start goes on."""

from __future__ import annotations

import numpy as np
import pytest
import slicer

from USGanSimLib.live import PoseState
from USGanSimLib.mrml.live.real_image import View


@pytest.fixture(params=["mrml", "mrb"])
def save(request, tmp_path):
    """Saves the scene to a file of one of the two kinds, and returns it."""

    def to(name="saved"):
        path = tmp_path / f"{name}.{request.param}"
        if request.param == "mrb":
            assert slicer.mrmlScene.WriteToMRB(str(path), None)
        else:
            assert slicer.mrmlScene.Commit(str(path))
        return path

    return to


def load(path, clear=True):
    scene = slicer.mrmlScene
    if path.suffix == ".mrb":
        assert scene.ReadFromMRB(str(path), clear)
        return
    scene.SetURL(str(path))
    assert scene.Connect() if clear else scene.Import()


def shown(parts):
    """What stands in the panel's selectors and path edits."""
    inputs, comparison = parts["Inputs"].ui, parts["Comparison"].ui

    def name(selector):
        node = selector.currentNode()
        return node and node.GetName()

    return {
        "model": inputs.modelPathEdit.currentPath,
        "probe": name(inputs.probeSelector),
        "reference": name(inputs.referenceSelector),
        "output": name(inputs.outputSelector),
        "real": name(comparison.realSelector),
    }


@pytest.fixture
def one_press_goes_on(panel, parts, move, until):
    """Asserts that Start brings an image of the loaded nodes, into the loaded volume."""

    def check(place=9):
        live = parts["Live"].ui
        assert live.startButton.enabled, live.startButton.toolTip
        assert live.startButton.text == "Start"
        live.startButton.click()
        until(lambda: panel.logic.simulation.live.running)
        move(panel.parameters.probe, place)
        until(lambda: panel.logic.simulation.live.status.state is PoseState.GOOD)
        assert panel.logic.simulation.live.volume is panel.parameters.output
        assert panel.parameters.probe.GetScene() is slicer.mrmlScene
        until(lambda: live.stateLabel.text == "live")

    return check


def saved_while(state, panel, parts, real):
    """Bring a live panel to a state in which the scene is saved."""
    if state == "shown":
        parts["Live"].ui.showButton.click()
    elif state == "compared":
        panel.parameters.comparison, panel.parameters.realImage = View.DIFFERENCE, real
    elif state == "stopped":
        parts["Live"].ui.startButton.click()


@pytest.mark.parametrize("state", ["live", "stopped", "shown", "compared"])
@pytest.mark.parametrize("loaded_while", ["open", "closed", "live"])
def test_a_saved_scene_is_loaded_into_the_panel(
    panel, live, real, save, one_press_goes_on, state, loaded_while
):
    saved_while(state, panel, live, real)
    before, path = shown(live), save()
    assert before["probe"] == "ProbeToReference"
    if loaded_while != "live":
        slicer.mrmlScene.Clear(False)
        assert shown(live)["probe"] is None
    if loaded_while == "closed":
        panel.parent.exit()
    load(path)
    if loaded_while == "closed":
        panel.parent.enter()
    assert shown(live) == before
    assert panel.parameters.probe.GetName() == "ProbeToReference"
    assert panel.troubles.words == ""
    one_press_goes_on()
    outputs = slicer.mrmlScene.GetNodesByName("heart")
    assert outputs.GetNumberOfItems() == 1


def test_a_second_scene_that_is_imported_into_a_live_one_stops_it_and_is_shown(
    panel, live, save, one_press_goes_on
):
    panel.parameters.probe.SetName("SecondProbeToReference")
    path = save("second")
    panel.parameters.probe.SetName("ProbeToReference")
    first = panel.parameters.probe
    load(path, clear=False)
    assert "Another scene was loaded" in live["Live"].ui.stateLabel.text
    assert shown(live)["probe"] == "SecondProbeToReference"
    assert panel.parameters.probe is not first
    one_press_goes_on()


def test_a_scene_of_others_that_is_imported_into_a_live_one_leaves_it_live(
    panel, live, tmp_path, until, move
):
    other = slicer.vtkMRMLScene()
    other.AddNewNodeByClass("vtkMRMLLinearTransformNode", "Somewhere")
    assert other.Commit(str(tmp_path / "other.mrml"))
    load(tmp_path / "other.mrml", clear=False)
    assert live["Inputs"].ui.probeSelector.currentNode() is panel.parameters.probe
    move(panel.parameters.probe, 12)
    until(lambda: panel.logic.simulation.image_to_reference[0, 3] == 12)
    assert np.isfinite(panel.logic.simulation.image_to_reference).all()
