"""The recorder: every image of a volume node to disk, with the poses that belong to it and both its time stamps.

    recorder = Recorder(image_node, {"ProbeToTracker": probe_node, "ReferenceToTracker": reference_node})
    recorder.start(folder / "heart.igs.mhd")
    while running:                                   # in Slicer: a QTimer, some times a second
        show(recorder.feedback())
    path = recorder.stop()

What was covered so far: `coverage(image_poses(recorder.pose_tracks(), image_to_probe), *recorder.size_px)`, see
recording/coverage.py.

An observer on the image copies its pixels and hands them over; a thread of its own writes. Everything else happens on
the thread that owns the scene.
"""

from __future__ import annotations

import enum
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import slicer
import slicer.util
import vtk
from numpy.typing import NDArray

from ...errors import UserError
from ...geometry.transforms import Matrix, TransformTrack, split_transform_name
from ...recording.frame_writer import Frame, FrameWriter, WriterCounts
from ...recording.live_file import LiveFile, require_new
from ...recording.sequence_fields import TRANSFORM_STATUS
from ...recording.stamps import StampWatch
from ..output_volume import IMAGE_STATUS_ATTRIBUTE
from ..transform_chain import STATUS_OK
from .pose_pairing import Moment, Pose, PoseSource, own_stamp

ARRIVAL = "ArrivalTimestamp"
STALE_AFTER_S = 0.1
# How long an image waits for poses with its own stamp that come after it.
HOLD_S = 0.25
STALLED_AFTER_S = 1.0
# A probe moves a few millimetres in this time; that is enough to see what was covered.
_POSE_LOG_EVERY_S = 0.1
_IMAGE_EVENTS = (vtk.vtkCommand.ModifiedEvent, slicer.vtkMRMLVolumeNode.ImageDataModifiedEvent)


class RecorderState(enum.Enum):
    """What a person must be told."""

    STOPPED = "stopped"
    WAITING = "waiting for the first image"
    RECORDING = "recording"
    STALLED = "no image arrives"
    REFUSING = "images are refused"
    FAILED = "nothing more is recorded"


@dataclass(frozen=True)
class Feedback:
    """A recording as it goes: offered = refused + held + counts.offered.

    offered       images that arrived
    refused       images that cannot be in this recording; `detail` says why
    held          images that wait for a pose with their stamp
    counts        of the writer: written, waiting, dropped
    rate_hz       images a second, lately; NaN before there are two
    minutes_left  until the disk is full at this rate
    valid_share   transform → share of the frames in which it is valid; `tracked_share`: all of them
    warnings      sentences about time stamps and lost images
    """

    state: RecorderState
    detail: str
    offered: int
    refused: int
    held: int
    counts: WriterCounts
    duration_s: float
    rate_hz: float
    written_bytes: int
    disk_free_bytes: int
    minutes_left: float
    valid_share: Mapping[str, float]
    tracked_share: float
    warnings: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Held:
    """An image whose poses are not settled yet."""

    pixels: NDArray[np.uint8]
    moment: Moment
    valid: bool
    told: Mapping[str, str]  # transform → status that the image itself tells


