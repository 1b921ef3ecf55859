"""The probe's pose out of a chain of MRML transform nodes, or the reason why there is none.

A transform node `AToB` stands for frame A: what hangs under it is given in A, and its parent is B (the world, which is
RAS, where it has none). So the pose of the probe in Reference is the transform between two nodes, wherever they hang:
`ProbeToReference` alone, `ProbeToReference` under `ReferenceToRas`, or `ProbeToTracker` beside `ReferenceToTracker`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import slicer
import slicer.util
import vtk

from ..errors import UserError
from ..geometry.transforms import RIGID_TOLERANCE, Matrix
from ..recording.sequence_fields import TIMESTAMP

# PLUS sends a transform's status as OpenIGTLink metadata of this name, and OpenIGTLinkIF copies it to an attribute of
# the node (vtkMRMLIGTLConnectorNode::ProcessIncomingDeviceModifiedEvent). Only `OK` is a usable pose; a node without
# the attribute, set by hand or by a registration, counts as valid there and here.
STATUS_ATTRIBUTE = "TransformStatus"
STATUS_OK = "OK"
# What tells a node that a tracker moves from one that was set by hand: as OpenIGTLinkIF describes it.
DESCRIPTION = "Received by OpenIGTLink"
# The sender's time stamp of the transform, in seconds.
STAMP_ATTRIBUTE = TIMESTAMP


class PoseProblem(Exception):  # noqa: N818 - a state of the tracker, no error of the program
    """Why a chain gives no usable pose, in words for a person."""


def between(source: Any, target: Any | None) -> Any:
    """The vtkMatrix4x4 from the frame of transform node `source` to that of `target` (None: the world).

    Raises PoseProblem when a node on the way has another status than OK, when the way is not linear, or when the
    result is no rigid transform (scaled, sheared, mirrored or NaN).
    """
    for node in way(source, target):
        status = node.GetAttribute(STATUS_ATTRIBUTE)
        if status is not None and status != STATUS_OK:
            raise PoseProblem(f"{node.GetName()} has status {status}")
        if not node.IsLinear():
            raise PoseProblem(f"{node.GetName()} is not a linear transform")
    matrix = vtk.vtkMatrix4x4()
    slicer.vtkMRMLTransformNode.GetMatrixTransformBetweenNodes(source, target, matrix)
    problem = rigidity_problem(matrix.GetData())
    if problem:
        raise PoseProblem(f"{source.GetName()} {problem}")
    return matrix


def way(source: Any, target: Any | None) -> list[Any]:
    """The transform nodes between two frames: up from both to their first common parent, which is left out."""
    upwards, downwards = ancestry(source), ancestry(target)
    while upwards and downwards and upwards[-1] is downwards[-1]:
        upwards.pop()
        downwards.pop()
    return upwards + downwards


def ancestry(node: Any | None) -> list[Any]:
    """The node and its parents, upwards."""
    nodes = []
    while node is not None:
        nodes.append(node)
        node = node.GetParentTransformNode()
    return nodes


def volume_to_world(volume: Any) -> Matrix:
    """(4, 4) from the voxels of a volume to RAS, through all of its transforms. Raises UserError where one of them is
    not linear: the volume has no plane then."""
    ijk_to_ras = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(ijk_to_ras)
    parent = volume.GetParentTransformNode()
    for node in ancestry(parent):
        if not node.IsLinear():
            raise UserError(
                f"{volume.GetName()} hangs under {node.GetName()}, which is not a linear transform.",
                "Take it out from under it, or harden a linear one.",
            )
    above = np.eye(4) if parent is None else slicer.util.arrayFromTransformMatrix(parent, toWorld=True)
    placed: Matrix = above @ slicer.util.arrayFromVTKMatrix(ijk_to_ras)
    return placed


def to_vtk(matrix: Matrix) -> Any:
    """(4, 4) → vtkMatrix4x4."""
    result = vtk.vtkMatrix4x4()
    result.DeepCopy(np.ravel(matrix).tolist())
    return result


def from_vtk(matrix: Any) -> Matrix:
    """vtkMatrix4x4 → (4, 4)."""
    return np.array(matrix.GetData()).reshape(4, 4)


def rigidity_problem(numbers: tuple[float, ...]) -> str:
    """What keeps 16 row-major numbers from being a rigid transform, or nothing.

    The same test as `geometry.transforms.rigidity_error`, in plain numbers: a live tick has no 50 µs for it.
    """
    if not all(map(math.isfinite, numbers)):
        return "holds numbers that are not finite"
    a, b, c, _, d, e, f, _, g, h, i, _ = numbers[:12]
    error = max(
        abs(a * a + d * d + g * g - 1),
        abs(b * b + e * e + h * h - 1),
        abs(c * c + f * f + i * i - 1),
        abs(a * b + d * e + g * h),
        abs(a * c + d * f + g * i),
        abs(b * c + e * f + h * i),
    )
    mirrored = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g) <= 0
    if error > RIGID_TOLERANCE or mirrored or tuple(numbers[12:]) != (0.0, 0.0, 0.0, 1.0):
        return f"is not a rigid transform ({'mirrored' if mirrored else f'off by {error:.3g}'})"
    return ""
