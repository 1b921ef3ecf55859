"""A MRML scene without the Slicer application, with what volumes and views need in it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import slicer


@contextlib.contextmanager
def headless_scene() -> Iterator[Any]:
    """Yield a new scene with the default color nodes (a volume's grey scale is one of them); cleared at the end."""
    scene = slicer.vtkMRMLScene()
    colors = slicer.vtkMRMLColorLogic()
    colors.SetMRMLScene(scene)
    try:
        yield scene
    finally:
        colors.SetMRMLScene(None)
        scene.Clear(True)