class Recorder:
    """Records a volume node of 8-bit images (rows downwards: MF) and transform nodes, named as PLUS names them.

    transforms     name `AToB` → its transform node; the matrix to the parent is recorded
    stale_after_s  a received pose older than this, at an image's arrival, is recorded as invalid
    clock          seconds, monotonic; `wall` seconds since 1970

    The time stamp of a frame is the image's own, where the node carries one (attribute `Timestamp`), and otherwise the
    arrival. The arrival is recorded with every frame as the field `ArrivalTimestamp`, in seconds since 1970.
    """

    def __init__(
        self,
        image: Any,
        transforms: Mapping[str, Any],
        *,
        stale_after_s: float = STALE_AFTER_S,
        clock: Callable[[], float] = time.perf_counter,
        wall: Callable[[], float] = time.time,
    ) -> None:
        for name in transforms:
            split_transform_name(name)
        self._image, self._clock, self._wall = image, clock, wall
        self._sources = [PoseSource(name, node, stale_after_s, clock) for name, node in transforms.items()]
        self._tags: list[int] = []
        self._writer: FrameWriter | None = None
        self._state, self._detail = RecorderState.STOPPED, ""
        self._reset()

    def _reset(self) -> None:
        self._offered = self._refused = 0
        self._size: tuple[int, int] | None = None
        self._held: deque[_Held] = deque()
        self._arrivals_s: deque[float] = deque(maxlen=120)
        self._first_s: float | None = None
        self._stamps = StampWatch()
        self._stamped: bool | None = None
        self._own_minus_arrival_s = 0.0
        self._unstamped = 0
        self._valid: Counter[str] = Counter()
        self._recorded = 0
        self._poses: list[dict[str, Pose]] = []
        self._posed_s = float("-inf")

    # What a person does

    def start(self, path: Path, header: Mapping[str, str] | None = None) -> None:
        """Record from the next image on, to `path` (NAME.igs.mhd, new). Raises UserError where that cannot be."""
        self.abandon()
        require_new(path)
        if not path.parent.is_dir():
            raise UserError(f"There is no folder {path.parent}.", "Make it, or choose another.")
        self._reset()
        self._path, self._header = path, dict(header or {})
        self._writer = None
        self._to_1970_s = self._wall() - self._clock()
        data = self._image.GetImageData()
        self._seen = data.GetMTime() if data is not None else 0
        self._tags = [self._image.AddObserver(event, self._on_image) for event in _IMAGE_EVENTS]
        for source in self._sources:
            source.start(self._settle)
        self._say(RecorderState.WAITING)

    def stop(self) -> Path:
        """Write what is still held, finish the recording and return its file. Raises UserError where there is none."""
        self._unobserve()
        self._settle(all_of_them=True)
        self._notice_problem()
        self._say(RecorderState.STOPPED, self._detail)
        if self._writer is None:
            raise UserError(
                self._detail or "No image came, so nothing was recorded.", "Check that the image is received."
            )
        return self._writer.stop()

    def abandon(self) -> None:
        """Stop, and keep what there is without a word; for a panel that closes."""
        if self._tags:
            try:
                self.stop()
            except UserError:
                return

    # What there is to see

    def feedback(self) -> Feedback:
        """How it goes; cheap enough for some times a second."""
        self._notice_problem()
        self._settle()
        writer = self._writer
        rate_hz = _rate_hz(self._arrivals_s)
        free = writer.disk_free_bytes if writer else 0
        height_px, width_px = self._size or (0, 0)
        left = free / (rate_hz * width_px * height_px) / 60 if writer and rate_hz > 0 else float("nan")
        share = {source.name: self._share(self._valid[source.name]) for source in self._sources}
        duration_s = self._arrivals_s[-1] - self._first_s if self._first_s is not None else 0.0
        state, detail = self._state_now()
        return Feedback(
            state,
            detail,
            self._offered,
            self._refused,
            len(self._held),
            self._counts(),
            duration_s,
            rate_hz,
            writer.written_bytes if writer else 0,
            free,
            left,
            share,
            self._share(self._valid["*"]),
            tuple(self._warnings()),
        )

    def pose_tracks(self) -> dict[str, TransformTrack]:
        """The poses so far, ten a second at most: transform → track, for the coverage."""
        return {
            source.name: TransformTrack(
                np.reshape([poses[source.name].numbers for poses in self._poses], (-1, 4, 4)),
                np.array([poses[source.name].valid for poses in self._poses], bool),
            )
            for source in self._sources
        }

    @property
    def size_px(self) -> tuple[int, int] | None:
        """Width and height of the images, once one has come."""
        return (self._size[1], self._size[0]) if self._size else None

    # What the nodes do

    def _on_image(self, _caller: Any, _event: str) -> None:
        data = self._image.GetImageData()
        # A node is modified for many reasons; new pixels have a new time.
        if data is None or data.GetMTime() == self._seen:
            return
        self._seen = data.GetMTime()
        arrived_s = self._clock()
        self._offered += 1
        self._arrivals_s.append(arrived_s)
        self._first_s = arrived_s if self._first_s is None else self._first_s
        problem = _image_problem(self._image, self._size)
        if problem:
            self._refused += 1
            self._say(
                RecorderState.REFUSING, f"{problem} {self._refused} of {self._offered} images are refused."
            )
            return
        pixels = slicer.util.arrayFromVolume(self._image)[0].copy()
        self._size = self._size or pixels.shape
        told = {
            source.name: status
            for source in self._sources
            if (status := self._image.GetAttribute(source.name + TRANSFORM_STATUS)) is not None
        }
        valid = self._image.GetAttribute(IMAGE_STATUS_ATTRIBUTE) in (None, STATUS_OK)
        self._held.append(_Held(pixels, Moment(own_stamp(self._image), arrived_s), valid, told))
        self._settle()

    def _settle(self, all_of_them: bool = False) -> None:
        """Hand over the images, oldest first, for which no pose is still to come."""
        now_s = self._clock()
        while self._held:
            moment = self._held[0].moment
            waits = any(source.may_still_come(moment) for source in self._sources)
            if waits and not all_of_them and now_s - moment.arrived_s < HOLD_S:
                return
            self._hand_over(self._held.popleft())

    def _hand_over(self, held: _Held) -> None:
        poses = {
            source.name: _as_told(source.pose(held.moment), held.told.get(source.name))
            for source in self._sources
        }
        arrival = f"{held.moment.arrived_s + self._to_1970_s:.6f}"
        fields = {ARRIVAL: arrival} | {
            name + TRANSFORM_STATUS: pose.status
            for name, pose in poses.items()
            if pose.status not in (None, STATUS_OK)
        }
        stamp_s = self._stamp_s(held.moment)
        transforms: dict[str, tuple[Matrix, bool]] = {
            name: (pose.matrix, pose.valid) for name, pose in poses.items()
        }
        if not self._write(Frame(held.pixels, stamp_s, transforms, held.valid, fields)):
            return
        self._recorded += 1
        self._stamps.see(stamp_s)
        self._valid.update(name for name, pose in poses.items() if pose.valid)
        self._valid["*"] += all(pose.valid for pose in poses.values())
        if held.moment.arrived_s - self._posed_s >= _POSE_LOG_EVERY_S:
            self._posed_s = held.moment.arrived_s
            self._poses.append(poses)

    def _write(self, frame: Frame) -> bool:
        if self._writer is None:
            height_px, width_px = frame.image.shape
            try:
                self._writer = FrameWriter(LiveFile(self._path, width_px, height_px, self._header))
            except UserError as error:
                self._refused += 1
                self._say(RecorderState.FAILED, str(error))
                return False
        taken = self._writer.put(frame)
        self._notice_problem()
        if taken and self._tags:
            self._say(RecorderState.RECORDING)
        return taken

    def _stamp_s(self, moment: Moment) -> float:
        """The frame's time stamp, on one clock from the first frame to the last."""
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

    def _state_now(self) -> tuple[RecorderState, str]:
        """The state, with what only the clock and the scene can tell."""
        if self._state not in (RecorderState.WAITING, RecorderState.RECORDING):
            return self._state, self._detail
        for node in (self._image, *(source.node for source in self._sources)):
            if node.GetScene() is None:
                return RecorderState.STALLED, f"{node.GetName()} was removed from the scene"
        silent_s = self._clock() - self._arrivals_s[-1] if self._arrivals_s else 0.0
        if silent_s > STALLED_AFTER_S:
            return RecorderState.STALLED, f"none for {silent_s:.0f} s"
        return self._state, self._detail

    def _notice_problem(self) -> None:
        if self._writer is not None and self._writer.problem and self._state is not RecorderState.STOPPED:
            self._say(RecorderState.FAILED, self._writer.problem)

    def _say(self, state: RecorderState, detail: str = "") -> None:
        self._state, self._detail = state, detail

    def _unobserve(self) -> None:
        for tag in self._tags:
            self._image.RemoveObserver(tag)
        self._tags = []
        for source in self._sources:
            source.stop()

    def _counts(self) -> WriterCounts:
        return self._writer.counts if self._writer else WriterCounts(0, 0, 0, 0)

    def _share(self, count: int) -> float:
        return count / self._recorded if self._recorded else float("nan")

    def _warnings(self) -> list[str]:
        said = self._stamps.sentences()
        if self._unstamped:
            said.append(f"{self._unstamped} images came without the time stamp that the first one had.")
        if dropped := self._counts().dropped:
            said.append(f"{dropped} images were lost: the disk was too slow or failed.")
        return said


