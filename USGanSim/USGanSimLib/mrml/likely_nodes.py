"""Which nodes a person probably means, by their PLUS names, before they have chosen any."""

from __future__ import annotations

from typing import Any

from .transform_chain import DESCRIPTION, ancestry

_TRANSFORM, _VOLUME = "vtkMRMLLinearTransformNode", "vtkMRMLScalarVolumeNode"
# In this order: the pose that is already relative to the patient is the better one.
_PROBES = ("ProbeToReference", "ProbeToTracker", "ProbeToRas")


def likely_probe(scene: Any) -> Any | None:
    """The node of a probe's pose: one of the usual names, or the only one that is called ProbeTo…."""
    named: dict[str, Any] = {
        node.GetName(): node for node in _nodes(scene) if node.GetName().startswith("ProbeTo")
    }
    usual = [named[name] for name in _PROBES if name in named]
    if usual:
        return usual[0]
    return next(iter(named.values())) if len(named) == 1 else None


def likely_reference(scene: Any, probe: Any, frame: str = "Reference") -> Any | None:
    """The node of the model's frame that goes with a probe: one of the probe's parents, or the one beside it.

    `ProbeToReference` under `ReferenceToRas` has the former; `ProbeToTracker` goes with `ReferenceToTracker`.
    """
    start = f"{frame}To"
    for node in ancestry(probe)[1:]:
        if node.GetName().startswith(start):
            return node
    target = probe.GetName().partition("To")[2]
    beside = [node for node in _nodes(scene) if node.GetName() == f"{frame}To{target}"]
    return beside[0] if len(beside) == 1 else None


def likely_image(scene: Any) -> Any | None:
    """The volume of a tracked image: the only one that is received, or is called Image_…, as PLUS names it."""
    found = [
        node
        for node in _nodes(scene, _VOLUME)
        if node.GetDescription() == DESCRIPTION or node.GetName().startswith("Image_")
    ]
    return found[0] if len(found) == 1 else None


def _nodes(scene: Any, kind: str = _TRANSFORM) -> list[Any]:
    count = scene.GetNumberOfNodesByClass(kind)
    return [
        node
        for node in (scene.GetNthNodeByClass(index, kind) for index in range(count))
        if not node.GetHideFromEditors()
    ]
