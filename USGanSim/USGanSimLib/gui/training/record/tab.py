"""Record: the tracker's images and poses into a session, with what is covered so far."""

from __future__ import annotations

from typing import Any

import slicer
import slicer.util
from slicer.i18n import tr as _

from ....errors import UserError
from ....mrml.likely_nodes import likely_image, likely_probe, likely_reference
from ....mrml.recorder.feedback import RecorderState
from ....mrml.recorder.recorded_chain import RecordedChain, recorded_chain
from ....mrml.recorder.session_recorder import SessionRecorder
from ....recording.session import require_sweep_name
from ...panel import Section
from ...slice_views import look_at
from ...texts import in_two_lines
from ...troubles import Repeating
from .coverage import CoveragePart
from .session import SessionPart
from .sweeps import SweepTable
from .words import feedback_words, lost_words, state_words

TICK_MS = 200
# What is not to be changed while a recording runs.
_SETTINGS = (
    "imageSelector",
    "probeSelector",
    "referenceSelector",
    "sessionPathEdit",
    "sweepNameEdit",
    "importButton",
    "recoverButton",
    "coverageCalibrationPathEdit",
)


class RecordSection(Section):
    """Chooses nodes and a session, starts and stops, and tells how it goes."""

    ui_file = "USGanTrainingRecord.ui"

    @property
    def title(self) -> str:
        return _("Record")

    def setup(self) -> None:
        self.recorder = SessionRecorder()
        self.coverage = CoveragePart(self, self.recorder)
        self.sweeps = SweepTable(self, self.recorder, decided=self.coverage.update)
        self.session = SessionPart(self, self.recorder, recovered=self.sweeps.show)
        self._to_look_at: Any | None = None  # the volume of the images, until one has come
        self.running_chain: RecordedChain | None = None  # of the recording that runs, or ran last
        self._timer = Repeating(
            self.widget, self.troubles, _("How the recording goes is not known"), self._on_tick, TICK_MS
        )
        self.on_press("startButton", self._on_start_stop)

    # Called by the panel

    def enter(self) -> None:
        self.session.open()
        if self.parameters.recordImage is None:
            self.parameters.recordImage = likely_image(slicer.mrmlScene)
        if self.parameters.recordProbe is None:
            self.parameters.recordProbe = likely_probe(slicer.mrmlScene)
        if self.parameters.recordProbe is not None and self.parameters.recordReference is None:
            self.parameters.recordReference = likely_reference(slicer.mrmlScene, self.parameters.recordProbe)
        self.show()

    def show(self) -> None:
        self.session.show()
        self._show_start_button()
        self.sweeps.show()
        self.coverage.show()

    def close_scene(self) -> None:
        self._close()
        self.coverage.forget()
        self.running_chain = None

    def cleanup(self) -> None:
        self._close()
        self.coverage.remove()

    def _close(self) -> None:
        """End what runs; its frames are kept."""
        self._timer.stop()
        if self.recorder.recording:
            name = self.recorder.name
            self.recorder.close()
            self.ui.stateLabel.text = _("{name} was finished and kept, because the scene was closed.").format(
                name=name
            )

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
        recording = self.recorder.recording
        self.ui.startButton.text = _("Stop") if recording else _("Start")
        self.enable(
            "startButton", "" if recording else self.problem(), _("Record every image with its poses")
        )
        for name in _SETTINGS:
            getattr(self.ui, name).enabled = not recording
        self.enable(
            "importButton",
            self._not_imported(),
            _("Write the sequence of the scene into the session, as a sweep"),
        )

    def _not_imported(self) -> str:
        """Why no sequence can be taken into the session, or nothing."""
        if self.recorder.recording:
            return _("A sweep is being recorded")
        if self.session.folder is None:
            return _("Choose the folder of the session")
        return "" if self.parameters.importBrowser is not None else _("Choose a sequence")

    def problem(self) -> str:
        """Why recording cannot start yet, or nothing."""
        if self.parameters.recordImage is None:
            return _("Choose the volume of the images.")
        if self.session.folder is None:
            return _("Choose the folder of the session.")
        try:
            require_sweep_name(self.parameters.sweepName)
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
        self.coverage.follow(chain.reference)
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
        self.coverage.update()
        self.session.show_unfinished()
        if self.parameters is not None:
            self.show()

    def _on_tick(self) -> None:
        feedback = self.recorder.feedback()
        # What is lost at this moment: the shares below tell of it late.
        lost = lost_words(self.running_chain.transforms if self.running_chain else {})
        self.ui.stateLabel.text = f"{state_words(feedback)} {lost}".strip()
        self.ui.feedbackLabel.text = feedback_words(feedback)
        self.sweeps.show_frames(feedback.counts.written)
        if feedback.counts.offered and self._to_look_at is not None:
            look_at("Red", self._to_look_at)
            self._to_look_at = None
        if feedback.state is RecorderState.FAILED:
            self.stop(state_words(feedback))
        else:
            self.coverage.update_when_due()
