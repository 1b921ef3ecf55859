"""A session: sweeps of one probe with its calibration, in a folder.

    SESSION/
      session.json        the sweeps with what was decided about each, and the name of the calibration
      calibration.json    (or .xml) copied in, so that the folder is complete
      heart.igs.mhd, heart.igs.raw, spine.igs.mhd, …    as recorded; or heart.igs.mha, once compressed

A discarded sweep stays on disk, marked; `kept_files` names the others. session.json is replaced as a whole after every
change, and a sweep is entered when its recording begins, so that a crash leaves it listed and `recover_session` can
finish it.
"""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..files import replacing_file, write_json
from .calibration_file import read_calibration
from .live_file import COMPRESSED, FINISHED, UNFINISHED, Recovered, recover, require_new, unfinished
from .sequence_file import read_sweep

SESSION_FILE = "session.json"
RECORDING, KEPT, DISCARDED = "recording", "kept", "discarded"
_STATES = (RECORDING, KEPT, DISCARDED)


def require_sweep_name(name: str) -> None:
    """Raises UserError for what cannot be the name of a sweep."""
    if not re.fullmatch(r"[\w-]+(?: [\w-]+)*", name):
        raise UserError(f"'{name}' is no name for a sweep.", "Use letters, digits, - and _.")


@dataclass(frozen=True)
class SweepEntry:
    """A sweep of a session. `state` is "recording" (begun, not finished), "kept" or "discarded"; `frames` is 0 until it
    is finished; `begun` is ISO 8601 in UTC; `recovered` tells of one that a crash cut short."""

    name: str
    state: str
    begun: str
    frames: int = 0
    recovered: bool = False


@dataclass(frozen=True)
class Session:
    """A session as session.json tells it. Every change returns the new session and has written it."""

    folder: Path
    sweeps: tuple[SweepEntry, ...] = ()
    calibration: str | None = None

    def path(self, name: str) -> Path:
        """The recording of a sweep."""
        self._entry(name)
        recorded, compressed = (self.folder / (name + ending) for ending in (FINISHED, COMPRESSED))
        return compressed if compressed.is_file() and not recorded.is_file() else recorded

    @property
    def kept_files(self) -> list[Path]:
        """The recordings to use, in the order in which they were made."""
        return [self.path(sweep.name) for sweep in self.sweeps if sweep.state == KEPT]

    @property
    def calibration_path(self) -> Path | None:
        return self.folder / self.calibration if self.calibration else None

    def begin(self, name: str) -> Session:
        """Enter a new sweep, to be recorded to `path(name)`. Raises UserError for a name that is taken or no name."""
        require_sweep_name(name)
        if any(sweep.name.lower() == name.lower() for sweep in self.sweeps):
            raise UserError(f"The session has a sweep '{name}' already.", "Choose another name.")
        require_new(self.folder / (name + FINISHED))
        return self._with((*self.sweeps, SweepEntry(name, RECORDING, _now())))

    def finish(self, name: str, frames: int) -> Session:
        """The sweep's recording is complete: keep it."""
        return self._changed(name, state=KEPT, frames=frames)

    def drop(self, name: str) -> Session:
        """Take out a sweep of which nothing was recorded. Raises UserError where there are files of it."""
        entry = self._entry(name)
        require_new(self.folder / (name + FINISHED))
        return self._with(tuple(sweep for sweep in self.sweeps if sweep is not entry))

    def keep(self, name: str) -> Session:
        """Use a sweep that was discarded."""
        return self._decided(name, KEPT)

    def discard(self, name: str) -> Session:
        """Leave a sweep out. Its files stay."""
        return self._decided(name, DISCARDED)

    def with_calibration(self, path: Path) -> Session:
        """Copy a calibration (CAL.json or PLUS XML) into the session. Raises UserError where it is none."""
        read_calibration(path)
        name = f"calibration{path.suffix}"
        with replacing_file(self.folder / name) as part:
            shutil.copyfile(path, part)
        return self._saved(dataclasses.replace(self, calibration=name))

    def _decided(self, name: str, state: str) -> Session:
        if self._entry(name).state == RECORDING:
            raise UserError(
                f"The sweep '{name}' is not finished.", "Stop its recording, or run 'usgansim recover'."
            )
        return self._changed(name, state=state)

    def _entry(self, name: str) -> SweepEntry:
        for sweep in self.sweeps:
            if sweep.name == name:
                return sweep
        known = ", ".join(sweep.name for sweep in self.sweeps) or "none"
        raise UserError(f"The session has no sweep '{name}'; it has {known}.", "Choose one of them.")

    def _changed(self, name: str, **changes: Any) -> Session:
        entry = self._entry(name)
        return self._with(
            tuple(dataclasses.replace(sweep, **changes) if sweep is entry else sweep for sweep in self.sweeps)
        )

    def _with(self, sweeps: tuple[SweepEntry, ...]) -> Session:
        return self._saved(dataclasses.replace(self, sweeps=sweeps))

    def _saved(self, session: Session) -> Session:
        write_json(
            session.folder / SESSION_FILE,
            {
                "sweeps": [dataclasses.asdict(sweep) for sweep in session.sweeps],
                "calibration": session.calibration,
            },
        )
        return session


