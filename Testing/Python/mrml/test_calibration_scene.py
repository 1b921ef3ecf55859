"""A calibration as a transform node: a pixel of the image lands where the matrices say."""

from __future__ import annotations

import numpy as np
import pytest

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

from USGanSimLib.mrml.training.calibration_scene import calibration_node, show_calibration  # noqa: E402
from USGanSimLib.mrml.transform_chain import to_vtk  # noqa: E402

IMAGE_TO_PROBE = np.array([[0.0, -0.2, 0, 5], [0.1, 0, 0, -7], [0, 0, 1, 3], [0, 0, 0, 1]])
PROBE_TO_REFERENCE = np.array([[0.0, 0, 1, 10], [1, 0, 0, 20], [0, 1, 0, 30], [0, 0, 0, 1]])


def test_an_image_under_the_node_lies_where_probe_and_calibration_place_it(scene):
    probe = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "ProbeToReference")
    probe.SetMatrixTransformToParent(to_vtk(PROBE_TO_REFERENCE))
    image = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Image")
    node = show_calibration(scene, IMAGE_TO_PROBE, "CAL.json", probe, image)
    assert node.GetName() == "ImageToProbe"
    assert image.GetParentTransformNode() is node
    place = slicer.util.arrayFromTransformMatrix(node, toWorld=True) @ [100, 50, 0, 1]
    # (100, 50) px are (5 − 10, −7 + 10, 3) mm in the probe, and (3 + 10, −5 + 20, 3 + 30) in Reference.
    np.testing.assert_allclose(place[:3], (13, 15, 33), atol=1e-12)


def test_a_second_calibration_takes_the_place_of_the_first_and_leaves_it_under_its_probe(scene):
    probe = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "ProbeToReference")
    first = show_calibration(scene, IMAGE_TO_PROBE, "old.json", probe)
    second = show_calibration(scene, np.diag([0.3, 0.3, 1, 1]), "new.json")
    assert second is first
    assert calibration_node(scene) is first
    assert first.GetParentTransformNode() is probe
    np.testing.assert_array_equal(slicer.util.arrayFromTransformMatrix(first), np.diag([0.3, 0.3, 1, 1]))
