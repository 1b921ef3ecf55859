"""Which of the many right images is shown: the noise, the pose that is held, and samples side by side."""

from __future__ import annotations

from typing import Any

from slicer.i18n import tr as _

from ...variation import Variation
from ..section import Section


class VariationSection(Section):
    """Fixed, resampled or drifting noise; Freeze; samples of the present pose."""

    ui_file = "USGanSimVariation.ui"

    def setup(self) -> None:
        self.ui.newSampleButton.connect("clicked()", self._on_new_sample)
        self.ui.freezeButton.connect("clicked()", self._on_freeze)

    def connect_parameters(self, parameters: Any) -> None:
        super().connect_parameters(parameters)
        names = {Variation.FIXED: _("Fixed: one sample"), Variation.RESAMPLED: _("Resampled for each image"),
                 Variation.DRIFTING: _("Drifting slowly")}
        for index, variation in enumerate(Variation):
            self.ui.variationComboBox.setItemText(index, names[variation])

    def show(self) -> None:
        self.logic.vary(self.parameters)
        simulation = self.logic.simulation
        self.ui.halfLifeSlider.enabled = self.parameters.variation is Variation.DRIFTING
        self.ui.newSampleButton.enabled = self.ui.freezeButton.enabled = simulation.running
        self.ui.freezeButton.checked = simulation.frozen

    def _on_new_sample(self) -> None:
        self.logic.simulation.new_sample()

    def _on_freeze(self) -> None:
        self.logic.simulation.freeze(self.ui.freezeButton.checked)
        self.ui.freezeButton.checked = self.logic.simulation.frozen
