"""Calibrate, second part: the lag between images and poses."""

from __future__ import annotations

from pathlib import Path

from slicer.i18n import tr as _

from ..command_run import CommandRun
from ..panel import ModulePanel, Section
from ..process_runner import Ended
from ..texts import show_picture
from .choice_words import lag_target_words, show_words
from .pin.result import PICTURE_PX
from .pin.tab import PinSection

LAG_TARGETS = ("bottom", "pin", "wires", "content")  # of `calibrate temporal`


class LagSection(Section):
    """Runs `calibrate temporal`, and shows its curve."""

    ui_file = "USGanTrainingLag.ui"

    def __init__(self, panel: ModulePanel, pin: PinSection) -> None:
        self._pin = pin
        Section.__init__(self, panel)

    @property
    def title(self) -> str:
        return _("Calibrate")

    def setup(self) -> None:
        self.run = CommandRun(
            self.widget,
            self.troubles,
            self.logic.makeRunner(),
            self.ui.lagLabel,
            self.ui.lagProgressBar,
            self.ui.lagStopButton,
        )
        self.lag_s: float | None = None
        self.on_press("findLagButton", self._on_find)
        self.on_press("useLagButton", self._on_use)
        show_picture(self.ui.lagPictureLabel, None)

    def connected(self) -> None:
        show_words(self.ui.lagTargetComboBox, LAG_TARGETS, lag_target_words())

    def show(self) -> None:
        target = self.parameters.lagTarget
        self.ui.lagPointsPathEdit.enabled = target in ("pin", "wires")
        self.ui.lagCalibrationPathEdit.enabled = target in ("wires", "content")
        self._show_buttons()

    def close_scene(self) -> None:
        self.run.cleanup()

    def cleanup(self) -> None:
        self.run.cleanup()

    def problem(self) -> str:
        """What is still to be chosen, or nothing."""
        parameters = self.parameters
        if not parameters.lagRecording.is_file():
            return _("Choose a recording.")
        if parameters.lagTarget == "pin" and self._points() is None:
            return _("Find the pin above, or choose a table of points.")
        if parameters.lagTarget in ("wires", "content") and not parameters.lagCalibration.is_file():
            return _("Choose the calibration: wires and content need one.")
        return ""

    def _points(self) -> Path | None:
        """The chosen table, or the points found above, where they are of this recording."""
        if self.parameters.lagPoints.is_file():
            return Path(self.parameters.lagPoints)
        marking = self._pin.frames.marking
        if (
            self.parameters.lagTarget == "pin"
            and marking is not None
            and marking.marks
            and (self.parameters.pinRecording == self.parameters.lagRecording)
        ):
            marking.write(self.run.folder / "points.csv")
            return self.run.folder / "points.csv"
        return None

    def _show_buttons(self) -> None:
        if self.parameters is None:
            return
        problem = self.problem()
        self.enable(
            "findLagButton",
            problem or (_("Wait for what runs, or stop it") if self.run.running else ""),
            _("Try all lags, and tell the best with its interval"),
        )
        self.enable(
            "useLagButton",
            "" if self.lag_s is not None else _("Find the lag first"),
            _("Take the lag into the calibration of the pinhead above"),
        )

    def _on_find(self) -> None:
        parameters = self.parameters
        recordings = ["--recording", str(parameters.lagRecording)]
        if parameters.lagTracker.is_file():
            recordings = ["--video", str(parameters.lagRecording), "--tracker", str(parameters.lagTracker)]
        words = [
            "calibrate",
            "temporal",
            *recordings,
            "--target",
            parameters.lagTarget,
            "--max-lag-s",
            str(parameters.maxLagS),
            "--out",
            str(self.run.folder / "lag.json"),
        ]
        if parameters.lagTarget in ("pin", "wires") and (points := self._points()) is not None:
            words += ["--points", str(points)]
        if parameters.lagTarget in ("wires", "content"):
            words += ["--calibration", str(parameters.lagCalibration)]
        self.lag_s = None
        show_picture(self.ui.lagPictureLabel, None)
        self.run.start(_("Trying lags"), words, self._on_found)
        self._show_buttons()

    def _on_found(self, ended: Ended) -> None:
        if ended.code != 0:
            self.ui.lagLabel.text = ended.message
        else:
            found = ended.result
            self.lag_s = found["lag_s"]
            low_s, high_s = found["ci_s"]
            self.ui.lagLabel.text = _(
                "Lag {lag:+.3f} s (95 %: {low:+.3f} to {high:+.3f} s), by {method} in {frames} images: an image "
                "stamped t shows the pose stamped t {lag:+.3f} s. Misfit {misfit:.3g} {unit}, without lag {zero:.3g}."
            ).format(
                lag=self.lag_s,
                low=low_s,
                high=high_s,
                method=found["method"],
                frames=found["frames"],
                misfit=found["misfit"],
                zero=found["misfit_at_zero_lag"],
                unit=found["unit"],
            )
            show_picture(self.ui.lagPictureLabel, Path(found["panel"]), PICTURE_PX)
        self._show_buttons()

    def _on_use(self) -> None:
        self.parameters.pinLagS = self.lag_s
