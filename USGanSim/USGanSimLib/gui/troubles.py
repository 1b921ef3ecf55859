"""Steps that may fail without ending what goes on: what is wrong is told in words, and the step is tried again.

Qt and VTK print an exception of a slot or an observer where few people look, and go on as if nothing had been.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from typing import Any

import qt
from slicer.i18n import tr as _

from ..errors import UserError


class Troubles:
    """What does not work at present. `changed` is called when `words` are other ones."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._told: dict[str, str] = {}

    @property
    def words(self) -> str:
        """A line for each step that failed when it was tried last; empty where all went well."""
        return "\n".join(self._told.values())

    def attempt(self, step: str, action: Callable[..., Any], *arguments: Any) -> bool:
        """Do a step; whether it went well. `step` says what does not work where it did not."""
        try:
            action(*arguments)
        except Exception as error:
            self.note(step, error)
            return False
        if self._told.pop(step, None) is not None:
            self._changed()
        return True

    def note(self, step: str, error: Exception) -> None:
        """Tell an error until the step goes well; logged once, however often it is tried."""
        words = f"{step}: {in_words(error)}"
        if self._told.get(step) != words:
            self._told[step] = words
            log_fault(words, error)
            self._changed()

    def guarded(self, step: str, action: Callable[..., Any]) -> Callable[..., None]:
        """`action` as something to connect to a signal: each call is an attempt."""

        def call(*arguments: Any) -> None:
            self.attempt(step, action, *arguments)

        return call

    def on_press(self, button: Any, action: Callable[[], Any]) -> None:
        """A press of the button is an attempt, told under what stands on the button; the next press forgets it."""
        told: list[str] = []

        def press() -> None:
            if told:
                self.forget(told.pop())
            told.append(_("“{button}” did not work").format(button=button.text))
            self.attempt(told[0], action)

        button.connect("clicked()", press)

    def forget(self, step: str) -> None:
        """A step is not tried any more."""
        if self._told.pop(step, None) is not None:
            self._changed()

    def clear(self) -> None:
        """Nothing is tried any more."""
        if self._told:
            self._told.clear()
            self._changed()


class Repeating:
    """Calls `action` every `interval_ms` while it is started and `owner` lives, also after a call that failed."""

    def __init__(
        self, owner: Any, troubles: Troubles, step: str, action: Callable[[], None], interval_ms: int
    ) -> None:
        self._troubles, self._step, self._action = troubles, step, action
        self._timer = qt.QTimer(owner)
        self._timer.setInterval(interval_ms)
        self._timer.connect("timeout()", self._on_timeout)

    @property
    def active(self) -> bool:
        return bool(self._timer.active)

    def start(self) -> None:
        self._timer.start()

    def stop(self) -> None:
        self._timer.stop()

    def set_interval(self, interval_ms: int) -> None:
        """From the next call on."""
        self._timer.setInterval(interval_ms)

    def _on_timeout(self) -> None:
        self._troubles.attempt(self._step, self._action)


def log_fault(words: str, error: Exception) -> None:
    """Where developers look, an error that is not meant for people."""
    if not isinstance(error, UserError):
        logging.error("%s\n%s", words, "".join(traceback.format_exception(error)))


def in_words(error: Exception) -> str:
    """An error for a person: the sentence of one that was meant for people, otherwise its kind and what it says."""
    return str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
