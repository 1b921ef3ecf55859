"""What stands around the image in a 3-D view, as MRML models: the probe, the trained poses, a box with axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import slicer
import vtk
from numpy.typing import NDArray

from ...geometry.field_of_view import Point
from ...geometry.image_frame import first_row_px
from ...geometry.pose_distance import PoseRange
from ...geometry.transforms import Matrix
from ..scene import add_unlisted
from ..transform_chain import to_vtk

Color = tuple[float, float, float]
Points = NDArray[np.float64]

PROBE_COLOR: Color = (0.93, 0.93, 0.90)
MARK_COLOR: Color = (1.0, 0.55, 0.1)
OUTLINE_COLOR: Color = (1.0, 0.85, 0.2)
TRAINED_COLOR: Color = (0.25, 0.75, 0.8)
BOX_COLOR: Color = (0.45, 0.48, 0.55)
AXIS_COLORS: tuple[Color, Color, Color] = ((0.95, 0.35, 0.35), (0.45, 0.85, 0.4), (0.45, 0.6, 1.0))


class Scenery:
    """Models in the frame of `reference` (None: the world); `close` takes them out of the scene.

    They are not saved with it, nor listed among a person's nodes."""

    def __init__(self, scene: Any, reference: Any | None = None) -> None:
        self._scene = scene
        self._parent = reference
        self._models: list[Any] = []

    def add(self, name: str, data: Any, color: Color, opacity: float = 1.0, line_px: float = 1.0) -> Any:
        """A model node of a vtkPolyData."""
        model = add_unlisted(self._scene, slicer.vtkMRMLModelNode(), name)
        model.SetAndObservePolyData(data)
        model.CreateDefaultDisplayNodes()
        display = model.GetDisplayNode()
        display.SetSaveWithScene(False)
        display.SetBackfaceCulling(0)
        display.SetColor(*color)
        display.SetOpacity(opacity)
        display.SetLineWidth(line_px)
        display.SetAmbient(0.35)
        if self._parent is not None:
            model.SetAndObserveTransformNodeID(self._parent.GetID())
        self._models.append(model)
        return model

    def add_probe(
        self,
        image_to_reference: Matrix,
        width_px: int,
        height_px: int,
        face_px: Point | None = None,
        outline: bool = True,
    ) -> None:
        """The image's outline, and a probe with an orange ball on the marked side, its face on the pixel `face_px` (the
        middle of the first row where it is not known)."""
        corners = image_corners(image_to_reference, width_px, height_px)
        if outline:
            self.add("Image outline", lines([[*corners, corners[0]]]), OUTLINE_COLOR, line_px=2.5)
        across, upwards, normal = probe_axes(image_to_reference)
        face = (image_to_reference @ [*(face_px or first_row_px(width_px)), 0, 1])[:3]
        width_mm = 0.5 * float(np.linalg.norm(corners[1] - corners[0]))
        axes = np.column_stack([across, upwards, normal])
        head_mm = width_mm * 0.25
        self.add(
            "Probe", block(face + upwards * head_mm / 2, axes, (width_mm, head_mm, head_mm)), PROBE_COLOR
        )
        self.add(
            "Probe handle",
            block(face + upwards * head_mm * 1.7, axes, (width_mm / 2, head_mm * 1.4, head_mm * 0.8)),
            PROBE_COLOR,
        )
        marked = face + upwards * head_mm / 2 + across * width_mm * 0.55
        self.add("Marked side", ball(marked, head_mm * 0.25), MARK_COLOR)

    def add_trained_poses(self, pose_range: PoseRange, outlines: int = 12, tick_mm: float = 3.0) -> None:
        """A line of `tick_mm` into the depth for every known trained pose, and the outlines of a few of the images."""
        width_px, height_px = pose_range.width_px, pose_range.height_px
        middle = np.array([(width_px - 1) / 2, 0, 0, 1])
        tops = (pose_range.poses @ middle)[:, :3]
        depth = pose_range.poses[:, :3, 1]
        ends = tops + tick_mm * depth / np.linalg.norm(depth, axis=1, keepdims=True)
        self.add("Trained poses", lines(np.stack([tops, ends], axis=1)), TRAINED_COLOR, 0.6)
        if outlines == 0:
            return
        # Farthest-point order: the first ones are spread best.
        frames = [image_corners(pose, width_px, height_px) for pose in pose_range.poses[:outlines]]
        self.add("Trained images", lines([[*frame, frame[0]] for frame in frames]), TRAINED_COLOR, 0.35)

    def add_box(self, points: Points) -> tuple[Points, Points]:
        """The box of points (N, 3) in Reference on whole 10 mm, its x, y and z edges at the lowest corner colored.

        Returns that corner and the box's size, in mm.
        """
        low = np.floor(points.min(axis=0) / 10) * 10
        size = np.ceil(points.max(axis=0) / 10) * 10 - low
        corner = [low + size * np.array([i, j, k]) for i in (0, 1) for j in (0, 1) for k in (0, 1)]
        edges = [
            (corner[a], corner[a + step])
            for step, starts in ((4, (0, 1, 2, 3)), (2, (0, 1, 4, 5)), (1, (0, 2, 4, 6)))
            for a in starts
        ]
        self.add("Box", lines(edges), BOX_COLOR, 0.8)
        for axis, color in enumerate(AXIS_COLORS):
            self.add(
                f"Axis {'xyz'[axis]}", lines([[low, low + np.eye(3)[axis] * size[axis]]]), color, line_px=3.0
            )
        return low, size

    def close(self) -> None:
        for node in [node for model in self._models for node in (model.GetDisplayNode(), model)]:
            # The scene may have been closed in the meantime.
            if node is not None and node.GetScene() is not None:
                self._scene.RemoveNode(node)
        self._models.clear()


