"""Model, probe and the way from the image to the world: what is simulated, and where."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import slicer
from slicer.i18n import tr as _

from ...errors import UserError
from ...mrml.likely_nodes import likely_probe, likely_reference
from ...mrml.live.chain_watch import ChainWatch
from ...sample_data import sample_model_path
from ..panel import Section
from ..troubles import Repeating
from .live_section import LiveSection
from .samples import show_model

CHAIN_EVERY_MS = 250


class InputsSection(Section):
    """Chooses what is simulated, with good guesses, and tells in words what the choice means."""

    ui_file = "USGanSimInputs.ui"

    def setup(self) -> None:
        self._described_model: Path | None = None
        self._probe: Any | None = None
        self._watch = ChainWatch()
        self._timer = Repeating(
            self.widget, self.troubles, _("The chain is not up to date"), self._show_chain, CHAIN_EVERY_MS
        )
        self.on_press("sampleModelButton", self._on_sample_model)
        self.on_press("tryButton", self._on_try)

    def enter(self) -> None:
        if self.parameters.probe is None:
            self.parameters.probe = likely_probe(slicer.mrmlScene)
        self._timer.start()

    def exit(self) -> None:
        self._timer.stop()
        self._watch.close()

    def close_scene(self) -> None:
        self.exit()

    def cleanup(self) -> None:
        self.exit()

    def show(self) -> None:
        self._guess_reference()
        self._show_model()
        self._show_chain()
        running = self.logic.simulation.live.running
        # Only where nobody has begun with something of their own.
        self.ui.tryButton.visible = not running and not self.parameters.modelFile.name
        for name in (
            "modelPathEdit",
            "sampleModelButton",
            "probeSelector",
            "referenceSelector",
            "calibrationPathEdit",
            "imageToProbeSelector",
            "outputSelector",
            "movedByHandCheckBox",
        ):
            getattr(self.ui, name).enabled = not running

    def _guess_reference(self) -> None:
        """Where another probe is chosen and no reference: the one that goes with it."""
        probe, before = self.parameters.probe, self._probe
        self._probe = probe
        if probe is not None and probe is not before and self.parameters.reference is None:
            self.parameters.reference = likely_reference(slicer.mrmlScene, probe, self._reference_frame())

    def _show_model(self) -> None:
        """The facts of the chosen model file; read once for each choice."""
        path = self.parameters.modelFile
        if path == self._described_model:
            return
        self._described_model = path
        info = self.logic.modelInfo(path)
        self.ui.modelFactsBrowser.setHtml(self.logic.modelFacts(path))
        if info is None:
            self.ui.modelLabel.text = self.logic.modelFacts(path) if path.name else _("No model is chosen.")
            return
        self.ui.modelLabel.text = _(
            "Recipe {recipe}; images of {width}×{height} pixels of {x:.2f}×{y:.2f} mm; poses are told in the frame "
            "{frame}."
        ).format(
            recipe=info.recipe,
            width=info.geometry.width_px,
            height=info.geometry.height_px,
            x=info.geometry.mm_per_px[0],
            y=info.geometry.mm_per_px[1],
            frame=info.reference_frame,
        )

    def _show_chain(self) -> None:
        if self.parameters is None:
            return
        probe, reference = self.parameters.probe, self.parameters.reference
        self._watch.watch(probe, reference)
        if probe is None:
            self.ui.chainLabel.text = _("Choose the transform of the probe.")
            return
        problem = self.logic.calibrationProblem(self.parameters)
        words = self._watch.words(probe, reference, self._calibration_words(), self._reference_frame())
        self.ui.chainLabel.text = f"{words}\n{problem}" if problem else words

    def _calibration_words(self) -> str:
        if self.parameters.imageToProbe is not None:
            return str(self.parameters.imageToProbe.GetName())
        return self.parameters.calibrationFile.name or _("model")

    def _reference_frame(self) -> str:
        info = self.logic.modelInfo(self.parameters.modelFile)
        return info.reference_frame if info else "Reference"

    def _on_sample_model(self) -> None:
        self.ui.modelPathEdit.currentPath = str(sample_model_path())

    def _on_try(self) -> None:
        try:
            show_model(self.panel)
        except UserError as error:
            self.ui.modelLabel.text = str(error)
            return
        self.panel.section(LiveSection).start_when_ready()
