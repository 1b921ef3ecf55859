"""The main part of the module USGanSim, pressed like a person would: inputs, Start, Show, variation, comparison."""

from __future__ import annotations

import types

import numpy as np
import pytest
import slicer

from USGanSimLib.errors import UserError
from USGanSimLib.live import PoseState, Variation
from USGanSimLib.mrml.live.real_image import View
from USGanSimLib.mrml.transform_chain import volume_to_world


def slice_views():
    """The library's part that needs Qt, which is there once the harness is."""
    from USGanSimLib.gui import slice_views

    return slice_views


def live_views():
    """The same, of the layouts."""
    from USGanSimLib.gui.simulation import live_views

    return live_views


def nodes() -> list[str]:
    """Transforms, volumes and models in the scene."""
    found = (slicer.mrmlScene.GetNthNode(number) for number in range(slicer.mrmlScene.GetNumberOfNodes()))
    return sorted(
        node.GetName()
        for node in found
        if any(node.IsA(f"vtkMRML{kind}Node") for kind in ("Transform", "Volume", "Model"))
    )


def composite(view="Red"):
    return slicer.app.layoutManager().sliceWidget(view).sliceLogic().GetSliceCompositeNode()


# From a loaded scene to a moving image


def test_with_a_tracker_in_the_scene_the_model_and_start_are_all_there_is_to_choose(panel, live, tracked):
    assert panel.parameters.probe is tracked
    assert panel.parameters.reference.GetName() == "ReferenceToRas"
    assert panel.parameters.output.GetName() == "heart"
    assert composite().GetBackgroundVolumeID() == panel.parameters.output.GetID()
    assert "Image → Probe (model) → Reference (ProbeToReference, " in live["Inputs"].ui.chainLabel.text


def test_start_returns_at_once_and_tells_what_it_waits_for(panel, parts, model, tracked, until, noisy):
    seen = []

    def load(path):
        seen.append(parts["Live"].ui.stateLabel.text)
        return noisy()

    panel.logic._loadRenderer = load
    panel.parameters.probe, panel.parameters.modelFile = tracked, model
    parts["Live"].ui.startButton.click()
    assert seen == []
    assert parts["Live"].ui.startButton.text == "Stop"
    until(lambda: panel.logic.simulation.live.running)
    assert seen == ["Loading the model…"]


def test_what_keeps_the_model_from_loading_is_told_and_start_can_be_pressed_again(
    panel, parts, model, tracked, until
):
    def refuse(path):
        raise UserError("The model has 3 weights.", "Train another.")

    panel.logic._loadRenderer = refuse
    panel.parameters.probe, panel.parameters.modelFile = tracked, model
    parts["Live"].ui.startButton.click()
    until(lambda: "3 weights" in parts["Live"].ui.stateLabel.text)
    assert (parts["Live"].ui.startButton.text, parts["Live"].ui.startButton.enabled) == ("Start", True)


def test_a_calibration_of_another_probe_is_refused_with_the_numbers(panel, parts, model, tracked):
    other = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "ImageToProbe")
    slicer.util.updateTransformMatrixFromArray(other, np.diag([0.9, 0.5, 1, 1]))
    panel.parameters.probe, panel.parameters.modelFile, panel.parameters.imageToProbe = tracked, model, other
    # 31 pixels of 0.4 mm more.
    assert "12.4 mm apart at a corner" in parts["Inputs"].ui.chainLabel.text
    assert not parts["Live"].ui.startButton.enabled
    panel.parameters.imageToProbe = None
    assert parts["Live"].ui.startButton.enabled


def test_a_slow_renderer_leaves_the_gui_its_share_of_the_time(panel, live, monkeypatch):
    from USGanSimLib.gui.simulation.live_section import LEAST_GUI_SHARE

    clock = iter([0.0, 0.2])
    monkeypatch.setattr(
        "USGanSimLib.gui.simulation.live_section.time",
        types.SimpleNamespace(perf_counter=lambda: next(clock)),
    )
    live["Live"]._timer.stop()
    live["Live"]._told_s = 0.0
    live["Live"]._tick()
    wait_ms = live["Live"]._timer.interval
    assert wait_ms / (wait_ms + 200) == pytest.approx(LEAST_GUI_SHARE, abs=0.01)


