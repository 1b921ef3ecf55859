"""Slice and 3-D views, drawn off the screen by Slicer's own displayable managers when they are asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import vtk
from numpy.typing import NDArray
from PySide6 import QtWidgets
from vtkmodules.util.numpy_support import vtk_to_numpy

from .widgets import Strict

_MANAGERS = {
    "SliceView": (
        "VolumeGlyphSlice",
        "ModelSlice",
        "Crosshair",
        "OrientationMarker",
        "Ruler",
        "ScalarBar",
        "Segmentations2D",
        "Markups",
        "Transforms2D",
    ),
    "ThreeDView": (
        "View",
        "Camera",
        "Model",
        "ThreeDReformat",
        "Crosshair3D",
        "OrientationMarker",
        "Ruler",
        "Segmentations3D",
        "Markups",
        "Transforms3D",
        "VolumeRendering",
    ),
}


def manager_class(name: str) -> str:
    """The class of a displayable manager: Markups → vtkMRMLMarkupsDisplayableManager, Transforms2D → …Manager2D."""
    stem = name.removesuffix("2D").removesuffix("3D")
    return f"vtkMRML{stem}DisplayableManager{name[len(stem) :]}"


class View(Strict, QtWidgets.QWidget):
    """A view of one node; its render window is made when it is drawn first."""

    def __init__(self, slicer: Any, logic: Any, kind: str) -> None:
        super().__init__()
        self._slicer, self._logic, self._kind = slicer, logic, kind
        self._window: Any = None

    def node(self) -> Any:
        return self._logic.GetSliceNode() if self._kind == "SliceView" else self._logic.GetViewNode()

    mrmlSliceNode = mrmlViewNode = node

    def renderWindow(self) -> Any:
        if self._window is None:
            self._make()
        return self._window

    def forceRender(self) -> None:
        self.draw(*self._size())

    def resetFocalPoint(self) -> None:
        self.renderWindow()
        self._ensure_camera()
        self._aim()

    def draw(self, width: int, height: int) -> None:
        """Draw it at a size in pixels."""
        window = self.renderWindow()
        window.SetSize(width, height)
        self._interactor.UpdateSize(width, height)
        if self._kind == "SliceView":
            if self.node().GetDimensions()[:2] != (width, height):
                self._logic.ResizeSliceNode(width, height)
            self._show_slice()
        else:
            self._ensure_camera()
        window.Render()

    def pixels(self, width: int, height: int) -> NDArray[np.uint8]:
        """What is drawn at this size: rows from the top, red, green and blue."""
        self.draw(width, height)
        self._window.Render()
        shot = vtk.vtkWindowToImageFilter()
        shot.SetInput(self._window)
        shot.ReadFrontBufferOff()
        shot.Update()
        image = shot.GetOutput()
        values = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(height, width, -1)
        return np.ascontiguousarray(values[::-1, :, :3])

    def close_window(self) -> None:
        """Let go of what is drawn with."""
        if self._window is not None:
            self._group.SetMRMLDisplayableNode(None)
            self._window.Finalize()
            self._window = None

    def _size(self) -> tuple[int, int]:
        size = self.node().GetDimensions()[:2] if self._kind == "SliceView" else (400, 400)
        return max(int(size[0]), 1), max(int(size[1]), 1)

    def _make(self) -> None:
        self._window, self._renderer = vtk.vtkRenderWindow(), vtk.vtkRenderer()
        self._window.SetOffScreenRendering(1)
        self._window.SetMultiSamples(0)
        # Displayable managers put renderers of their own above.
        self._window.SetNumberOfLayers(3)
        self._window.AddRenderer(self._renderer)
        self._interactor = vtk.vtkRenderWindowInteractor()
        self._interactor.SetRenderWindow(self._window)
        factory = getattr(self._slicer, f"vtkMRML{self._kind}DisplayableManagerFactory").GetInstance()
        factory.SetMRMLApplicationLogic(self._slicer.app.applicationLogic())
        for name in map(manager_class, _MANAGERS[self._kind]):
            if hasattr(self._slicer, name) and not factory.IsDisplayableManagerRegistered(name):
                factory.RegisterDisplayableManager(name)
        self._group = self._slicer.vtkMRMLDisplayableManagerGroup()
        self._group.Initialize(factory, self._renderer)
        self._group.SetMRMLDisplayableNode(self.node())
        if self._kind == "SliceView":
            self._make_slice()

    def _make_slice(self) -> None:
        """The image of the slice logic, behind what the displayable managers draw."""
        self._renderer.GetActiveCamera().ParallelProjectionOn()
        above = vtk.vtkRenderer()
        above.GetActiveCamera().ParallelProjectionOn()
        above.SetLayer(1)
        self._window.AddRenderer(above)
        self._mapper, self._actor = vtk.vtkImageMapper(), vtk.vtkActor2D()
        self._mapper.SetColorWindow(255)
        self._mapper.SetColorLevel(127.5)
        self._actor.SetMapper(self._mapper)
        self._actor.GetProperty().SetDisplayLocationToBackground()

    def _show_slice(self) -> None:
        image = self._logic.GetImageDataConnection()
        if image is not None:
            self._mapper.SetInputConnection(image)
        shown = self._renderer.HasViewProp(self._actor)
        if image is not None and not shown:
            self._renderer.AddViewProp(self._actor)
        elif image is None and shown:
            self._renderer.RemoveViewProp(self._actor)

    def _ensure_camera(self) -> None:
        """The application keeps a camera node for each 3-D view."""
        scene, name = self._slicer.mrmlScene, self.node().GetLayoutName()
        cameras = scene.GetNodesByClass("vtkMRMLCameraNode")
        cameras.UnRegister(None)
        known = [cameras.GetItemAsObject(number) for number in range(cameras.GetNumberOfItems())]
        if not any(camera.GetLayoutName() == name for camera in known):
            camera = self._slicer.vtkMRMLCameraNode()
            camera.SetName(f"View{name} Camera")
            camera.SetLayoutName(name)
            scene.AddNode(camera)
            self._aim()

    def _aim(self) -> None:
        """Look at all that is there, but for the box and its labels."""
        node = self.node()
        before = node.GetBoxVisible(), node.GetAxisLabelsVisible()
        node.SetBoxVisible(0)
        node.SetAxisLabelsVisible(0)
        self._renderer.ResetCamera()
        node.SetBoxVisible(before[0])
        node.SetAxisLabelsVisible(before[1])
        node.InvokeEvent(type(node).ResetFocalPointRequestedEvent)
        self._renderer.ResetCameraClippingRange()


class SliceWidget(Strict, QtWidgets.QWidget):
    """The widget around a slice view."""

    def __init__(self, slicer: Any, logic: Any) -> None:
        super().__init__()
        self._logic, self._view = logic, View(slicer, logic, "SliceView")

    def sliceLogic(self) -> Any:
        return self._logic

    def sliceView(self) -> View:
        return self._view

    def mrmlSliceNode(self) -> Any:
        return self._logic.GetSliceNode()


class ThreeDWidget(Strict, QtWidgets.QWidget):
    """The widget around a 3-D view."""

    def __init__(self, slicer: Any, logic: Any) -> None:
        super().__init__()
        self._logic, self._view = logic, View(slicer, logic, "ThreeDView")

    def threeDView(self) -> View:
        return self._view

    def mrmlViewNode(self) -> Any:
        return self._logic.GetViewNode()
