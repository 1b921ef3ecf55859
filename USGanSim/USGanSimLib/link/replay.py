"""A recording over OpenIGTLink as PlusServer would send it.

What PlusServer does (PlusLib, vtkPlusOpenIGTLinkServer, vtkPlusIgtlMessageFactory, vtkPlusIgtlMessageCommon), and what
is done here alike:
- TRANSFORM, one a frame and name, device `ProbeToTracker`; a name of more than 20 characters is cut in the header and
  travels whole as metadata IGTL_DEVICE_NAME.
- IMAGE, device `Image_Reference` (frame of the pixels, frame of the embedded matrix), MF orientation, axes flagged RAS,
  matrix ImageToReference in the image header: columns for one pixel step, and the centre of the image. Without a way
  from Image to Reference a PLUS configuration names the stream `Image_Image`, with the identity.
- Both carry the frame's time stamp. PlusServer turns its clock into UTC; here the stamps are those of the recording as
  they stand, as its clock's offset is not in the file. In a loop they go on increasing: each round adds the
  recording's duration and one mean step. `rate_hz` changes the pace alone, not the stamps.
- Validity: TRANSFORM metadata TransformStatus (OK, MISSING, OUT_OF_VIEW, …) and TransformValid (1 or 0). By default
  (SendValidTransformsOnly) an invalid transform is not sent at all; otherwise it is sent as the identity. An image that
  is INVALID is not sent. An image whose pose is invalid is sent; its metadata, all fields of the frame, tells it.
- Metadata exists in header version 2 alone; a client gets version 1 until it has sent a message of version 2.
- No frame is skipped, and nothing waits for a client: who connects late has missed what was sent.
Queries and commands of clients (GET_STATUS, STT_TDATA, COMMAND, …), which PlusServer answers, are not answered.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pyigtl.messages import MessageBase

from ..errors import UserError
from ..geometry.transforms import Matrix, TransformTrack, split_transform_name
from ..live import Spread
from ..recording.sequence_fields import INVALID, OK, TRANSFORM_STATUS, frame_lines
from ..recording.sweep import TrackedSweep
from .server import LinkServer
from .wire import image_message, transform_message

_LARGEST_STAMP_S = 2**32


class SweepMessages:
    """The messages of each frame of a recording.

    image_to_probe   (4, 4) of a calibration, in place of the recording's own
    extra            transforms to chain and send besides those recorded, such as ProbeToReference
    send_invalid     whether invalid transforms are sent too, as the identity with their status
    Raises UserError for a transform that cannot be chained, and for time stamps that the protocol cannot hold.
    """

    def __init__(
        self,
        sweep: TrackedSweep,
        image_to_probe: Matrix | None = None,
        extra: Sequence[str] = (),
        image_frame: str = "Image",
        probe_frame: str = "Probe",
        reference_frame: str = "Reference",
        send_invalid: bool = False,
    ) -> None:
        _require_stamps(sweep)
        self.sweep = sweep
        self._send_invalid = send_invalid
        graph = sweep.graph(image_to_probe, image_frame, probe_frame)
        self._tracks = dict(sweep.transforms)
        self._tracks.update({name: graph.track(*split_transform_name(name)) for name in extra})
        embedded = image_to_probe is not None or reference_frame in graph.reachable(image_frame)
        frame = reference_frame if embedded else image_frame
        self._image_name = f"{image_frame}_{frame}" if sweep.has_images else ""
        self._image_track = (
            graph.track(image_frame, frame)
            if embedded and sweep.has_images
            else TransformTrack.constant(np.eye(4))
        )

    @property
    def devices(self) -> list[str]:
        """The names that are sent."""
        return [*self._tracks, *([self._image_name] if self._image_name else [])]

    def of_frame(self, index: int, later_s: float = 0.0) -> list[MessageBase]:
        """The messages of a frame, transforms first, with its time stamp plus `later_s`."""
        stamp_s = float(self.sweep.timestamps_s[index]) + later_s
        messages: list[MessageBase] = []
        for name, track in self._tracks.items():
            matrix, valid = _moment(track, index)
            if valid:
                messages.append(transform_message(name, matrix, stamp_s))
            elif self._send_invalid:
                messages.append(transform_message(name, np.eye(4), stamp_s, self._status(name, index)))
        if self._image_name and self.sweep.image_valid[index]:
            matrix, _ = _moment(self._image_track, index)
            messages.append(
                image_message(
                    self._image_name, self.sweep.frames[index], matrix, stamp_s, self._fields(index, stamp_s)
                )
            )
        return messages

    def _status(self, name: str, index: int) -> str:
        told = self.sweep.frame_fields.get(name + TRANSFORM_STATUS)
        status = told[index] if told else None
        return status if status and status != OK else INVALID

    def _fields(self, index: int, stamp_s: float) -> dict[str, str]:
        transforms = {name: _moment(track, index) for name, track in self.sweep.transforms.items()}
        return frame_lines(
            stamp_s, transforms, {name: values[index] for name, values in self.sweep.frame_fields.items()}
        )


@dataclass(frozen=True)
class ReplayStatistics:
    """`lateness` is how long after its moment a frame was handed to the server; `wanted_hz` the mean rate asked for."""

    frames: int
    rounds: int
    duration_s: float
    rate_hz: float
    wanted_hz: float
    lateness: Spread
    latest_ms: float

    def as_dict(self) -> dict[str, float | None]:
        """Flat, with units in the names, for JSON. A rate or a median of too few frames is None."""
        figures = {
            "frames": self.frames,
            "rounds": self.rounds,
            "duration_s": self.duration_s,
            "rate_hz": self.rate_hz,
            "wanted_hz": self.wanted_hz,
            "latest_ms": self.latest_ms,
            "lateness_median_ms": self.lateness.median_ms,
            "lateness_p95_ms": self.lateness.p95_ms,
        }
        return {name: None if math.isnan(figure) else figure for name, figure in figures.items()}


class Replay:
    """Sends a recording's frames through a server, in a thread of its own from `start` to `stop` or to the end.

    The pace is that of the recording's time stamps, or `rate_hz` frames a second. Every frame has its moment counted
    from the beginning, so lateness never adds up. Raises UserError where no pace is told.
    """

    def __init__(
        self,
        sweep: TrackedSweep,
        server: LinkServer,
        rate_hz: float | None = None,
        loop: bool = False,
        messages: SweepMessages | None = None,
    ) -> None:
        self._messages = messages or SweepMessages(sweep)
        self._server, self._loop = server, loop
        self._moments_s, self._round_s = _schedule(sweep, rate_hz, loop)
        stamps_s = sweep.timestamps_s
        self._stamp_round_s = float(np.ptp(stamps_s)) + (_mean_step_s(stamps_s) or self._round_s / len(sweep))
        self._stopping = threading.Event()
        self._lateness_s: deque[float] = deque(maxlen=100_000)
        self._latest_s = 0.0
        self._sent_s: tuple[float, float] = (0.0, 0.0)
        self._frames = 0
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name=f"replay of {sweep.name}", daemon=True)

    def start(self) -> None:
        """Send the first frame now and the others in their time."""
        self._thread.start()

    def stop(self) -> None:
        """End before the next frame."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for the end of the recording; whether it has come. Raises what ended the replay before its time."""
        self._thread.join(timeout_s)
        if self._error is not None:
            raise self._error
        return not self._thread.is_alive()

    @property
    def statistics(self) -> ReplayStatistics:
        first_s, last_s = self._sent_s
        duration_s, frames = last_s - first_s, self._frames
        return ReplayStatistics(
            frames,
            frames // len(self._moments_s),
            duration_s,
            (frames - 1) / duration_s if duration_s > 0 else float("nan"),
            len(self._moments_s) / self._round_s if self._round_s > 0 else float("nan"),
            Spread.of_seconds(np.array(self._lateness_s)),
            self._latest_s * 1e3,
        )

    def _run(self) -> None:
        try:
            begin_s, done = time.perf_counter(), 0
            while not self._stopping.is_set() and (self._loop or done == 0):
                for index, moment_s in enumerate(self._moments_s.tolist()):
                    if not self._send_at(
                        begin_s + done * self._round_s + moment_s, index, done * self._stamp_round_s
                    ):
                        return
                done += 1
        except Exception as error:
            self._error = error

    def _send_at(self, due_s: float, index: int, later_s: float) -> bool:
        """Send a frame at its moment, or at once if that has passed; False when the replay is to stop."""
        if self._stopping.wait(max(due_s - time.perf_counter(), 0.0)):
            return False
        now_s = time.perf_counter()
        self._server.send(self._messages.of_frame(index, later_s))
        self._sent_s = (self._sent_s[0] if self._frames else now_s, now_s)
        self._frames += 1
        self._lateness_s.append(now_s - due_s)
        self._latest_s = max(self._latest_s, now_s - due_s)
        return True