# Show


def test_show_and_hide_leave_the_scene_and_the_layout_as_they_were(panel, live, until):
    before, layout = nodes(), slicer.app.layoutManager().layout
    shown = []
    for _ in range(3):
        live["Live"].ui.showButton.click()
        shown.append(nodes())
        assert slicer.app.layoutManager().layout == live_views().SLICE_AND_3D
        assert slice_views().slice_node("Red").GetSliceVisible()
        live["Live"].ui.showButton.click()
    assert shown[0] == shown[1] == shown[2]
    assert {"Fan outline", "Probe", "Trained poses", "Swept region of training"} <= set(shown[0])
    assert nodes() == before
    assert slicer.app.layoutManager().layout == layout
    assert not slice_views().slice_node("Red").GetSliceVisible()


def test_the_slice_stays_in_the_plane_of_the_image(panel, live, tracked, until, move):
    move(tracked, 40)
    until(lambda: panel.logic.simulation.image_to_reference[0, 3] == 40)
    slice_to_ras = slicer.util.arrayFromVTKMatrix(slice_views().slice_node("Red").GetSliceToRAS())
    # The centre of 32×24 pixels of 0.5 mm; right is u, up is −v.
    np.testing.assert_allclose(slice_to_ras[:3, 3], (40 + 7.75, 5.75, 0))
    np.testing.assert_allclose(slice_to_ras[:3, :2].T, [(1, 0, 0), (0, -1, 0)])


class Driver:
    """Does with the slice what SlicerIGT's Volume Reslice Driver would, and notes it."""

    def __init__(self):
        self.state = {}

    def logic(self):
        return self

    def SetDriverForSlice(self, node_id, node):
        self.state["driver"] = node_id
        node.SetAttribute("VolumeResliceDriver.Driver", node_id or None)

    def __getattr__(self, name):
        return lambda value, node: self.state.__setitem__(name, value)


def test_with_slicerigt_its_driver_moves_the_slice(panel, live, monkeypatch, tracked, until, move):
    driver = Driver()
    monkeypatch.setattr(slicer.modules, "volumereslicedriver", driver, raising=False)
    panel.parameters.sliceFollows = False
    before = slicer.util.arrayFromVTKMatrix(slice_views().slice_node("Red").GetSliceToRAS())
    panel.parameters.sliceFollows = True
    # Mode 6 is transverse: the slice is (u, v), and flipped (u, −v).
    assert driver.state == {
        "driver": panel.parameters.output.GetID(),
        "SetModeForSlice": 6,
        "SetRotationForSlice": 0,
        "SetFlipForSlice": True,
    }
    move(tracked, 60)
    until(lambda: panel.logic.simulation.image_to_reference[0, 3] == 60)
    after = slicer.util.arrayFromVTKMatrix(slice_views().slice_node("Red").GetSliceToRAS())
    np.testing.assert_array_equal(after, before)
    live["Live"].ui.startButton.click()
    assert (driver.state["driver"], driver.state["SetModeForSlice"]) == ("", 0)


# Variation


def test_noise_goes_as_chosen_and_a_frozen_pose_stays(panel, live, tracked, until, move):
    simulation = panel.logic.simulation
    noise = simulation.renderer.noise
    live["Variation"].ui.newSampleButton.click()
    assert simulation.renderer.noise == noise + 1
    live["Variation"].ui.freezeButton.click()
    panel.parameters.variation = Variation.RESAMPLED
    move(tracked, 30)
    until(lambda: simulation.renderer.noise > noise + 5)
    assert simulation.live.status.state is PoseState.FROZEN
    assert simulation.image_to_reference[0, 3] == 5
    live["Variation"].ui.freezeButton.click()
    until(lambda: simulation.image_to_reference[0, 3] == 30)
    assert not live["Variation"].ui.freezeButton.checked


