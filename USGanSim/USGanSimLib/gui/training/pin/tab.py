"""Calibrate, first part: ImageToProbe from a pinhead, recorded with guidance, marked, fitted and judged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from slicer.i18n import tr as _

from ...command_run import CommandRun
from ...panel import ModulePanel, Section
from ...process_runner import Ended
from ..record.tab import RecordSection
from .frames import PinFrames
from .recording import PinRecording
from .result import PinResult
from .words import refusal_words, verdict_words


class PinSection(Section):
    """Wires the recording, the marking, the two commands and what becomes of their result."""

    ui_file = "USGanTrainingPin.ui"

    def __init__(self, panel: ModulePanel, record: RecordSection) -> None:
        self._record = record
        Section.__init__(self, panel)

    @property
    def title(self) -> str:
        return _("Calibrate")

    def setup(self) -> None:
        self.run = CommandRun(
            self.widget,
            self.troubles,
            self.logic.makeRunner(),
            self.ui.verdictLabel,
            self.ui.pinProgressBar,
            self.ui.pinStopButton,
        )
        self.guided = PinRecording(
            self.widget,
            self._record,
            self.logic.makeRunner(),
            self.ui.pinGuideLabel,
            self.ui.pinLiveLabel,
            self._on_recorded,
            self._show_buttons,
        )
        self.result = PinResult(self, self.run, self._record, chosen=self._on_chosen)
        self.frames = PinFrames(self, self.result, changed=self._show_buttons)
        for name, action in (
            ("pinRecord", self.guided.toggle),
            ("find", self._on_find),
            ("calibrate", self._on_calibrate),
        ):
            self.on_press(f"{name}Button", action)
        self.result.show()
        self._show_buttons()

    # Called by the panel

    def show(self) -> None:
        if self.parameters.pinRecording != self.frames.opened:
            self._close()
            self.frames.open(self.parameters.pinRecording)
        for name in ("pixelWidthSpinBox", "pixelHeightSpinBox"):
            getattr(self.ui, name).enabled = self.parameters.pixelSizeKnown
        self._show_buttons()

    def enter(self) -> None:
        self.frames.look()

    def exit(self) -> None:
        self.frames.look_away()

    def close_scene(self) -> None:
        self._leave()

    def cleanup(self) -> None:
        self._leave()

    def _leave(self) -> None:
        """End what runs, and take the frame out of the scene."""
        self.guided.cleanup()
        self._close()

    def _close(self) -> None:
        self.frames.close()
        # What runs was started for these points.
        self.run.cleanup()
        self.ui.verdictLabel.text = self.ui.pointLabel.text = ""
        self._set_result(None)

    def _set_result(self, fit: dict[str, Any] | None) -> None:
        self.result.set(fit)
        self._show_buttons()

    def _on_recorded(self, path: Path) -> None:
        # It may have ended by itself while another module was shown.
        self.logic.getParameterNode().pinRecording = path

    def _on_chosen(self, frame: int) -> None:
        self.frames.go(frame)

    def _show_buttons(self) -> None:
        marking, busy = self.frames.marking, self.run.running
        missing = "" if marking is not None else _("Choose or record a recording of the pin")
        unmarked = missing or ("" if marking is not None and marking.marks else _("Find the pin, or mark it"))
        wait = _("Wait for what runs, or stop it") if busy else ""
        no_point = missing or ("" if marking is not None and marking.mark else _("This frame has no point"))
        for name, problem, tip in (
            ("place", missing, _("The next click in the red slice view is the pin")),
            ("reject", missing, _("The pin cannot be seen in this frame: it is left out")),
            ("previous", unmarked, _("The marked frame before")),
            ("next", unmarked, _("The next marked frame")),
            ("accept", no_point, _("The point is right; on to the next")),
            ("find", missing or wait, _("Propose where the pin is in every image")),
            ("calibrate", unmarked or wait, _("Fit ImageToProbe to the points, and judge it")),
        ):
            self.enable(f"{name}Button", problem, tip)
        self.result.show_buttons()
        if self.parameters is not None:
            self.guided.show_button(self.ui.pinRecordButton)

    # The two commands

    def _on_find(self) -> None:
        marking = self.frames.marking
        if marking is None:
            return
        every = -(-len(marking.sweep) // self.parameters.pinMost)
        words = [
            "calibrate",
            "detect",
            str(self.parameters.pinRecording),
            "--every",
            str(every),
            "--out",
            str(self.run.folder / "found.csv"),
        ]
        if marking.decided():
            marking.write(self.run.folder / "given.csv", marking.decided())
            words += ["--points", str(self.run.folder / "given.csv")]
        self.run.start(_("Looking for the pin"), words, self._on_found)
        self._show_buttons()

    def _on_found(self, ended: Ended) -> None:
        self.ui.verdictLabel.text = ended.message
        marking = self.frames.marking
        if marking is not None and ended.code == 0:
            self.frames.take(self.run.folder / "found.csv")
            self.ui.verdictLabel.text = _("{count} points were found. Look at some, then calibrate.").format(
                count=len(marking.marks)
            )
        self._show_buttons()

    def _on_calibrate(self) -> None:
        if self.frames.marking is None:
            return
        folder, parameters = self.run.folder, self.parameters
        self.frames.marking.write(folder / "marked.csv")
        words = [
            "calibrate",
            "pinhead",
            "--points",
            str(folder / "marked.csv"),
            "--recording",
            str(parameters.pinRecording),
            "--out",
            str(folder / "calibration.json"),
            "--xml",
            str(folder / "calibration.xml"),
            f"--lag-s={parameters.pinLagS}",
        ]
        if parameters.pixelSizeKnown:
            words.append(f"--mm-per-px={parameters.pixelWidthMm},{parameters.pixelHeightMm}")
        self._set_result(None)
        self.run.start(_("Calibrating"), words, self._on_calibrated)
        self._show_buttons()

    def _on_calibrated(self, ended: Ended) -> None:
        fitted = ended.code == 0 and self.frames.marking is not None
        if fitted:
            self.ui.verdictLabel.text = verdict_words(ended.result)
        else:
            self.ui.verdictLabel.text = ended.message if ended.stopped else refusal_words(ended.message)
        self._set_result(ended.result if fitted else None)
        self.frames.show_point()
