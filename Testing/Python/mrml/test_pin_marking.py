"""Marks of a pinhead, made and corrected in the scene; and the calibration as a transform node."""

from __future__ import annotations

import numpy as np
import pytest

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

import vtk  # noqa: E402

from USGanSimLib.calibration.pinhead.points import read_marks  # noqa: E402
from USGanSimLib.mrml.training.calibration_scene import calibration_node, show_calibration  # noqa: E402
from USGanSimLib.mrml.training.pin_marking import ACCEPTED, CORRECTED, PROPOSED, PinMarking  # noqa: E402
from USGanSimLib.recording.sweep import TrackedSweep  # noqa: E402


@pytest.fixture
def sweep():
    """Ten frames; frame n has a spot at (20 + n, 15)."""
    rows, columns = np.mgrid[:40, :60]
    frames = np.array(
        [10 + 200 * np.exp(-((columns - 20 - n) ** 2 + (rows - 15) ** 2) / 18) for n in range(10)]
    )
    return TrackedSweep(frames.astype(np.uint8), np.arange(10.0), {}, np.ones(10, bool))


@pytest.fixture
def marking(scene, sweep):
    marking = PinMarking(scene, sweep)
    marking.take(np.array([2, 5, 7]), np.array([[22.0, 15], [25, 15], [40, 30]]), np.array([30.0, 31, 32]))
    yield marking
    marking.close()


def drag(marking, u, v) -> None:
    """As a hand drags the point in a slice view: to the place of pixel (u, v) in the world."""
    image_to_world = vtk.vtkMatrix4x4()
    marking.volume.GetIJKToRASMatrix(image_to_world)
    place = image_to_world.MultiplyPoint((u, v, 0, 1))
    marking.point.SetNthControlPointPositionWorld(0, *place[:3])


def test_a_frame_is_shown_with_its_mark_on_its_pixel(marking, sweep):
    marking.show(5)
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(marking.volume)[0], sweep.frames[5])
    world_to_image = vtk.vtkMatrix4x4()
    marking.volume.GetRASToIJKMatrix(world_to_image)
    place = marking.point.GetNthControlPointPositionWorld(0)
    np.testing.assert_allclose(world_to_image.MultiplyPoint((*place, 1))[:2], [25, 15])
    marking.show(6)
    assert marking.point.GetNumberOfControlPoints() == 0


def test_an_axial_view_shows_u_to_the_right_and_v_downwards(marking):
    right, down = np.array([-1.0, 0, 0]), np.array([0, -1.0, 0])  # of an axial slice view, in RAS
    matrix = slicer.util.arrayFromVTKMatrix(_ijk_to_ras(marking.volume))
    np.testing.assert_array_equal(matrix[:3, 0], right)
    np.testing.assert_array_equal(matrix[:3, 1], down)


def _ijk_to_ras(volume):
    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    return matrix


def test_dragging_the_point_corrects_the_mark_and_tells(scene, sweep):
    told = []
    marking = PinMarking(scene, sweep, lambda: told.append(marking.frame))
    marking.take(np.array([7]), np.array([[40.0, 30]]), np.array([32.0]))
    marking.show(7)
    assert told == []
    drag(marking, 27.25, 15.5)
    assert (marking.mark.u_px, marking.mark.v_px, marking.mark.state) == (27.25, 15.5, CORRECTED)
    assert marking.mark.strength > 30  # that of the spot that is there
    assert told == [7]
    marking.close()


def test_a_click_marks_a_frame_that_had_no_point(marking):
    marking.show(6)
    marking.point.AddControlPoint(vtk.vtkVector3d(-26.0, -15.0, 0.0))
    assert (marking.mark.u_px, marking.mark.v_px, marking.mark.state) == (26, 15, CORRECTED)


def test_a_click_replaces_the_mark_of_its_frame(marking):
    marking.show(7)
    marking.clear_point()
    assert marking.mark.state == PROPOSED
    marking.point.AddControlPoint(vtk.vtkVector3d(-27.0, -15.0, 0.0))
    assert (marking.mark.u_px, marking.mark.v_px) == (27, 15)


def test_a_point_off_the_plane_of_the_frame_marks_nothing_and_says_so(scene, sweep):
    told = []
    marking = PinMarking(scene, sweep, lambda: told.append(marking.refusal))
    marking.show(3)
    marking.point.AddControlPoint(vtk.vtkVector3d(-20.0, -15.0, 12.3))
    assert marking.mark is None
    assert told[-1].startswith("The point is 12.3 mm off the plane of the picture.")
    drag(marking, 20.0, 15.0)
    assert marking.mark.state == CORRECTED
    assert told[-1] == marking.refusal == ""


def test_a_mark_stays_in_the_image(marking):
    marking.show(7)
    drag(marking, -5, 100)
    assert (marking.mark.u_px, marking.mark.v_px) == (0, 39)


def test_new_proposals_leave_what_a_person_decided(marking):
    marking.show(2)
    marking.accept()
    marking.show(7)
    marking.reject()
    marking.show(5)
    marking.place(25.5, 15.5)
    marking.take(np.array([2, 5, 7, 9]), np.array([[1.0, 1]] * 4), np.array([1.0] * 4))
    assert {frame: mark.state for frame, mark in marking.marks.items()} == {
        2: ACCEPTED,
        5: CORRECTED,
        9: PROPOSED,
    }
    assert marking.marks[2].u_px == 22
    assert marking.marks[5].u_px == 25.5


def test_the_marked_frames_can_be_gone_through(marking):
    marking.show(5)
    assert (marking.next_marked(1), marking.next_marked(-1)) == (7, 2)
    marking.show(7)
    assert marking.next_marked(1) == 7


def test_frames_outside_the_recording_are_its_ends(marking):
    marking.show(99)
    assert marking.frame == 9
    marking.show(-1)
    assert marking.frame == 0


def test_marks_come_back_from_their_file(marking, scene, sweep, tmp_path):
    marking.write(tmp_path / "pin.csv")
    frames, pixels, strengths = read_marks(tmp_path / "pin.csv")
    assert (frames.tolist(), pixels[1].tolist(), strengths.tolist()) == ([2, 5, 7], [25, 15], [30, 31, 32])
    other = PinMarking(scene, sweep)
    other.read(tmp_path / "pin.csv")
    assert other.marks == marking.marks
    other.close()


def test_it_leaves_no_node_and_no_observer(scene, nodes, sweep):
    before = nodes.count()
    marking = PinMarking(scene, sweep)
    marking.show(3)
    point = marking.point
    marking.close()
    assert nodes.count() == before
    for event in (
        slicer.vtkMRMLMarkupsNode.PointModifiedEvent,
        slicer.vtkMRMLMarkupsNode.PointPositionDefinedEvent,
    ):
        assert not point.HasObserver(event)


def test_the_calibration_is_one_node_under_the_probe(scene, nodes, probe):
    first = show_calibration(scene, np.diag([0.1, 0.2, 1, 1]), "pin.igs.mhd", probe)
    again = show_calibration(scene, np.diag([0.3, 0.4, 1, 1]), "pin-2.igs.mhd", probe)
    assert first is again is calibration_node(scene)
    np.testing.assert_array_equal(slicer.util.arrayFromTransformMatrix(first), np.diag([0.3, 0.4, 1, 1]))
    nodes.move(probe, 5.0)
    matrix = vtk.vtkMatrix4x4()
    first.GetMatrixTransformToWorld(matrix)
    assert matrix.MultiplyPoint((10, 10, 0, 1))[:3] == pytest.approx((8, 4, 0))
    assert "ot for clinical use" in first.GetDescription()
