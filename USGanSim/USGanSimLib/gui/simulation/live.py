"""Model, probe and Start: the live simulation, its state in words and its speed."""

from __future__ import annotations

from pathlib import Path

import qt
import slicer
import slicer.util
from slicer.i18n import tr as _

from ...errors import UserError
from ..section import Section
from ..slice_views import follow

TICK_MS = 15
# Words and figures need not change faster than a person reads.
TICKS_PER_STATUS = 10


class LiveSection(Section):
    """Chooses what is simulated, starts and stops it, and ticks while it runs."""

    ui_file = "USGanSim.ui"

    def setup(self) -> None:
        self._described_model: Path | None = None
        self._ticks = 0
        self._fitted = False
        self._timer = qt.QTimer()
        self._timer.setInterval(TICK_MS)
        self._timer.connect("timeout()", self._on_tick)
        self.ui.startButton.connect("clicked()", self._on_start_stop)
        self._show_status()

    def show(self) -> None:
        self._show_model()
        self._show_start_button()

    def close_scene(self) -> None:
        self.stop()

    def cleanup(self) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop the simulation; the last image stays."""
        self._timer.stop()
        self.logic.stop()
        if self.parameters is not None:
            self._show_start_button()
        self._show_status()

    def _show_model(self) -> None:
        """The facts of the chosen model file; read once for each choice."""
        if self.parameters.modelFile != self._described_model:
            self._described_model = self.parameters.modelFile
            self.ui.modelFactsLabel.text = self.logic.modelFacts(self._described_model)

    def _show_start_button(self) -> None:
        problem = "" if self.logic.running else self.logic.problem(self.parameters)
        self.ui.startButton.text = _("Stop") if self.logic.running else _("Start")
        self.ui.startButton.enabled = not problem
        self.ui.startButton.toolTip = problem or _("Simulate at each new pose of the probe")
        for name in ("modelPathEdit", "probeSelector", "referenceSelector", "movedByHandCheckBox"):
            getattr(self.ui, name).enabled = not self.logic.running

    def _show_status(self) -> None:
        self.ui.stateLabel.text = str(self.logic.status)
        self.ui.figuresLabel.text = self.logic.figures()

    def _on_start_stop(self) -> None:
        if self.logic.running:
            self.stop()
            return
        try:
            with slicer.util.WaitCursor():
                self.logic.start(self.parameters)
        except UserError as error:
            self.ui.stateLabel.text = str(error)
            return
        self._fitted = False
        self._timer.start()
        self._show_start_button()
        self._show_status()

    def _on_tick(self) -> None:
        try:
            fresh = self.logic.tick()
        except Exception:
            # Told once, not at every tick.
            self.stop()
            raise
        if fresh and self.ui.sliceFollowsCheckBox.checked:
            self._show_slice()
        self._ticks += 1
        if not self.logic.running:
            self.stop()
        elif self._ticks % TICKS_PER_STATUS == 0:
            self._show_status()

    def _show_slice(self) -> None:
        """Let the red slice view look at the image; it is fitted to the first one."""
        follow(slicer.mrmlScene.GetSingletonNode("Red", "vtkMRMLSliceNode"), self.logic.volume)
        if not self._fitted:
            slicer.util.setSliceViewerLayers(background=self.logic.volume, fit=True)
            self._fitted = True