def test_samples_are_drawn_in_the_panel_and_into_one_volume(panel, live):
    panel.parameters.samples = 6
    live["Variation"].ui.stripButton.click()
    live["Variation"].ui.stripButton.click()
    assert nodes().count("Samples of heart") == 1
    assert live["Variation"].ui.stripLabel.pixmap.width() > 300
    assert "6 samples of this pose differ by 0 grey levels" in live["Variation"].ui.stripWords.text


# Comparison


def test_a_real_image_stands_beside_the_simulated_one(panel, live, real):
    layout = slicer.app.layoutManager().layout
    panel.parameters.realImage = real
    assert slicer.app.layoutManager().layout == live_views().TWO_SLICES_AND_3D
    assert composite("Yellow").GetBackgroundVolumeID() == real.GetID()
    assert "0° turned, its plane 0.0 mm away; it covers 100 %" in live["Comparison"].ui.comparisonLabel.text
    panel.parameters.realImage = None
    assert slicer.app.layoutManager().layout == layout


def test_blend_lays_the_real_image_over_the_simulated_one(panel, live, real):
    panel.parameters.comparison, panel.parameters.blendPercent = View.BLEND, 30
    panel.parameters.realImage = real
    assert composite().GetForegroundVolumeID() == real.GetID()
    assert composite().GetForegroundOpacity() == pytest.approx(0.3)
    panel.parameters.realImage = None
    assert composite().GetForegroundVolumeID() is None


def test_difference_follows_the_images_and_goes_with_the_comparison(panel, live, real, tracked, until):
    before = nodes()
    panel.parameters.comparison = View.DIFFERENCE
    panel.parameters.realImage = real
    shown = slicer.mrmlScene.GetNodeByID(composite().GetForegroundVolumeID())
    assert slicer.util.arrayFromVolume(shown)[0, 5, 5] == 128 + 10
    live["Variation"].ui.newSampleButton.click()
    live["Variation"].ui.newSampleButton.click()
    until(lambda: slicer.util.arrayFromVolume(shown)[0, 5, 5] == 128 + 11)
    assert "Mean difference 2" in live["Comparison"].ui.comparisonLabel.text
    panel.parameters.realImage = None
    assert nodes() == before


@pytest.mark.parametrize("view", list(View))
def test_a_real_image_that_has_not_come_yet_is_waited_for(panel, live, real, until, view):
    layout = slicer.app.layoutManager().layout
    waiting = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLVectorVolumeNode", "Image_Colour")
    panel.parameters.comparison, panel.parameters.realImage = view, waiting
    assert live["Comparison"].ui.comparisonLabel.text == "Image_Colour has no image yet."
    assert slicer.app.layoutManager().layout == layout
    slicer.util.updateVolumeFromArray(waiting, np.full((1, 24, 32, 3), 80, np.uint8))
    waiting.SetAndObserveTransformNodeID(real.GetTransformNodeID())
    live["Variation"].ui.newSampleButton.click()
    until(lambda: "it covers 100 %" in live["Comparison"].ui.comparisonLabel.text)
    assert panel.troubles.words == ""
    if view is View.DIFFERENCE:
        assert "Mean difference 21 grey levels" in live["Comparison"].ui.comparisonLabel.text


def test_a_real_image_under_no_transform_is_told_to_stand_elsewhere(panel, live, real):
    real.SetAndObserveTransformNodeID(None)
    panel.parameters.realImage = real
    assert "hangs under no transform" in live["Comparison"].ui.comparisonLabel.text
    assert not np.allclose(volume_to_world(real), volume_to_world(panel.parameters.output))


def test_closing_the_scene_ends_all_of_it(panel, live, real):
    panel.parameters.comparison, panel.parameters.realImage = View.DIFFERENCE, real
    live["Live"].ui.showButton.click()
    slicer.mrmlScene.Clear(False)
    assert not panel.logic.simulation.live.running
    assert not {"heart", "Fan outline", "SimulatedMinusReal", "ProbeOfSimulatedImage"} & set(nodes())
    assert live["Live"].ui.showButton.text == "Show"
    assert not live["Live"]._timer.active
