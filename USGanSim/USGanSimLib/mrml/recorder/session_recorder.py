"""Sweeps of a session, recorded one after another.

recorder = SessionRecorder()
recorder.open(folder)                         # reads; a new session is made by the first recording
recorder.start("heart", image_node, transforms)
…                                             # some times a second: recorder.feedback()
sweep = recorder.stop()                       # kept, unless recorder.discard("heart")
recorder.close()                              # at any time: what runs is finished, and stays readable
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import UserError
from ...geometry.transforms import TransformTrack
from ...recording.calibration_file import Calibration, read_calibration
from ...recording.live_file import FINISHED, Recovered, unfinished
from ...recording.sequence_file import write_sweep
from ...recording.session import (
    KEPT,
    SESSION_FILE,
    Session,
    SweepEntry,
    create_session,
    open_session,
    recover_folder,
    settle,
)
from ...recording.sweep import TrackedSweep
from .feedback import Feedback
from .recorder import Recorder

FIRST_NAME = "sweep"


class SessionRecorder:
    """One folder, and at most one recording into it at a time.

    session   None where the folder has none yet
    name      of the sweep that runs, or ran last; `size_px` width and height of its images
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self.folder: Path | None = None
        self.session: Session | None = None
        self._recorder: Recorder | None = None
        self._tracks: dict[str, dict[str, TransformTrack]] = {}
        self.name, self.size_px = "", (0, 0)

    @property
    def recording(self) -> bool:
        return self._recorder is not None

    @property
    def sweeps(self) -> tuple[SweepEntry, ...]:
        return self.session.sweeps if self.session else ()

    def open(self, folder: Path | None) -> None:
        """Turn to another folder. Raises UserError for one whose session is damaged; nothing is written to it."""
        self.close()
        self.folder, self.session, self._tracks = folder, None, {}
        if folder is not None and (folder / SESSION_FILE).is_file():
            self.session = settle(open_session(folder))

    def unfinished(self) -> list[Path]:
        """Recordings in the folder that a crash left behind, and none that runs now."""
        if self.recording or self.folder is None or not self.folder.is_dir():
            return []
        return unfinished(self.folder)

    def recover(self) -> list[Recovered]:
        """Make them readable, and enter them. Raises UserError where one of them cannot be."""
        folder = self._folder()
        try:
            return recover_folder(folder)
        finally:
            self.open(folder)

    def free_name(self, name: str) -> str:
        """The name, or the next one that is free: heart, heart-2, heart-3, …"""
        stem, taken = re.sub(r"-\d+$", "", name) or FIRST_NAME, {sweep.name.lower() for sweep in self.sweeps}
        if name and name.lower() not in taken:
            return name
        number = next(
            number for number in range(2, len(taken) + 3) if f"{stem}-{number}".lower() not in taken
        )
        return f"{stem}-{number}"

    def start(self, name: str, image: Any, transforms: Mapping[str, Any]) -> None:
        """Record from the next image on. Raises UserError where that cannot be; the session is as before then."""
        self.close()
        self.session = (self.session or create_session(self._folder())).begin(name)
        try:
            recorder = Recorder(image, transforms, clock=self._clock)
            recorder.start(self.session.path(name))
        except UserError:
            self.session = self.session.drop(name)
            raise
        self._recorder, self.name = recorder, name

    def feedback(self) -> Feedback:
        """How the recording goes that runs."""
        return self._running().feedback()

    def pose_tracks(self) -> dict[str, TransformTrack]:
        """The poses, ten a second at most, of the sweep that runs and of those kept that were recorded here before, as
        far as they have the same transforms."""
        kept = [
            tracks
            for sweep in self.sweeps
            if sweep.state == KEPT and (tracks := self._tracks.get(sweep.name))
        ]
        if self._recorder is not None:
            kept.append(self._recorder.pose_tracks())
            self.size_px = self._recorder.size_px or self.size_px
        kept = [tracks for tracks in kept if tracks.keys() == kept[-1].keys()]
        return {
            name: TransformTrack(
                np.concatenate([tracks[name].matrices for tracks in kept]),
                np.concatenate([tracks[name].valid for tracks in kept]),
            )
            for name in (kept[-1] if kept else ())
        }

    @property
    def frames_per_pose(self) -> float:
        """How many frames each pose of `pose_tracks` stands for."""
        frames = sum(
            sweep.frames for sweep in self.sweeps if sweep.state == KEPT and sweep.name in self._tracks
        )
        if self._recorder is not None:
            frames += self._recorder.feedback().counts.written
        poses = next((len(track) for track in self.pose_tracks().values()), 0)
        return frames / poses if poses else 1.0

    def stop(self) -> SweepEntry:
        """Finish the recording, keep it, and return its entry. Raises UserError where nothing was recorded or where it
        could not be finished; recording is over in any case."""
        recorder, name = self._running(), self.name
        self._recorder = None
        try:
            recorder.stop()
        except UserError:
            # Where files are left, the sweep stays listed, to be recovered.
            with contextlib.suppress(UserError):
                self.session = self._session().drop(name)
            raise
        self._tracks[name], self.size_px = recorder.pose_tracks(), recorder.size_px or self.size_px
        self.session = self._session().finish(name, recorder.feedback().counts.written)
        return next(sweep for sweep in self.sweeps if sweep.name == name)

    def close(self) -> None:
        """Finish what runs without a word: the scene, the module or the folder goes."""
        if self.recording:
            with contextlib.suppress(UserError):
                self.stop()

    def keep(self, name: str) -> None:
        """Use a sweep that was discarded."""
        self.session = self._session().keep(name)

    def discard(self, name: str) -> None:
        """Leave a sweep out; its files stay."""
        self.session = self._session().discard(name)

    def calibration(self) -> Calibration | None:
        """That of the session; None where it has none. Raises UserError where its file is damaged."""
        path = self.session.calibration_path if self.session else None
        return read_calibration(path) if path is not None else None

    def calibrate(self, path: Path) -> None:
        """Copy a calibration into the session. Raises UserError where it is none."""
        self.session = (self.session or create_session(self._folder())).with_calibration(path)

    def add(self, name: str, sweep: TrackedSweep) -> None:
        """Enter a sweep that was recorded elsewhere. Raises UserError where it cannot be written; nothing is left."""
        self.session = (self.session or create_session(self._folder())).begin(name)
        try:
            write_sweep(self.session.folder / (name + FINISHED), sweep, compress=False)
        except UserError:
            self.session = self.session.drop(name)
            raise
        self.session = self.session.finish(name, len(sweep))

    def _folder(self) -> Path:
        if self.folder is None:
            raise UserError("There is no session folder.", "Choose one; a new folder becomes a new session.")
        return self.folder

    def _session(self) -> Session:
        if self.session is None:
            raise UserError(f"{self.folder} has no session yet.", "Record a sweep first.")
        return self.session

    def _running(self) -> Recorder:
        if self._recorder is None:
            raise UserError("Nothing is being recorded.", "Press Start.")
        return self._recorder
