"""Whether the real image is where the model expects it: looked at a little at a time while the two are compared."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from slicer.i18n import tr as _

from ...geometry.agreement import RECENT, USUAL_MM, BestPlace
from ...live import PoseState
from ...mrml.live.expected_image import looking, place_of
from ..troubles import Repeating

if TYPE_CHECKING:
    from ..panel import Section

TICK_MS = 100
# Of the time; the live image needs the rest.
SHARE = 0.2


class AgreementPart:
    """The line below the comparison. `follow` a real image, and `leave` it."""

    def __init__(self, section: Section) -> None:
        self._section, self.ui = section, section.ui
        self._of: tuple[Any, Any] | None = None
        self._place: BestPlace | None = None
        self._steps: Iterator[None] | None = None
        self._timer = Repeating(
            section.widget,
            section.troubles,
            _("Whether the real image is where it is expected is not known"),
            self._on_tick,
            TICK_MS,
        )

    def follow(self, real: Any) -> None:
        """Look at this image from now on; another one, or another start, is learned anew."""
        live = self._section.logic.simulation.live
        if self._of != (real, live):
            self._of, self._place, self._steps = (real, live), None, None
        self._timer.start()
        self._tell()

    def leave(self) -> None:
        """Look no more."""
        self._timer.stop()
        self._of = self._place = self._steps = None
        self.ui.agreementLabel.text = ""

    def _on_tick(self) -> None:
        simulation = self._section.logic.simulation
        if self._of is None or self._of[0].GetScene() is None or simulation.renderer is None:
            return
        if self._steps is None:
            # Where the model was not trained, nothing can be expected of it.
            if simulation.live.status.state not in (PoseState.GOOD, PoseState.FROZEN):
                return
            self._place = self._place or place_of(simulation)
            self._steps = looking(simulation, self._of[0], self._place)
        began_s = time.perf_counter()
        try:
            next(self._steps)
        except StopIteration:
            self._steps = None
            self._tell()
        except Exception:
            self._steps = None
            raise
        took_ms = 1000 * (time.perf_counter() - began_s)
        self._timer.set_interval(max(TICK_MS, round(took_ms / SHARE)))

    def _tell(self) -> None:
        self.ui.agreementLabel.text = words(self._place)


def words(place: BestPlace | None) -> str:
    """Rich text: where the real image fits best, and what is usual."""
    offset_mm = place.offset_mm if place is not None else None
    if place is None or offset_mm is None or math.isnan(place.away_mm):
        return str(
            _("Is it where the model expects it? {seen} of {all} places are seen; move the probe.").format(
                seen=place.seen if place is not None else 0, all=RECENT
            )
        )
    # Without a minus before nothing.
    across, depth, out = offset_mm.round(1) + 0.0
    told = _(
        "It fits best {away:.1f} mm from where the model expects it (usually less than {usual:g} mm): across "
        "{across:+.1f}, depth {depth:+.1f}, out of plane {out:+.1f} mm; agreement {agreement:.2f}."
    ).format(
        away=place.away_mm,
        usual=USUAL_MM,
        across=across,
        depth=depth,
        out=out,
        agreement=place.agreement,
    )
    if not place.moved:
        return str(told)
    return str(
        _(
            "<b>{told}</b> Has the reference or a marker moved, or is another calibration or lag in use?"
        ).format(told=told)
    )
