"""Dialogs that nobody is there to answer: what a script has laid ready for them is given, otherwise they are cancelled.

A script says `dialogs.answer("getOpenFileNames", ["a.mha"])` or `dialogs.answer("question", "No")` before it presses
the button that asks. Message boxes that nobody has answered for are confirmed. All are noted.
"""

from __future__ import annotations

from collections import defaultdict, deque
from typing import Any

from PySide6 import QtWidgets

from .problems import problems

# PythonQt gives what was chosen alone, without the filter.
_FILE_DIALOGS: dict[str, Any] = {
    "getOpenFileName": "",
    "getOpenFileNames": [],
    "getSaveFileName": "",
    "getExistingDirectory": "",
}
_QUESTIONS = {"information": "Ok", "warning": "Ok", "critical": "Ok", "question": "Yes"}


class Dialogs:
    """Answers that wait, by the function that asks, and what was asked (function, arguments)."""

    def __init__(self) -> None:
        self._waiting: dict[str, deque[Any]] = defaultdict(deque)
        self.asked: list[tuple[str, tuple[Any, ...]]] = []

    def answer(self, function: str, value: Any) -> None:
        """Lay an answer ready for the next dialog of this kind."""
        self._waiting[function].append(value)

    def give(self, function: str, arguments: tuple[Any, ...], otherwise: Any) -> Any:
        """The answer to a dialog."""
        self.asked.append((function, arguments))
        words = [one for one in arguments if isinstance(one, str)]
        problems.tell("dialog", f"{function}: {' | '.join(words)}")
        return self._waiting[function].popleft() if self._waiting[function] else otherwise

    def forget(self) -> None:
        """No answer waits any more, and nothing was asked."""
        self._waiting.clear()
        self.asked.clear()


dialogs = Dialogs()


def answer_dialogs() -> None:
    """Let Qt's dialogs ask `dialogs` in place of a person."""
    for name, cancelled in _FILE_DIALOGS.items():
        setattr(QtWidgets.QFileDialog, name, staticmethod(_asking(name, cancelled)))
    for name, button in _QUESTIONS.items():
        setattr(QtWidgets.QMessageBox, name, staticmethod(_asking(name, button, QtWidgets.QMessageBox)))
    QtWidgets.QDialog.exec = QtWidgets.QDialog.exec_ = _execute
    QtWidgets.QMessageBox.exec = QtWidgets.QMessageBox.exec_ = _execute_message


def _asking(name: str, otherwise: Any, holder: Any = None) -> Any:
    def ask(*arguments: Any, **_options: Any) -> Any:
        given = dialogs.give(name, arguments, otherwise)
        return given if holder is None else getattr(holder, given)

    return ask


def _execute(self: Any, *_arguments: Any) -> int:
    return int(dialogs.give("exec", (self.windowTitle,), 0))


def _execute_message(self: Any, *_arguments: Any) -> Any:
    return getattr(QtWidgets.QMessageBox, dialogs.give("message", (self.text,), "Ok"))
