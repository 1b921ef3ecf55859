"""Slice and 3-D views that look at an image: a slice in its plane, fitted to it, and a camera before it.

Without a main window, and while Slicer quits, there is no layout and there may be no view: nothing is done then.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
import slicer.util
from numpy.typing import NDArray

from ..mrml.display import view_axes
from ..mrml.transform_chain import volume_to_world

# vtkSlicerVolumeResliceDriverLogic, MODE_NONE and MODE_TRANSVERSE; the attribute is there while it drives a slice.
_NO_MODE, _TRANSVERSE, _DRIVEN = 0, 6, "VolumeResliceDriver.Driver"
# The Volume Reslice Driver orthogonalises other axes at every image, with a warning each time.
_ORTHOGONAL = 0.0015
_VIEW_ANGLE_DEG = 30.0


def layout_manager() -> Any | None:
    """Slicer's; None without a main window."""
    return slicer.app.layoutManager()


def slice_node(name: str) -> Any | None:
    """The slice node of a view: Red, Yellow or Green."""
    return slicer.mrmlScene.GetSingletonNode(name, "vtkMRMLSliceNode")


def composite(name: str) -> Any | None:
    """What a slice view shows."""
    node = slice_node(name)
    logic = None if node is None else slicer.app.applicationLogic().GetSliceLogic(node)
    return None if logic is None else logic.GetSliceCompositeNode()


def look_at(name: str, volume: Any) -> None:
    """Show the volume as the view's background, in its plane, fitted to the view."""
    shown, node = composite(name), slice_node(name)
    if shown is None or node is None:
        return
    shown.SetBackgroundVolumeID(volume.GetID())
    shown.SetClipToBackgroundVolume(True)
    follow(node, volume)
    fit(node, volume)


def lay_over(name: str, volume: Any | None, opacity: float) -> None:
    """Show a volume over the view's background, or none."""
    shown = composite(name)
    if shown is not None:
        shown.SetForegroundVolumeID(None if volume is None else volume.GetID())
        shown.SetForegroundOpacity(opacity)


def follow(node: Any, volume: Any) -> None:
    """Turn a slice to the plane of a one-slice volume, seen as its pixels are stored, centred. The zoom stays."""
    to_world = volume_to_world(volume)
    width_px, height_px, _ = volume.GetImageData().GetDimensions()
    centre = to_world @ ((width_px - 1) / 2, (height_px - 1) / 2, 0, 1)
    slice_to_ras = np.eye(4)
    slice_to_ras[:3, :3], slice_to_ras[:3, 3] = view_axes(to_world), centre[:3]
    slicer.util.updateVTKMatrixFromArray(node.GetSliceToRAS(), slice_to_ras)
    node.UpdateMatrices()


def fit(node: Any, volume: Any) -> None:
    """Zoom so that the image just fills the view."""
    to_world = volume_to_world(volume)
    width_px, height_px, _ = volume.GetImageData().GetDimensions()
    width_mm, height_mm = np.linalg.norm(to_world[:3, :2], axis=0) * (width_px, height_px)
    view_px = node.GetDimensions()
    mm_per_px = max(width_mm / max(view_px[0], 1), height_mm / max(view_px[1], 1))
    node.SetFieldOfView(view_px[0] * mm_per_px, view_px[1] * mm_per_px, node.GetFieldOfView()[2])


def drive(node: Any, volume: Any) -> None:
    """Keep a slice in the plane of a volume: SlicerIGT's Volume Reslice Driver does it where it is installed; otherwise
    `follow` has to be called for each image, where `is_driven` is false."""
    driver = _reslice_driver()
    if driver is not None and _orthogonal(volume_to_world(volume)):
        driver.SetDriverForSlice(volume.GetID(), node)
        # Flipped, the view's right is u and its up is −v.
        driver.SetModeForSlice(_TRANSVERSE, node)
        driver.SetRotationForSlice(0, node)
        driver.SetFlipForSlice(True, node)
    else:
        follow(node, volume)


def is_driven(node: Any) -> bool:
    """Whether the Volume Reslice Driver moves a slice."""
    return bool(node.GetAttribute(_DRIVEN))


def leave(node: Any) -> None:
    """Let no Volume Reslice Driver move a slice any more."""
    driver = _reslice_driver()
    if driver is not None:
        driver.SetDriverForSlice("", node)
        driver.SetModeForSlice(_NO_MODE, node)


def aim_3d(volume: Any) -> None:
    """Let the first 3-D view look at the image from its front, a little from above and from the side."""
    manager = layout_manager()
    view = None if manager is None else manager.threeDWidget(0)
    view = view.mrmlViewNode() if view is not None else None
    camera = slicer.modules.cameras.logic().GetViewActiveCameraNode(view) if view is not None else None
    if camera is None:
        return
    to_world = volume_to_world(volume)
    width_px, height_px, _ = volume.GetImageData().GetDimensions()
    centre = (to_world @ ((width_px - 1) / 2, (height_px - 1) / 2, 0, 1))[:3]
    radius_mm = 0.95 * float(np.linalg.norm(np.linalg.norm(to_world[:3, :2], axis=0) * (width_px, height_px)))
    axes = view_axes(to_world)
    direction = axes @ (-0.5, 0.35, 0.8)
    away_mm = radius_mm / np.sin(np.radians(_VIEW_ANGLE_DEG / 2))
    camera.SetFocalPoint(*centre)
    camera.SetPosition(*(centre + direction / np.linalg.norm(direction) * away_mm))
    camera.SetViewUp(*axes[:, 1])
    camera.ResetClippingRange()


def _reslice_driver() -> Any | None:
    module = getattr(slicer.modules, "volumereslicedriver", None)
    return None if module is None else module.logic()


def _orthogonal(to_world: NDArray[np.float64]) -> bool:
    columns = to_world[:3, :3] / np.linalg.norm(to_world[:3, :3], axis=0)
    return bool(np.abs(columns.T @ columns - np.eye(3)).max() < _ORTHOGONAL)
