"""The layout manager: views have a size, another one in each layout, and get it when events are handled, not before.

That is as in the application, where a layout gives its widgets their places, and the sizes come with the event loop.
The descriptions are Slicer's and those that a module adds; Slicer's layout logic makes the nodes of missing views.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from typing import Any

import vtk
from PySide6 import QtCore

from .views import SliceWidget, ThreeDWidget
from .widgets import Strict

# The place of all views together, in pixels, beside a module panel on a screen of 1,920 × 1,080.
CENTRAL_WIDTH_PX, CENTRAL_HEIGHT_PX = 1380, 860


class qSlicerLayoutManager(Strict, QtCore.QObject):
    """Slicer's, without a window."""

    layoutChanged = QtCore.Signal(int)

    def __init__(self, slicer: Any) -> None:
        super().__init__()
        self._slicer = slicer
        self._slices: dict[str, SliceWidget] = {}
        self._three_d: dict[str, ThreeDWidget] = {}
        self._slice_logics, self._view_logics = vtk.vtkCollection(), vtk.vtkCollection()
        application = slicer.app.applicationLogic()
        application.SetSliceLogics(self._slice_logics)
        application.SetViewLogics(self._view_logics)
        for name, orientation in (("Red", "Axial"), ("Yellow", "Sagittal"), ("Green", "Coronal")):
            self._add_slice(name).mrmlSliceNode().SetOrientation(orientation)
        self._add_three_d("1")
        self._logic = slicer.vtkMRMLLayoutLogic()
        self._logic.SetMRMLScene(slicer.mrmlScene)
        self._resize()

    # What scripts call

    def setLayout(self, number: int) -> None:
        if number != self.layout:
            self._logic.GetLayoutNode().SetViewArrangement(int(number))
            self.layoutChanged.emit(int(number))
        QtCore.QTimer.singleShot(0, self._resize)

    layout = property(lambda self: self._logic.GetLayoutNode().GetViewArrangement(), setLayout)

    def layoutLogic(self) -> Any:
        return self._logic

    def sliceWidget(self, name: str) -> SliceWidget | None:
        return self._slices.get(name)

    def threeDWidget(self, number: int) -> ThreeDWidget | None:
        return next(iter(list(self._three_d.values())[number : number + 1]), None)

    def sliceViewNames(self) -> tuple[str, ...]:
        return tuple(self._slices)

    def mrmlSliceLogics(self) -> Any:
        return self._slice_logics

    def mrmlViewLogics(self) -> Any:
        return self._view_logics

    threeDViewCount = property(lambda self: len(self._three_d))

    def resetSliceViews(self) -> None:
        for widget in self._slices.values():
            widget.sliceLogic().FitSliceToBackground()

    def resetThreeDViews(self) -> None:
        for widget in self._three_d.values():
            widget.threeDView().resetFocalPoint()

    # Views

    def close_views(self) -> None:
        """Let go of the render windows."""
        for widget in self._slices.values():
            widget.sliceView().close_window()
        for three_d in self._three_d.values():
            three_d.threeDView().close_window()

    def _add_slice(self, name: str) -> SliceWidget:
        logic = self._slicer.vtkMRMLSliceLogic()
        logic.SetMRMLApplicationLogic(self._slicer.app.applicationLogic())
        logic.SetMRMLScene(self._slicer.mrmlScene)
        logic.AddSliceNode(name).SetMappedInLayout(1)
        self._slice_logics.AddItem(logic)
        self._slices[name] = SliceWidget(self._slicer, logic)
        return self._slices[name]

    def _add_three_d(self, name: str) -> None:
        logic = self._slicer.vtkMRMLViewLogic()
        logic.SetMRMLApplicationLogic(self._slicer.app.applicationLogic())
        logic.SetName(name)
        logic.SetMRMLScene(self._slicer.mrmlScene)
        logic.AddViewNode(name).SetMappedInLayout(1)
        self._view_logics.AddItem(logic)
        self._three_d[name] = ThreeDWidget(self._slicer, logic)

    def _resize(self) -> None:
        """Give the slice views of the layout their sizes, as their widgets do when Qt has told them theirs."""
        text = self._logic.GetLayoutNode().GetCurrentLayoutDescription()
        if not text:
            return
        root = ElementTree.fromstring(text)
        for kind, name, width_px, height_px in places(root, CENTRAL_WIDTH_PX, CENTRAL_HEIGHT_PX):
            if kind == "vtkMRMLSliceNode":
                widget = self._slices.get(name) or self._add_slice(name)
                widget.sliceLogic().ResizeSliceNode(width_px, height_px)


def places(
    element: ElementTree.Element, width_px: int, height_px: int
) -> Iterator[tuple[str, str, int, int]]:
    """The views of a layout description: (class, name, width, height), all of a row or column alike."""
    if element.tag == "view":
        yield element.get("class", ""), element.get("singletontag", ""), width_px, height_px
        return
    items = [item for item in element.findall("item") if len(item)]
    across = down = 1
    if element.get("type", "horizontal") == "horizontal":
        across = max(len(items), 1)
    elif element.get("type") == "vertical":
        down = max(len(items), 1)
    elif element.get("type") == "grid":
        across = 1 + max(int(item.get("column", 0)) for item in items)
        down = 1 + max(int(item.get("row", 0)) for item in items)
    for item in items:
        for child in item:
            yield from places(child, width_px // across, height_px // down)
