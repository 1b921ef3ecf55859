"""What a training does, told from its run's folder alone: in the session of Slicer that started it or any other, and
for a training that was started in a terminal too.

    watch = RunWatch(folder)
    status = watch.poll()     # as often as is wanted; reads what was added since, at most a megabyte
    watch.metrics             # everything read of metrics.csv so far
"""

from __future__ import annotations

import enum
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..progress import JsonLineReader
from .run_folder import RunFolder

# More is read at the next poll, so that a long run's files are not read in one go.
_BYTES_A_POLL = 1_000_000
# The log is only asked for its end.
_LOG_END_BYTES = 200_000
_STEPS_TIMED = 50


class RunState(enum.Enum):
    """NEW: nothing was trained here. STARTING: the process loads. STOPPED: can go on. FAILED: ended with an error."""

    NEW = "new"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True)
class RunStatus:
    """`step` of `of` iterations; `left_s` while it runs and a step was timed; `message` and `hint` of what failed;
    `warnings` of the training about itself; `sample` the newest panel; `resumable` whether there is a checkpoint to go
    on from and nobody trains."""

    state: RunState
    step: int = 0
    of: int = 0
    left_s: float | None = None
    message: str = ""
    hint: str = ""
    warnings: tuple[str, ...] = ()
    sample: Path | None = None
    resumable: bool = False

    @property
    def active(self) -> bool:
        """Whether a process is at it."""
        return self.state in (RunState.STARTING, RunState.RUNNING, RunState.STOPPING)


@dataclass(frozen=True, eq=False)
class Metrics:
    """Columns by name, `step` among them, each (N,); what an iteration does not have is NaN."""

    columns: dict[str, NDArray[np.float64]]

    def __len__(self) -> int:
        return len(self.columns.get("step", ()))

    def thinned(self, name: str, most: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(step, value) of a column, at most `most` points, each the mean of as many iterations; without gaps."""
        there = np.isfinite(self.columns[name])
        step, value = self.columns["step"][there], self.columns[name][there]
        size = max(1, -(-len(step) // most))
        starts = np.arange(0, len(step), size)
        if not len(starts):
            return step, value
        counts = np.diff([*starts, len(step)])
        return np.add.reduceat(step, starts) / counts, np.add.reduceat(value, starts) / counts


class RunWatch:
    """Watches a run's folder. `starting` says whether a process that was just started lives: it takes seconds until it
    holds the folder."""

    def __init__(self, folder: Path, starting: Callable[[], bool] = lambda: False) -> None:
        self.folder = RunFolder(folder)
        self._starting = starting
        self._metrics = _MetricsTail(self.folder.metrics)
        self._log = _LogTail(self.folder.log)

    @property
    def metrics(self) -> Metrics:
        """What was read so far."""
        return self._metrics.metrics()

    def poll(self) -> RunStatus:
        """Read what is new, and judge."""
        # Asked first: what ends between the two is then seen as running once more, and not as failed.
        training, starting = self.folder.is_training, self._starting()
        self._log.read()
        self._metrics.read()
        configuration = _read_json(self.folder.config)
        settings = configuration.get("settings", {})
        of = int(settings.get("iterations", 0))
        step = self._metrics.last_step
        state = self._state(training, starting, step, of)
        active = training or starting
        failed = state == RunState.FAILED
        return RunStatus(
            state,
            step,
            of,
            left_s=self._left_s(step, of, settings.get("minutes")) if training else None,
            message=self._log.failure.get("message", "") if failed else "",
            hint=self._log.failure.get("hint", "") if failed else "",
            warnings=tuple(self._log.warnings),
            sample=_newest(self.folder.samples),
            resumable=not active and self.folder.checkpoint.is_file(),
        )

    def _state(self, training: bool, starting: bool, step: int, of: int) -> RunState:
        if training:
            return RunState.STOPPING if self.folder.stop_file.requested else RunState.RUNNING
        if starting:
            return RunState.STARTING
        if self._log.failure:
            return RunState.FAILED
        if not self.folder.config.is_file():
            return RunState.NEW
        finished = self.folder.model.is_file() and of and step >= of
        return RunState.DONE if finished else RunState.STOPPED

    def _left_s(self, step: int, of: int, minutes: float | None) -> float | None:
        seconds = self._metrics.metrics().columns.get("seconds", np.empty(0))[-_STEPS_TIMED:]
        if not len(seconds):
            return None
        left_s = float(np.mean(seconds)) * (of - step)
        if minutes is not None:
            # The configuration is written when a sitting begins.
            elapsed_s = time.time() - self.folder.config.stat().st_mtime
            left_s = min(left_s, max(0.0, 60 * minutes - elapsed_s))
        return left_s


class _LogTail:
    """The last end of a training in progress.jsonl: how it failed, if it did, and its warnings."""

    def __init__(self, path: Path) -> None:
        self._path, self._reader = path, JsonLineReader()
        self._position = max(0, _size(path) - _LOG_END_BYTES)
        self.failure: dict[str, Any] = {}
        self.warnings: list[str] = []

    def read(self) -> None:
        if _size(self._path) < self._position:  # The next training has begun it anew.
            self._position, self._reader, self.failure, self.warnings = 0, JsonLineReader(), {}, []
        data = _read_from(self._path, self._position)
        self._position += len(data)
        for line in data.splitlines(keepends=True):  # One by one: what comes last counts.
            objects, texts = self._reader.feed(line)
            for value in objects:
                self._take(value)
            # A traceback, or what the system says of a process that it ends; a training that goes on says more.
            if texts and "event" not in self.failure:
                self.failure = {"message": texts[-1]}

    def _take(self, value: dict[str, Any]) -> None:
        event = value.get("event")
        if event == "error":
            self.failure = value
        elif event == "warning":
            self.warnings = [*(word for word in self.warnings if word != value["message"]), value["message"]][
                -3:
            ]
        else:
            self.failure = {}


class _MetricsTail:
    """metrics.csv, read on from where the last call ended; from its beginning where it was written anew."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._names: list[str] = []
        self._rows: list[NDArray[np.float64]] = []
        self._position, self._inode, self._rest = 0, -1, b""

    @property
    def last_step(self) -> int:
        return int(self._rows[-1][-1, 0]) if self._rows else 0

    def read(self) -> None:
        try:
            stamp = self._path.stat()
        except OSError:
            return
        # Resuming writes the file anew: another inode, or fewer bytes where there are none.
        if stamp.st_ino != self._inode or stamp.st_size < self._position:
            self._names, self._rows = [], []
            self._position, self._inode, self._rest = 0, stamp.st_ino, b""
        data = self._rest + _read_from(self._path, self._position, _BYTES_A_POLL)
        self._position += len(data) - len(self._rest)
        *lines, self._rest = data.split(b"\n")
        if lines and not self._names:
            self._names = lines.pop(0).decode().split(",")
        lines = [line for line in lines if line.count(b",") == len(self._names) - 1]
        if lines:
            numbers = [[float(field or "nan") for field in line.split(b",")] for line in lines]
            self._rows.append(np.array(numbers))

    def metrics(self) -> Metrics:
        rows = np.concatenate(self._rows) if self._rows else np.empty((0, len(self._names)))
        self._rows = [rows] if len(rows) else []
        return Metrics(dict(zip(self._names, rows.T, strict=True)))


def _read_from(path: Path, position: int, most: int = -1) -> bytes:
    try:
        with path.open("rb") as stream:
            stream.seek(position)
            return stream.read(most)
    except OSError:
        return b""


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _newest(samples: Path) -> Path | None:
    # Names carry the step with leading zeros.
    return max(samples.glob("step_*.png"), default=None)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
