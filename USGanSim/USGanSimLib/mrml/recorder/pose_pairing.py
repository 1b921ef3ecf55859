"""Which pose belongs to an image: the transform nodes watched, and asked for the pose of an image's moment.

A sender like PLUS sends the transforms of a frame before its image, so without time stamps the pose of an image is the
one that holds when the image arrives. Where both carry the sender's time stamp (attribute `Timestamp`), stamps decide
and the order is free.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import slicer
import vtk

from ...geometry.transforms import Matrix
from ..transform_chain import DESCRIPTION, STAMP_ATTRIBUTE, STATUS_ATTRIBUTE, STATUS_OK

_POSE_EVENT = slicer.vtkMRMLTransformableNode.TransformModifiedEvent

# A stamp travels as 32.32 fixed point or as text.
_SAME_STAMP_S = 1e-5
# Stamps further apart than this come from two clocks and tell nothing.
_ONE_CLOCK_S = 5.0
_REMEMBERED = 64


@dataclass(frozen=True)
class Moment:
    """When an image was: its own stamp (None where it carries none), and its arrival on the recorder's clock."""

    stamp_s: float | None
    arrived_s: float


class Pose(NamedTuple):
    """A transform as recorded with an image: row-major numbers, whether it is a usable pose, and its status."""

    numbers: tuple[float, ...]
    valid: bool
    status: str | None

    @property
    def matrix(self) -> Matrix:
        return np.reshape(self.numbers, (4, 4))


class _Sample(NamedTuple):
    stamp_s: float | None
    arrived_s: float
    pose: Pose


class PoseSource:
    """One transform node, by the name of its transform.

    A node that receives (OpenIGTLink's description or status) is followed from `start` to `stop`; its pose counts as
    valid for `stale_after_s`, since PLUS sends nothing for an invalid transform. Any other node is a setting, such as
    a calibration: it is read when an image comes, and never stale.
    """

    def __init__(self, name: str, node: Any, stale_after_s: float, clock: Callable[[], float]) -> None:
        self.name, self.node = name, node
        self._stale_after_s, self._clock = stale_after_s, clock
        self._tag: int | None = None
        self._samples: deque[_Sample] = deque(maxlen=_REMEMBERED)
        self._together = False

    def start(self, changed: Callable[[], None]) -> None:
        """Follow the node; `changed` is called after every pose."""
        self.stop()
        self._samples.clear()
        self._together = False
        # Without a stamp nobody knows how old the pose is that the node shows now, or whether it is one at all.
        if own_stamp(self.node) is not None:
            self._keep()

        def arrived(_caller: Any, _event: str) -> None:
            self._keep()
            changed()

        self._tag = self.node.AddObserver(_POSE_EVENT, arrived)

    def stop(self) -> None:
        if self._tag is not None:
            self.node.RemoveObserver(self._tag)
            self._tag = None

    def may_still_come(self, moment: Moment) -> bool:
        """Whether a pose with the image's stamp can be on its way."""
        if moment.stamp_s is None or not self._receives:
            return False
        if not self._samples:
            return True
        last_s = self._samples[-1].stamp_s
        return last_s is not None and -_ONE_CLOCK_S <= last_s - moment.stamp_s < -_SAME_STAMP_S

    def pose(self, moment: Moment) -> Pose:
        """The pose of an image's moment. Without one that is usable, the last known numbers, marked as invalid."""
        if not self._receives:
            return _read(self.node)
        if not self._samples:
            return Pose(tuple(np.eye(4).ravel().tolist()), False, None)
        apart_s, nearest = min(
            (
                (abs(one.stamp_s - moment.stamp_s), one)
                for one in self._samples
                if one.stamp_s is not None and moment.stamp_s is not None
            ),
            key=lambda pair: pair[0],
            default=(math.inf, self._samples[-1]),
        )
        if apart_s > _ONE_CLOCK_S:
            newest = self._samples[-1]
            return _if(newest.pose, moment.arrived_s - newest.arrived_s <= self._stale_after_s)
        if apart_s <= _SAME_STAMP_S:
            self._together = True
            return nearest.pose
        # Who sends poses with the images' own stamps has sent none for this image.
        return _if(nearest.pose, not self._together and apart_s <= self._stale_after_s)

    @property
    def _receives(self) -> bool:
        return (
            self.node.GetDescription() == DESCRIPTION or self.node.GetAttribute(STATUS_ATTRIBUTE) is not None
        )

    def _keep(self) -> None:
        self._samples.append(_Sample(own_stamp(self.node), self._clock(), _read(self.node)))


def own_stamp(node: Any) -> float | None:
    """The sender's time stamp that a node carries, in seconds."""
    text = node.GetAttribute(STAMP_ATTRIBUTE)
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


def _read(node: Any) -> Pose:
    status = node.GetAttribute(STATUS_ATTRIBUTE)
    linear = bool(node.IsLinear())
    matrix = vtk.vtkMatrix4x4()
    if linear:
        node.GetMatrixTransformToParent(matrix)
    return Pose(tuple(matrix.GetData()), linear and status in (None, STATUS_OK), status)


def _if(pose: Pose, usable: bool) -> Pose:
    return pose if usable else pose._replace(valid=False)
