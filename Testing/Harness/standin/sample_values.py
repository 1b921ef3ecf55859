"""Two values of a parameter's type that differ, for writing and reading back."""

from __future__ import annotations

import enum
import pathlib
import typing
from typing import Any

# A node class that can be made, for those that only others inherit.
_CONCRETE = {
    "vtkMRMLTransformNode": "vtkMRMLLinearTransformNode",
    "vtkMRMLVolumeNode": "vtkMRMLScalarVolumeNode",
    "vtkMRMLMarkupsNode": "vtkMRMLMarkupsFiducialNode",
}


def two_values(slicer: Any, wanted: Any, now: Any) -> tuple[Any, Any]:
    """The first differs from the present value. Nodes are made in the scene."""
    from slicer.parameterNodeWrapper import (
        Choice,
        findFirstAnnotation,
        getNodeTypes,
        isNodeOrUnionOfNodes,
        splitAnnotations,
    )

    kind, notes = splitAnnotations(wanted)
    choice = findFirstAnnotation(notes, Choice)
    if isNodeOrUnionOfNodes(wanted):
        class_name = _CONCRETE.get(getNodeTypes(wanted)[0], getNodeTypes(wanted)[0])
        first, second = (
            slicer.mrmlScene.AddNewNodeByClass(class_name, f"{name} of a check") for name in ("One", "Two")
        )
        return first, second
    if choice is not None:
        return _two_of(list(choice.choices), now)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return _two_of(list(kind), now)
    if kind in (int, float):
        low, high = _bounds(notes)
        return tuple(kind(round(low + share * (high - low), 1)) for share in (0.25, 0.75))
    return _plain(kind, now)


def _two_of(every: list[Any], now: Any) -> tuple[Any, Any]:
    others = [one for one in every if one != now]
    return others[0], now


def _plain(kind: Any, now: Any) -> tuple[Any, Any]:
    if kind is bool:
        return not now, now
    if kind is str:
        return "one", "two"
    if isinstance(kind, type) and issubclass(kind, pathlib.PurePath):
        return kind("/no/such/one"), kind("/no/such/two")
    if typing.get_origin(kind) is typing.Union:
        inner = next(one for one in typing.get_args(kind) if one is not type(None))
        return _plain(inner, now)
    raise NotImplementedError(f"no sample values of {kind}")


def _bounds(notes: Any) -> tuple[float, float]:
    """The range of a number, in round tenths."""
    from slicer.parameterNodeWrapper import Maximum, Minimum, WithinRange, findFirstAnnotation

    within = findFirstAnnotation(notes, WithinRange)
    if within is not None:
        return within.minimum, within.maximum
    low, high = findFirstAnnotation(notes, Minimum), findFirstAnnotation(notes, Maximum)
    least = low.minimum if low is not None else 0
    return least, high.maximum if high is not None else least + 8


def same(one: Any, other: Any) -> bool:
    """Whether two values of a parameter are one: numbers nearly, nodes by their names."""
    if isinstance(one, float) or isinstance(other, float):
        return abs(float(one) - float(other)) < 1e-6
    return bool(plain(one) == plain(other))


def plain(value: Any) -> Any:
    """A node by its name, which a loaded scene keeps; anything else as it is."""
    return value.GetName() if hasattr(value, "GetName") and hasattr(value, "GetID") else value
