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


def add_unlisted(scene: Any, node: Any, name: str) -> Any:
    """Add a node that is nobody's to choose or to save. It is marked first: lists are made when a node is added."""
    node.SetName(name)
    node.SetHideFromEditors(True)
    node.SetSaveWithScene(False)
    return scene.AddNode(node)


def marked_volume(scene: Any, attribute: str) -> Any | None:
    """The first scalar volume that carries an attribute: the one that was made here before, also in a loaded scene."""
    count = scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode")
    nodes = (scene.GetNthNodeByClass(index, "vtkMRMLScalarVolumeNode") for index in range(count))
    return next((node for node in nodes if node.GetAttribute(attribute)), None)
