"""Frames to disk without holding up who has them: a thread appends, `put` only hands over."""

from __future__ import annotations

import shutil
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from ..geometry.transforms import Matrix
from .live_file import LiveFile

# A disk that pauses for ten seconds costs no frame of 640×480 at 30 a second.
MOST_WAITING_BYTES = 96 << 20
SYNC_EVERY_S = 1.0


@dataclass(frozen=True, eq=False)
class Frame:
    """One frame on its way to disk; see LiveFile.append."""

    image: NDArray[np.uint8]
    timestamp_s: float
    transforms: Mapping[str, tuple[Matrix, bool]]
    image_valid: bool = True
    fields: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True)
class WriterCounts:
    """Where the frames handed over went: offered = written + waiting + dropped. `dropped` came while too much was
    waiting for a slow disk, or after a problem."""

    offered: int
    written: int
    waiting: int
    dropped: int


class FrameWriter:
    """Appends frames to a LiveFile in a thread, in order, until `stop`.

    problem          why nothing more is written, in words; empty while all is well. The file is finished then.
    disk_free_bytes  on the recording's disk, measured once a second
    written_bytes    pixels and fields on disk
    """

    def __init__(self, file: LiveFile, most_waiting_bytes: int = MOST_WAITING_BYTES) -> None:
        self._file, self._most_waiting_bytes = file, most_waiting_bytes
        self._changed = threading.Condition()
        self._queue: deque[Frame] = deque()
        self._waiting_bytes = self._in_hand = self._offered = self._written = self._dropped = 0
        self._stopping = False
        self._finished: Path | None = None
        self._synced_s = time.monotonic()
        self.problem = ""
        self.disk_free_bytes = shutil.disk_usage(file.path.parent).free
        self._thread = threading.Thread(target=self._run, name=f"recording {file.path.name}", daemon=True)
        self._thread.start()

    @property
    def counts(self) -> WriterCounts:
        with self._changed:
            return WriterCounts(self._offered, self._written, len(self._queue) + self._in_hand, self._dropped)

    @property
    def written_bytes(self) -> int:
        return self._file.bytes

    def put(self, frame: Frame) -> bool:
        """Hand over a frame, whose pixels nobody may change any more; whether it was taken. Never waits."""
        with self._changed:
            self._offered += 1
            if (
                self._stopping
                or self.problem
                or self._waiting_bytes + frame.image.nbytes > self._most_waiting_bytes
            ):
                self._dropped += 1
                return False
            self._queue.append(frame)
            self._waiting_bytes += frame.image.nbytes
            self._changed.notify()
            return True

    def stop(self) -> Path:
        """Write what waits, finish the file, and return it. Raises UserError where it could not be finished; a problem
        while recording raises nothing here, as the frames before it are in the file."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join()
        if self._finished is None:
            raise UserError(self.problem)
        return self._finished

    def _run(self) -> None:
        try:
            while not self._done():
                frame = self._next(SYNC_EVERY_S)
                if frame is not None:
                    self._file.append(
                        frame.image, frame.timestamp_s, frame.transforms, frame.image_valid, frame.fields
                    )
                    with self._changed:
                        self._in_hand, self._written = 0, self._file.frames
                self._sync_when_due()
        except UserError as error:
            self._give_up(error)
        self._finish()

    def _done(self) -> bool:
        with self._changed:
            return self._stopping and not self._queue

    def _next(self, timeout_s: float) -> Frame | None:
        """The oldest frame, as soon as there is one; None when none came in time, or `stop` was called."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._queue) or self._stopping, timeout_s)
            if not self._queue:
                return None
            frame = self._queue.popleft()
            self._waiting_bytes -= frame.image.nbytes
            self._in_hand = 1
            return frame

    def _sync_when_due(self) -> None:
        if time.monotonic() - self._synced_s >= SYNC_EVERY_S:
            self._file.sync()
            self.disk_free_bytes = shutil.disk_usage(self._file.path.parent).free
            self._synced_s = time.monotonic()

    def _give_up(self, error: UserError) -> None:
        with self._changed:
            self._dropped += len(self._queue) + self._in_hand
            self._queue.clear()
            self._waiting_bytes = self._in_hand = 0
            self.problem = f"{error} {self._file.frames} frames are kept."

    def _finish(self) -> None:
        try:
            self._finished = self._file.finish()
        except UserError as error:
            # Without a frame there is nothing to say beyond why.
            if self._file.frames or not self.problem:
                self.problem = f"{self.problem} {error}".strip()
