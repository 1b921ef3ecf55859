"""The commands of the library as child processes of Slicer, so that nothing blocks and a crash stays in its process.

Two ways:

    ProcessRunner   a command whose result the panel waits for (prepare, evaluate, study). It ends with the panel.
    start_alone     a training. It goes on when the module, the scene or Slicer closes; it writes to a file of the run's
                    folder, and model/run_watch.py tells from that folder what it does, in this session of Slicer or a
                    later.

Both run `PythonSlicer -m USGanSimLib …`, Slicer's own Python with the packages that were installed into it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import qt
from slicer.i18n import tr as _

from ..errors import UserError
from ..progress import JsonLineReader
from ..watched import VARIABLE

LIBRARY_PARENT = Path(__file__).resolve().parents[2]
# How long a command has to tidy up when it is told to end.
_TIDY_UP_MS = 5000
_TEXT_LINES_KEPT = 200

# Processes that were told to end and are not gone yet: deleting one would cut its tidying short.
_ending: set[Any] = set()


class Ended:
    """How a command ended: `code` is its exit code (0: well; -1: it could not be started, crashed or was killed),
    `result` what it wrote with --json, `text` its other output, `stopped` whether `stop` was called."""

    def __init__(self, code: int, result: dict[str, Any], text: Sequence[str], stopped: bool) -> None:
        self.code, self.result, self.text, self.stopped = code, result, text, stopped

    @property
    def message(self) -> str:
        """Why it failed, in words: the command's own last line. Empty where it did not fail."""
        if self.code == 0:
            return ""
        if self.stopped:
            return _("Stopped.")
        if not self.text:
            return _("The process ended with code {code} and said nothing.").format(code=self.code)
        return without_command_name(self.text[-1])


class Runner(Protocol):
    """What a panel uses of a ProcessRunner; a test gives one that starts nothing."""

    @property
    def running(self) -> bool: ...

    def start(
        self,
        words: Sequence[str],
        on_event: Callable[[dict[str, Any]], None],
        on_end: Callable[[Ended], None],
    ) -> None: ...

    def stop(self) -> None: ...

    def cleanup(self) -> None: ...


class ProcessRunner:
    """One command at a time, through qt.QProcess.

        runner.start(["prepare", str(recording), "--out", str(folder)], on_event=…, on_end=…)

    `on_event` gets each progress event (a dictionary with "event"), `on_end` gets an `Ended`, once. `stop` asks the
    command to end; `cleanup` does so too, and nothing is called any more.
    """

    def __init__(self) -> None:
        self._process: Any = None

    @property
    def running(self) -> bool:
        return self._process is not None

    def start(
        self,
        words: Sequence[str],
        on_event: Callable[[dict[str, Any]], None],
        on_end: Callable[[Ended], None],
    ) -> None:
        """Start a command; `--json` is added. Raises UserError where PythonSlicer is missing or a command runs."""
        if self.running:
            raise UserError(_("A command is running already."), _("Stop it, or wait for its end."))
        program, *arguments = command_line([*words, "--json"])
        process = qt.QProcess()
        process.setProgram(program)
        process.setArguments(arguments)
        process.setProcessEnvironment(_qt_environment({**_additions(), VARIABLE: "1"}))
        conversation = _Conversation(process, on_event, lambda ended: self._on_end(process, ended, on_end))
        self._process, self._conversation = process, conversation
        process.start()

    def stop(self) -> None:
        """Ask the command to end; `on_end` is called when it has."""
        if self._process is not None:
            self._conversation.stopped = True
            _ask_to_end(self._process)

    def cleanup(self) -> None:
        """Stop without telling anybody."""
        if self._process is not None:
            self._conversation.forget()
            self.stop()
            self._process = None

    def _on_end(self, process: Any, ended: Ended, on_end: Callable[[Ended], None]) -> None:
        if process is self._process:
            self._process = None
            on_end(ended)


