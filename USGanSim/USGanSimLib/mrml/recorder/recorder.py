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

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import slicer
import slicer.util
import vtk

from ...errors import UserError
from ...geometry.transforms import TransformTrack, split_transform_name
from ...recording.live_file import require_new
from ...recording.sequence_fields import TRANSFORM_STATUS
from ..output_volume import IMAGE_STATUS_ATTRIBUTE
from ..transform_chain import STATUS_OK
from .feedback import Feedback, RecorderState
from .pose_pairing import Moment, Pose, PoseSource, own_stamp
from .take import HeldImage, Take

STALE_AFTER_S = 0.1
# How long an image waits for poses with its own stamp that come after it.
HOLD_S = 0.25
STALLED_AFTER_S = 1.0
_IMAGE_EVENTS = (vtk.vtkCommand.ModifiedEvent, slicer.vtkMRMLVolumeNode.ImageDataModifiedEvent)


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
        self._seen = 0  # the time of the pixels that were taken last
        self._take: Take | None = None

    # What a person does

    def start(self, path: Path, header: Mapping[str, str] | None = None) -> None:
        """Record from the next image on, to `path` (NAME.igs.mhd, new). Raises UserError where that cannot be."""
        self.abandon()
        require_new(path)
        if not path.parent.is_dir():
            raise UserError(f"There is no folder {path.parent}.", "Make it, or choose another.")
        names = [source.name for source in self._sources]
        self._take = Take(path, header or {}, names, self._wall() - self._clock())
        data = self._image.GetImageData()
        self._seen = data.GetMTime() if data is not None else 0
        self._tags = [self._image.AddObserver(event, self._on_image) for event in _IMAGE_EVENTS]
        for source in self._sources:
            source.start(self._settle)

    def stop(self) -> Path:
        """Write what is still held, finish the recording and return its file. Raises UserError where there is none."""
        self._unobserve()
        take = self._started()
        take.end()
        self._settle(all_of_them=True)
        return take.finish()

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
        take = self._started()
        take.notice_problem()
        self._settle()
        return take.feedback(*self._state_of(take))

    def pose_tracks(self) -> dict[str, TransformTrack]:
        """The poses so far, ten a second at most: transform → track, for the coverage."""
        return self._started().pose_tracks()

    @property
    def size_px(self) -> tuple[int, int] | None:
        """Width and height of the images, once one has come."""
        size = self._started().size
        return (size[1], size[0]) if size else None

    # What the nodes do

    def _on_image(self, _caller: Any, _event: str) -> None:
        data = self._image.GetImageData()
        # A node is modified for many reasons; new pixels have a new time.
        if data is None or data.GetMTime() == self._seen:
            return
        self._seen = data.GetMTime()
        take, arrived_s = self._started(), self._clock()
        take.offer(arrived_s)
        try:
            self._hold(take, arrived_s)
        except Exception as error:
            # VTK would print it at every image, and the images would be missing without a word.
            name = self._image.GetName()
            take.refuse(f"{name} could not be taken ({type(error).__name__}: {error}).")

    def _hold(self, take: Take, arrived_s: float) -> None:
        """Keep the image until its poses are settled."""
        problem = _image_problem(self._image, take.size)
        if problem:
            take.refuse(problem)
            return
        pixels = slicer.util.arrayFromVolume(self._image)[0].copy()
        take.size = take.size or pixels.shape
        told = {
            source.name: status
            for source in self._sources
            if (status := self._image.GetAttribute(source.name + TRANSFORM_STATUS)) is not None
        }
        valid = self._image.GetAttribute(IMAGE_STATUS_ATTRIBUTE) in (None, STATUS_OK)
        take.held.append(HeldImage(pixels, Moment(own_stamp(self._image), arrived_s), valid, told))
        self._settle()

    def _settle(self, all_of_them: bool = False) -> None:
        """Hand over the images, oldest first, for which no pose is still to come."""
        take, now_s = self._started(), self._clock()
        while take.held:
            moment = take.held[0].moment
            waits = any(source.may_still_come(moment) for source in self._sources)
            if waits and not all_of_them and now_s - moment.arrived_s < HOLD_S:
                return
            image = take.held.popleft()
            take.write(
                image,
                {
                    source.name: _as_told(source.pose(moment), image.told.get(source.name))
                    for source in self._sources
                },
            )

    def _state_of(self, take: Take) -> tuple[RecorderState, str]:
        """The state, with what only the clock and the scene can tell."""
        if take.state not in (RecorderState.WAITING, RecorderState.RECORDING):
            return take.state, take.detail
        for node in (self._image, *(source.node for source in self._sources)):
            if node.GetScene() is None:
                return RecorderState.STALLED, f"{node.GetName()} was removed from the scene"
        silent_s = take.silent_s(self._clock())
        if silent_s > STALLED_AFTER_S:
            return RecorderState.STALLED, f"none for {silent_s:.0f} s"
        return take.state, take.detail

    def _unobserve(self) -> None:
        for tag in self._tags:
            self._image.RemoveObserver(tag)
        self._tags = []
        for source in self._sources:
            source.stop()

    def _started(self) -> Take:
        if self._take is None:
            raise UserError("Nothing is being recorded.", "Press Start.")
        return self._take


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
