"""A MRML scene without the Slicer application, what volumes and views need in it, and what older scenes call things."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import slicer
import slicer.util


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


def rename_parameters(node: Any, names: Mapping[str, str]) -> None:
    """Give the parameters of a parameter node (vtkMRMLScriptedModuleNode) that a scene of an older version saved under
    `names`' keys the names that they have now. An old name is in a node only after such a scene was loaded, so its
    value wins over what stands under the new one."""
    old_ones = [old for old in names if node.HasParameter(old)]
    if not old_ones:
        return
    with slicer.util.NodeModify(node):
        for old in old_ones:
            node.SetParameter(names[old], node.GetParameter(old))
            node.UnsetParameter(old)
