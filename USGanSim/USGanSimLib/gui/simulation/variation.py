"""Which of the many right images is shown: the noise, the pose that is held, and samples side by side."""

from __future__ import annotations

import qt
import slicer
import slicer.util
from slicer.i18n import tr as _

from ...errors import UserError
from ...live import Variation
from ...mrml.live.sample_strip import png, side_by_side, strip_volume
from ..panel import Section

PICTURE_PX = 380


class VariationSection(Section):
    """Fixed, resampled or drifting noise; Freeze; samples of the present pose."""

    ui_file = "USGanSimVariation.ui"

    def setup(self) -> None:
        self.on_press("newSampleButton", self._on_new_sample)
        self.on_press("freezeButton", self._on_freeze)
        self.on_press("stripButton", self._on_strip)

    def connected(self) -> None:
        names = {
            Variation.FIXED: _("Fixed: one sample"),
            Variation.RESAMPLED: _("Resampled for each image"),
            Variation.DRIFTING: _("Drifting slowly"),
        }
        for index, variation in enumerate(Variation):
            self.ui.variationComboBox.setItemText(index, names[variation])

    def show(self) -> None:
        self.logic.vary(self.parameters)
        simulation = self.logic.simulation
        self.ui.halfLifeSlider.enabled = self.parameters.variation is Variation.DRIFTING
        not_live = "" if simulation.live.running else _("Press Start first")
        self.enable("newSampleButton", not_live, _("Draw other noise, once"))
        self.enable("freezeButton", not_live, _("Hold the pose of this moment, while the noise goes on"))
        self.ui.freezeButton.checked = simulation.live.frozen
        self.enable(
            "stripButton",
            "" if simulation.live.volume is not None else _("Press Start first"),
            _("Draw several samples of the present pose, side by side"),
        )

    def _on_new_sample(self) -> None:
        self.logic.simulation.new_sample()

    def _on_freeze(self) -> None:
        self.logic.simulation.live.freeze(self.ui.freezeButton.checked)
        self.ui.freezeButton.checked = self.logic.simulation.live.frozen

    def _on_strip(self) -> None:
        simulation = self.logic.simulation
        try:
            with slicer.util.WaitCursor():
                samples = simulation.samples(self.parameters.samples)
        except UserError as error:
            self.ui.stripWords.text = str(error)
            return
        picture = side_by_side(samples)
        self.ui.stripLabel.setPixmap(_pixmap(png(picture)))
        name = _("Samples of {name}").format(name=simulation.live.volume.GetName())
        volume = strip_volume(slicer.mrmlScene, picture, simulation.mm_per_px, name)
        self.ui.stripWords.text = _(
            "{count} samples of this pose differ by {sd:.0f} grey levels (mean SD of a pixel). "
            "They are in the volume “{name}” too."
        ).format(count=len(samples), sd=samples.std(axis=0).mean(), name=volume.GetName())


def _pixmap(png_bytes: bytes) -> qt.QPixmap:
    """As wide as the panel allows."""
    pixmap = qt.QPixmap()
    pixmap.loadFromData(qt.QByteArray(png_bytes))
    return pixmap.scaledToWidth(PICTURE_PX, qt.Qt.SmoothTransformation)
