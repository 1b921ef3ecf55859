"""The planes of poses in the scene."""

from __future__ import annotations

import numpy as np
import pytest

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

from vtk.util.numpy_support import vtk_to_numpy  # noqa: E402

from USGanSimLib.mrml.coverage_model import CoverageModel, planes  # noqa: E402


def test_each_pose_is_a_plane_with_the_images_corners():
    poses = np.tile(np.diag([0.5, 0.25, 1, 1]), (3, 1, 1))
    poses[:, 2, 3] = 10, 20, 30
    data = planes(poses, 101, 61)
    assert data.GetNumberOfCells() == 3
    for number in range(3):
        cell = data.GetCell(number)
        corners = [cell.GetPoints().GetPoint(corner) for corner in range(4)]
        z = 10 * (number + 1)
        assert corners == [(0, 0, z), (50, 0, z), (50, 15, z), (0, 15, z)]
    assert vtk_to_numpy(data.GetCellData().GetScalars()).tolist() == [0, 1, 2]


def test_the_model_hangs_under_reference_stays_small_and_leaves_no_node(scene, nodes):
    reference = nodes.new("ReferenceToRas")
    before = nodes.count()
    model = CoverageModel(scene, reference)
    assert model.node.GetParentTransformNode() is reference
    model.show(np.tile(np.eye(4), (2000, 1, 1)), 8, 6)
    assert model.node.GetPolyData().GetNumberOfCells() == 300
    model.show(np.zeros((0, 4, 4)), 8, 6)
    assert model.node.GetPolyData().GetNumberOfCells() == 0
    model.remove()
    assert nodes.count() == before
