"""One picture of a blind study in the scene, and the point that a reader places on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import slicer
import slicer.util
from PIL import Image

from ...errors import UserError

# A click into the picture's own plane is exact; what is further off was meant for something else.
MOST_OFF_PLANE_MM = 0.5
_NAMES = ("Study picture", "Study mark")


class BlindReading:
    """A volume that shows picture after picture, and a point list for one point; `remove` takes both away."""

    def __init__(self, scene: Any) -> None:
        self._scene = scene
        self.volume = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", _NAMES[0])
        self.marks = scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", _NAMES[1])
        self.marks.SetMaximumNumberOfControlPoints(1)
        self.marks.CreateDefaultDisplayNodes()
        # A small cross that hides little of what it marks.
        shown = self.marks.GetDisplayNode()
        shown.SetPointLabelsVisibility(False)
        shown.SetGlyphTypeFromString("Cross2D")
        shown.SetGlyphScale(2.0)
        self._mm_per_px = (1.0, 1.0)

    def show(self, path: Path, mm_per_px: tuple[float, float]) -> None:
        """Show a picture, a grey PNG, its pixel (u, v) at (−u · x, −v · y, 0) in RAS: as on a screen in an axial view.
        The point of the last one is taken away."""
        self._mm_per_px = mm_per_px
        self.volume.SetIJKToRASDirections(-1, 0, 0, 0, -1, 0, 0, 0, 1)
        self.volume.SetSpacing(*mm_per_px, 1.0)
        with Image.open(path) as picture:
            slicer.util.updateVolumeFromArray(self.volume, np.asarray(picture.convert("L"))[None])
        if self.volume.GetDisplayNode() is None:
            self.volume.CreateDefaultDisplayNodes()
        self.volume.GetDisplayNode().SetAutoWindowLevel(False)
        self.volume.GetDisplayNode().SetWindowLevelMinMax(0, 255)
        self.marks.RemoveAllControlPoints()

    def place_px(self) -> tuple[float, float] | None:
        """Where the point stands, in pixels (u, v); None where none is placed. Raises UserError where it is not on the
        picture: it was placed in another view, or beside the picture."""
        if not self.marks.GetNumberOfDefinedControlPoints():
            return None
        place = [0.0, 0.0, 0.0]
        self.marks.GetNthControlPointPositionWorld(0, place)
        require_in_plane(place[2])
        u_px, v_px = -place[0] / self._mm_per_px[0], -place[1] / self._mm_per_px[1]
        width_px, height_px, _ = self.volume.GetImageData().GetDimensions()
        if not (-0.5 <= u_px <= width_px - 0.5 and -0.5 <= v_px <= height_px - 0.5):
            raise UserError(
                f"The point is at pixel ({u_px:.0f}, {v_px:.0f}), beside the picture of {width_px}×{height_px}.",
                "Move it onto the picture.",
            )
        return u_px, v_px

    def remove(self) -> None:
        """Take the nodes out of the scene, and what shows them."""
        shown = [node.GetDisplayNode() for node in (self.volume, self.marks)]
        for node in (*filter(None, shown), self.volume, self.marks):
            if self._scene.IsNodePresent(node):
                self._scene.RemoveNode(node)


def require_in_plane(off_mm: float) -> None:
    """Raises UserError for a point that is not in the plane of its picture."""
    if abs(off_mm) > MOST_OFF_PLANE_MM:
        raise UserError(
            f"The point is {abs(off_mm):.1f} mm off the plane of the picture.",
            "Place it in the red slice view.",
        )
