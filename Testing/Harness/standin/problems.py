"""What goes wrong while a module runs: exceptions that Qt and VTK only print, errors of VTK, refusals of PythonQt."""

from __future__ import annotations

import contextlib
import logging
import re
import sys
import traceback
from collections.abc import Iterator
from typing import Any

import vtk

# Kinds that fail a run ("error" is what a module logs as one). The others are told: "warning", "log", "dialog", "note".
SERIOUS = ("exception", "error", "pythonqt", "api", "roundtrip", "vtk-error", "test", "leak")
_OBJECT_ADDRESS = re.compile(r"\(0x[0-9a-fA-F]+\)")
_MOST_OF_A_MESSAGE = 400
# What Slicer itself says when a scene with an oblique slice view is loaded (vtkMRMLSliceNode::ReadXMLAttributes).
_OF_NO_MATTER = ("invalid orientation preset name: Reformat",)


class Problems:
    """Notes what is told, with the phase in which it was; the same thing twice is one event with a count of two."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.facts: dict[str, str] = {}
        self._phase = "start"

    def tell(self, kind: str, message: object, detail: str = "") -> None:
        """Note that something happened."""
        words = str(message).strip()
        for event in self.events:
            if (event["kind"], event["phase"], event["message"]) == (kind, self._phase, words):
                event["count"] += 1
                return
        self.events.append(
            {"kind": kind, "phase": self._phase, "message": words, "detail": detail, "count": 1}
        )

    def tell_exception(self, where: str, error: BaseException) -> None:
        """Note an exception with its traceback."""
        self.tell(
            "exception",
            f"{where}: {type(error).__name__}: {error}",
            "".join(traceback.format_exception(type(error), error, error.__traceback__)),
        )

    @contextlib.contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Name what goes on; an exception in it is noted, and the next phase begins nevertheless."""
        before, self._phase = self._phase, name
        try:
            yield
        except Exception as error:
            self.tell_exception(name, error)
        except SystemExit as error:
            self.tell_exception(name, error)
        finally:
            self._phase = before

    def serious(self) -> list[str]:
        """The events that fail a run, in words."""
        return [f"{event['kind']}: {event['message']}" for event in self.events if event["kind"] in SERIOUS]

    def take(self, *expected: str) -> list[str]:
        """`serious` with tracebacks, but for kinds that are expected, and forget all events."""
        told = [
            f"{event['kind']}: {event['message']}\n{event['detail']}"
            for event in self.events
            if event["kind"] in SERIOUS and event["kind"] not in expected
        ]
        self.events.clear()
        return told

    def text(self) -> str:
        """All of it for a terminal."""
        lines = [f"{name}: {value}" for name, value in self.facts.items()]
        for event in self.events:
            times = f" ({event['count']} times)" if event["count"] > 1 else ""
            lines.append(f"[{event['kind']}] {event['phase']}: {event['message']}{times}")
            if event["kind"] == "exception":
                lines += ["    " + line for line in event["detail"].splitlines()]
        return "\n".join([*lines, f"{len(self.serious())} problems"])


problems = Problems()


def listen() -> None:
    """Hear what nobody else would: exceptions in slots, timers and observers, which PySide6 and VTK hand to the
    interpreter's hook and then go on; VTK's errors and warnings; warnings in the log."""
    sys.excepthook = _on_exception
    handler = _LogHandler(logging.WARNING)
    logging.getLogger().addHandler(handler)
    window = vtk.vtkOutputWindow()
    window.SetDisplayModeToNever()
    for event, kind in (("ErrorEvent", "vtk-error"), ("WarningEvent", "warning")):
        window.AddObserver(event, _vtk_listener(kind))
    vtk.vtkOutputWindow.SetInstance(window)
    vtk.vtkLogger.SetStderrVerbosity(vtk.vtkLogger.VERBOSITY_OFF)


def _on_exception(kind: type[BaseException], error: BaseException, trace: Any) -> None:
    problems.tell_exception("callback", error.with_traceback(trace))
    sys.__excepthook__(kind, error, trace)


def _vtk_listener(kind: str) -> Any:
    def told(_caller: Any, _event: str, text: str) -> None:
        words = " ".join(_OBJECT_ADDRESS.sub("", text or "").split())
        expected = any(part in words for part in _OF_NO_MATTER)
        problems.tell("warning" if expected else kind, words[:_MOST_OF_A_MESSAGE])

    told.CallDataType = vtk.VTK_STRING  # type: ignore[attr-defined]
    return told


class _LogHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        kind = "error" if record.levelno >= logging.ERROR else "log"
        problems.tell(kind, f"{record.levelname}: {record.getMessage()}")
