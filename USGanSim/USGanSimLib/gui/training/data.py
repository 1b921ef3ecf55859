"""The tab Data: recordings and calibration become a training set; first a look at what it would be."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import qt
from slicer.i18n import tr as _

from ...errors import UserError
from ...recording.dataset import MARKER
from ...recording.splits import SPLITS
from ...recording.usable import REASONS
from ..panel import Section
from ..process_runner import Ended, Runner
from ..texts import in_two_lines, show_picture, table
from .choice_words import show_words, size_words, split_words
from .command_words import SIZES, has_calibration, listed, prepare_words, with_added

_PATTERNS = "(*.igs.mha *.igs.mhd *.igs.nrrd *.mha *.mhd *.nrrd)"


class DataSection(Section):
    """Chooses recordings, looks, and prepares; the work is done by the command `prepare` in a child process."""

    ui_file = "USGanTrainingData.ui"

    @property
    def title(self) -> str:
        return _("Data")

    def setup(self) -> None:
        self.runner: Runner = self.logic.makeRunner()
        self._state = ""
        self._pictures = tempfile.TemporaryDirectory(prefix="usgansim-")
        self.on_press("addFilesButton", self._on_add_files)
        self.on_press("addSessionButton", self._on_add_session)
        self.on_press("clearButton", self._on_clear)
        self.on_press("lagFileButton", self._on_lag_file)
        self.on_press("lookButton", self.look)
        self.on_press("prepareButton", self.prepare)
        self.on_press("stopButton", self.runner.stop)
        self._show_running()

    def connected(self) -> None:
        show_words(self.ui.splitComboBox, SPLITS, split_words())
        show_words(self.ui.sizeComboBox, SIZES, size_words(SIZES))

    def show(self) -> None:
        self.ui.blocksSpinBox.enabled = self.parameters.dataSplit == "blocks"
        self._show_running()

    def close_scene(self) -> None:
        self.runner.cleanup()
        self._say("")

    def cleanup(self) -> None:
        self.runner.cleanup()
        self._pictures.cleanup()

    def look(self) -> None:
        """Tell and draw what would be made."""
        picture = Path(self._pictures.name) / "look.png"
        self._run(
            prepare_words(self.parameters, look=picture), self._on_looked, _("Looking at the recordings…")
        )

    def prepare(self) -> None:
        """Write the training set."""
        self._run(prepare_words(self.parameters), self._on_prepared, _("Preparing the training set…"))

    def problem(self) -> str:
        """What is still to be chosen, or nothing."""
        if not listed(self.parameters.dataRecordings):
            return _("Add recordings or a session")
        if not has_calibration(self.parameters):
            return _("Choose a calibration")
        return ""

    def _run(self, words: list[str], on_end: Any, state: str) -> None:
        try:
            self.runner.start(
                words,
                self.troubles.guarded(_("How far it is is not shown"), self._on_event),
                self.troubles.guarded(_("What came out is not shown"), on_end),
            )
        except UserError as error:
            self._say(in_two_lines(error))
            return
        self.ui.progressBar.setRange(0, 0)  # Busy, until a step tells how far it is.
        self._say(state)

    def _on_event(self, event: dict[str, Any]) -> None:
        if event["event"] == "step":
            self.ui.progressBar.setRange(0, event["of"])
            self.ui.progressBar.value = event["step"]
            self._say(_("Frame {step} of {of}").format(step=event["step"], of=event["of"]))

    def _on_looked(self, ended: Ended) -> None:
        if self._told_end(ended, _("Nothing was written yet.")):
            show_picture(self.ui.pictureLabel, Path(ended.result["picture"]))
            self.ui.resultLabel.text = told(ended.result)

    def _on_prepared(self, ended: Ended) -> None:
        if not self._told_end(
            ended, _("The training set is ready: {folder}").format(folder=ended.result.get("out", ""))
        ):
            return
        self.ui.resultLabel.text = told(ended.result)
        if self.parameters is not None:
            # What comes next is done with it.
            self.parameters.trainDataset = self.parameters.evaluateDataset = Path(ended.result["out"])

    def _told_end(self, ended: Ended, words: str) -> bool:
        self._say(words if ended.code == 0 else ended.message)
        return ended.code == 0

    def _say(self, state: str) -> None:
        self._state = state
        self._show_running()

    def _show_running(self) -> None:
        running = self.runner.running
        missing = self.problem() if self.parameters is not None else _("Open a scene")
        no_folder = self.parameters is None or not self.parameters.dataFolder.name
        busy = _("Wait for what runs, or stop it") if running else ""
        self.enable("lookButton", missing or busy, _("Tell and draw what would be made; nothing is written"))
        self.enable(
            "prepareButton",
            missing or (_("Choose a folder for the training set") if no_folder else "") or busy,
            _("Write the training set"),
        )
        self.enable("stopButton", "" if running else _("Nothing runs"), _("End what runs; it leaves nothing"))
        self.ui.progressBar.visible = running
        self.ui.stateLabel.text = (
            self._state
            or missing
            or (
                _("An earlier training set in this folder will be replaced.")
                if (self.parameters.dataFolder / MARKER).is_file()
                else _("Ready: look first, then prepare.")
            )
        )

    def _on_add_files(self) -> None:
        files = qt.QFileDialog.getOpenFileNames(
            self.widget, _("Add recordings"), "", _("Recordings") + f" {_PATTERNS}"
        )
        self._add([Path(file) for file in files])

    def _on_add_session(self) -> None:
        folder = qt.QFileDialog.getExistingDirectory(
            self.widget, _("Add a session"), str(self.parameters.sessionFolder)
        )
        self._add([Path(folder)] if folder else [])

    def _add(self, paths: list[Path]) -> None:
        self._state = ""
        self.parameters.dataRecordings = with_added(self.parameters.dataRecordings, paths)

    def _on_clear(self) -> None:
        self._state = ""
        self.parameters.dataRecordings = ""

    def _on_lag_file(self) -> None:
        file = qt.QFileDialog.getOpenFileName(
            self.widget, _("Lag of a temporal calibration"), "", "LAG.json (*.json)"
        )
        if file:
            self.take_lag(Path(file))

    def take_lag(self, path: Path) -> None:
        """Set the lag to that of a LAG.json."""
        from ...recording.calibration_file import read_lag

        try:
            self.parameters.dataLagS = read_lag(str(path))
        except UserError as error:
            self._say(in_two_lines(error))


def told(result: dict[str, Any]) -> str:
    """The result of `prepare` or of the look as a table."""
    width_px, height_px = result["size"]
    x_mm, y_mm = result["mm_per_px"]
    left_out = "; ".join(
        _("{count} where {reason}").format(count=count, reason=REASONS[reason])
        for reason, count in result["excluded"].items()
        if count
    )
    rows = {
        _("Frames"): _("{used} of {all} can be used").format(
            used=result["frames_out"], all=result["frames_in"]
        ),
        _("Left out"): left_out or _("none"),
        _("To train on"): str(result["train"]),
        _("Held out"): str(result["heldout"]),
        _("Too near a held-out pose"): str(result["too_near"]),
        _("Images"): _("{width}×{height} px, {x:.3f}×{y:.3f} mm a pixel").format(
            width=width_px, height=height_px, x=x_mm, y=y_mm
        ),
        _("Size"): _("{size:.1f} MB").format(size=result["frames_out"] * width_px * height_px / 1e6),
    }
    return table(rows.items())
