"""Simulated images over OpenIGTLink: poses from a tracker's server come in, images as PlusServer names them go out.

For each pose taken (the newest; older ones that waited are counted) clients get, with the time stamp of the pose:
- TRANSFORM ProbeToReference, and the ones asked for, chained of what the tracker sent and the model's ImageToProbe;
- IMAGE `Image_Reference`, with ImageToReference of the simulated image's own pixels as its matrix;
- STRING `SimulationState`, the state in words ("live", "outside the trained range: …").
Without a usable pose there is no image: the STRING alone tells the state, at every change and once a second.
"""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Sequence

from pyigtl.messages import MessageBase

from ..errors import UserError
from ..geometry.transforms import split_transform_name
from ..live import STALE_AFTER_S, LatencyReport, LiveMeter, LiveStatus, PoseCounts, PoseState, Renderer
from .client import LinkClient, Received
from .poses import PoseReader, TrackedPose, chained
from .server import LinkServer
from .wire import image_message, string_message, transform_message

STATE_DEVICE = "SimulationState"
_REPEAT_S = 1.0
_LONGEST_WAIT_S = 0.1


class SimulationServer:
    """Renders at the poses of the OpenIGTLink server `host`:`port` and sends to the clients of `server`.

    renderer    makes the images (live.Renderer); used from this object's thread alone
    extra       names of further transforms to send, such as ImageToReference or ProbeToTracker
    Raises UserError where `extra` names no transform. An error of the renderer ends the thread; `wait` raises it.
    """

    def __init__(
        self,
        renderer: Renderer,
        server: LinkServer,
        host: str,
        port: int,
        extra: Sequence[str] = (),
        image_frame: str = "Image",
        probe_frame: str = "Probe",
        reference_frame: str = "Reference",
    ) -> None:
        self._renderer, self._server = renderer, server
        self._image, self._probe, self._reference = image_frame, probe_frame, reference_frame
        self._name, self._extra = f"{probe_frame}To{reference_frame}", tuple(extra)
        for name in extra:
            split_transform_name(name)
        self._reader = PoseReader(probe_frame, reference_frame)
        self._changed = threading.Condition()
        # Both threads use it, under this lock.
        self._meter: LiveMeter[TrackedPose] = LiveMeter(LiveStatus(PoseState.NO_POSE), STALE_AFTER_S)
        self._told_s = -math.inf
        self._stopping = False
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name=f"simulation for {host}:{port}", daemon=True)
        self._client = LinkClient(host, port, wanted=("TRANSFORM",), on_message=self._take_in)
        self._thread.start()

    def __enter__(self) -> SimulationServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def status(self) -> LiveStatus:
        """The state that clients are told."""
        with self._changed:
            return self._meter.status

    @property
    def link_state(self) -> str:
        """The connection to the tracker, in words."""
        return self._client.state

    @property
    def counts(self) -> PoseCounts:
        """What became of every pose."""
        with self._changed:
            return self._meter.counts

    @property
    def latency(self) -> LatencyReport:
        """Of the latest images; "write" is the packing and queueing for the clients."""
        with self._changed:
            return self._meter.latency

    @property
    def problems(self) -> dict[str, int]:
        """Bad messages from the tracker's server by kind."""
        return self._client.counts.problems

    def wait(self, timeout_s: float) -> None:
        """Wait; raises what ended the simulation, if anything did."""
        self._thread.join(timeout_s)
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """End the connection to the tracker and the thread. The server belongs to the caller."""
        self._client.stop()
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._thread.join()

    def _take_in(self, received: Received) -> None:
        with self._changed:
            pose = self._reader.add(received)
            if pose is not None:
                self._meter.received(pose, received.received_s)
                self._changed.notify_all()

    def _run(self) -> None:
        try:
            while not self._stopping:
                with self._changed:
                    self._changed.wait_for(
                        lambda: self._stopping or self._meter.counts.waiting, _LONGEST_WAIT_S
                    )
                    taken = self._meter.queue.take()
                if taken is None:
                    self._tell(self._without_pose())
                elif taken[0].problem:
                    with self._changed:
                        self._meter.queue.count_unusable()
                    self._tell(LiveStatus(PoseState.INVALID, taken[0].problem))
                else:
                    self._make_image(*taken)
        except Exception as error:
            self._error = error

    def _make_image(self, pose: TrackedPose, arrived_s: float) -> None:
        timing = self._meter.begin(arrived_s)
        image_to_reference = pose.probe_to_reference @ self._renderer.image_to_probe
        image = self._renderer.render(image_to_reference)
        self._meter.rendered(timing)
        status = LiveStatus.of_range(self._renderer.pose_range, image_to_reference)
        messages = self._transforms(pose)
        messages.append(
            image_message(
                f"{self._image}_{self._reference}",
                image,
                image_to_reference,
                pose.timestamp_s,
                {STATE_DEVICE: _plain(status)},
            )
        )
        messages.append(string_message(STATE_DEVICE, _plain(status), pose.timestamp_s))
        self._server.send(messages)
        with self._changed:
            self._meter.finish(timing, status)
            self._told_s = time.perf_counter()

    def _transforms(self, pose: TrackedPose) -> list[MessageBase]:
        """ProbeToReference and the ones asked for, as far as this moment has what they are chained of."""
        messages: list[MessageBase] = [
            transform_message(self._name, pose.probe_to_reference, pose.timestamp_s)
        ]
        known = {
            name: matrix
            for name, matrix in pose.transforms.items()
            if self._image not in split_transform_name(name)
        }  # the tracker's image is not this one
        known |= {
            self._name: pose.probe_to_reference,
            f"{self._image}To{self._probe}": self._renderer.image_to_probe,
        }
        for name in self._extra:
            with contextlib.suppress(UserError):
                matrix = chained(known, *split_transform_name(name))
                messages.append(transform_message(name, matrix, pose.timestamp_s))
        return messages

    def _without_pose(self) -> LiveStatus:
        """The state while no new pose comes."""
        with self._changed:
            missing = self._reader.missing
        why = missing if self._client.connected else self._client.state
        with self._changed:
            if self._meter.age_s is None:
                return LiveStatus(PoseState.NO_POSE, why)
            return self._meter.stale(why) or self._meter.status

    def _tell(self, status: LiveStatus) -> None:
        """Send the state alone, when it has changed or was told a while ago."""
        now_s = time.perf_counter()
        if status != self._meter.status or now_s - self._told_s > _REPEAT_S:
            # It belongs to no moment of the tracker's clock; a time stamp of 0 means "unused".
            self._server.send([string_message(STATE_DEVICE, _plain(status), timestamp_s=0.0)])
            with self._changed:
                self._meter.status, self._told_s = status, now_s


def _plain(status: LiveStatus) -> str:
    # pyigtl packs ASCII alone.
    return str(status).replace("°", " deg")
