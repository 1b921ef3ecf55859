"""From TRANSFORM messages to the pose of the probe, moment by moment.

A tracker sends ProbeToReference, or what it can be chained of (ProbeToTracker and ReferenceToTracker). PLUS gives all
transforms of one moment the same time stamp, so a pose is made of transforms with equal stamps alone: the probe's
newest with the reference's last would be a pose that never was. Only for a server whose stamps have never been equal
are the newest of each combined.

An invalid transform either does not come (PLUS by default), then there is no pose of that moment; or it comes with a
status other than OK, then the pose says so.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from pyigtl.messages import MessageBase

from ..errors import UserError
from ..geometry.transforms import (
    RIGID_TOLERANCE,
    Matrix,
    TransformGraph,
    TransformTrack,
    rigidity_error,
    split_transform_name,
)
from .client import Received
from .wire import transform_status


@dataclass(frozen=True, eq=False)
class _Sample:
    """A transform as it last came; `problem` says why it must not be used."""

    matrix: Matrix
    problem: str
    timestamp_s: float

    @classmethod
    def of(cls, message: MessageBase) -> _Sample:
        matrix = np.asarray(message.matrix, np.float64)
        error, status = float(rigidity_error(matrix)), transform_status(message)
        if status != "OK":
            problem = f"{message.device_name} is {status}"
        elif error > RIGID_TOLERANCE:
            problem = f"{message.device_name} is not a rigid transform (off by {error:.3g})"
        else:
            problem = ""
        return cls(matrix, problem, message.timestamp)


@dataclass(frozen=True, eq=False)
class TrackedPose:
    """A pose of the probe.

    probe_to_reference   (4, 4) in millimetres; the identity where there is a problem
    problem              why it must not be used, in words; empty for a good pose
    timestamp_s          of the sender's clock
    received_s           when its last transform arrived (time.perf_counter)
    transforms           the usable transforms of this moment by name, (4, 4) each
    """

    probe_to_reference: Matrix
    problem: str
    timestamp_s: float
    received_s: float
    transforms: dict[str, Matrix]


class PoseReader:
    """Takes TRANSFORM messages one by one, in order, and returns a pose with the message that completes one."""

    def __init__(self, probe_frame: str = "Probe", reference_frame: str = "Reference") -> None:
        self._ends = probe_frame, reference_frame
        self._forget(connection=0)

    def add(self, received: Received) -> TrackedPose | None:
        """Take a message in; other types and names that are no transform's are passed over."""
        if received.connection != self._connection:
            self._forget(received.connection)
        message = received.message
        name = message.device_name
        if message.message_type != "TRANSFORM" or not self._knows(name):
            return None
        self._newest[name] = _Sample.of(message)
        if name not in self._way or not self._complete():
            return None
        return self._pose(message.timestamp, received.received_s)

    @property
    def missing(self) -> str:
        """What keeps a pose from being made, in words; empty when nothing does."""
        if not self._way:
            have = ", ".join(self._newest) or "no transform"
            return f"{'To'.join(self._ends)} cannot be made of {have}"
        latest_s = max(self._newest[name].timestamp_s for name in self._way)
        late = [name for name in self._way if self._newest[name].timestamp_s < latest_s]
        return f"{' and '.join(late)} has stopped coming" if late and self._in_step else ""

    def _forget(self, connection: int) -> None:
        # What came by an earlier connection is of another moment, perhaps of another server.
        self._connection = connection
        self._newest: dict[str, _Sample] = {}
        self._way: dict[str, bool] = {}
        self._in_step = False

    def _knows(self, name: str) -> bool:
        """Whether it names a transform; a new one may open a shorter way from the probe to the reference."""
        if name in self._newest:
            return True
        try:
            split_transform_name(name)
        except UserError:
            return False
        names = [*self._newest, name]
        frames = TransformGraph({known: TransformTrack.constant(np.eye(4)) for known in names}).path(
            *self._ends
        )
        # name → whether it leads from the probe to the reference; a given direction comes before an inverse
        self._way = {
            forward if forward in names else backward: forward in names
            for forward, backward in (
                (f"{start}To{end}", f"{end}To{start}") for start, end in itertools.pairwise(frames)
            )
        }
        return True

    def _complete(self) -> bool:
        """Whether the transforms on the way are of one moment, or of a server that has no such moments."""
        equal = len({self._newest[name].timestamp_s for name in self._way}) == 1
        self._in_step = self._in_step or equal
        return equal or not self._in_step

    def _pose(self, timestamp_s: float, received_s: float) -> TrackedPose:
        problems = [self._newest[name].problem for name in self._way if self._newest[name].problem]
        usable = {
            name: sample.matrix
            for name, sample in self._newest.items()
            if not sample.problem and (sample.timestamp_s == timestamp_s or not self._in_step)
        }
        matrix = np.eye(4)
        # A few products instead of a graph: this happens at every pose, before it can be rendered.
        for name, leads_on in self._way.items() if not problems else ():
            matrix = (usable[name] if leads_on else np.linalg.inv(usable[name])) @ matrix
        return TrackedPose(matrix, ", ".join(problems), timestamp_s, received_s, usable)


def chained(transforms: dict[str, Matrix], source: str, target: str) -> Matrix:
    """(4, 4) `sourceTotarget` of the transforms of one moment. Raises UserError where there is no way."""
    graph = TransformGraph({name: TransformTrack.constant(matrix) for name, matrix in transforms.items()})
    matrix: Matrix = graph.track(source, target).matrices[0]
    return matrix
