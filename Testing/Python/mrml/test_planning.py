"""Poses out of the scene, and volumes into it, with real markups, slice and volume nodes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

import vtk  # noqa: E402

from USGanSimLib.errors import UserError  # noqa: E402
from USGanSimLib.geometry.image_frame import Offset  # noqa: E402
from USGanSimLib.geometry.image_geometry import ImageGeometry  # noqa: E402
from USGanSimLib.geometry.transforms import TransformTrack  # noqa: E402
from USGanSimLib.mrml.compounded_volume import add_volume, grid_of  # noqa: E402
from USGanSimLib.mrml.display import view_axes  # noqa: E402
from USGanSimLib.mrml.planning import (  # noqa: E402
    PlannedPoses,
    curve_plan,
    grid_plan,
    recording_plan,
    reference_to_ras,
    slice_pose,
)
from USGanSimLib.recording.simulated import Compounded  # noqa: E402
from USGanSimLib.recording.sweep import TrackedSweep  # noqa: E402

IMAGE_TO_PROBE = np.array([[0.0, 0.5, 0, -4], [0.4, 0, 0, 7], [0, 0, -1, 2], [0, 0, 0, 1]])
GEOMETRY = ImageGeometry(101, 81, IMAGE_TO_PROBE)
FACE_PX, CENTRE_PX = np.array([50.0, 0, 0, 1]), np.array([50.0, 40, 0, 1])


def turned(*angles_deg: float, place=(0, 0, 0)) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("xyz", angles_deg, degrees=True).as_matrix()
    matrix[:3, 3] = place
    return matrix


def test_the_face_slides_along_a_markups_curve_in_the_world(scene, nodes):
    curve = scene.AddNewNodeByClass("vtkMRMLMarkupsCurveNode", "skin")
    curve.SetCurveTypeToLinear()
    for x_mm in (0, 10, 40):
        curve.AddControlPoint(vtk.vtkVector3d(x_mm, 3, 0))
    shift = nodes.new("shift")
    nodes.move(shift, 100)
    curve.SetAndObserveTransformNodeID(shift.GetID())
    plan = curve_plan(curve, GEOMETRY, 5.0, np.array([0.0, 1, 0]), in_plane=True)
    np.testing.assert_allclose(
        plan.image_to_ras @ FACE_PX, [[100 + x, 3, 0, 1] for x in range(0, 41, 5)], atol=1e-6
    )
    # Depth points down, rows along the curve: 0.4 and 0.5 mm a pixel.
    np.testing.assert_allclose(plan.image_to_ras[:, :3, 0], np.tile([0.4, 0, 0], (9, 1)), atol=1e-6)
    np.testing.assert_allclose(plan.image_to_ras[:, :3, 1], np.tile([0, -0.5, 0], (9, 1)), atol=1e-6)


def test_an_empty_curve_is_refused(scene):
    curve = scene.AddNewNodeByClass("vtkMRMLMarkupsCurveNode", "empty")
    with pytest.raises(UserError, match="0 points"):
        curve_plan(curve, GEOMETRY, 5.0, np.array([0.0, 1, 0]), in_plane=True)


def test_a_recordings_poses_are_brought_to_ras_with_their_times(scene):
    matrices = np.tile(np.eye(4), (3, 1, 1))
    matrices[:, 0, 3] = 1, 2, 3
    sweep = TrackedSweep(
        np.zeros((3, 0, 0), np.uint8),
        np.array([10.0, 10.5, 12]),
        {"ProbeToReference": TransformTrack(matrices, np.array([True, False, True]))},
        np.zeros(3, bool),
        "heart.igs.mha",
    )
    to_ras = turned(90, 0, 0, place=(0, 0, 50))
    plan = recording_plan(sweep, GEOMETRY, to_ras)
    np.testing.assert_allclose(plan.timestamps_s, [0, 0.5, 2])
    assert plan.valid.tolist() == [True, False, True]
    np.testing.assert_allclose(plan.image_to_ras[2], to_ras @ matrices[2] @ IMAGE_TO_PROBE)


def test_an_image_is_centred_in_a_slice_view_and_lies_in_it_as_views_show_images(scene):
    logic = slicer.vtkMRMLSliceLogic()
    logic.SetMRMLScene(scene)
    node = logic.AddSliceNode("Yellow")
    slice_to_ras = turned(20, 30, 40, place=(5, 6, 7))
    slicer.util.updateVTKMatrixFromArray(node.GetSliceToRAS(), slice_to_ras)
    pose = slice_pose(node, GEOMETRY)
    np.testing.assert_allclose(pose @ CENTRE_PX, [5, 6, 7, 1], atol=1e-9)
    np.testing.assert_allclose(view_axes(pose), slice_to_ras[:3, :3], atol=1e-9)
    logic.SetMRMLScene(None)


def test_a_grid_holds_its_middle_and_its_ends():
    plan = grid_plan(IMAGE_TO_PROBE, GEOMETRY, Offset(out_mm=10), 3, "grid")
    normal = np.cross(IMAGE_TO_PROBE[:3, 0], IMAGE_TO_PROBE[:3, 1]) / 0.2
    expected = [IMAGE_TO_PROBE[:3, 3] + step * normal for step in (-10, 0, 10)]
    np.testing.assert_allclose(plan.image_to_ras[:, :3, 3], expected, atol=1e-9)


def test_the_way_from_reference_to_ras_goes_through_all_parents(nodes):
    registration = nodes.new("TrackerToRas")
    nodes.move(registration, turned(0, 0, 90, place=(1, 2, 3)))
    reference = nodes.new("ReferenceToTracker", registration)
    nodes.move(reference, 4)
    np.testing.assert_allclose(reference_to_ras(reference) @ [0, 0, 0, 1], [1, 6, 3, 1], atol=1e-9)
    np.testing.assert_allclose(reference_to_ras(None), np.eye(4))
    nodes.move(registration, np.diag([2.0, 2, 2, 1]))
    with pytest.raises(UserError, match="no way from Reference to RAS"):
        reference_to_ras(reference)


def preoperative(scene, nodes):
    volume = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "CT")
    slicer.util.updateVolumeFromArray(volume, np.zeros((6, 5, 4), np.int16))
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy((turned(10, 20, 30, place=(9, 8, 7)) @ np.diag([1, 2, 3, 1])).ravel().tolist())
    volume.SetIJKToRASMatrix(matrix)
    parent = nodes.new("CTToRas")
    nodes.move(parent, 50)
    volume.SetAndObserveTransformNodeID(parent.GetID())
    return volume


def test_a_volume_on_anothers_grid_has_equal_voxels_at_equal_places(scene, nodes, image_to_world):
    like = preoperative(scene, nodes)
    grid = grid_of(like)
    assert grid.shape == (4, 5, 6)
    np.testing.assert_allclose(grid.ijk_to_ras, image_to_world(like), atol=1e-9)
    grey = np.arange(120, dtype=np.uint8).reshape(4, 5, 6)
    volume = add_volume(scene, Compounded(grey, grid, 1.0, 0.0), "compounded", like)
    np.testing.assert_allclose(image_to_world(volume), image_to_world(like), atol=1e-9)
    assert volume.GetImageData().GetDimensions() == like.GetImageData().GetDimensions()
    assert volume.GetImageData().GetScalarComponentAsDouble(3, 1, 2, 0) == grey[3, 1, 2]
    assert "Not for clinical use" in volume.GetDescription()


def test_a_volume_of_its_own_stands_in_ras(scene, nodes, image_to_world):
    grid = grid_of(preoperative(scene, nodes))
    volume = add_volume(scene, Compounded(np.zeros(grid.shape, np.uint8), grid, 1.0, 0.0), "compounded")
    assert volume.GetParentTransformNode() is None
    np.testing.assert_allclose(image_to_world(volume), grid.ijk_to_ras, atol=1e-9)


def test_planned_poses_are_outlined_in_two_colours_and_leave_nothing_behind(scene, nodes):
    before = nodes.count()
    poses = np.tile(IMAGE_TO_PROBE, (5, 1, 1))
    poses[:, 2, 3] = np.arange(5) * 10
    planned = PlannedPoses(scene)
    planned.show(poses, np.array([False, True, False, False, True]), 101, 81)
    inside, outside = (scene.GetFirstNodeByName(name) for name in ("PlannedPoses", "PlannedPosesOutside"))
    assert (inside.GetPolyData().GetNumberOfCells(), outside.GetPolyData().GetNumberOfCells()) == (3, 2)
    assert {outside.GetPolyData().GetPoint(4 * number)[2] for number in range(2)} == {10.0, 40.0}
    planned.show(poses, np.zeros(5, bool), 101, 81)
    assert outside.GetPolyData().GetNumberOfCells() == 0
    planned.remove()
    assert nodes.count() == before


def test_a_volume_without_voxels_is_refused(scene):
    with pytest.raises(UserError, match="has no voxels"):
        grid_of(scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty"))
