"""Record: the tracker's images and poses into a session, with what is covered so far."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import qt
import slicer
import slicer.util
from slicer.i18n import tr as _

from ...errors import UserError
from ...mrml.likely_nodes import likely_probe, likely_reference
from ...mrml.recorder.feedback import RecorderState
from ...mrml.recorder.live_coverage import LiveCoverage
from ...mrml.recorder.recorded_chain import RecordedChain, recorded_chain
from ...mrml.recorder.session_recorder import SessionRecorder
from ...mrml.sequence_bridge import export_sweep, import_sweep
from ...mrml.transform_chain import STATUS_ATTRIBUTE, STATUS_OK
from ...recording.live_file import FINISHED, UNFINISHED
from ...recording.sequence_file import read_sweep
from ...recording.session import DISCARDED, KEPT, SweepEntry
from ..section import Section
from ..slice_views import look_at
from ..texts import in_two_lines
from .record_words import coverage_words, feedback_words, state_words, sweep_cells, sweep_headings

TICK_MS = 200
COVERAGE_EVERY_S = 1.0
# The coverage takes at most this share of the time, on however slow a machine.
COVERAGE_SHARE = 0.1


class RecordSection(Section):
    """Chooses nodes and a session, starts and stops, and tells how it goes."""

    ui_file = "USGanTrainingRecord.ui"

    @property
    def title(self) -> str:
        return str(_("Record"))

    def setup(self) -> None:
        self.recorder = SessionRecorder()
        self._coverage: LiveCoverage | None = None
        self._coverage_due_s = 0.0
        self._to_look_at: Any | None = None  # the volume of the images, until one has come
        self.running_chain: RecordedChain | None = None  # of the recording that runs, or ran last
        self._listed: tuple[SweepEntry, ...] | None = None
        self._timer = qt.QTimer(self.widget)
        self._timer.setInterval(TICK_MS)
        self._timer.connect("timeout()", self._on_tick)
        for name, action in (
            ("start", self._on_start_stop),
            ("recover", self._on_recover),
            ("keep", self._on_keep),
            ("discard", self._on_discard),
            ("export", self._on_export),
            ("import", self._on_import),
        ):
            getattr(self.ui, f"{name}Button").connect("clicked()", action)
        self.ui.sweepsTable.connect("itemSelectionChanged()", self._show_decisions)
        table = self.ui.sweepsTable
        table.setColumnCount(len(sweep_headings()))
        table.setHorizontalHeaderLabels(sweep_headings())
        table.horizontalHeader().setStretchLastSection(True)
        table.verticalHeader().hide()
        self.ui.exportProgressBar.hide()
        self._show_recover()

    # Called by the panel

    def enter(self) -> None:
        self._open()
        if self.parameters.recordProbe is None:
            self.parameters.recordProbe = likely_probe(slicer.mrmlScene)
        if self.parameters.recordProbe is not None and self.parameters.recordReference is None:
            self.parameters.recordReference = likely_reference(slicer.mrmlScene, self.parameters.recordProbe)
        self.show()

    def show(self) -> None:
        if self._folder() != self.recorder.folder:
            self._open()
        self._show_start_button()
        self._show_sweeps()
        if not self.parameters.showCoverage:
            self._remove_coverage()

    def close_scene(self) -> None:
        self._close()
        # The scene takes its models itself.
        self._coverage = self.running_chain = None

    def cleanup(self) -> None:
        self._close()
        self._remove_coverage()

    def _close(self) -> None:
        """End what runs; its frames are kept."""
        self._timer.stop()
        if self.recorder.recording:
            name = self.recorder.name
            self.recorder.close()
            self.ui.stateLabel.text = _("{name} was finished and kept, because the scene was closed.").format(
                name=name
            )

    # The session

    def _folder(self) -> Path | None:
        folder = self.parameters.sessionFolder
        return folder if folder.name else None

    def _open(self) -> None:
        """Read the chosen folder; the recording that runs keeps its own."""
        if self.recorder.recording:
            return
        try:
            self.recorder.open(self._folder())
        except UserError as error:
            self.ui.stateLabel.text = in_two_lines(error)
        self.parameters.sweepName = self.recorder.free_name(self.parameters.sweepName)
        self._show_recover()

    def _show_recover(self) -> None:
        waiting = self.recorder.unfinished()
        self.ui.recoverButton.setVisible(bool(waiting))
        self.ui.recoverLabel.setVisible(bool(waiting))
        self.ui.recoverLabel.text = _("Not finished, after a crash or by another program: {names}.").format(
            names=", ".join(path.name.removesuffix(UNFINISHED) for path in waiting)
        )

    def _on_recover(self) -> None:
        try:
            with slicer.util.WaitCursor():
                found = self.recorder.recover()
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
        self._show_recover()
        self._show_sweeps()

    # Start and stop

    def chain(self) -> RecordedChain:
        """The transforms to record. Raises UserError where they are not chosen or do not meet."""
        if self.parameters.recordProbe is None:
            raise UserError(_("Choose the transform of the probe."))
        return recorded_chain(self.parameters.recordProbe, self.parameters.recordReference)

    def _show_start_button(self) -> None:
        try:
            self.ui.chainLabel.text = _("Recorded: {names}.").format(names=self.chain().words)
        except UserError as error:
            self.ui.chainLabel.text = in_two_lines(error)
        problem = self.problem()
        recording = self.recorder.recording
        self.ui.startButton.text = _("Stop") if recording else _("Start")
        self.ui.startButton.enabled = recording or not problem
        self.ui.startButton.toolTip = problem or _("Record every image with its poses")
        for name in (
            "imageSelector",
            "probeSelector",
            "referenceSelector",
            "sessionPathEdit",
            "sweepNameEdit",
            "importButton",
            "recoverButton",
            "coverageCalibrationPathEdit",
        ):
            getattr(self.ui, name).enabled = not recording
        self.ui.importButton.enabled = (
            not recording and self.parameters.importBrowser is not None and (self._folder() is not None)
        )

    def problem(self) -> str:
        """Why recording cannot start yet, or nothing."""
        if self.parameters.recordImage is None:
            return str(_("Choose the volume of the images."))
        if self._folder() is None:
            return str(_("Choose the folder of the session."))
        try:
            self.chain()
        except UserError as error:
            return str(error)
        return ""

    def start(self, name: str) -> bool:
        """Record a sweep of this name; whether it could be started. The panel says why not."""
        try:
            chain, calibration = self.chain(), self.parameters.sessionCalibration
            if calibration.name:
                self.recorder.calibrate(calibration)
            self.recorder.start(name, self.parameters.recordImage, chain.transforms)
        except UserError as error:
            self.ui.stateLabel.text = in_two_lines(error)
            return False
        if self.running_chain is None or self.running_chain.reference is not chain.reference:
            self._remove_coverage()
        self._to_look_at, self.running_chain = self.parameters.recordImage, chain
        self._timer.start()
        self._on_tick()
        self.show()
        return True

    def _on_start_stop(self) -> None:
        if self.recorder.recording:
            self.stop()
        else:
            self.start(self.parameters.sweepName)

    def stop(self, why: str = "") -> None:
        """Finish the recording; the last words are about what was kept, or why nothing was."""
        self._timer.stop()
        try:
            # The writer may be behind, on a slow disk.
            with slicer.util.WaitCursor():
                entry = self.recorder.stop()
            said = _("{name}: {frames} frames are kept.").format(name=entry.name, frames=entry.frames)
            self.ui.stateLabel.text = f"{why} {said}".strip()
        except UserError as error:
            self.ui.stateLabel.text = f"{why} {in_two_lines(error)}".strip()
        # It may have ended by itself while another module was shown.
        parameters = self.logic.getParameterNode()
        parameters.sweepName = self.recorder.free_name(parameters.sweepName)
        self._update_coverage()
        self._show_recover()
        if self.parameters is not None:
            self.show()

    def _on_tick(self) -> None:
        try:
            feedback = self.recorder.feedback()
        except Exception:
            self._timer.stop()
            raise
        self.ui.stateLabel.text = f"{state_words(feedback)} {self._tracking_words()}".strip()
        self.ui.feedbackLabel.text = feedback_words(feedback)
        if feedback.counts.offered and self._to_look_at is not None:
            look_at("Red", self._to_look_at)
            self._to_look_at = None
        if feedback.state is RecorderState.FAILED:
            self.stop(state_words(feedback))
        elif time.perf_counter() >= self._coverage_due_s:
            self._update_coverage()

    def _tracking_words(self) -> str:
        """What is lost at this moment: the shares below tell of it late."""
        transforms = self.running_chain.transforms if self.running_chain else {}
        lost = [
            name
            for name, node in transforms.items()
            if node.GetScene() is None or node.GetAttribute(STATUS_ATTRIBUTE) not in (None, STATUS_OK)
        ]
        return _("Not tracked now: {names}.").format(names=", ".join(lost)) if lost else ""

    # Coverage

    def _update_coverage(self) -> None:
        tracks = self.recorder.pose_tracks()
        if self.parameters is None or not self.parameters.showCoverage or not self._has_poses(tracks):
            return
        try:
            calibration = self.recorder.calibration()
            if calibration is None:
                raise UserError(
                    _("There is no calibration, so the place of the images is not known."),
                    _("Choose one above, or make one in the tab Calibrate."),
                )
            calibration.geometry(*self.recorder.size_px, _("the recording"))
            if self._coverage is None:
                reference = self.running_chain.reference if self.running_chain else None
                self._coverage = LiveCoverage(slicer.mrmlScene, reference)
            news = self._coverage.update(
                tracks,
                calibration.image_to_probe,
                self.recorder.size_px,
                self.parameters.coverageLandmarks,
                self.recorder.frames_per_pose,
            )
            self.ui.coverageLabel.text = coverage_words(news)
            self._coverage_due_s = time.perf_counter() + max(COVERAGE_EVERY_S, news.seconds / COVERAGE_SHARE)
        except UserError as error:
            self.ui.coverageLabel.text = in_two_lines(error)
            self._coverage_due_s = time.perf_counter() + COVERAGE_EVERY_S

    def _has_poses(self, tracks: Any) -> bool:
        return (
            bool(tracks)
            and all(track.valid.any() for track in tracks.values())
            and all(self.recorder.size_px)
        )

    def _remove_coverage(self) -> None:
        if self._coverage is not None:
            self._coverage.remove()
            self._coverage = None

    # The sweeps

    def _show_sweeps(self) -> None:
        if self.recorder.sweeps != self._listed:
            self._listed = self.recorder.sweeps
            table = self.ui.sweepsTable
            table.setRowCount(len(self._listed))
            for row, sweep in enumerate(self._listed):
                runs = self.recorder.recording and sweep.name == self.recorder.name
                for column, text in enumerate(sweep_cells(sweep, runs)):
                    table.setItem(row, column, qt.QTableWidgetItem(text))
            table.resizeColumnsToContents()
            if self._listed:
                table.selectRow(len(self._listed) - 1)
        self._show_decisions()

    def _chosen(self) -> SweepEntry | None:
        row = self.ui.sweepsTable.currentRow()
        return self._listed[row] if self._listed and 0 <= row < len(self._listed) else None

    def _show_decisions(self) -> None:
        chosen = self._chosen()
        state = chosen.state if chosen else ""
        self.ui.keepButton.enabled = state == DISCARDED
        self.ui.discardButton.enabled = state == KEPT
        self.ui.exportButton.enabled = state in (KEPT, DISCARDED)

    def _on_keep(self) -> None:
        self._decide(self.recorder.keep)

    def _on_discard(self) -> None:
        self._decide(self.recorder.discard)

    def _decide(self, action: Any) -> None:
        row = self.ui.sweepsTable.currentRow()
        try:
            action(self._listed[row].name if self._listed else "")
            self.ui.sweepsLabel.text = ""
        except UserError as error:
            self.ui.sweepsLabel.text = in_two_lines(error)
        self._show_sweeps()
        self.ui.sweepsTable.selectRow(row)
        self._update_coverage()

    # Sequences

    def _on_export(self) -> None:
        session, chosen = self.recorder.session, self._chosen()
        if session is None or chosen is None:
            return
        self.ui.exportProgressBar.show()
        try:
            with slicer.util.WaitCursor():
                calibration = self.recorder.calibration()
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
        try:
            with slicer.util.WaitCursor():
                self.recorder.add(self.parameters.sweepName, import_sweep(self.parameters.importBrowser))
            self.ui.sweepsLabel.text = _("{name} was taken into the session.").format(
                name=self.parameters.sweepName
            )
        except UserError as error:
            self.ui.sweepsLabel.text = in_two_lines(error)
        self.parameters.sweepName = self.recorder.free_name(self.parameters.sweepName)
        self.show()
