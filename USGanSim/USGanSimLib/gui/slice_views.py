"""Slice and 3-D views that look at the live image: layouts, a slice in the image's plane, and all as it was before."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
import slicer.util
from numpy.typing import NDArray

from ..mrml.display import view_axes
from ..mrml.transform_chain import volume_to_world

# Ids of our own, above those of Slicer (vtkMRMLLayoutNode::SlicerLayoutUserView).
SLICE_AND_3D, TWO_SLICES_AND_3D = 7531, 7532
_SLICE = """<item><view class="vtkMRMLSliceNode" singletontag="{0}"><property name="orientation" action="default">{1}
</property><property name="viewlabel" action="default">{2}</property><property name="viewcolor" action="default">{3}
</property></view></item>"""
_RED = _SLICE.format("Red", "Axial", "R", "#F34A33")
_YELLOW = _SLICE.format("Yellow", "Sagittal", "Y", "#EDD54C")
_THREE_D = """<item><view class="vtkMRMLViewNode" singletontag="1"><property name="viewlabel" action="default">1
</property></view></item>"""
LAYOUTS = {
    SLICE_AND_3D: f'<layout type="horizontal" split="true">{_RED}{_THREE_D}</layout>',
    TWO_SLICES_AND_3D: f'<layout type="vertical" split="true"><item><layout type="horizontal">{_RED}{_YELLOW}</layout>'
    f"</item>{_THREE_D}</layout>",
}
# vtkSlicerVolumeResliceDriverLogic, MODE_NONE and MODE_TRANSVERSE; the attribute is there while it drives a slice.
_NO_MODE, _TRANSVERSE, _DRIVEN = 0, 6, "VolumeResliceDriver.Driver"
# The Volume Reslice Driver orthogonalises other axes at every image, with a warning each time.
_ORTHOGONAL = 0.0015
_VIEW_ANGLE_DEG = 30.0


class LiveViews:
    """The views while Show is on: Red looks at the simulated image, Yellow at a real one, 3-D at both."""

    def __init__(self) -> None:
        self._before: int | None = None
        self._driven: dict[str, Any] = {}

    @property
    def shown(self) -> bool:
        return self._before is not None

    def driven(self, name: str) -> Any | None:
        """The volume whose plane a slice view is kept in."""
        return self._driven.get(name)

    def show(self, volume: Any, layout: int | None = None) -> None:
        """Lay out the views and let Red, also in 3-D, look at the volume. None: the layout of before, if it is ours."""
        manager = slicer.app.layoutManager()
        if layout is None:
            layout = manager.layout if self.shown and manager.layout in LAYOUTS else SLICE_AND_3D
        if self._before is None:
            self._before = manager.layout
        _choose_layout(manager, layout)
        look_at("Red", volume)
        red = slice_node("Red")
        red.SetSliceVisible(True)
        aim_3d(volume_to_world(volume), volume)

    def drive(self, name: str, volume: Any) -> None:
        """Keep a slice view in the plane of a volume until `release`: SlicerIGT's Volume Reslice Driver does it where
        it is installed, otherwise `update` has to be called for each image."""
        self._driven[name] = volume
        driver = _reslice_driver()
        if driver is not None and _orthogonal(volume_to_world(volume)):
            node = slice_node(name)
            driver.SetDriverForSlice(volume.GetID(), node)
            # Flipped, the view's right is u and its up is −v.
            driver.SetModeForSlice(_TRANSVERSE, node)
            driver.SetRotationForSlice(0, node)
            driver.SetFlipForSlice(True, node)
        else:
            follow(slice_node(name), volume)

    def update(self) -> None:
        """The volumes may have moved."""
        for name, volume in self._driven.items():
            if volume.GetScene() is not None and not slice_node(name).GetAttribute(_DRIVEN):
                follow(slice_node(name), volume)

    def release(self, name: str) -> None:
        """Leave the slice view where it is."""
        if self._driven.pop(name, None) is None:
            return
        driver = _reslice_driver()
        if driver is not None:
            driver.SetDriverForSlice("", slice_node(name))
            driver.SetModeForSlice(_NO_MODE, slice_node(name))

    def hide(self) -> None:
        """The layout of before; slice views stay where they are, and are no longer in 3-D."""
        for name in list(self._driven):
            self.release(name)
        if self._before is not None:
            slice_node("Red").SetSliceVisible(False)
            slicer.app.layoutManager().layout = self._before
        self._before = None


def slice_node(name: str) -> Any:
    """The slice node of a view: Red, Yellow or Green."""
    return slicer.mrmlScene.GetSingletonNode(name, "vtkMRMLSliceNode")


def look_at(name: str, volume: Any) -> None:
    """Show the volume as the view's background, in its plane, fitted to the view."""
    widget = slicer.app.layoutManager().sliceWidget(name)
    logic = widget.sliceLogic()
    logic.GetSliceCompositeNode().SetBackgroundVolumeID(volume.GetID())
    logic.GetSliceCompositeNode().SetClipToBackgroundVolume(True)
    follow(slice_node(name), volume)
    fit(slice_node(name), volume)


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


def aim_3d(to_world: NDArray[np.float64], volume: Any) -> None:
    """Let the first 3-D view look at the image from its front, a little from above and from the side."""
    view = slicer.app.layoutManager().threeDWidget(0)
    view = view.mrmlViewNode() if view is not None else None
    camera = slicer.modules.cameras.logic().GetViewActiveCameraNode(view) if view is not None else None
    if camera is None:
        return
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


def _choose_layout(manager: Any, layout: int) -> None:
    node = manager.layoutLogic().GetLayoutNode()
    if not node.IsLayoutDescription(layout):
        node.AddLayoutDescription(layout, LAYOUTS[layout])
    manager.setLayout(layout)


def _reslice_driver() -> Any | None:
    module = getattr(slicer.modules, "volumereslicedriver", None)
    return None if module is None else module.logic()


def _orthogonal(to_world: NDArray[np.float64]) -> bool:
    columns = to_world[:3, :3] / np.linalg.norm(to_world[:3, :3], axis=0)
    return bool(np.abs(columns.T @ columns - np.eye(3)).max() < _ORTHOGONAL)
