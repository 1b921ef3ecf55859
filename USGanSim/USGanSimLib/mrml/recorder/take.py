"""One recording on its way to disk: which images came, what was written of them, and what there is to say about it."""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import UserError
from ...geometry.transforms import TransformTrack
from ...recording.frame_writer import Frame, FrameWriter, WriterCounts
from ...recording.live_file import LiveFile
from ...recording.sequence_fields import TRANSFORM_STATUS
from ...recording.stamps import StampWatch
from ..transform_chain import STATUS_OK
from .feedback import Feedback, RecorderState
from .pose_pairing import Moment, Pose

ARRIVAL = "ArrivalTimestamp"
# A probe moves a few millimetres in this time; that is enough to see what was covered.
_POSE_LOG_EVERY_S = 0.1
# The rate is that of so many images.
_RATE_IMAGES = 120
_ALL = "*"


@dataclass(frozen=True, eq=False)
class HeldImage:
    """An image whose poses are not settled yet. `told`: transform → status that the image itself tells."""

    pixels: NDArray[np.uint8]
    moment: Moment
    valid: bool
    told: Mapping[str, str]


class Take:
    """One recording from its first image to its file. A recorder makes a new one at each start, so that nothing is left
    of the one before.

    path, header  of the file (NAME.igs.mhd), which the first image makes
    names         of the recorded transforms
    to_1970_s     added to the recorder's clock it gives seconds since 1970

    held      images that wait for their poses, oldest first
    size      (height, width) of the images in pixels, once one was taken
    state     what a person must be told, with `detail`
    """

    def __init__(self, path: Path, header: Mapping[str, str], names: Sequence[str], to_1970_s: float) -> None:
        self._path, self._header, self._names = path, dict(header), tuple(names)
        self._to_1970_s = to_1970_s
        self.state, self.detail = RecorderState.WAITING, ""
        self.held: deque[HeldImage] = deque()
        self.size: tuple[int, int] | None = None
        self._writer: FrameWriter | None = None
        self._ended = False
        self._offered = self._refused = self._recorded = 0
        self._arrivals_s: deque[float] = deque(maxlen=_RATE_IMAGES)
        self._first_s = math.nan
        self._stamps = _FrameStamps(to_1970_s)
        self._valid: Counter[str] = Counter()
        self._poses: list[Mapping[str, Pose]] = []
        self._posed_s = -math.inf

    # What comes

    def offer(self, arrived_s: float) -> None:
        """An image arrived, whatever it is."""
        self._first_s = self._first_s if self._offered else arrived_s
        self._offered += 1
        self._arrivals_s.append(arrived_s)

    def refuse(self, problem: str) -> None:
        """It cannot be in this recording."""
        self._refused += 1
        self._say(RecorderState.REFUSING, f"{problem} {self._refused} of {self._offered} images are refused.")

    def write(self, image: HeldImage, poses: Mapping[str, Pose]) -> None:
        """Hand an image over to the writer with its poses, transform → pose."""
        fields = {ARRIVAL: f"{image.moment.arrived_s + self._to_1970_s:.6f}"} | {
            name + TRANSFORM_STATUS: pose.status
            for name, pose in poses.items()
            if pose.status not in (None, STATUS_OK)
        }
        stamp_s = self._stamps.of(image.moment)
        transforms = {name: (pose.matrix, pose.valid) for name, pose in poses.items()}
        if not self._put(Frame(image.pixels, stamp_s, transforms, image.valid, fields)):
            return
        self._recorded += 1
        self._stamps.watch.see(stamp_s)
        self._valid.update(name for name, pose in poses.items() if pose.valid)
        self._valid[_ALL] += all(pose.valid for pose in poses.values())
        if image.moment.arrived_s - self._posed_s >= _POSE_LOG_EVERY_S:
            self._posed_s = image.moment.arrived_s
            self._poses.append(poses)

    def _put(self, frame: Frame) -> bool:
        if self._writer is None:
            height_px, width_px = frame.image.shape
            try:
                self._writer = FrameWriter(LiveFile(self._path, width_px, height_px, self._header))
            except UserError as error:
                self._refused += 1
                self._say(RecorderState.FAILED, str(error))
                return False
        taken = self._writer.put(frame)
        self.notice_problem()
        if taken and not self._ended:
            self._say(RecorderState.RECORDING)
        return taken

    def notice_problem(self) -> None:
        """The writer works on a thread of its own: ask it how it goes."""
        if self._writer is not None and self._writer.problem and self.state is not RecorderState.STOPPED:
            self._say(RecorderState.FAILED, self._writer.problem)

    # The end

    def end(self) -> None:
        """No more images come; those held may still be written."""
        self._ended = True

    def finish(self) -> Path:
        """Finish the file and return it. Raises UserError where nothing was recorded."""
        self.notice_problem()
        self._say(RecorderState.STOPPED, self.detail)
        if self._writer is None:
            raise UserError(
                self.detail or "No image came, so nothing was recorded.", "Check that the image is received."
            )
        return self._writer.stop()

    # What there is to see

    def silent_s(self, now_s: float) -> float:
        """Since the last image came; 0 before the first."""
        return now_s - self._arrivals_s[-1] if self._arrivals_s else 0.0

    def feedback(self, state: RecorderState, detail: str) -> Feedback:
        """How it goes."""
        writer, rate_hz = self._writer, self._rate_hz()
        height_px, width_px = self.size or (0, 0)
        free = writer.disk_free_bytes if writer else 0
        left = free / (rate_hz * width_px * height_px) / 60 if writer and rate_hz > 0 else math.nan
        return Feedback(
            state=state,
            detail=detail,
            offered=self._offered,
            refused=self._refused,
            held=len(self.held),
            counts=self._counts,
            duration_s=self._arrivals_s[-1] - self._first_s if self._arrivals_s else 0.0,
            rate_hz=rate_hz,
            written_bytes=writer.written_bytes if writer else 0,
            disk_free_bytes=free,
            minutes_left=left,
            valid_share={name: self._share(name) for name in self._names},
            tracked_share=self._share(_ALL),
            warnings=tuple(self._warnings()),
        )

    def pose_tracks(self) -> dict[str, TransformTrack]:
        """The poses so far, ten a second at most: transform → track."""
        return {
            name: TransformTrack(
                np.reshape([poses[name].numbers for poses in self._poses], (-1, 4, 4)),
                np.array([poses[name].valid for poses in self._poses], bool),
            )
            for name in self._names
        }

    @property
    def _counts(self) -> WriterCounts:
        return self._writer.counts if self._writer else WriterCounts(0, 0, 0, 0)

    def _share(self, name: str) -> float:
        return self._valid[name] / self._recorded if self._recorded else math.nan

    def _rate_hz(self) -> float:
        came_s = self._arrivals_s
        if len(came_s) < 2 or came_s[-1] <= came_s[0]:
            return math.nan
        return (len(came_s) - 1) / (came_s[-1] - came_s[0])

    def _warnings(self) -> list[str]:
        said = self._stamps.sentences()
        if dropped := self._counts.dropped:
            said.append(f"{dropped} images were lost: the disk was too slow or failed.")
        return said

    def _say(self, state: RecorderState, detail: str = "") -> None:
        self.state, self.detail = state, detail


class _FrameStamps:
    """The time stamps of the frames, on one clock from the first to the last: the sender's where the first image has
    one, otherwise seconds since 1970 at the arrival. `watch` is shown those that are recorded."""

    def __init__(self, to_1970_s: float) -> None:
        self._to_1970_s = to_1970_s
        self.watch = StampWatch()
        self._stamped: bool | None = None
        self._own_minus_arrival_s = 0.0
        self._unstamped = 0

    def of(self, moment: Moment) -> float:
        """The stamp of the next frame, in seconds."""
        arrival_s = moment.arrived_s + self._to_1970_s
        if self._stamped is None:
            self._stamped = moment.stamp_s is not None
        if not self._stamped:
            return arrival_s
        if moment.stamp_s is None:
            self._unstamped += 1
            return arrival_s + self._own_minus_arrival_s
        self._own_minus_arrival_s = moment.stamp_s - arrival_s
        return moment.stamp_s

    def sentences(self) -> list[str]:
        """What is odd about them."""
        said = self.watch.sentences()
        if self._unstamped:
            said.append(f"{self._unstamped} images came without the time stamp that the first one had.")
        return said
