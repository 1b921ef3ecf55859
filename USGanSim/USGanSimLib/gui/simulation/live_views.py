"""The views while Show is on: layouts, slices that follow the image and stay fitted to it, and all as it was before."""

from __future__ import annotations

from typing import Any

import vtk
from slicer.i18n import tr as _

from ..picture_view import is_lent
from ..slice_views import (
    aim_3d,
    composite,
    drive,
    fit,
    follow,
    is_driven,
    layout_manager,
    leave,
    look_at,
    slice_node,
)
from ..troubles import Troubles

# Ids of our own, above those of Slicer (vtkMRMLLayoutNode::SlicerLayoutUserView).
SLICE_AND_3D, TWO_SLICES_AND_3D = 7531, 7532
# A line break inside a property would be part of its value, and of the name of a view that has to be made.
_SLICE = (
    '<item><view class="vtkMRMLSliceNode" singletontag="{0}">'
    '<property name="orientation" action="default">{1}</property>'
    '<property name="viewlabel" action="default">{2}</property>'
    '<property name="viewcolor" action="default">{3}</property></view></item>'
)
_RED = _SLICE.format("Red", "Axial", "R", "#F34A33")
_YELLOW = _SLICE.format("Yellow", "Sagittal", "Y", "#EDD54C")
_THREE_D = (
    '<item><view class="vtkMRMLViewNode" singletontag="1">'
    '<property name="viewlabel" action="default">1</property></view></item>'
)
LAYOUTS = {
    SLICE_AND_3D: f'<layout type="horizontal" split="true">{_RED}{_THREE_D}</layout>',
    TWO_SLICES_AND_3D: f'<layout type="vertical" split="true"><item><layout type="horizontal">{_RED}{_YELLOW}</layout>'
    f"</item>{_THREE_D}</layout>",
}


class LiveViews:
    """Red looks at the simulated image, Yellow at a real one, 3-D at both."""

    def __init__(self, troubles: Troubles) -> None:
        self._before: int | None = None
        self._driven: dict[str, Any] = {}
        self._fitted: dict[str, FittedView] = {}
        self._troubles = troubles

    @property
    def shown(self) -> bool:
        return self._before is not None

    def driven(self, name: str) -> Any | None:
        """The volume whose plane a slice view is kept in."""
        return self._driven.get(name)

    def show(self, volume: Any, layout: int = SLICE_AND_3D) -> None:
        """Lay out the views and let Red, also in 3-D, look at the volume. Who has chosen another layout since the views
        were shown first keeps it."""
        manager = layout_manager()
        if manager is None:
            return
        if self._before is None:
            self._before = manager.layout
            _choose_layout(manager, layout)
        elif manager.layout in LAYOUTS:
            _choose_layout(manager, layout)
        self.look("Red", volume)
        red = slice_node("Red")
        if red is not None:
            red.SetSliceVisible(True)
        aim_3d(volume)

    def look(self, name: str, volume: Any) -> None:
        """Show the volume in a slice view, whole, at whatever size the view has or gets."""
        node = slice_node(name)
        if node is None or is_lent(name):
            return
        if name in self._fitted:
            self._fitted.pop(name).close()
        look_at(name, volume)
        self._fitted[name] = FittedView(name, node, volume, self._troubles)

    def drive(self, name: str, volume: Any) -> None:
        """Keep a slice view in the plane of a volume until `release`; `update` has to be called for each image."""
        node = slice_node(name)
        if node is None:
            return
        self._driven[name] = volume
        if not is_lent(name):
            drive(node, volume)

    def update(self) -> None:
        """The volumes may have moved."""
        for name, volume in self._driven.items():
            node = slice_node(name)
            if node is not None and volume.GetScene() is not None and not (is_driven(node) or is_lent(name)):
                follow(node, volume)

    def release(self, name: str) -> None:
        """Leave the slice view where it is."""
        node = slice_node(name)
        if self._driven.pop(name, None) is not None and node is not None:
            leave(node)

    def hide(self) -> None:
        """The layout of before, where no person has chosen another one; slice views stay where they are, and are no
        longer in 3-D."""
        for name in list(self._driven):
            self.release(name)
        if self._before is None:
            return
        red, manager = slice_node("Red"), layout_manager()
        if red is not None:
            red.SetSliceVisible(False)
        if manager is not None and manager.layout in LAYOUTS:
            manager.layout = self._before
        self._before = None

    def close(self) -> None:
        """`hide`, and keep nothing fitted."""
        self.hide()
        for fitted in self._fitted.values():
            fitted.close()
        self._fitted.clear()


class FittedView:
    """Keeps a whole volume in a slice view when the view gets another size, as after a layout was chosen: Slicer keeps
    the height in millimetres, and cuts the width. Ends when a person zooms, or looks at something else."""

    def __init__(self, name: str, node: Any, volume: Any, troubles: Troubles) -> None:
        self._name, self._node, self._volume, self._troubles = name, node, volume, troubles
        self._seen = _size_of(node)
        self._tag: int | None = node.AddObserver(vtk.vtkCommand.ModifiedEvent, self._on_modified)

    def close(self) -> None:
        if self._tag is not None:
            self._node.RemoveObserver(self._tag)
            self._tag = None

    def _on_modified(self, _caller: Any, _event: str) -> None:
        seen = _size_of(self._node)
        if seen != self._seen and self._tag is not None:
            self._troubles.attempt(_("The image is not fitted to its view"), self._fit_again, seen)

    def _fit_again(self, seen: tuple[Any, Any]) -> None:
        shown = composite(self._name)
        looks_at_it = shown is not None and shown.GetBackgroundVolumeID() == self._volume.GetID()
        if seen[0] == self._seen[0] or not looks_at_it or self._volume.GetScene() is None:
            self.close()
            return
        # Known before it is fitted, which modifies the node again.
        self._seen = seen
        modifying = self._node.StartModify()
        fit(self._node, self._volume)
        self._seen = _size_of(self._node)
        self._node.EndModify(modifying)


def _size_of(node: Any) -> tuple[Any, Any]:
    """Pixels of a view, and millimetres that it shows."""
    return node.GetDimensions()[:2], node.GetFieldOfView()[:2]


def _choose_layout(manager: Any, layout: int) -> None:
    node = manager.layoutLogic().GetLayoutNode()
    if not node.IsLayoutDescription(layout):
        node.AddLayoutDescription(layout, LAYOUTS[layout])
    manager.setLayout(layout)
