"""Show: the whole image is seen at every size of its view, a person's own layout and zoom win, and without a main
window nothing breaks."""

from __future__ import annotations

import re

import numpy as np
import pytest
import slicer

from USGanSimLib.mrml.live.real_image import View

# The simulated image: 32×24 pixels of 0.5 mm.
WIDTH_MM, HEIGHT_MM = 16.0, 12.0
# Four views, of vtkMRMLLayoutNode.
OTHER_LAYOUT = 3


def node(name="Red"):
    return slicer.mrmlScene.GetSingletonNode(name, "vtkMRMLSliceNode")


def resize(width_px, height_px, name="Red"):
    """As the view's widget does when it gets another size."""
    slicer.app.applicationLogic().GetSliceLogic(node(name)).ResizeSliceNode(width_px, height_px)


def seen_mm(name="Red"):
    return node(name).GetFieldOfView()[:2]


@pytest.fixture(autouse=True)
def sizes(harness):
    """The views as they were."""
    before = {name: node(name).GetDimensions() for name in ("Red", "Yellow")}
    yield
    for name, (width_px, height_px, _) in before.items():
        resize(width_px, height_px, name)


@pytest.fixture
def shown(live):
    resize(600, 450)
    live["Live"].ui.showButton.click()
    return live["Live"]


@pytest.mark.parametrize("size_px", [(600, 900), (300, 450), (1200, 300), (600, 450), (50, 40)])
def test_the_whole_image_is_seen_when_the_view_gets_its_size(shown, size_px):
    resize(*size_px)
    width_mm, height_mm = seen_mm()
    assert width_mm >= WIDTH_MM - 1e-6
    assert height_mm >= HEIGHT_MM - 1e-6
    # And no smaller than it has to be.
    assert width_mm == pytest.approx(WIDTH_MM) or height_mm == pytest.approx(HEIGHT_MM)
    assert width_mm / height_mm == pytest.approx(size_px[0] / size_px[1])


def test_a_persons_zoom_wins(shown):
    node().SetFieldOfView(4.0, 3.0, 1.0)
    resize(600, 900)
    assert seen_mm()[1] == pytest.approx(3.0)


def test_what_a_person_looks_at_instead_is_left_as_it_is(shown):
    other = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Other")
    logic = slicer.app.applicationLogic().GetSliceLogic(node())
    logic.GetSliceCompositeNode().SetBackgroundVolumeID(other.GetID())
    resize(600, 900)
    assert seen_mm()[1] == pytest.approx(HEIGHT_MM)


def test_the_real_image_is_whole_too(panel, live, real):
    panel.parameters.comparison, panel.parameters.realImage = View.SIDE_BY_SIDE, real
    resize(300, 900, "Yellow")
    assert seen_mm("Yellow")[0] == pytest.approx(WIDTH_MM)


def test_a_layout_that_a_person_chose_stays(panel, shown, real):
    manager = slicer.app.layoutManager()
    manager.setLayout(OTHER_LAYOUT)
    panel.parameters.comparison, panel.parameters.realImage = View.SIDE_BY_SIDE, real
    assert manager.layout == OTHER_LAYOUT
    panel.parameters.realImage = None
    assert manager.layout == OTHER_LAYOUT
    shown.ui.showButton.click()
    assert shown.ui.showButton.text == "Show"
    assert manager.layout == OTHER_LAYOUT


def test_views_that_a_layout_has_to_make_get_their_names(harness):
    from USGanSimLib.gui.simulation.live_views import LAYOUTS

    for text in LAYOUTS.values():
        values = re.findall(r">([^<]+)<", text)
        assert values
        assert [value for value in values if value != value.strip()] == []


def test_slicer_makes_the_views_of_our_layout_as_they_are_described(harness):
    from USGanSimLib.gui.simulation.live_views import LAYOUTS, TWO_SLICES_AND_3D

    scene, logic = slicer.vtkMRMLScene(), slicer.vtkMRMLLayoutLogic()
    slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(scene)
    logic.SetMRMLScene(scene)
    layout = logic.GetLayoutNode()
    layout.AddLayoutDescription(TWO_SLICES_AND_3D, LAYOUTS[TWO_SLICES_AND_3D])
    for name in ("Red", "Yellow", "Green"):  # of the layout that Slicer begins with
        scene.RemoveNode(scene.GetSingletonNode(name, "vtkMRMLSliceNode"))
    layout.SetViewArrangement(TWO_SLICES_AND_3D)
    count = scene.GetNumberOfNodesByClass("vtkMRMLSliceNode")
    made = [scene.GetNthNodeByClass(number, "vtkMRMLSliceNode") for number in range(count)]
    assert {(one.GetLayoutName(), one.GetOrientation(), one.GetLayoutLabel()) for one in made} == {
        ("Red", "Axial", "R"),
        ("Yellow", "Sagittal", "Y"),
    }
    logic.SetMRMLScene(None)


def test_without_a_main_window_all_of_it_works_and_ends(panel, live, real, monkeypatch, move, tracked, until):
    monkeypatch.setattr(slicer.app, "layoutManager", lambda: None)
    live["Live"].ui.showButton.click()
    for view in View:
        panel.parameters.comparison, panel.parameters.realImage = view, real
        move(tracked, np.random.default_rng(len(view.value)).uniform(1, 20))
        before = panel.logic.simulation.live.counts.rendered
        live["Variation"].ui.newSampleButton.click()
        until(lambda before=before: panel.logic.simulation.live.counts.rendered > before)
    panel.parameters.realImage = None
    live["Live"].ui.showButton.click()
    slicer.mrmlScene.Clear(False)
    assert panel.troubles.words == ""
    assert not panel.logic.simulation.live.running


def test_cleaning_up_while_shown_without_a_layout_leaves_no_observer(panel, shown, monkeypatch):
    from standin.observers import count_observers

    red = node()
    monkeypatch.setattr(slicer.app, "layoutManager", lambda: None)
    shown.cleanup()
    before = count_observers(red)
    shown.views.look("Red", panel.logic.simulation.live.volume)
    shown.views.close()
    assert count_observers(red) == before
