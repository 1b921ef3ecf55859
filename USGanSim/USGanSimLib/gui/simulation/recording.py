"""The simulated stream as a recording, and snapshots of it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import slicer
from slicer.i18n import tr as _

from ...errors import UserError
from ...mrml.recorder.feedback import Feedback, RecorderState
from ...mrml.recorder.stream_recording import (
    Recorded,
    StreamRecording,
    require_file_name,
    save_snapshot,
    take_snapshot,
)
from ...mrml.sequence_bridge import show_sequences
from ...recording.simulated import IMAGE_TO_REFERENCE
from ..panel import Section
from ..stepwise import Stepwise
from ..troubles import Repeating, in_words, log_fault

FEEDBACK_EVERY_MS = 250


class RecordingSection(Section):
    """Starts and stops a recording of the live volume, shows how it goes, and keeps images."""

    ui_file = "USGanSimRecording.ui"

    def setup(self) -> None:
        self._recording: StreamRecording | None = None
        self._finishing = Stepwise(self.widget, self.troubles)
        self._timer = Repeating(
            self.widget,
            self.troubles,
            _("How the recording goes is not known"),
            self._on_timer,
            FEEDBACK_EVERY_MS,
        )
        self.on_press("recordButton", self._on_record)
        self.on_press("snapshotButton", self._on_snapshot)
        self.ui.recordProgressBar.maximum = 100

    def show(self) -> None:
        if self._recording is not None and not self.logic.simulation.live.running:
            # No image will come any more.
            self._stop()
        recording, busy = self._recording is not None, self._finishing.running
        self.ui.recordButton.text = _("Cancel") if busy else _("Stop recording") if recording else _("Record")
        self.enable(
            "recordButton",
            "" if busy or recording else self._problem(),
            _("Record every simulated image with the pose it was simulated at"),
        )
        for name in ("recordFolderEdit", "recordNameEdit", "asFileCheckBox", "asSequenceCheckBox"):
            getattr(self.ui, name).enabled = not (busy or recording)
        self.ui.recordProgressBar.visible = busy
        problem = "" if self.logic.simulation.live.volume is not None else _("Start the simulation first")
        if not problem and self.parameters.snapshotFiles:
            problem = self._folder_problem()
        self.enable("snapshotButton", problem, _("Keep the present image in the scene, at its place"))

    def close_scene(self) -> None:
        self._leave()

    def cleanup(self) -> None:
        self._leave()

    def _problem(self) -> str:
        if not (self.parameters.recordAsFile or self.parameters.recordAsSequence):
            return _("Choose a file or a sequence")
        if not self.logic.simulation.live.running:
            return _("Start the simulation first")
        return self._folder_problem() or self._name_problem()

    def _name_problem(self) -> str:
        try:
            require_file_name(self.parameters.recordName)
        except UserError as error:
            return str(error)
        return ""

    def _folder_problem(self) -> str:
        folder = self.parameters.recordFolder
        return "" if folder.name and folder.is_dir() else _("Choose the folder to write to")

    def _leave(self) -> None:
        """The nodes go: what was recorded stays on disk, readable."""
        self._timer.stop()
        self._finishing.cancel()
        if self._recording is not None:
            self._recording.abandon()
            self._recording = None

    # Recording

    def _on_record(self) -> None:
        if self._finishing.running:
            self._finishing.cancel()
            self._say(_("Cancelled. The recording {name}.igs.mhd was kept.").format(name=self._name))
        elif self._recording is not None:
            self._stop()
        else:
            self._start()
        self.show()

    def _start(self) -> None:
        simulation = self.logic.simulation
        recording = StreamRecording(slicer.mrmlScene, simulation.live.volume, simulation.image_to_probe)
        try:
            recording.start(self.parameters.recordFolder, self.parameters.recordName)
        except UserError as error:
            self._say(str(error))
            return
        self._recording = recording
        self._timer.start()

    def _stop(self) -> None:
        recording, self._recording = self._recording, None
        self._timer.stop()
        if recording is None:
            return
        self._name = recording.name
        try:
            raw = recording.stop()
        except UserError as error:
            self._say(str(error))
            return
        parameters = self.parameters
        self._say(_("Writing…"))
        self._finishing.start(
            recording.finishing(raw, parameters.recordAsFile, parameters.recordAsSequence),
            self._on_step,
            self._on_end,
        )

    def _on_timer(self) -> None:
        if self._recording is None:
            return
        feedback = self._recording.feedback()
        self._say(_words(feedback))
        if feedback.state is RecorderState.FAILED:
            self._stop()
            if self.parameters is not None:
                self.show()

    def _on_step(self, share: float) -> None:
        self.ui.recordProgressBar.value = round(100 * share)

    def _on_end(self, result: Recorded | None, error: Exception | None) -> None:
        if result is not None:
            self._say(self._result_words(result))
        elif error is not None:
            kept = _("The recording {name}.igs.mhd was kept.").format(name=self._name)
            self._say(str(error) if isinstance(error, UserError) else f"{in_words(error)}\n{kept}")
            log_fault(_("The recording is not finished"), error)
        if result is not None and result.browser is not None:
            show_sequences(slicer.modules.sequences.logic(), result.browser, IMAGE_TO_REFERENCE)
        if self.parameters is not None:
            self.show()

    def _result_words(self, result: Recorded) -> str:
        words = [_("{frames} images recorded.").format(frames=result.frames)]
        if result.path is not None:
            words.append(_("File: {path}").format(path=result.path))
        if result.browser is not None:
            words.append(_("Sequence: {name}").format(name=result.browser.GetName()))
        return "\n".join(words)

    def _say(self, words: str) -> None:
        self.ui.recordStateLabel.text = words

    # Snapshots

    def _on_snapshot(self) -> None:
        if self.logic.simulation.image_to_reference is None:
            self.ui.snapshotLabel.text = _("There is no simulated image yet.")
            return
        name = self.parameters.recordName.strip() or "simulated"
        volume = self.logic.simulation.live.volume
        snapshot = take_snapshot(
            slicer.mrmlScene, volume, slicer.mrmlScene.GenerateUniqueName(f"{name} snapshot")
        )
        words = [_("In the scene: {name}").format(name=snapshot.GetName())]
        if self.parameters.snapshotFiles:
            words.append(self._saved(snapshot, self.parameters.recordFolder))
        self.ui.snapshotLabel.text = "\n".join(words)

    def _saved(self, snapshot: Any, folder: Path) -> str:
        try:
            picture = save_snapshot(folder, snapshot, self.parameters.modelFile.name)
        except UserError as error:
            return str(error)
        return _("Files: {picture}, and the pose beside it").format(picture=picture)


def _words(feedback: Feedback) -> str:
    """A recording as it goes, for a person."""
    if feedback.detail:
        return f"{feedback.state.value}: {feedback.detail}"
    minutes = feedback.minutes_left
    words = [
        _("{frames} images, {minutes:.1f} minutes, {rate:.0f} images/s, {size:.0f} MB").format(
            frames=feedback.counts.written,
            minutes=feedback.duration_s / 60,
            rate=0.0 if math.isnan(feedback.rate_hz) else feedback.rate_hz,
            size=feedback.written_bytes / 1e6,
        )
    ]
    if not math.isnan(minutes):
        words.append(
            _("The disk is full in {minutes:.0f} minutes.").format(minutes=minutes)
            if minutes < 120
            else _("The disk has room for {hours:.0f} hours.").format(hours=minutes / 60)
        )
    return "\n".join([*words, *feedback.warnings])
