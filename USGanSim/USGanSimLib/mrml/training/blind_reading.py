"""One picture of a blind study in the scene, and the point that a reader places on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import slicer
import slicer.util
from PIL import Image

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
        """Where the point stands, in pixels (u, v); None where none is placed."""
        if not self.marks.GetNumberOfDefinedControlPoints():
            return None
        place = [0.0, 0.0, 0.0]
        self.marks.GetNthControlPointPositionWorld(0, place)
        return -place[0] / self._mm_per_px[0], -place[1] / self._mm_per_px[1]

    def remove(self) -> None:
        """Take the nodes out of the scene, and what shows them."""
        shown = [node.GetDisplayNode() for node in (self.volume, self.marks)]
        for node in (*filter(None, shown), self.volume, self.marks):
            if self._scene.IsNodePresent(node):
                self._scene.RemoveNode(node)
