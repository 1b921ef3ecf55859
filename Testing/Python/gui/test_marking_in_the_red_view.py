"""What a person marks in the red slice view: the view is turned to the picture, points elsewhere are not taken."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from USGanSimLib.evaluation.study.blind_set import Card, write_blind_set
from USGanSimLib.geometry.transforms import TransformTrack
from USGanSimLib.recording.sequence_file import write_sweep
from USGanSimLib.recording.sweep import TrackedSweep

MM_PER_PX = (0.5, 0.25)


@pytest.fixture
def study(tmp_path):
    """A landmark study of three pictures."""
    cards = [Card(np.full((30, 40), 9, np.uint8), {"landmark": "crux"}, {}) for _ in range(3)]
    write_blind_set(
        tmp_path / "marks",
        tmp_path / "marks.key.json",
        "landmarks",
        {"mm_per_px": list(MM_PER_PX)},
        cards,
        ("image", "landmark", "outcome", "u_px", "v_px"),
        seed=0,
    )
    return tmp_path / "marks"


@pytest.fixture
def evaluate(tab, study):
    section = tab("EvaluateSection")
    section.parameters.studyFolder = study
    return section


def answers(study):
    with (study / "answers.csv").open(encoding="utf-8", newline="") as stream:
        return [(row["outcome"], row["u_px"]) for row in csv.DictReader(stream)]


@pytest.fixture
def red(harness):
    """The red slice node, turned and moved as another module may leave it; Axial again in the end."""
    node = harness.slicer.mrmlScene.GetSingletonNode("Red", "vtkMRMLSliceNode")
    turned = np.array([[0.5, 0, 0.866, 7], [0.866, 0, -0.5, 8], [0, 1, 0, 9], [0, 0, 0, 1.0]])
    harness.slicer.util.updateVTKMatrixFromArray(node.GetSliceToRAS(), turned)
    node.UpdateMatrices()
    yield node
    node.SetOrientation("Axial")


def plane(harness, node):
    return harness.slicer.util.arrayFromVTKMatrix(node.GetSliceToRAS())


def shows_whole(node, width_px, height_px, mm_per_px=(1.0, 1.0)):
    field = node.GetFieldOfView()
    return field[0] > 0.999 * width_px * mm_per_px[0] and field[1] > 0.999 * height_px * mm_per_px[1]


def test_the_red_view_stands_in_the_plane_of_the_picture_and_goes_back(harness, evaluate, red):
    before = plane(harness, red)
    evaluate.ui.answerButton.click()
    volume = evaluate.study.reading.volume
    now = plane(harness, red)
    # Right is u, up is −v, and the middle of 40×30 pixels is in the middle.
    np.testing.assert_allclose(now[:3, :2].T, [(-1, 0, 0), (0, 1, 0)], atol=1e-12)
    np.testing.assert_allclose(now[:3, 3], (-19.5 * 0.5, -14.5 * 0.25, 0))
    assert shows_whole(red, 40, 30, MM_PER_PX)
    logic = harness.slicer.app.applicationLogic().GetSliceLogic(red)
    assert logic.GetSliceCompositeNode().GetBackgroundVolumeID() == volume.GetID()
    evaluate.ui.markEndButton.click()
    np.testing.assert_allclose(plane(harness, red), before)


def test_points_can_be_placed_in_the_red_view_alone(harness, evaluate, red):
    evaluate.ui.answerButton.click()
    shown = evaluate.study.reading.marks.GetDisplayNode()
    scene = harness.slicer.mrmlScene
    assert shown.IsDisplayableInView(red.GetID())
    assert not shown.IsDisplayableInView(scene.GetSingletonNode("Yellow", "vtkMRMLSliceNode").GetID())
    assert not shown.IsDisplayableInView(scene.GetSingletonNode("1", "vtkMRMLViewNode").GetID())
    interaction = harness.slicer.app.applicationLogic().GetInteractionNode()
    assert interaction.GetCurrentInteractionMode() == interaction.Place
    evaluate.ui.markEndButton.click()
    assert interaction.GetCurrentInteractionMode() == interaction.ViewTransform


def test_a_point_off_the_plane_is_refused_and_nothing_is_kept(evaluate, study):
    evaluate.ui.answerButton.click()
    evaluate.study.reading.marks.AddControlPoint(-5.0, -2.0, 55.0)
    evaluate.ui.markPlacedButton.click()
    assert "The point is 55.0 mm off the plane of the picture." in evaluate.ui.markLabel.text
    assert answers(study) == [("", "")] * 3
    evaluate.study.reading.marks.SetNthControlPointPosition(0, -5.0, -2.0, 0.0)
    evaluate.ui.markPlacedButton.click()
    assert answers(study)[0] == ("measured", "10.00")


def test_answers_of_before_are_told_apart_and_asked_again(evaluate, study):
    text = (study / "answers.csv").read_text(encoding="utf-8")
    text = text.replace("0001,crux,,,", "0001,crux,measured,3.00,4.00").replace(
        "0002,crux,,,", "0002,crux,unclear,,"
    )
    (study / "answers.csv").write_text(text, encoding="utf-8")
    evaluate.show()
    assert "1 of them have a place that was not checked" in evaluate.ui.studyLabel.text
    evaluate.ui.answerButton.click()
    assert "Picture 1 of 3" in evaluate.ui.markLabel.text
    evaluate.study.reading.marks.AddControlPoint(-5.0, -2.0, 0.0)
    evaluate.ui.markPlacedButton.click()
    assert "Picture 3 of 3" in evaluate.ui.markLabel.text
    evaluate.ui.markAbsentButton.click()
    assert answers(study) == [("measured", "10.00"), ("unclear", ""), ("unclear", "")]
    assert evaluate.ui.studyLabel.text == "3 of 3 pictures are answered (landmarks)."


def test_a_live_image_does_not_turn_the_view_that_a_person_marks_in(
    harness, panel, live, training_module, study, tracked, move, until
):
    representation = training_module.widgetRepresentation()
    representation.enter()
    evaluate = next(
        one
        for one in harness.slicer.util.getModuleWidget("USGanTraining").sections
        if type(one).__name__ == "EvaluateSection"
    )
    evaluate.parameters.studyFolder = study
    evaluate.ui.answerButton.click()
    red = harness.slicer.mrmlScene.GetSingletonNode("Red", "vtkMRMLSliceNode")
    before, images = plane(harness, red), panel.logic.simulation.live.counts.rendered
    move(tracked, 33)
    until(lambda: panel.logic.simulation.live.counts.rendered > images)
    np.testing.assert_allclose(plane(harness, red), before)
    evaluate.ui.markEndButton.click()
    move(tracked, 44)
    until(lambda: plane(harness, red)[0, 3] == pytest.approx(44 + 7.75))
    representation.exit()


def test_the_frame_of_a_pin_stands_in_the_red_view_and_leaves_it_with_the_module(
    harness, training_module, tab, tmp_path, red
):
    poses = TransformTrack(np.tile(np.eye(4), (4, 1, 1)), np.ones(4, bool))
    write_sweep(
        tmp_path / "pin.igs.mha",
        TrackedSweep(
            np.full((4, 40, 60), 9, np.uint8), np.arange(4.0), {"ProbeToReference": poses}, np.ones(4, bool)
        ),
    )
    before = plane(harness, red)
    pin = tab("PinSection")
    pin.parameters.pinRecording = tmp_path / "pin.igs.mha"
    np.testing.assert_allclose(plane(harness, red)[:3, 3], (-29.5, -19.5, 0))
    assert shows_whole(red, 60, 40)
    pin.ui.placeButton.click()
    pin.frames.marking.point.AddControlPoint(-20.0, -10.0, 12.3)
    assert "12.3 mm off the plane" in pin.ui.pointLabel.text
    training_module.widgetRepresentation().exit()
    np.testing.assert_allclose(plane(harness, red), before)
    training_module.widgetRepresentation().enter()
    np.testing.assert_allclose(plane(harness, red)[:3, 3], (-29.5, -19.5, 0))


def test_a_score_says_how_many_places_were_not_checked(evaluate):
    from USGanSimLib.gui.process_runner import Ended

    columns = [{"key": "landmark_mean_mm", "heading": "mean, mm", "digits": 1}]
    rows = [
        {"name": "real image", "frames": 12, "landmark_mean_mm": 3.0},
        {"name": "real image, places checked alone", "frames": 9, "landmark_mean_mm": 2.0},
    ]
    result = {"tables": [{"title": "Landmarks", "note": "", "columns": columns}], "rows": rows}
    label = evaluate.ui.studyLabel
    evaluate.study._on_scored(Ended(0, {**result, "unchecked": 3}, (), stopped=False))
    assert label.text.startswith("3 of the places were not checked to lie on their picture")
    assert "places checked alone" in label.text
    evaluate.study._on_scored(Ended(0, {**result, "unchecked": 0}, (), stopped=False))
    assert label.text.startswith("Result, also in marks.result.json")
