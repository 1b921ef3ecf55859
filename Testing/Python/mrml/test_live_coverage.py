"""The coverage of a recording as it grows, in the scene and in words."""

from __future__ import annotations

import numpy as np
import pytest

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

import vtk  # noqa: E402

from USGanSimLib.geometry.transforms import TransformTrack  # noqa: E402
from USGanSimLib.mrml.coverage_model import surface  # noqa: E402
from USGanSimLib.mrml.recorder.live_coverage import LiveCoverage  # noqa: E402
from USGanSimLib.recording.coverage import coverage  # noqa: E402


def a_block(count: int = 61) -> np.ndarray:
    """Poses along z, 1 mm apart: images of 101 × 81 px at 0.5 mm sweep 50 × 40 × 60 mm."""
    poses = np.tile(np.diag([0.5, 0.5, 1, 1]), (count, 1, 1))
    poses[:, 2, 3] = np.arange(count)
    return poses


def test_the_surface_encloses_the_swept_volume_where_it_lies():
    data = surface(coverage(a_block(), 101, 81))
    mass = vtk.vtkMassProperties()
    mass.SetInputData(data)
    # Whole voxels of 5 mm: 55 × 45 × 65 mm, less what smoothing takes off the edges.
    assert 50 * 40 * 60 < mass.GetVolume() < 55 * 45 * 65
    np.testing.assert_allclose(data.GetBounds(), [0, 55, 0, 45, 0, 65], atol=2.5)


def test_nothing_swept_has_no_surface():
    assert surface(coverage(np.zeros((0, 4, 4)), 8, 6)).GetNumberOfPoints() == 0


@pytest.fixture
def tracks():
    probe = np.linalg.inv(np.diag([0.5, 0.5, 1, 1]))
    return {"ProbeToReference": TransformTrack(a_block() @ probe, np.ones(61, bool))}


def test_landmarks_are_judged_in_reference_wherever_the_scene_puts_it(scene, nodes, tracks):
    reference = nodes.new("ReferenceToRas")
    nodes.move(reference, 1000.0)
    markups = scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "Landmarks")
    markups.AddControlPointWorld(vtk.vtkVector3d(1020, 20, 30), "inside")
    markups.AddControlPointWorld(vtk.vtkVector3d(1020, 20, 300), "outside")
    live = LiveCoverage(scene, reference)
    np.testing.assert_allclose(live.landmarks_mm(markups)["inside"], [20, 20, 30])
    news = live.update(tracks, np.diag([0.5, 0.5, 1, 1]), (101, 81), markups)
    assert news.landmarks == 2
    # Seven images lie within 3 mm of the one, none of the other.
    assert "seen in 7 frames" in news.advice["inside"]
    assert "seen in 0 frames" in news.advice["outside"]
    assert (
        live.update(tracks, np.diag([0.5, 0.5, 1, 1]), (101, 81), markups, 3.0)
        .advice["inside"]
        .startswith("seen within 0°")
    )  # 21 frames, from one direction
    assert news.swept_ml == pytest.approx(55 * 45 * 65 / 1000)


def test_it_leaves_no_node(scene, nodes, tracks):
    reference = nodes.new("ReferenceToRas")
    before = nodes.count()
    live = LiveCoverage(scene, reference)
    live.update(tracks, np.diag([0.5, 0.5, 1, 1]), (101, 81))
    assert nodes.count() > before
    live.remove()
    assert nodes.count() == before
