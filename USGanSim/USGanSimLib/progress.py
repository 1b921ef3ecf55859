"""Progress of long work: events on a terminal or as JSON lines, and the STOP file that asks for a clean end."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any, Protocol, TextIO


class Progress(Protocol):
    """Receives events such as `emit("step", step=3, of=100, loss_d=0.7)`."""

    def emit(self, event: str, **fields: Any) -> None: ...


class Silent:
    """Progress that nobody watches."""

    def emit(self, event: str, **fields: Any) -> None:
        pass


class JsonLines:
    """One JSON object a line, flushed, so that a parent process can follow (DESIGN.md, Long work)."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout

    def emit(self, event: str, **fields: Any) -> None:
        self._stream.write(json.dumps({"event": event, **fields}) + "\n")
        self._stream.flush()


class Terminal:
    """The latest event on one line of a terminal; events other than steps keep a line of their own."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._width = 0

    def emit(self, event: str, **fields: Any) -> None:
        words = " ".join(f"{name}={_short(value)}" for name, value in fields.items())
        line = f"{event} {words}"
        if event == "step":  # A line that wraps could not be written over.
            line = line[: shutil.get_terminal_size().columns - 1]
        self._stream.write("\r" + line.ljust(self._width))
        if event == "step":
            self._width = len(line)
        else:
            self._stream.write("\n")
            self._width = 0
        self._stream.flush()


class StopFile:
    """`RUN/STOP`: its presence means save and end. Removed at the start of a run, so that an old one stops nothing."""

    def __init__(self, run_folder: Path) -> None:
        self.path = run_folder / "STOP"

    def clear(self) -> None:
        self.path.unlink(missing_ok=True)

    @property
    def requested(self) -> bool:
        return self.path.exists()


def terminal_or_silent() -> Progress:
    """Progress on standard error where a person watches it, none where nobody does."""
    return Terminal() if sys.stderr.isatty() else Silent()


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
