"""The simulated image beside the real one, where one streams in: side by side, blended, or their difference."""

from __future__ import annotations

import math
import time
from typing import Any

import slicer
from slicer.i18n import tr as _

from ...mrml.live.real_image import MOST_APART_MM, DifferenceVolume, View, relation, way_up, why_not
from ..panel import Section
from ..slice_views import lay_over
from .agreement import AgreementPart
from .live_section import LiveSection
from .live_views import SLICE_AND_3D, TWO_SLICES_AND_3D

WORDS_EVERY_S = 0.3


class ComparisonSection(Section):
    """Shows a real image against the simulated one, and tells how the two lie to each other."""

    ui_file = "USGanSimComparison.ui"

    def setup(self) -> None:
        self._difference: DifferenceVolume | None = None
        self._shown: tuple[Any, View, Any] | None = None
        self._difference_grey = math.nan
        self._told_s = 0.0
        self.agreement = AgreementPart(self)

    def meet(self) -> None:
        self._live = self.panel.section(LiveSection)
        self._live.listeners[_("The images are not compared")] = self._on_image

    def connected(self) -> None:
        names = {
            View.SIDE_BY_SIDE: _("Side by side"),
            View.BLEND: _("Blend"),
            View.DIFFERENCE: _("Difference"),
        }
        for index, view in enumerate(View):
            self.ui.comparisonComboBox.setItemText(index, names[view])

    def show(self) -> None:
        self.ui.blendSlider.enabled = self.parameters.comparison is View.BLEND
        simulated, real = self.logic.simulation.live.volume, self.parameters.realImage
        if simulated is None or real is None or real is simulated or why_not(real):
            # It may be comparable at one of the next images.
            self._end()
        else:
            self._look(simulated, real, self.parameters.comparison)
        self._tell()

    def close_scene(self) -> None:
        self._end()

    def cleanup(self) -> None:
        self._end()

    def _end(self) -> None:
        self._leave()
        self.agreement.leave()

    def _look(self, simulated: Any, real: Any, view: View) -> None:
        """Arrange the views; again only where something else is to be seen."""
        if self._shown != (real, view, simulated):
            self._leave()
            self._shown = (real, view, simulated)
            self._live.comparing = True
            self._live.views.show(simulated, TWO_SLICES_AND_3D if view is View.SIDE_BY_SIDE else SLICE_AND_3D)
            if view is View.SIDE_BY_SIDE:
                self._live.views.look("Yellow", real)
                self._live.views.drive("Yellow", real)
            elif view is View.DIFFERENCE:
                self._difference = DifferenceVolume(slicer.mrmlScene, simulated)
                self._on_image()
        overlay = {View.BLEND: real, View.DIFFERENCE: self._difference and self._difference.node}.get(view)
        opacity = self.parameters.blendPercent / 100 if view is View.BLEND else 1.0
        lay_over("Red", overlay, opacity)
        self.agreement.follow(real)
        self._live.show()

    def _leave(self) -> None:
        """Nothing is compared: no overlay, no difference, no second view."""
        if self._shown is None:
            return
        self._shown = None
        lay_over("Red", None, 0.0)
        self._live.views.release("Yellow")
        if self._difference is not None:
            self._difference.remove()
            self._difference = None
        self._live.leave_comparison()

    def _on_image(self) -> None:
        if self._shown is None:
            self._look_again()
            return
        if self._shown[0].GetScene() is None:
            return
        if self._difference is not None:
            self._difference_grey = self._difference.update(self._shown[0])
        if time.perf_counter() - self._told_s > WORDS_EVERY_S:
            self._tell()

    def _look_again(self) -> None:
        """The chosen image may have come, or hang elsewhere now."""
        real = None if self.parameters is None else self.parameters.realImage
        if real is not None and not why_not(real):
            self.show()

    def _tell(self) -> None:
        self._told_s = time.perf_counter()
        if self.parameters is not None:
            self.ui.comparisonLabel.text = self._words()

    def _words(self) -> str:
        simulated, real = self.logic.simulation.live.volume, self.parameters.realImage
        if real is None:
            return _("Choose the volume of the real image.")
        if simulated is None:
            return _("Press Start for a simulated image.")
        if real is simulated:
            return _("{name} holds no real image.").format(name=real.GetName())
        if problem := why_not(real):
            return problem
        lies = relation(simulated, real)
        words = [
            _(
                "Real image {angle:.0f}° turned, its plane {mm:.1f} mm away; it covers {share:.0f} % of the "
                "simulated one."
            ).format(angle=lies.angle_deg, mm=lies.plane_mm, share=100 * lies.covered)
        ]
        if lies.covered == 0:
            words.append(
                _("They do not meet within {mm:g} mm, so they are not of the same place.").format(
                    mm=MOST_APART_MM
                )
            )
        if self._difference is not None and math.isfinite(self._difference_grey):
            words.append(_("Mean difference {grey:.0f} grey levels.").format(grey=self._difference_grey))
        own, other = way_up(simulated)[1:], way_up(real)
        if not other:
            words.append(
                _(
                    "{name} hangs under no transform: it stands in RAS as it is. Put it under the transform of "
                    "its probe."
                ).format(name=real.GetName())
            )
        elif own and own[-1] not in other:
            words.append(
                _("{name} hangs under {other}, the simulated image under {own}.").format(
                    name=real.GetName(), other=" → ".join(other), own=" → ".join(own)
                )
            )
        return " ".join(words)
