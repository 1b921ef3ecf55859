"""The coverage in the 3-D view: one plane for each pose, as a model."""

from __future__ import annotations

from typing import Any

import numpy as np
import vtk
from vtk.util.numpy_support import numpy_to_vtk, numpy_to_vtkIdTypeArray

from ..geometry.transforms import Matrix

_OPACITY = 0.15
_MOST_PLANES = 300


class CoverageModel:
    """A model node with the outlines of images as planes, under the transform node of Reference (None: the world)."""

    def __init__(self, scene: Any, reference: Any | None = None, name: str = "RecordedPoses") -> None:
        self._scene = scene
        self.node = scene.AddNewNodeByClass("vtkMRMLModelNode", name)
        self.node.CreateDefaultDisplayNodes()
        self.node.GetDisplayNode().SetOpacity(_OPACITY)
        self.node.GetDisplayNode().SetBackfaceCulling(0)
        if reference is not None:
            self.node.SetAndObserveTransformNodeID(reference.GetID())

    def show(self, poses: Matrix, width_px: int, height_px: int) -> None:
        """Show images of width × height pixels at `poses` (N, 4, 4), ImageToReference; at most 300, evenly chosen."""
        chosen = poses[np.unique(np.linspace(0, len(poses) - 1, min(len(poses), _MOST_PLANES)).round().astype(int))]
        self.node.SetAndObservePolyData(planes(chosen, width_px, height_px))

    def remove(self) -> None:
        """Take the model and its display node out of the scene."""
        for node in (self.node, self.node.GetDisplayNode()):
            if node is not None and node.GetScene() is not None:
                self._scene.RemoveNode(node)


def planes(poses: Matrix, width_px: int, height_px: int) -> Any:
    """vtkPolyData with a quadrangle for each of `poses` (N, 4, 4), corners in millimetres of Reference, and the index
    of its pose as cell data `Pose`."""
    right, bottom = width_px - 1, height_px - 1
    corners = np.array([[0, 0, 0, 1], [right, 0, 0, 1], [right, bottom, 0, 1], [0, bottom, 0, 1]], float)
    places = (poses[:, :3] @ corners.T).transpose(0, 2, 1).reshape(-1, 3)
    cells = np.column_stack([np.full(len(poses), 4), np.arange(4 * len(poses)).reshape(-1, 4)]).astype(np.int64)
    data, points, quads = vtk.vtkPolyData(), vtk.vtkPoints(), vtk.vtkCellArray()
    points.SetData(numpy_to_vtk(np.ascontiguousarray(places), deep=True))
    quads.ImportLegacyFormat(numpy_to_vtkIdTypeArray(cells.ravel(), deep=True))
    number = numpy_to_vtk(np.arange(len(poses), dtype=np.float32), deep=True)
    number.SetName("Pose")
    data.SetPoints(points)
    data.SetPolys(quads)
    data.GetCellData().SetScalars(number)
    return data
