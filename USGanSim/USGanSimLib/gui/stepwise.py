"""Long work on the GUI thread in small steps: a generator that goes on for some hundredths of a second at a time.

What needs the scene or a renderer in this process cannot go to another one. A step must be short; between two rounds
the views are drawn and the mouse is heard.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from typing import Any

import qt
from slicer.i18n import tr as _

from .troubles import Troubles

_ROUND_S = 0.04
_PAUSE_MS = 10


class Stepwise:
    """Runs one generator at a time, while the widget `owner` lives.

    on_step(value)            after each round, with what the generator yielded last; a str, the words before a step
                              that takes time, ends the round, so that they are on the screen
    on_end(result, error)     once: with what it returned and None, or with None and its exception

    What `on_step` and `on_end` raise is a trouble, and ends nothing.
    """

    def __init__(self, owner: Any, troubles: Troubles) -> None:
        self._troubles = troubles
        self._steps: Generator[Any, None, Any] | None = None
        self._timer = qt.QTimer(owner)
        self._timer.setSingleShot(True)
        self._timer.connect("timeout()", self._go_on)

    @property
    def running(self) -> bool:
        return self._steps is not None

    def start(
        self,
        steps: Generator[Any, None, Any],
        on_step: Callable[[Any], None],
        on_end: Callable[[Any, Exception | None], None],
    ) -> None:
        """Begin; what ran before is left off."""
        self.cancel()
        self._steps, self._on_step, self._on_end = steps, on_step, on_end
        self._timer.start(0)

    def cancel(self) -> None:
        """Leave off; the generator cleans up, and on_end is not called."""
        self._timer.stop()
        steps, self._steps = self._steps, None
        if steps is not None:
            steps.close()

    def _go_on(self) -> None:
        steps, end_s, value = self._steps, time.perf_counter() + _ROUND_S, None
        if steps is None:
            return
        try:
            while time.perf_counter() < end_s and not isinstance(value, str):
                value = next(steps)
        except StopIteration as end:
            self._end(end.value, None)
            return
        except Exception as error:
            self._end(None, error)
            return
        self._troubles.attempt(_("How far it is is not shown"), self._on_step, value)
        if self._steps is steps:
            self._timer.start(_PAUSE_MS)

    def _end(self, result: Any, error: Exception | None) -> None:
        self._steps = None
        self._troubles.attempt(_("What came out is not shown"), self._on_end, result, error)