def _image_problem(node: Any, size: tuple[int, int] | None) -> str:
    """Why an image cannot be recorded, or nothing. `size` is (height, width) of the images before."""
    data = node.GetImageData()
    width_px, height_px, slices = data.GetDimensions()
    if slices != 1 or width_px * height_px == 0:
        return f"{node.GetName()} is a volume of {width_px}×{height_px}×{slices}, no single image."
    if data.GetNumberOfScalarComponents() != 1 or data.GetScalarType() != vtk.VTK_UNSIGNED_CHAR:
        return (
            f"{node.GetName()} has {data.GetNumberOfScalarComponents()} components of type "
            f"{data.GetScalarTypeAsString()}; recorded are grey images of 8 bits."
        )
    if size is not None and (height_px, width_px) != size:
        return f"The image size changed from {size[1]}×{size[0]} to {width_px}×{height_px} px: stop, and start anew."
    return ""


def _as_told(pose: Pose, status: str | None) -> Pose:
    """A pose with the status that came with the image itself, where one did (PLUS sends all of a frame's fields)."""
    if status in (None, STATUS_OK):
        return pose
    return pose._replace(valid=False, status=status)


def _rate_hz(arrivals_s: deque[float]) -> float:
    if len(arrivals_s) < 2 or arrivals_s[-1] <= arrivals_s[0]:
        return float("nan")
    return (len(arrivals_s) - 1) / (arrivals_s[-1] - arrivals_s[0])
