"""Poses to simulate at in the 3-D view: the outlines of their images, those outside the trained range in red."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
from numpy.typing import NDArray

from ..geometry.transforms import Matrix
from .coverage_model import CoverageModel

_INSIDE_COLOR, _OUTSIDE_COLOR = (1.0, 0.85, 0.2), (0.95, 0.25, 0.2)
_OPACITY = 0.5
# More would hide what they stand around.
_MOST_OUTLINES = 60


class PlannedPoses:
    """Two models of outlines in RAS; `remove` takes them out of the scene."""

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
        some = np.unique(
            np.linspace(0, len(outside) - 1, min(len(outside), _MOST_OUTLINES)).round().astype(int)
        )
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