class _Conversation:
    """What a process says, from its first byte to its end."""

    def __init__(
        self, process: Any, on_event: Callable[[dict[str, Any]], None], on_end: Callable[[Ended], None]
    ) -> None:
        self._process, self._on_event, self._on_end = process, on_event, on_end
        self._output, self._errors = JsonLineReader(), JsonLineReader()
        self._result: dict[str, Any] = {}
        self._text: list[str] = []
        self._told = True
        self.stopped = False
        process.connect("readyReadStandardOutput()", self._on_output)
        process.connect("readyReadStandardError()", self._on_error_output)
        process.connect("finished(int,QProcess::ExitStatus)", self._on_finished)
        process.connect("errorOccurred(QProcess::ProcessError)", self._on_error)

    def forget(self) -> None:
        """From now on nobody is told anything."""
        self._told = False

    def _on_output(self) -> None:
        self._take(*self._output.feed(self._process.readAllStandardOutput().data()))

    def _on_error_output(self) -> None:
        self._take(*self._errors.feed(self._process.readAllStandardError().data()))

    def _take(self, objects: Sequence[dict[str, Any]], texts: Sequence[str]) -> None:
        self._text = [*self._text, *texts][-_TEXT_LINES_KEPT:]
        for value in objects:
            if value.get("event") in (None, "done"):
                self._result = value
            elif self._told:
                self._on_event(value)

    def _on_finished(self, code: int, status: Any) -> None:
        self._on_output()
        self._on_error_output()
        self._take(*self._output.end())
        self._take(*self._errors.end())
        self._end(code if status == qt.QProcess.NormalExit else -1)

    def _on_error(self, error: Any) -> None:
        # Every other error is followed by `finished`.
        if error == qt.QProcess.FailedToStart:
            self._text.append(
                _("{program} could not be started: {reason}").format(
                    program=self._process.program(), reason=self._process.errorString()
                )
            )
            self._end(-1)

    def _end(self, code: int) -> None:
        _ending.discard(self._process)
        self._process.deleteLater()
        if self._told:
            self._told = False
            self._on_end(Ended(code, self._result, self._text, self.stopped))


class Alone(Protocol):
    """A process that goes on by itself: whether it lives, for the session that started it."""

    def alive(self) -> bool: ...


class _Alone:
    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def alive(self) -> bool:
        return self._process.poll() is None


def start_alone(words: Sequence[str], log: Path) -> Alone:
    """Start a command that goes on by itself and writes all it says to the file `log`, anew.

    Raises UserError where PythonSlicer is missing or the log cannot be written; its folder is made.
    """
    line = command_line([*words, "--json"])
    options: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        options = {"creationflags": subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP}
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as stream:
            process = subprocess.Popen(
                line,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                env={**os.environ, **_additions()},
                **options,
            )
    except OSError as error:
        raise UserError(
            _("{program} could not be started: {reason}").format(program=line[0], reason=error),
            _("Choose another folder."),
        ) from error
    return _Alone(process)


def command_line(words: Sequence[str]) -> list[str]:
    """`PythonSlicer -m USGanSimLib …`. Raises UserError where there is no PythonSlicer."""
    # Slicer's launcher puts it on the PATH.
    program = shutil.which("PythonSlicer")
    if program is None:
        raise UserError(
            _("PythonSlicer, the Python of this Slicer, was not found."),
            _("Start Slicer by its usual program, or run the command in a terminal."),
        )
    return [program, "-m", __name__.split(".")[0], *words]


def without_command_name(line: str) -> str:
    """`usgansim prepare: No recording was given.` → `No recording was given.`"""
    name, colon, rest = line.partition(": ")
    return rest if colon and name.startswith("usgansim ") else line


def _additions() -> dict[str, str]:
    paths = [str(LIBRARY_PARENT), os.environ.get("PYTHONPATH", "")]
    return {
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "PYTHONUNBUFFERED": "1",
        "PYTHONIOENCODING": "utf-8",
    }


def _qt_environment(additions: dict[str, str]) -> Any:
    environment = qt.QProcessEnvironment.systemEnvironment()
    for name, value in additions.items():
        environment.insert(name, value)
    return environment


def _ask_to_end(process: Any) -> None:
    _ending.add(process)
    process.closeWriteChannel()
    qt.QTimer.singleShot(_TIDY_UP_MS, lambda: process.kill() if process in _ending else None)