def _moment(track: TransformTrack, index: int) -> tuple[Matrix, bool]:
    # A constant transform has one moment.
    at = index if len(track) > 1 else 0
    return track.matrices[at], bool(track.valid[at])


def _require_stamps(sweep: TrackedSweep) -> None:
    stamps_s = sweep.timestamps_s
    bad = np.flatnonzero(~((stamps_s >= 0) & (stamps_s < _LARGEST_STAMP_S)))
    if bad.size:
        raise UserError(
            f"{sweep.name} has time stamps that OpenIGTLink cannot carry (first: {stamps_s[bad[0]]:g} s in "
            f"frame {bad[0]}; 0 to {_LARGEST_STAMP_S} s are possible).",
            "Record it again.",
        )


def _schedule(sweep: TrackedSweep, rate_hz: float | None, loop: bool) -> tuple[NDArray[np.float64], float]:
    """(N,) seconds from the beginning at which the frames are due, and how long a round takes."""
    count = len(sweep)
    if rate_hz is not None:
        if not 0 < rate_hz <= 1000:
            raise UserError(
                f"A rate of {rate_hz:g} Hz cannot be replayed.", "Give --rate from above 0 to 1000 Hz."
            )
        return np.arange(count) / rate_hz, count / rate_hz
    step_s = _mean_step_s(sweep.timestamps_s)
    if step_s == 0 and (count > 1 or loop):
        raise UserError(
            f"The time stamps of {sweep.name} do not increase, so they tell no rate.", "Give --rate."
        )
    # A stamp that goes back is due with the one before it.
    moments_s = np.maximum.accumulate(sweep.timestamps_s) - sweep.timestamps_s[0]
    return moments_s, float(moments_s[-1]) + step_s


def _mean_step_s(stamps_s: NDArray[np.float64]) -> float:
    return float(np.ptp(stamps_s)) / max(len(stamps_s) - 1, 1)
