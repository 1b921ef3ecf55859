"""The folder that is recorded into, and what a crash left in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import slicer.util
from slicer.i18n import tr as _

from ....errors import UserError
from ....mrml.recorder.session_recorder import SessionRecorder
from ....recording.live_file import FINISHED, UNFINISHED
from ...panel import Section
from ...texts import in_two_lines


class SessionPart:
    """Opens the chosen session, and recovers its recordings; `recovered` is called after that."""

    def __init__(self, section: Section, recorder: SessionRecorder, recovered: Callable[[], None]) -> None:
        self._section, self.ui, self._recorder, self._recovered = section, section.ui, recorder, recovered
        section.on_press("recoverButton", self._on_recover)
        self.show_unfinished()

    @property
    def folder(self) -> Path | None:
        """The folder that is chosen."""
        folder = self._section.parameters.sessionFolder
        return folder if folder.name else None

    def show(self) -> None:
        """Turn to the chosen folder, where it is another one."""
        if self.folder != self._recorder.folder:
            self.open()

    def open(self) -> None:
        """Read the chosen folder; the recording that runs keeps its own."""
        recorder, parameters = self._recorder, self._section.parameters
        if recorder.recording:
            return
        try:
            recorder.open(self.folder)
        except UserError as error:
            self.ui.stateLabel.text = in_two_lines(error)
        parameters.sweepName = recorder.free_name(parameters.sweepName)
        self.show_unfinished()

    def show_unfinished(self) -> None:
        """Offer to recover what was not finished."""
        waiting = self._recorder.unfinished()
        self.ui.recoverButton.setVisible(bool(waiting))
        self.ui.recoverLabel.setVisible(bool(waiting))
        self.ui.recoverLabel.text = _("Not finished, after a crash or by another program: {names}.").format(
            names=", ".join(path.name.removesuffix(UNFINISHED) for path in waiting)
        )

    def _on_recover(self) -> None:
        try:
            with slicer.util.WaitCursor():
                found = self._recorder.recover()
            self.ui.stateLabel.text = _("Recovered: {names}.").format(
                names=", ".join(
                    _("{name} with {frames} frames").format(
                        name=one.path.name.removesuffix(FINISHED), frames=one.frames
                    )
                    for one in found
                )
            )
        except UserError as error:
            self.ui.stateLabel.text = in_two_lines(error)
        self.show_unfinished()
        self._recovered()
