"""Poses to simulate at: out of the scene, along a markups curve, of a recorded sequence or around a slice view's plane;
and shown in the 3-D view before they are simulated.

Every plan is in RAS (world); `reference_to_ras` brings it into the frame of the model.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
import slicer.util
import vtk
from numpy.typing import NDArray

from ..errors import UserError
from ..geometry.field_of_view import Point
from ..geometry.image_frame import Offset, first_row_px
from ..geometry.image_geometry import ImageGeometry
from ..geometry.pose_sets import along_curve, around, at_centre, at_face, offsets_around
from ..geometry.sampling import evenly
from ..geometry.transforms import Matrix
from ..recording.simulated import PosePlan
from ..recording.sweep import TrackedSweep
from .coverage_model import CoverageModel
from .transform_chain import PoseProblem, between, from_vtk

_INSIDE_COLOR, _OUTSIDE_COLOR = (1.0, 0.85, 0.2), (0.95, 0.25, 0.2)
_OPACITY = 0.5
# More would hide what they stand around.
_MOST_OUTLINES = 60


def reference_to_ras(reference: Any | None) -> Matrix:
    """(4, 4) from the frame of a transform node (None: the world) to RAS. Raises UserError where it is not rigid."""
    if reference is None:
        return np.eye(4)
    try:
        return from_vtk(between(reference, None))
    except PoseProblem as problem:
        raise UserError(
            f"{problem}, so there is no way from Reference to RAS.", "Check the transforms."
        ) from problem


def curve_plan(
    curve: Any,
    geometry: ImageGeometry,
    spacing_mm: float,
    up: Matrix,
    in_plane: bool,
    face_px: Point | None = None,
) -> PosePlan:
    """The probe's face slid along a vtkMRMLMarkupsCurveNode; see pose_sets.along_curve. `face_px` is the face's middle
    in the image; None: the middle of the first row."""
    points = vtk.vtkPoints()
    if curve.GetCurvePointsWorld() is not None:
        points.DeepCopy(curve.GetCurvePointsWorld())
    places_mm = np.array([points.GetPoint(number) for number in range(points.GetNumberOfPoints())]).reshape(
        -1, 3
    )
    frames = along_curve(places_mm, spacing_mm, up, in_plane)
    return PosePlan.of_poses(
        f"{curve.GetName()} simulated", at_face(frames, geometry, face_px or first_row_px(geometry.width_px))
    )


def recording_plan(sweep: TrackedSweep, geometry: ImageGeometry, to_ras: Matrix) -> PosePlan:
    """The probe's poses in a recording, in Reference, which `to_ras` (4, 4) brings to RAS."""
    track = sweep.probe_to_reference()
    count = len(sweep)
    poses = to_ras @ np.broadcast_to(track.matrices, (count, 4, 4)) @ geometry.image_to_probe
    name = sweep.name.split(".")[0]
    return PosePlan(
        f"{name} simulated",
        poses,
        np.broadcast_to(track.valid, count).copy(),
        sweep.timestamps_s - sweep.timestamps_s[0],
    )


def grid_plan(
    pose: Matrix,
    geometry: ImageGeometry,
    most: Offset,
    steps: int,
    name: str,
    face_px: Point | None = None,
) -> PosePlan:
    """A grid of moves around a pose ImageToRas (4, 4), about the face; see `curve_plan`."""
    return PosePlan.of_poses(
        name, around(pose, face_px or first_row_px(geometry.width_px), offsets_around(most, steps))
    )


def slice_pose(slice_node: Any, geometry: ImageGeometry) -> Matrix:
    """ImageToRas (4, 4) of the image that is centred in a slice view and lies in it as views show images: the rows
    to the right, depth downwards."""
    slice_to_ras = slicer.util.arrayFromVTKMatrix(slice_node.GetSliceToRAS())
    frame = np.eye(4)
    frame[:3, 0], frame[:3, 1] = slice_to_ras[:3, 0], -slice_to_ras[:3, 1]
    frame[:3, 2] = np.cross(frame[:3, 0], frame[:3, 1])
    frame[:3, 3] = slice_to_ras[:3, 3]
    return at_centre(frame, geometry)


class PlannedPoses:
    """Outlines of the images at the planned poses in the 3-D view: two models in RAS, those outside the trained range
    in red. `remove` takes them out of the scene."""

    def __init__(self, scene: Any) -> None:
        self._models = [
            _outlines(scene, "PlannedPoses", _INSIDE_COLOR),
            _outlines(scene, "PlannedPosesOutside", _OUTSIDE_COLOR),
        ]

    @property
    def in_scene(self) -> bool:
        return all(model.node.GetScene() is not None for model in self._models)

    def show(self, image_to_ras: Matrix, outside: NDArray[np.bool_], width_px: int, height_px: int) -> None:
        """Outline images of width × height pixels at poses (N, 4, 4), at most 60; `outside` (N,) the trained range."""
        some = evenly(len(outside), _MOST_OUTLINES)
        for model, chosen in zip(self._models, (some[~outside[some]], some[outside[some]]), strict=True):
            model.show(image_to_ras[chosen], width_px, height_px)

    def remove(self) -> None:
        for model in self._models:
            model.remove()


def _outlines(scene: Any, name: str, color: tuple[float, float, float]) -> CoverageModel:
    model = CoverageModel(scene, name=name)
    display = model.node.GetDisplayNode()
    display.SetColor(*color)
    display.SetOpacity(_OPACITY)
    display.SetRepresentation(slicer.vtkMRMLDisplayNode.WireframeRepresentation)
    return model
