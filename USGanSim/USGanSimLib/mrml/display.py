"""Pictures of the scene as Slicer's own views show it, without a window: a slice view and a 3-D view.

The slice picture is the output of Slicer's slice logic (reslicing, window and level, blending) and needs no graphics
card. The 3-D picture is drawn by Slicer's model displayable manager into an offscreen window and needs OpenGL.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import numpy as np
import slicer
import vtk
from numpy.typing import NDArray
from vtk.util.numpy_support import vtk_to_numpy

from ..geometry.transforms import Matrix
from .transform_chain import to_vtk

Picture = NDArray[np.uint8]


def choose_offscreen_window() -> None:
    """Let VTK draw without a display. Has to happen before VTK makes its first window."""
    if sys.platform.startswith("linux") and not os.environ.get("DISPLAY"):
        os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")


def opengl_problem() -> str:
    """Why 3-D pictures cannot be made on this machine, or nothing. Tried in a process of its own: it may crash."""
    draw = (
        "import vtk; window = vtk.vtkRenderWindow(); window.SetOffScreenRendering(1); "
        "window.AddRenderer(vtk.vtkRenderer()); window.Render(); raise SystemExit(not window.SupportsOpenGL())"
    )
    choose_offscreen_window()
    done = subprocess.run([sys.executable, "-c", draw], capture_output=True, check=False)
    return "" if done.returncode == 0 else "this machine draws no OpenGL"


def view_axes(image_to_ras: Matrix) -> Matrix:
    """(3, 3), columns right, up and towards the viewer, of an MF image seen as its pixels are stored.

    MF: u grows towards the marked side, v away from the transducer. Views, panels and reports all show the marked side
    on the right and depth downwards, as PLUS does, so right is u and up is −v.
    """
    right = image_to_ras[:3, 0] / np.linalg.norm(image_to_ras[:3, 0])
    up = -image_to_ras[:3, 1]
    up -= right * (right @ up)
    up /= np.linalg.norm(up)
    return np.column_stack([right, up, np.cross(right, up)])


class SliceView:
    """One of Slicer's slice views, by its logic. `close` takes its nodes out of the scene."""

    def __init__(self, scene: Any, name: str = "USGanSim") -> None:
        self._scene = scene
        self.logic = slicer.vtkMRMLSliceLogic()
        self.logic.SetMRMLScene(scene)
        self.node = self.logic.AddSliceNode(name)
        # As Slicer's own slices in 3-D, without the grey that the margins of a slice would have.
        self.logic.GetSliceCompositeNode().SetClipToBackgroundVolume(True)

    def aim(self, image_to_ras: Matrix, image_px: tuple[int, int], picture_px: tuple[int, int]) -> None:
        """Look at the plane of an image of (width, height) pixels, so that it just fits the picture."""
        width_mm, height_mm = np.linalg.norm(image_to_ras[:3, :2], axis=0) * image_px
        mm_per_px = max(width_mm / picture_px[0], height_mm / picture_px[1])
        slice_to_ras = np.eye(4)
        slice_to_ras[:3, :3] = view_axes(image_to_ras)
        slice_to_ras[:, 3] = image_to_ras @ ((image_px[0] - 1) / 2, (image_px[1] - 1) / 2, 0, 1)
        self.node.SetDimensions(*picture_px, 1)
        self.node.SetFieldOfView(picture_px[0] * mm_per_px, picture_px[1] * mm_per_px, mm_per_px)
        self.node.GetSliceToRAS().DeepCopy(to_vtk(slice_to_ras))
        self.node.UpdateMatrices()

    def picture(self, volume: Any) -> Picture:
        """(height, width, 3) of a volume in this view."""
        self.logic.GetSliceCompositeNode().SetBackgroundVolumeID(volume.GetID())
        connection = self.logic.GetImageDataConnection()
        connection.GetProducer().Update()
        return _pixels(connection.GetProducer().GetOutputDataObject(connection.GetIndex()))

    def show_in_3d(self) -> None:
        """Let 3-D views show the slice, textured with the image."""
        self.logic.CreateSliceModel()
        self.node.SetSliceVisible(1)

    def close(self) -> None:
        logic = self.logic
        nodes = [
            logic.GetSliceModelNode(),
            logic.GetSliceModelTransformNode(),
            logic.GetSliceModelDisplayNode(),
            logic.GetSliceCompositeNode(),
            self.node,
        ]
        # The logic first: where it leaves the scene after its nodes, it makes new ones.
        logic.SetMRMLScene(None)
        for node in nodes:
            if node is not None:
                self._scene.RemoveNode(node)


