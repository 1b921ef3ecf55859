"""A command in a child process, with a bar and a Stop button that are there while it runs."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from slicer.i18n import tr as _

from ..errors import UserError
from .process_runner import Ended, Runner
from .texts import in_two_lines
from .troubles import Repeating, Troubles

TICK_MS = 500


class CommandRun:
    """Runs one command at a time with `runner` while the widget `owner` lives, and has a folder for its files.

    `label` says how long it takes, `bar` and `stop_button` are there meanwhile; None for one that nobody watches.
    """

    def __init__(
        self,
        owner: Any,
        troubles: Troubles,
        runner: Runner,
        label: Any | None = None,
        bar: Any | None = None,
        stop_button: Any | None = None,
    ) -> None:
        self.runner, self._label = runner, label
        self._shown_while_running = [widget for widget in (bar, stop_button) if widget is not None]
        self._folder: Path | None = None
        self._what, self._began_s = "", 0.0
        self._troubles = troubles
        self._timer = Repeating(owner, troubles, _("How long it takes is not known"), self._on_tick, TICK_MS)
        if stop_button is not None:
            troubles.on_press(stop_button, self.stop)
        self._show()

    @property
    def folder(self) -> Path:
        """A folder of its own, gone with `cleanup`."""
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="usgansim-"))
        return self._folder

    @property
    def running(self) -> bool:
        return self.runner.running

    def start(self, what: str, words: Sequence[str], ended: Callable[[Ended], None]) -> None:
        """Start a command; `what` it does is said while it runs. `ended` is called with its end, unless `cleanup` was
        before."""

        def on_end(result: Ended) -> None:
            self._timer.stop()
            self._show()
            self._troubles.attempt(_("What came out is not shown"), ended, result)

        try:
            self.runner.start(words, lambda event: None, on_end)
        except UserError as error:
            self._say(in_two_lines(error))
            return
        self._what, self._began_s = what, time.monotonic()
        self._timer.start()
        self._on_tick()
        self._show()

    def stop(self) -> None:
        """Ask the command to end."""
        self.runner.stop()

    def cleanup(self) -> None:
        """End what runs, and leave no file."""
        self._timer.stop()
        self.runner.cleanup()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None
        self._show()

    def _show(self) -> None:
        for widget in self._shown_while_running:
            widget.setVisible(self.running)

    def _on_tick(self) -> None:
        self._say(
            _("{what}, for {seconds:.0f} s so far …").format(
                what=self._what, seconds=time.monotonic() - self._began_s
            )
        )

    def _say(self, text: str) -> None:
        if self._label is not None:
            self._label.text = text