def create_session(folder: Path) -> Session:
    """A new session in a new or empty folder. Raises UserError where something is in it."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} is not empty.", "Choose a new folder, or open the session in it.")
    folder.mkdir(parents=True, exist_ok=True)
    return Session(folder)._with(())


def enter_recordings(folder: Path, frames: Mapping[str, int], calibration: str) -> Session:
    """Make a session of complete recordings that lie in a folder: sweep → number of frames, and the calibration's file
    name. All are kept; a session that was there is replaced."""
    begun = _now()
    sweeps = tuple(SweepEntry(name, KEPT, begun, count) for name, count in frames.items())
    session = Session(folder, sweeps, calibration)
    return session._saved(session)


def open_session(folder: Path) -> Session:
    """Read a session. Raises UserError for a folder without one, and for a damaged session.json."""
    path = folder / SESSION_FILE
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        sweeps = tuple(SweepEntry(**entry) for entry in data["sweeps"])
        session = Session(folder, sweeps, data["calibration"])
        if not all(
            isinstance(text, str) for text in [sweep.name for sweep in sweeps] + [session.calibration or ""]
        ):
            raise ValueError("a name that is no text")
    except FileNotFoundError as error:
        raise UserError(
            f"{folder} is no session: it has no {SESSION_FILE}.", "Choose the folder of one."
        ) from error
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}.", "Check the folder.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path} is damaged ({error}).", "The recordings beside it can be used one by one."
        ) from error
    odd = [sweep.name for sweep in sweeps if sweep.state not in _STATES]
    if odd:
        raise UserError(
            f"{path} has the sweep '{odd[0]}' in an unknown state.", f"Known are {', '.join(_STATES)}."
        )
    return session


def settle(session: Session) -> Session:
    """Keep the sweeps whose recording is complete, but whose end could not be entered (the disk was full, say)."""
    for sweep in session.sweeps:
        path = session.path(sweep.name)
        if sweep.state == RECORDING and path.is_file():
            session = session.finish(sweep.name, len(read_sweep(path)))
    return session


def inputs(paths: Sequence[Path], calibration: Path | None) -> tuple[list[Path], Path]:
    """Recordings and the calibration to use with them. A folder stands for the kept sweeps of the session in it, whose
    calibration serves where none is given. Raises UserError where a session keeps nothing, or for no one calibration.
    """
    files: list[Path] = []
    calibrations: dict[bytes, Path] = {}
    for path in paths:
        if not path.is_dir():
            files.append(path)
            continue
        session = open_session(path)
        if not session.kept_files:
            raise UserError(
                f"{path} keeps none of {len(session.sweeps)} sweeps.", "Record one, or keep one again."
            )
        files += session.kept_files
        if session.calibration_path is not None and session.calibration_path.is_file():
            calibrations[session.calibration_path.read_bytes()] = session.calibration_path
    if calibration is None and len(calibrations) != 1:
        raise UserError(
            f"There are {len(calibrations)} calibrations in what is given, where one is needed.",
            "Name one with --calibration.",
        )
    return files, calibration or next(iter(calibrations.values()))


def recover_folder(folder: Path) -> list[Recovered]:
    """Make every unfinished recording in a folder readable, and enter it in the session if the folder is one.

    Raises UserError where there is none. A recording that cannot be recovered does not keep the others from it; its
    error is raised in the end.
    """
    if not folder.is_dir():
        raise UserError(f"There is no folder {folder}.", "Check the path.")
    waiting = unfinished(folder)
    if not waiting:
        raise UserError(
            f"{folder} has no unfinished recording (*{UNFINISHED}).", "Everything in it is complete."
        )
    found, errors = [], []
    for path in waiting:
        try:
            found.append(recover(path))
        except UserError as error:
            errors.append(error)
    if (folder / SESSION_FILE).is_file():
        _enter(open_session(folder), found)
    if errors:
        raise UserError(
            f"{len(found)} of {len(waiting)} recordings were recovered. {errors[0].message}", errors[0].hint
        )
    return found


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def _enter(session: Session, found: list[Recovered]) -> Session:
    for one in found:
        name = one.path.name.removesuffix(FINISHED)
        if all(sweep.name != name for sweep in session.sweeps):
            begun = datetime.fromtimestamp(one.path.stat().st_mtime, timezone.utc).isoformat(
                timespec="seconds"
            )
            session = session._with((*session.sweeps, SweepEntry(name, RECORDING, begun)))
        session = session._changed(name, state=KEPT, frames=one.frames, recovered=True)
    return session
