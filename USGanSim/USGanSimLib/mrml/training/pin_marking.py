"""Marks of the pinhead in a recording, looked at and corrected frame by frame in a slice view.

    marking = PinMarking(scene, read_sweep(path))
    marking.take(found.frames, found.pixels, found.strengths)    # proposals of the detector
    marking.show(12)                                             # the frame is in `volume`, its mark in `point`
    marking.reject()

The volume stands on its own: a pixel is a millimetre, u grows to the patient's left and v to the back, so that an axial
view shows the image as a scanner does. Moving or placing the point in a slice view marks the frame that is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import slicer
import slicer.util
import vtk
from numpy.typing import NDArray

from ...calibration.pinhead.points import read_marks, write_points
from ...calibration.spots import scale_of_spot
from ...errors import UserError
from ...files import replacing_file
from ...recording.sweep import TrackedSweep
from ..output_volume import show_in_fixed_grey
from ..transform_chain import to_vtk
from .blind_reading import require_in_plane

PROPOSED, ACCEPTED, CORRECTED = "proposed", "accepted", "corrected"
_FLIP = np.diag([-1.0, -1.0, 1.0, 1.0])


@dataclass(frozen=True)
class Mark:
    """The middle of the pinhead in a frame, pixels; `strength` its brightness, grey levels (0: no spot is there);
    `state` whether a person accepted or corrected it."""

    u_px: float
    v_px: float
    strength: float
    state: str


class PinMarking:
    """Marks of one recording. `changed` is called when a person moves the point. `close` takes all out of the scene.

    marks     frame → Mark
    rejected  frames in which the detector's proposal is not wanted
    frame     the one that is shown
    refusal   why the point that was placed last marks nothing, or nothing
    """

    def __init__(self, scene: Any, sweep: TrackedSweep, changed: Callable[[], None] = lambda: None) -> None:
        self._scene, self.sweep, self._changed = scene, sweep, changed
        self.marks: dict[int, Mark] = {}
        self.rejected: set[int] = set()
        self.frame = 0
        self.refusal = ""
        self.volume = _helper_node(scene, slicer.vtkMRMLScalarVolumeNode(), "PinImage")
        slicer.util.updateVolumeFromArray(
            self.volume, np.zeros((1, sweep.height_px, sweep.width_px), np.uint8)
        )
        self.volume.SetIJKToRASMatrix(to_vtk(_FLIP))
        show_in_fixed_grey(self.volume)
        self.point = _helper_node(scene, slicer.vtkMRMLMarkupsFiducialNode(), "Pin")
        self.point.CreateDefaultDisplayNodes()
        # In space it means nothing.
        self.point.GetDisplayNode().SetVisibility3D(False)
        self._tags = [
            self.point.AddObserver(event, self._on_point)
            for event in (
                slicer.vtkMRMLMarkupsNode.PointPositionDefinedEvent,
                slicer.vtkMRMLMarkupsNode.PointModifiedEvent,
            )
        ]

    # Looking

    def show(self, frame: int) -> None:
        """Turn to a frame, kept within the recording."""
        self.refusal = ""
        self.frame = min(max(frame, 0), len(self.sweep) - 1)
        slicer.util.arrayFromVolume(self.volume)[0] = self.sweep.frames[self.frame]
        slicer.util.arrayFromVolumeModified(self.volume)
        self._show_point()

    def next_marked(self, step: int) -> int:
        """The next frame with a mark, in the direction of `step` (1, −1); the one shown where there is none."""
        ahead = [frame for frame in self.marks if (frame - self.frame) * step > 0]
        return min(ahead, key=lambda frame: abs(frame - self.frame), default=self.frame)

    @property
    def mark(self) -> Mark | None:
        """That of the frame shown."""
        return self.marks.get(self.frame)

    # Deciding

    def take(
        self, frames: NDArray[np.int_], pixels: NDArray[np.float64], strengths: NDArray[np.float64]
    ) -> None:
        """New proposals in place of the old ones. What a person decided stays."""
        self.marks = self.decided()
        for frame, (u_px, v_px), strength in zip(
            frames.tolist(), pixels.tolist(), strengths.tolist(), strict=True
        ):
            if frame < len(self.sweep) and frame not in self.marks and frame not in self.rejected:
                self.marks[frame] = Mark(u_px, v_px, strength, PROPOSED)
        self._show_point()

    def accept(self) -> None:
        """The mark of this frame is right."""
        if self.mark is not None:
            self.marks[self.frame] = Mark(self.mark.u_px, self.mark.v_px, self.mark.strength, ACCEPTED)

    def reject(self) -> None:
        """There is no pin in this frame, or it cannot be told where."""
        self.marks.pop(self.frame, None)
        self.rejected.add(self.frame)
        self._show_point()

    def place(self, u_px: float, v_px: float) -> None:
        """The pin is here in this frame."""
        self._correct(u_px, v_px)
        self._show_point()

    # Files

    def decided(self) -> dict[int, Mark]:
        """The marks that a person accepted or made."""
        return {frame: mark for frame, mark in self.marks.items() if mark.state != PROPOSED}

    def write(self, path: Path, marks: Mapping[int, Mark] | None = None) -> None:
        """Write `marks` (all) as frame,u_px,v_px,strength. Raises UserError where the file cannot be written."""
        chosen = sorted((self.marks if marks is None else marks).items())
        with replacing_file(path) as part:
            write_points(
                part,
                np.array([frame for frame, _ in chosen], int),
                np.array([(mark.u_px, mark.v_px) for _, mark in chosen]).reshape(-1, 2),
                np.array([mark.strength for _, mark in chosen]),
            )

    def read(self, path: Path) -> None:
        """Take the marks of a file as proposals. Raises UserError where it is no table of points."""
        self.take(*read_marks(path))

    def close(self) -> None:
        """Leave the scene."""
        for tag in self._tags:
            self.point.RemoveObserver(tag)
        self._tags = []
        for node in (self.point.GetDisplayNode(), self.point, self.volume.GetDisplayNode(), self.volume):
            if node is not None and node.GetScene() is not None:
                self._scene.RemoveNode(node)

    # The point in the view

    def clear_point(self) -> None:
        """Take the point out of the view, so that a new one can be placed. The mark stays until then."""
        self.point.RemoveAllControlPoints()

    def _show_point(self) -> None:
        self.clear_point()
        if self.mark is not None:
            self.point.AddControlPoint(
                vtk.vtkVector3d(-self.mark.u_px, -self.mark.v_px, 0.0), f"{self.frame}"
            )

    def _on_point(self, _caller: Any, _event: str) -> None:
        defined = self.point.GetNumberOfControlPoints() - 1
        if defined < 0 or (
            self.point.GetNthControlPointPositionStatus(defined) != slicer.vtkMRMLMarkupsNode.PositionDefined
        ):
            return
        x, y, z = self.point.GetNthControlPointPosition(defined)
        before, self.refusal = self.refusal, ""
        try:
            require_in_plane(z)
        except UserError as error:
            self.refusal = str(error)
            self._changed()
            return
        u_px, v_px = (
            float(np.clip(value, 0, side - 1))
            for value, side in ((-x, self.sweep.width_px), (-y, self.sweep.height_px))
        )
        if self.mark is None or np.hypot(u_px - self.mark.u_px, v_px - self.mark.v_px) > 1e-6:
            self._correct(u_px, v_px)
            self._changed()
        elif before:
            self._changed()

    def _correct(self, u_px: float, v_px: float) -> None:
        _, strength = scale_of_spot(self.sweep.frames[self.frame], np.array([u_px, v_px]))
        self.marks[self.frame] = Mark(u_px, v_px, strength, CORRECTED)
        self.rejected.discard(self.frame)


def _helper_node(scene: Any, node: Any, name: str) -> Any:
    """Add a node that other modules need not offer, nor a saved scene hold: the points are in their file."""
    node.SetName(scene.GenerateUniqueName(name))
    node.HideFromEditorsOn()
    node.SaveWithSceneOff()
    return scene.AddNode(node)
