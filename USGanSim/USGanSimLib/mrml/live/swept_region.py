"""The region that the trained images sweep, as a closed surface."""

from __future__ import annotations

import numpy as np
import vtk
from numpy.typing import NDArray
from scipy import ndimage
from vtk.util.numpy_support import numpy_to_vtk

from ...geometry.field_of_view import FieldOfView
from ...geometry.pose_distance import PoseRange
from ...geometry.transforms import Matrix

_CELLS = 60  # along the longest side, with the margin in which gaps are closed


def swept_region(pose_range: PoseRange, field: FieldOfView) -> vtk.vtkPolyData:
    """A surface in mm of Reference around the fields of view of all known trained poses.

    Poses are known within `coverage_mm` of each other, so gaps up to that are closed.
    """
    edge = _placed(pose_range.poses, field.outline_px)
    low, high = edge.min(axis=0), edge.max(axis=0)
    mm_per_px = float(np.linalg.norm(pose_range.poses[0, :3, :2], axis=0).max())
    cell_mm = max((float((high - low).max()) + 2 * pose_range.coverage_mm) / _CELLS, mm_per_px)
    points = np.concatenate([edge, _placed(pose_range.poses, _inside(field, int(cell_mm / mm_per_px)))])
    margin = int(np.ceil(pose_range.coverage_mm / cell_mm)) + 3
    shape = np.ceil((high - low) / cell_mm).astype(int) + 1 + 2 * margin
    cells = np.zeros(shape, bool)
    cells[tuple(np.round((points - low) / cell_mm).astype(int).T + margin)] = True
    reach = pose_range.coverage_mm / cell_mm + 1
    grown = ndimage.distance_transform_edt(~cells) <= reach
    closed = ndimage.distance_transform_edt(grown) > reach - 0.5
    smooth = ndimage.gaussian_filter((closed | cells).astype(np.float32), 1.0)
    return _surface(smooth, low - margin * cell_mm, cell_mm)


def _placed(poses: Matrix, pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    """(K, 4, 4) poses, (N, 2) pixels → (K·N, 3) mm."""
    homogeneous = np.column_stack([pixels, np.zeros(len(pixels)), np.ones(len(pixels))])
    places: NDArray[np.float64] = (poses[:, :3] @ homogeneous.T).transpose(0, 2, 1).reshape(-1, 3)
    return places


def _inside(field: FieldOfView, step_px: int) -> NDArray[np.float64]:
    """(N, 2) pixels within the field, every `step_px` of its rows and columns."""
    v, u = np.nonzero(field.mask()[::step_px, ::step_px])
    return np.column_stack([u, v]).astype(np.float64) * step_px


def _surface(values: NDArray[np.float32], origin_mm: NDArray[np.float64], cell_mm: float) -> vtk.vtkPolyData:
    image = vtk.vtkImageData()
    image.SetDimensions(*values.shape)
    image.SetOrigin(*origin_mm)
    image.SetSpacing(cell_mm, cell_mm, cell_mm)
    image.GetPointData().SetScalars(numpy_to_vtk(values.ravel(order="F"), deep=True))
    contour = vtk.vtkFlyingEdges3D()
    contour.SetInputData(image)
    contour.SetValue(0, 0.4)
    contour.ComputeScalarsOff()
    contour.Update()
    return contour.GetOutput()