class ThreeDView:
    """A 3-D view of all models and visible slices of the scene. `close` takes its node out of the scene."""

    def __init__(self, scene: Any, picture_px: tuple[int, int], name: str = "USGanSim") -> None:
        choose_offscreen_window()
        self._scene = scene
        self._application = slicer.vtkMRMLApplicationLogic()
        self._application.SetMRMLScene(scene)
        self.node = slicer.vtkMRMLViewNode()
        self.node.SetLayoutName(name)
        scene.AddNode(self.node)
        self.renderer = vtk.vtkRenderer()
        self.renderer.SetBackground(0.09, 0.10, 0.12)
        self._window = vtk.vtkRenderWindow()
        self._window.SetOffScreenRendering(1)
        self._window.SetMultiSamples(8)
        self._window.SetSize(*picture_px)
        self._window.AddRenderer(self.renderer)
        self._interactor = vtk.vtkRenderWindowInteractor()
        self._interactor.SetRenderWindow(self._window)
        factory = slicer.vtkMRMLThreeDViewDisplayableManagerFactory.GetInstance()
        factory.SetMRMLApplicationLogic(self._application)
        # The box and its labels would come from vtkMRMLViewDisplayableManager, which crashes when it is taken down
        # in slicer-core 5.13; models serve here.
        if not factory.IsDisplayableManagerRegistered("vtkMRMLModelDisplayableManager"):
            factory.RegisterDisplayableManager("vtkMRMLModelDisplayableManager")
        self._managers = slicer.vtkMRMLDisplayableManagerGroup()
        self._managers.Initialize(factory, self.renderer)
        self._managers.SetMRMLDisplayableNode(self.node)

    def aim(self, axes: Matrix) -> None:
        """Look at everything from the side of the third column of `axes` (3, 3), with the second column upwards."""
        camera = self.renderer.GetActiveCamera()
        camera.SetViewAngle(24)
        camera.SetFocalPoint(0, 0, 0)
        camera.SetPosition(*axes[:, 2])
        camera.SetViewUp(*axes[:, 1])
        self._window.Render()
        self.renderer.ResetCamera()
        camera.Zoom(1.05)
        self.renderer.ResetCameraClippingRange()

    def picture(self) -> Picture:
        """(height, width, 3)."""
        self._window.Render()
        grab = vtk.vtkWindowToImageFilter()
        grab.SetInput(self._window)
        grab.ReadFrontBufferOff()
        grab.Update()
        return _pixels(grab.GetOutput())

    def place_of(self, point: NDArray[np.float64]) -> tuple[int, int]:
        """Column and row in the picture of a point in RAS millimetres."""
        self.renderer.SetWorldPoint(*point, 1.0)
        self.renderer.WorldToDisplay()
        column, row, _ = self.renderer.GetDisplayPoint()
        return round(column), round(self._window.GetSize()[1] - 1 - row)

    def close(self) -> None:
        self._managers.SetMRMLDisplayableNode(None)
        del self._managers
        self._scene.RemoveNode(self.node)
        self._application.SetMRMLScene(None)


def _pixels(image: Any) -> Picture:
    """A vtkImageData's rows from top to bottom, three colors."""
    width_px, height_px, _ = image.GetDimensions()
    values = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(height_px, width_px, -1)
    return np.ascontiguousarray(values[::-1, :, :3])
