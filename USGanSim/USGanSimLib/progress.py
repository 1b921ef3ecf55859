"""Progress of long work: events on a terminal or as JSON lines, and the STOP file that asks for a clean end."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any, Protocol, TextIO

from .files import strict_json
from .watched import watched


class Progress(Protocol):
    """Receives events such as `emit("step", step=3, of=100, loss_d=0.7)`."""

    def emit(self, event: str, **fields: Any) -> None: ...


class Silent:
    """Progress that nobody watches."""

    def emit(self, event: str, **fields: Any) -> None:
        pass


class JsonLines:
    """One JSON object a line, flushed, so that a parent process can follow (Resources/Docs/contracts.md)."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout

    def emit(self, event: str, **fields: Any) -> None:
        self._stream.write(strict_json({"event": event, **fields}) + "\n")
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


class JsonLineReader:
    """What a growing stream of lines says: JSON objects apart from other text. Lines may arrive in pieces."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> tuple[list[dict[str, Any]], list[str]]:
        """The objects and the other lines that `data` completes; a line without its end is kept for the next call."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        objects, texts = [], []
        for line in lines:
            # \r ends a line on Windows, and begins one that writes over the last.
            text = line.decode("utf-8", errors="replace").strip("\r").rpartition("\r")[2]
            value = _json_object(text)
            if value is not None:
                objects.append(value)
            elif text.strip():
                texts.append(text)
        return objects, texts

    def end(self) -> tuple[list[dict[str, Any]], list[str]]:
        """What the last line says, which nothing ended."""
        return self.feed(b"\n")


def terminal_or_silent() -> Progress:
    """Progress on standard error where a person or a program watches it, none where nobody does."""
    if watched():
        return JsonLines(sys.stderr)
    return Terminal() if sys.stderr.isatty() else Silent()


def _json_object(text: str) -> dict[str, Any] | None:
    if not text.startswith("{"):
        return None
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
