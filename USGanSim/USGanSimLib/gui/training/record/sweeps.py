"""The session's sweeps in a table: kept or discarded, brought into the scene, and taken from it."""

from __future__ import annotations

from collections.abc import Callable

import qt
import slicer
import slicer.util
from slicer.i18n import tr as _

from ....errors import UserError
from ....mrml.recorder.session_recorder import SessionRecorder
from ....mrml.sequence_bridge import export_sweep, import_sweep
from ....recording.sequence_file import read_sweep
from ....recording.session import DISCARDED, KEPT, SweepEntry
from ...panel import Section
from ...texts import in_two_lines
from .words import FRAMES_COLUMN, sweep_cells, sweep_headings


class SweepTable:
    """The table below the recording, with its buttons. `decided` is called when it changed which sweeps count."""

    def __init__(self, section: Section, recorder: SessionRecorder, decided: Callable[[], None]) -> None:
        self._section, self.ui, self._recorder, self._decided = section, section.ui, recorder, decided
        self._listed: tuple[SweepEntry, ...] | None = None
        for name, action in (
            ("keep", self._on_keep),
            ("discard", self._on_discard),
            ("export", self._on_export),
            ("import", self._on_import),
        ):
            section.on_press(f"{name}Button", action)
        table = self.ui.sweepsTable
        table.connect(
            "itemSelectionChanged()",
            section.troubles.guarded(_("The buttons are not up to date"), self._show_decisions),
        )
        table.setColumnCount(len(sweep_headings()))
        table.setHorizontalHeaderLabels(sweep_headings())
        table.horizontalHeader().setStretchLastSection(True)
        table.verticalHeader().hide()
        self.ui.exportProgressBar.hide()

    def show(self) -> None:
        """Bring table and buttons up to date; the last sweep is chosen where there are other ones."""
        recorder = self._recorder
        if recorder.sweeps != self._listed:
            self._listed = recorder.sweeps
            table = self.ui.sweepsTable
            table.setRowCount(len(self._listed))
            for row, sweep in enumerate(self._listed):
                runs = recorder.recording and sweep.name == recorder.name
                for column, text in enumerate(sweep_cells(sweep, runs)):
                    table.setItem(row, column, qt.QTableWidgetItem(text))
            table.resizeColumnsToContents()
            if self._listed:
                table.selectRow(len(self._listed) - 1)
        self._show_decisions()

    def show_frames(self, count: int) -> None:
        """Of the sweep that is being recorded."""
        for row, sweep in enumerate(self._listed or ()):
            if sweep.name == self._recorder.name:
                self.ui.sweepsTable.item(row, FRAMES_COLUMN).setText(str(count))

    def _chosen(self) -> SweepEntry | None:
        row = self.ui.sweepsTable.currentRow()
        return self._listed[row] if self._listed and 0 <= row < len(self._listed) else None

    def _show_decisions(self) -> None:
        chosen = self._chosen()
        state = chosen.state if chosen else ""
        enable = self._section.enable
        none = "" if chosen else _("Choose a sweep of the table")
        unfinished = none or ("" if state in (KEPT, DISCARDED) else _("The sweep is not finished"))
        enable(
            "keepButton",
            unfinished or (_("It is kept already") if state == KEPT else ""),
            _("Let the sweep count again"),
        )
        enable(
            "discardButton",
            unfinished or (_("It is discarded already") if state == DISCARDED else ""),
            _("Let the sweep not count; its files stay"),
        )
        enable("exportButton", unfinished, _("Load the sweep into the scene, images and transforms paired"))

    # Which sweeps count

    def _on_keep(self) -> None:
        self._decide(self._recorder.keep)

    def _on_discard(self) -> None:
        self._decide(self._recorder.discard)

    def _decide(self, action: Callable[[str], None]) -> None:
        row = self.ui.sweepsTable.currentRow()
        try:
            action(self._listed[row].name if self._listed else "")
            self.ui.sweepsLabel.text = ""
        except UserError as error:
            self.ui.sweepsLabel.text = in_two_lines(error)
        self.show()
        self.ui.sweepsTable.selectRow(row)
        self._decided()

    # Sequences

    def _on_export(self) -> None:
        session, chosen = self._recorder.session, self._chosen()
        if session is None or chosen is None:
            return
        self.ui.exportProgressBar.show()
        try:
            with slicer.util.WaitCursor():
                calibration = self._recorder.calibration()
                export_sweep(
                    slicer.mrmlScene,
                    read_sweep(session.path(chosen.name)),
                    chosen.name,
                    calibration.image_to_probe if calibration else None,
                    progress=self._on_progress,
                )
            self.ui.sweepsLabel.text = _("{name} is in the scene as a sequence.").format(name=chosen.name)
        except UserError as error:
            self.ui.sweepsLabel.text = in_two_lines(error)
        finally:
            self.ui.exportProgressBar.hide()

    def _on_progress(self, done: int, of: int) -> None:
        if done % 20 == 0 or done == of:
            self.ui.exportProgressBar.setRange(0, of)
            self.ui.exportProgressBar.setValue(done)
            self.ui.exportProgressBar.repaint()

    def _on_import(self) -> None:
        parameters = self._section.parameters
        try:
            with slicer.util.WaitCursor():
                self._recorder.add(parameters.sweepName, import_sweep(parameters.importBrowser))
            self.ui.sweepsLabel.text = _("{name} was taken into the session.").format(
                name=parameters.sweepName
            )
        except UserError as error:
            self.ui.sweepsLabel.text = in_two_lines(error)
        parameters.sweepName = self._recorder.free_name(parameters.sweepName)
        self._section.show()
