"""A probe without a tracker: a transform node moved by sliders or by a handle in the views.

mock = MockProbe.of_scene(scene, pose_range, image_to_probe, reference)
mock.show_handle(True)
mock.move(Offset(across_mm=5, tilt_deg=10))
"""

from __future__ import annotations

from typing import Any

import numpy as np
import vtk

from ...geometry.field_of_view import Point
from ...geometry.image_frame import Offset, face_frame, first_row_px, moved, offset_between
from ...geometry.pose_distance import NearestPose, PoseRange
from ...geometry.transforms import Matrix
from ...model.info import ModelInfo
from ..transform_chain import from_vtk, to_vtk

NAME = "ProbeToReference"
MOCK_ATTRIBUTE = "USGanSim.MockProbe"
_HANDLE_PERCENT = 8.0


class MockProbe:
    """The transform node of a mock probe, for the images of one model.

    node  ProbeToReference, under the node of Reference (the world where there is none)
    base  the pose (4, 4) ImageToReference from which offsets count: a trained one
    """

    def __init__(self, node: Any, pose_range: PoseRange, image_to_probe: Matrix, face_px: Point) -> None:
        self.node = node
        self._face_px = face_px
        self._range = pose_range
        self._image_to_probe, self._probe_to_image = image_to_probe, np.linalg.inv(image_to_probe)
        self.base = pose_range.poses[0]

    @classmethod
    def of_scene(
        cls,
        scene: Any,
        pose_range: PoseRange,
        image_to_probe: Matrix,
        reference: Any | None,
        face_px: Point | None = None,
    ) -> MockProbe:
        """The scene's mock probe, where it stands; without one a new one in the middle of the trained poses. It turns
        about its face, the pixel `face_px` (u, v); None: the middle of the first row."""
        face_px = face_px or first_row_px(pose_range.width_px)
        known = mock_node(scene)
        node: Any = known or scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", NAME)
        node.SetAttribute(MOCK_ATTRIBUTE, "1")
        mock = cls(node, pose_range, image_to_probe, face_px)
        mock.hang_under(reference)
        # A handle turns the probe about its face, as a hand does.
        node.SetCenterOfTransformation(*face_frame(image_to_probe, face_px)[:3, 3])
        if known is None:
            mock.put(pose_range.poses[0])
        mock.rebase()
        return mock

    @property
    def in_scene(self) -> bool:
        return self.node.GetScene() is not None

    def fits(self, info: ModelInfo | None) -> bool:
        """Whether it was made for this model."""
        return info is not None and info.pose_range is self._range

    def hang_under(self, reference: Any | None) -> None:
        """Let Reference be the frame of a transform node; None is the world."""
        if self.node.GetParentTransformNode() is not reference:
            self.node.SetAndObserveTransformNodeID(reference.GetID() if reference is not None else None)

    @property
    def pose(self) -> Matrix:
        """ImageToReference (4, 4) of where the node stands."""
        probe_to_reference = vtk.vtkMatrix4x4()
        self.node.GetMatrixTransformToParent(probe_to_reference)
        return from_vtk(probe_to_reference) @ self._image_to_probe

    def put(self, pose: Matrix) -> None:
        """Let the image stand at ImageToReference `pose` (4, 4)."""
        self.node.SetMatrixTransformToParent(to_vtk(pose @ self._probe_to_image))

    @property
    def offset(self) -> Offset:
        """How far the probe is from the base pose."""
        return offset_between(self.base, self.pose, self._face_px)

    def move(self, offset: Offset) -> None:
        """Move the probe to an offset from the base pose."""
        self.put(moved(self.base, self._face_px, offset))

    def nearest(self) -> NearestPose:
        """The trained pose that is nearest to where the probe stands."""
        return self._range.nearest(self.pose)

    def rebase(self) -> None:
        """Let offsets count from the nearest trained pose from now on."""
        self.base = self._range.poses[self.nearest().index]

    def reset(self) -> None:
        """Go to the nearest trained pose, from which offsets count from now on."""
        self.rebase()
        self.put(self.base)

    def show_handle(self, visible: bool) -> None:
        """Show a handle in slice and 3-D views that moves and turns the probe, or hide it."""
        if self.node.GetDisplayNode() is None:
            if not visible:
                return
            self.node.CreateDefaultDisplayNodes()
        display = self.node.GetDisplayNode()
        display.SetEditorTranslationEnabled(True)
        display.SetEditorTranslationSliceEnabled(True)
        display.SetEditorRotationEnabled(True)
        display.SetEditorRotationSliceEnabled(True)
        # A scaled probe is no probe.
        display.SetEditorScalingEnabled(False)
        display.SetEditorScalingSliceEnabled(False)
        # Of the view, however far one is zoomed in.
        display.SetInteractionSizeAbsolute(False)
        display.SetInteractionScalePercent(_HANDLE_PERCENT)
        display.SetEditorVisibility3D(visible)
        display.SetEditorSliceIntersectionVisibility(visible)
        display.SetEditorVisibility(visible)


def mock_node(scene: Any) -> Any | None:
    """The mock probe's transform node, if the scene has one."""
    nodes = scene.GetNodesByClass("vtkMRMLLinearTransformNode")
    nodes.UnRegister(None)
    found = (nodes.GetItemAsObject(number) for number in range(nodes.GetNumberOfItems()))
    return next((node for node in found if node.GetAttribute(MOCK_ATTRIBUTE)), None)