def image_corners(image_to_reference: Matrix, width_px: int, height_px: int) -> Points:
    """(4, 3) mm, in order around the image, beginning with pixel (0, 0) and along the first row."""
    last_u, last_v = width_px - 1, height_px - 1
    pixels = np.array([[0, 0, 0, 1], [last_u, 0, 0, 1], [last_u, last_v, 0, 1], [0, last_v, 0, 1]], float)
    result: Points = (pixels @ image_to_reference.T)[:, :3]
    return result


def probe_axes(image_to_reference: Matrix) -> tuple[Points, Points, Points]:
    """Unit vectors towards the marked side, out of the body, and along the image's normal."""
    across = image_to_reference[:3, 0] / np.linalg.norm(image_to_reference[:3, 0])
    upwards = -image_to_reference[:3, 1] / np.linalg.norm(image_to_reference[:3, 1])
    return across, upwards, np.cross(across, upwards)


def lines(chains: Sequence[Any] | Points) -> Any:
    """A vtkPolyData of open chains of points (mm)."""
    points, cells = vtk.vtkPoints(), vtk.vtkCellArray()
    for chain in chains:
        cells.InsertNextCell(len(chain))
        for point in chain:
            cells.InsertCellPoint(points.InsertNextPoint(*map(float, point)))
    data = vtk.vtkPolyData()
    data.SetPoints(points)
    data.SetLines(cells)
    return data


def block(centre: Points, axes: Matrix, size_mm: tuple[float, float, float]) -> Any:
    """A vtkPolyData of a cuboid along the columns of `axes`."""
    cube = vtk.vtkCubeSource()
    cube.SetXLength(size_mm[0])
    cube.SetYLength(size_mm[1])
    cube.SetZLength(size_mm[2])
    placed = np.eye(4)
    placed[:3, :3], placed[:3, 3] = axes, centre
    transform = vtk.vtkTransform()
    transform.SetMatrix(to_vtk(placed))
    move = vtk.vtkTransformPolyDataFilter()
    move.SetTransform(transform)
    move.SetInputConnection(cube.GetOutputPort())
    move.Update()
    return move.GetOutput()


def ball(centre: Points, radius_mm: float) -> Any:
    """A vtkPolyData of a sphere."""
    sphere = vtk.vtkSphereSource()
    sphere.SetCenter(*centre)
    sphere.SetRadius(radius_mm)
    sphere.SetThetaResolution(24)
    sphere.SetPhiResolution(24)
    sphere.Update()
    return sphere.GetOutput()
