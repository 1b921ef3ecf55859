"""A calibration in the scene: the transform node `ImageToProbe`, under the transform of its probe."""

from __future__ import annotations

from typing import Any

from ...geometry.transforms import Matrix
from ...model.info import INTENDED_USE
from ..transform_chain import to_vtk

NAME = "ImageToProbe"
SOURCE_ATTRIBUTE = "USGanSim.Calibration"


def show_calibration(
    scene: Any, image_to_probe: Matrix, source: str, probe: Any | None = None, image: Any | None = None
) -> Any:
    """The node, made or brought up to date: pixels to probe millimetres, under `probe` (None: left where it is), with
    the volume node `image` under it. `source` tells where the calibration comes from."""
    node = calibration_node(scene) or scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", NAME)
    node.SetMatrixTransformToParent(to_vtk(image_to_probe))
    node.SetAttribute(SOURCE_ATTRIBUTE, source)
    node.SetDescription(f"Calibration of an ultrasound probe. {INTENDED_USE}")
    if probe is not None:
        node.SetAndObserveTransformNodeID(probe.GetID())
    if image is not None:
        image.SetAndObserveTransformNodeID(node.GetID())
    return node


def calibration_node(scene: Any) -> Any | None:
    """The node that was made here before, also in a scene that was saved and loaded."""
    for number in range(scene.GetNumberOfNodesByClass("vtkMRMLLinearTransformNode")):
        node = scene.GetNthNodeByClass(number, "vtkMRMLLinearTransformNode")
        if node.GetAttribute(SOURCE_ATTRIBUTE) is not None:
            return node
    return None
