"""What is in a recording, and the commands that make a training set and a model of it."""

from __future__ import annotations

from pathlib import Path

import slicer
import slicer.util
from slicer.i18n import tr as _

from ..section import Section


class CommandsSection(Section):
    """Describes the chosen recording and writes the command lines."""

    ui_file = "USGanTraining.ui"

    @property
    def title(self) -> str:
        return str(_("Data"))

    def setup(self) -> None:
        self._described_recording: Path | None = None
        self.ui.copyButton.connect("clicked()", self._on_copy)

    def show(self) -> None:
        if self.parameters.recordingFile != self._described_recording:
            self._described_recording = self.parameters.recordingFile
            with slicer.util.WaitCursor():
                self.ui.recordingFactsLabel.text = self.logic.recordingFacts(self._described_recording)
        problem = self.logic.problem(self.parameters)
        self.ui.commandsEdit.plainText = problem or self.logic.commands(self.parameters)
        self.ui.copyButton.enabled = not problem
        self.ui.copyButton.toolTip = problem or _("Copy the commands to the clipboard")

    def _on_copy(self) -> None:
        slicer.app.clipboard().setText(self.ui.commandsEdit.plainText)
