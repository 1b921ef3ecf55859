"""A pinhead recorded with guidance: what is missing is said as the images come, and a fit says how good it would be."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import slicer.util
from slicer.i18n import tr as _

from ....calibration.pinhead.guide import PinGuide
from ....calibration.pinhead.verdict import FEWEST_GOOD_POINTS
from ....errors import UserError
from ....geometry.transforms import Matrix
from ...command_run import CommandRun
from ...process_runner import Ended, Runner
from ...troubles import Repeating
from ..record.tab import RecordSection
from .words import guide_words, refusal_words, verdict_words

NAME = "pin"
TICK_MS = 300
# A fit takes seconds: it runs beside the recording, on some of the points, after as many new ones.
FIT_POINTS, FIT_AFTER_POINTS = 30, 10


class PinRecording:
    """Starts and stops a sweep of the tab Record, and looks at its images, while the widget `owner` lives. `recorded`
    is given its file; `changed` is called when it starts or stops."""

    def __init__(
        self,
        owner: Any,
        record: RecordSection,
        runner: Runner,
        guide_label: Any,
        live_label: Any,
        recorded: Callable[[Path], None],
        changed: Callable[[], None],
    ) -> None:
        self._record, self._label, self._live_label = record, guide_label, live_label
        self._recorded, self._changed = recorded, changed
        self._guide: PinGuide | None = None
        self._fitted_points = 0
        self.fit = CommandRun(owner, record.troubles, runner)
        self._timer = Repeating(
            owner, record.troubles, _("The images are not looked at"), self._on_tick, TICK_MS
        )

    @property
    def running(self) -> bool:
        return self._guide is not None

    def show_button(self, button: Any) -> None:
        """Bring the button up to date."""
        problem = "" if self.running else self._record.problem()
        if problem:
            problem = _("In the tab Record: {problem}").format(problem=problem)
        if not self.running and self._record.recorder.recording:
            problem = _("A sweep is being recorded in the tab Record.")
        button.text = _("Stop recording the pin") if self.running else _("Record the pin")
        button.enabled = not problem
        button.toolTip = problem or _("Record with the nodes and into the session of the tab Record")

    def toggle(self) -> None:
        """Start, or stop."""
        if self.running:
            self._stop()
        elif self._record.start(self._record.recorder.free_name(NAME)):
            self._guide, self._fitted_points = PinGuide(self._earlier()), 0
            self._live_label.text = ""
            self._timer.start()
            self._on_tick()
            self._changed()
        else:
            self._label.text = self._record.ui.stateLabel.text

    def cleanup(self) -> None:
        """Look no more; the tab Record ends its recording itself."""
        self._timer.stop()
        self.fit.cleanup()
        self._guide = None

    def _earlier(self) -> Matrix | None:
        """ImageToProbe of the session so far: good enough to tell the image's axes."""
        try:
            calibration = self._record.recorder.calibration()
        except UserError:
            return None
        return None if calibration is None else calibration.image_to_probe

    def _stop(self) -> None:
        recorder = self._record.recorder
        name = recorder.name
        self.cleanup()
        if recorder.recording:
            self._record.stop()
        self._label.text, self._live_label.text = self._record.ui.stateLabel.text, ""
        self._changed()
        if recorder.session is not None and any(sweep.name == name for sweep in recorder.sweeps):
            self._recorded(recorder.session.path(name))

    def _on_tick(self) -> None:
        if self._guide is None or not self._record.recorder.recording:
            # It ended by itself: the disk is full, say.
            self._stop()
            return
        image = self._record.parameters.recordImage if self._record.parameters is not None else None
        chain = self._record.running_chain
        if image is None or image.GetImageData() is None or chain is None:
            return
        began_s = time.perf_counter()
        self._guide.add(slicer.util.arrayFromVolume(image)[0], chain.probe_to_reference())
        progress = self._guide.progress()
        self._label.text = guide_words(progress, self._guide.place is not None)
        # Large images take longer: at most a quarter of the time is spent on looking.
        self._timer.set_interval(max(TICK_MS, round(4000 * (time.perf_counter() - began_s))))
        if (
            progress.points >= max(self._fitted_points + FIT_AFTER_POINTS, FEWEST_GOOD_POINTS)
            and not self.fit.running
        ):
            self._fitted_points = progress.points
            self._start_fit(self._guide)

    def _start_fit(self, guide: PinGuide) -> None:
        folder, points = self.fit.folder, guide.points()
        guide.write(folder / "points.csv", folder / "poses.csv", FIT_POINTS)
        self.fit.start(
            "",
            [
                "calibrate",
                "pinhead",
                "--points",
                str(folder / "points.csv"),
                "--poses",
                str(folder / "poses.csv"),
                "--size",
                f"{points.width_px}x{points.height_px}",
                "--out",
                str(folder / "calibration.json"),
            ],
            self._on_fitted,
        )

    def _on_fitted(self, ended: Ended) -> None:
        words = verdict_words(ended.result) if ended.code == 0 else refusal_words(ended.message)
        self._live_label.text = _("With {count} points so far: {words}").format(
            count=self._fitted_points, words=words
        )
