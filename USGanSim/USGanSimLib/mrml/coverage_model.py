"""The coverage in the 3-D view, as models: one plane for each pose, and the surface of the swept volume."""

from __future__ import annotations

from typing import Any

import numpy as np
import vtk
from vtk.util.numpy_support import numpy_to_vtk, numpy_to_vtkIdTypeArray

from ..geometry.sampling import evenly
from ..geometry.transforms import Matrix
from ..recording.coverage import Coverage

_COLOR, _OPACITY = (1.0, 0.85, 0.2), 0.1
_AMBIENT = 0.4
_SWEPT_COLOR, _SWEPT_OPACITY = (0.25, 0.75, 0.8), 0.25
# As a low-pass filter of the surface, this takes the steps of the voxels off.
_SMOOTHING, _PASS_BAND = 15, 0.05
_MOST_PLANES = 300


class _Model:
    """A model node under the transform node of Reference (None: the world)."""

    def __init__(
        self, scene: Any, reference: Any | None, name: str, color: tuple[float, float, float], opacity: float
    ) -> None:
        self._scene = scene
        self.node = scene.AddNewNodeByClass("vtkMRMLModelNode", name)
        self.node.CreateDefaultDisplayNodes()
        display = self.node.GetDisplayNode()
        display.SetColor(*color)
        display.SetOpacity(opacity)
        display.SetAmbient(_AMBIENT)
        display.SetBackfaceCulling(0)
        if reference is not None:
            self.node.SetAndObserveTransformNodeID(reference.GetID())

    def remove(self) -> None:
        """Take the model and its display node out of the scene."""
        for node in (self.node.GetDisplayNode(), self.node):
            if node is not None and node.GetScene() is not None:
                self._scene.RemoveNode(node)


class CoverageModel(_Model):
    """The outlines of images as planes."""

    def __init__(self, scene: Any, reference: Any | None = None, name: str = "RecordedPoses") -> None:
        super().__init__(scene, reference, name, _COLOR, _OPACITY)

    def show(self, poses: Matrix, width_px: int, height_px: int) -> None:
        """Show images of width × height pixels at `poses` (N, 4, 4), ImageToReference; at most 300, evenly chosen."""
        chosen = poses[evenly(len(poses), _MOST_PLANES)]
        self.node.SetAndObservePolyData(planes(chosen, width_px, height_px))


class SweptModel(_Model):
    """The surface of the volume that images passed through."""

    def __init__(self, scene: Any, reference: Any | None = None, name: str = "SweptVolume") -> None:
        super().__init__(scene, reference, name, _SWEPT_COLOR, _SWEPT_OPACITY)

    def show(self, covered: Coverage) -> None:
        """Show a coverage in place of the one before."""
        self.node.SetAndObservePolyData(surface(covered))


def planes(poses: Matrix, width_px: int, height_px: int) -> Any:
    """vtkPolyData with a quadrangle for each of `poses` (N, 4, 4), corners in millimetres of Reference, and the index
    of its pose as cell data `Pose`."""
    right, bottom = width_px - 1, height_px - 1
    corners = np.array([[0, 0, 0, 1], [right, 0, 0, 1], [right, bottom, 0, 1], [0, bottom, 0, 1]], float)
    places = (poses[:, :3] @ corners.T).transpose(0, 2, 1).reshape(-1, 3)
    cells = np.column_stack([np.full(len(poses), 4), np.arange(4 * len(poses)).reshape(-1, 4)]).astype(
        np.int64
    )
    data, points, quads = vtk.vtkPolyData(), vtk.vtkPoints(), vtk.vtkCellArray()
    points.SetData(numpy_to_vtk(np.ascontiguousarray(places), deep=True))
    quads.ImportLegacyFormat(numpy_to_vtkIdTypeArray(cells.ravel(), deep=True))
    number = numpy_to_vtk(np.arange(len(poses), dtype=np.float32), deep=True)
    number.SetName("Pose")
    data.SetPoints(points)
    data.SetPolys(quads)
    data.GetCellData().SetScalars(number)
    return data


def surface(covered: Coverage) -> Any:
    """vtkPolyData of the closed surface around the voxels that were reached, smoothed, millimetres of Reference."""
    if covered.counts.size == 0:
        return vtk.vtkPolyData()
    # A margin closes the surface.
    reached = np.pad((covered.counts > 0).astype(np.uint8), 1)
    image, voxel_mm = vtk.vtkImageData(), covered.voxel_mm
    image.SetDimensions(*reached.shape)
    image.SetSpacing(voxel_mm, voxel_mm, voxel_mm)
    image.SetOrigin(*(covered.lower_mm - voxel_mm / 2))  # the centre of the first voxel of the margin
    image.GetPointData().SetScalars(numpy_to_vtk(reached.ravel(order="F"), deep=True))
    contour, smooth = vtk.vtkFlyingEdges3D(), vtk.vtkWindowedSincPolyDataFilter()
    contour.SetInputData(image)
    contour.SetValue(0, 0.5)
    smooth.SetInputConnection(contour.GetOutputPort())
    smooth.SetNumberOfIterations(_SMOOTHING)
    smooth.SetPassBand(_PASS_BAND)
    smooth.Update()
    return smooth.GetOutput()
