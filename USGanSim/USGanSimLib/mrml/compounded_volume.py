"""A compounded volume in the scene, on voxels of its own or on those of another volume."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer.util
import vtk

from ..errors import UserError
from ..model.info import INTENDED_USE
from ..recording.simulated import Compounded, Grid
from .output_volume import show_in_fixed_grey
from .transform_chain import from_vtk, to_vtk


def grid_of(volume: Any) -> Grid:
    """The voxels of a volume node in RAS, its transforms included. Raises UserError for an empty or a warped one."""
    parent = volume.GetParentTransformNode()
    if volume.GetImageData() is None:
        raise UserError(f"{volume.GetName()} has no voxels.", "Choose another volume.")
    ijk_to_ras = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(ijk_to_ras)
    if parent is not None:
        if not parent.IsTransformToWorldLinear():
            raise UserError(
                f"{volume.GetName()} hangs under a transform that is not linear.", "Harden it first."
            )
        to_world = vtk.vtkMatrix4x4()
        parent.GetMatrixTransformToWorld(to_world)
        vtk.vtkMatrix4x4.Multiply4x4(to_world, ijk_to_ras, ijk_to_ras)
    return Grid(tuple(volume.GetImageData().GetDimensions()), from_vtk(ijk_to_ras))


def add_volume(scene: Any, compounded: Compounded, name: str, like: Any | None = None) -> Any:
    """A volume node of a compounded volume. With `like`, the volume whose grid it is on, it has that volume's matrix
    and transform, so that voxel (i, j, k) of both is one place."""
    volume = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    slicer.util.updateVolumeFromArray(volume, np.ascontiguousarray(compounded.grey.T))
    matrix = to_vtk(compounded.grid.ijk_to_ras)
    if like is not None:
        like.GetIJKToRASMatrix(matrix)
        parent = like.GetParentTransformNode()
        volume.SetAndObserveTransformNodeID(parent.GetID() if parent is not None else None)
    volume.SetIJKToRASMatrix(matrix)
    volume.SetDescription(f"Simulated ultrasound images compounded to a volume. {INTENDED_USE}")
    show_in_fixed_grey(volume)
    return volume
