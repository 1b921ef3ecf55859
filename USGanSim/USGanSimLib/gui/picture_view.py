"""The red slice view lent to one picture: in its plane, with points that are placed there alone, until given back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import slicer
import vtk

from .slice_views import composite, layout_manager, leave, look_at, slice_node

VIEW = "Red"
# Names of the views that are lent: what moves slices by itself, also of another module, leaves them alone.
_lent: set[str] = set()


@dataclass(frozen=True, eq=False)
class _Before:
    """What the view showed, its plane and zoom, and the layout where that had to be another one."""

    background: str | None
    foreground: str | None
    slice_to_ras: Any
    field_of_view: tuple[float, float, float]
    layout: int | None


class PictureView:
    """Shows pictures, which are volumes of one slice, one after the other, until `give_back`."""

    def __init__(self) -> None:
        self._before: _Before | None = None
        self._picture = ""

    def show(self, volume: Any, marks: Any) -> None:
        """Turn the view to a picture. The point list `marks` is seen, and its points can be placed, in this view only:
        a click into another one would be a point somewhere else."""
        node, shown = slice_node(VIEW), composite(VIEW)
        if node is None or shown is None:
            return
        if self._before is None:
            self._before = _borrow(node, shown)
        leave(node)
        shown.SetForegroundVolumeID(None)
        look_at(VIEW, volume)
        self._picture = volume.GetID()
        if marks.GetDisplayNode() is not None:
            marks.GetDisplayNode().SetDisplayableOnlyInView(node.GetID())

    def place(self, volume: Any, marks: Any) -> None:
        """`show`, and the next click is a point of `marks`."""
        self.show(volume, marks)
        slicer.modules.markups.logic().SetActiveList(marks)
        slicer.app.applicationLogic().GetInteractionNode().SwitchToSinglePlaceMode()

    def give_back(self) -> None:
        """The view as it was, where it still shows the picture, and clicks that only look."""
        before, self._before = self._before, None
        if before is None:
            return
        _lent.discard(VIEW)
        slicer.app.applicationLogic().GetInteractionNode().SwitchToViewTransformMode()
        node, shown, manager = slice_node(VIEW), composite(VIEW), layout_manager()
        if before.layout is not None and manager is not None:
            manager.layout = before.layout
        if node is None or shown is None or shown.GetBackgroundVolumeID() != self._picture:
            return
        shown.SetBackgroundVolumeID(before.background)
        shown.SetForegroundVolumeID(before.foreground)
        node.GetSliceToRAS().DeepCopy(before.slice_to_ras)
        node.UpdateMatrices()
        node.SetFieldOfView(*before.field_of_view)


def is_lent(name: str) -> bool:
    """Whether a slice view shows a picture that a person works on."""
    return name in _lent


def _borrow(node: Any, shown: Any) -> _Before:
    """Take the view, where it can be seen."""
    manager, layout = layout_manager(), None
    if manager is not None and not node.IsMappedInLayout():
        layout = manager.layout
        manager.layout = slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView
    slice_to_ras = vtk.vtkMatrix4x4()
    slice_to_ras.DeepCopy(node.GetSliceToRAS())
    _lent.add(VIEW)
    return _Before(
        shown.GetBackgroundVolumeID(),
        shown.GetForegroundVolumeID(),
        slice_to_ras,
        tuple(node.GetFieldOfView()),
        layout,
    )
