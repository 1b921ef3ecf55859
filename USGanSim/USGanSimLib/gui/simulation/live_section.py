"""Start and Show: the live simulation, its state in words and its speed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import qt
import slicer
import slicer.util
from slicer.i18n import tr as _

from ...live import PoseState
from ...mrml.live.surroundings import Surroundings
from ..dependencies import torch_status
from ..panel import Section
from ..slice_views import aim_3d
from ..troubles import Repeating, Troubles, in_words, log_fault
from .live_views import LiveViews

TICK_MS = 8
# A slow renderer leaves the views and the mouse at least this share of the time.
LEAST_GUI_SHARE = 0.3
# Words and figures need not change faster than a person reads.
STATUS_EVERY_S = 0.2
# What could not be simulated may go well later; trying costs as much each time.
RETRY_MS = 500
# A tick that did not come for so long after it was due is told.
LATE_S, WATCH_MS = 1.0, 500


class LiveSection(Section):
    """Starts and stops the simulation, and ticks while it runs.

    A tick has steps: simulate, turn the views, tell the listeners, show the state. What fails in one is told in place
    of the state and tried again at the next tick; it keeps no other step, and no tick, from coming.

    views      what is laid out and followed
    listeners  called after each new image; under what each does, said for where it fails
    comparing  a real image is looked at too, so that the views stay when the surroundings are hidden
    """

    ui_file = "USGanSimLive.ui"

    def setup(self) -> None:
        self._steps: Iterator[str] | None = None
        self._problem = ""
        self._fitted = False
        self._told_s = self._due_s = 0.0
        self._ticking = self._wanted = False
        self._faults = Troubles(self._show_status)
        self.views = LiveViews(self.troubles)
        self.comparing = False
        self.listeners: dict[str, Callable[[], None]] = {}
        self._surroundings = Surroundings(slicer.mrmlScene)
        self._timer = qt.QTimer(self.widget)
        self._timer.setSingleShot(True)
        self._timer.connect("timeout()", self._on_timer)
        self._watch = Repeating(
            self.widget, self.troubles, _("Whether images come is not known"), self._on_watch, WATCH_MS
        )
        self.on_press("startButton", self._on_start_stop)
        self.on_press("showButton", self._on_show)
        self.ui.deviceLabel.text = torch_status()
        self._show_status()

    def show(self) -> None:
        self._problem = ""
        if self._wanted and not self.logic.problem(self.parameters):
            self._wanted = False
            self._start()
        self._show_start_button()
        self._follow_or_leave()

    def close_scene(self) -> None:
        self.stop()
        self._hide()
        self.logic.simulation.forget()

    def scene_loaded(self, parameters: Any) -> None:
        live, wanted = self.logic.simulation.live, (parameters.probe, parameters.output)
        if live.running and (live.probe, live.volume) != wanted:
            self.stop()
            self._problem = _("Another scene was loaded. Start goes on with it.")
            self._show_status()

    def cleanup(self) -> None:
        self.stop()
        self._hide()
        self.views.close()

    def start_when_ready(self) -> None:
        """Start as soon as all that is needed is chosen, which may be now."""
        self._wanted = True
        self.show()

    def stop(self) -> None:
        """Stop the simulation; the last image stays."""
        self._timer.stop()
        self._watch.stop()
        self._steps, self._wanted = None, False
        self._faults.clear()
        self.logic.stop()
        self.panel.show()
        self._show_start_button()
        self._show_status()

    def _show_start_button(self) -> None:
        busy = self.logic.simulation.live.running or self._steps is not None
        problem = "" if busy or self.parameters is None else self.logic.problem(self.parameters)
        self.ui.startButton.text = _("Stop") if busy else _("Start")
        self.enable("startButton", problem, _("Simulate at each new pose of the probe"))
        self.enable(
            "showButton",
            "" if self.logic.simulation.live.volume is not None else _("Press Start first"),
            _(
                "Lay out the views: slices that follow the image, probe and fan in 3-D. Pressed again, all is as before"
            ),
        )
        self.ui.showButton.checked = self._surroundings.shown
        self.ui.showButton.text = _("Hide") if self._surroundings.shown else _("Show")

    def _on_start_stop(self) -> None:
        if self.logic.simulation.live.running or self._steps is not None:
            self.stop()
        else:
            self._start()

    def _start(self) -> None:
        if self._steps is not None or self.logic.simulation.live.running:
            return
        self._problem = ""
        self._steps = self.logic.starting(self.parameters)
        self._show_start_button()
        self._timer.start(0)

    def _on_timer(self) -> None:
        if self._steps is not None:
            self._go_on_starting()
        elif self.logic.simulation.live.running:
            self._tick()

    def _go_on_starting(self) -> None:
        """One step of the start; its words are on the screen before it begins."""
        try:
            with slicer.util.WaitCursor():
                words = next(self._steps, "") if self._steps else ""
        except Exception as error:
            self.stop()
            self._problem = in_words(error)
            self._show_status()
            log_fault(_("The simulation does not start"), error)
            return
        if words:
            self.ui.stateLabel.text = words
            self._timer.start(TICK_MS)
            return
        self._steps, self._fitted = None, False
        self._due_s = time.perf_counter()
        self._timer.start(0)
        self._watch.start()
        if self._surroundings.shown:
            # Another model has other surroundings.
            self.troubles.attempt(_("The surroundings of the image are not shown"), self._show)
        self.ui.deviceLabel.text = torch_status()
        self.panel.show()
        self._show_status()

    def _tick(self) -> None:
        """All steps once, and the next tick, whatever they did."""
        self._due_s = began_s = time.perf_counter()
        self._ticking = True
        well = self._faults.attempt(_("No image can be simulated"), self._simulate)
        if not self.logic.simulation.live.running:
            self._ticking = False
            self.stop()
            return
        if began_s - self._told_s > STATUS_EVERY_S:
            self._told_s = began_s
            self.troubles.attempt(_("The state of the simulation is not shown"), self._show_status)
        ended_s = time.perf_counter()
        took_ms = (ended_s - began_s) * 1e3
        pause_ms = max(TICK_MS - took_ms, took_ms * LEAST_GUI_SHARE / (1 - LEAST_GUI_SHARE))
        pause_ms = round(pause_ms if well else max(pause_ms, RETRY_MS))
        self._due_s, self._ticking = ended_s + pause_ms / 1e3, False
        self._timer.start(pause_ms)

    def _simulate(self) -> None:
        """The newest pose's image, and all that look at it."""
        if not self.logic.simulation.tick():
            return
        self._faults.attempt(_("The views do not follow the image"), self._look)
        for step, listener in self.listeners.items():
            self._faults.attempt(step, listener)

    def _on_watch(self) -> None:
        """Tell a tick that did not come: a step may wait for a person, in a dialog say, or the timer is lost."""
        late_s = time.perf_counter() - self._due_s
        if not self.logic.simulation.live.running or late_s < LATE_S:
            return
        self.ui.stateLabel.text = _("No image for {late:.0f} s: Slicer is busy with something else").format(
            late=late_s
        )
        self._show_icon(PoseState.INVALID)
        if not self._ticking:
            self._timer.start(0)

    def _show_status(self) -> None:
        status = self.logic.simulation.live.status
        problem = self._problem or self._faults.words
        self.ui.stateLabel.text = problem or str(status)
        self._show_icon(PoseState.INVALID if problem else status.state)
        self.ui.poseLabel.text = self._pose_words()
        self.ui.figuresLabel.text, self.ui.droppedLabel.text = self._figures(), self._counts()

    def _show_icon(self, state: PoseState) -> None:
        icon = self.ui.stateIcon
        icon.setPixmap(_icon(state, icon.palette.windowText().color()))

    def _pose_words(self) -> str:
        simulation = self.logic.simulation
        words = []
        if simulation.live.running and simulation.live.pose_age_s is not None:
            words.append(_("{age:.0f} ms old").format(age=simulation.live.pose_age_s * 1e3))
        hand = simulation.live.hand
        if simulation.live.running and hand is not None:
            words.append(
                _("steadied: {lag:.0f} ms behind the hand, {share:.0f} % of the jitter left").format(
                    lag=hand.lag_s * 1e3, share=100 * hand.jitter_share
                )
            )
        nearest = simulation.nearest
        if nearest is not None:
            words.append(
                _("nearest trained pose {mm:.0f} mm and {deg:.0f}° away").format(
                    mm=nearest.centre_mm, deg=nearest.angle_deg
                )
            )
        return "; ".join(words)

    def _figures(self) -> str:
        latency = self.logic.simulation.live.latency
        if latency.total.count == 0:
            return ""
        return _(
            "{rate:.0f} images/s; pose to image {total:.1f} ms (95 % below {p95:.1f} ms), rendering "
            "{render:.1f} ms"
        ).format(
            rate=latency.rate_hz,
            total=latency.total.median_ms,
            p95=latency.total.p95_ms,
            render=latency.render.median_ms,
        )

    def _counts(self) -> str:
        counts = self.logic.simulation.live.counts
        return (
            _(
                "{received} received: {rendered} simulated, {superseded} dropped for newer ones, {unusable} not "
                "usable"
            ).format(
                received=counts.received,
                rendered=counts.rendered,
                superseded=counts.superseded,
                unusable=counts.unusable,
            )
            if counts.received
            else ""
        )

    def _look(self) -> None:
        """The views see the new image; they are fitted to the first one."""
        if not self._fitted:
            volume = self.logic.simulation.live.volume
            if self.ui.sliceFollowsCheckBox.checked or self.views.shown:
                self.views.look("Red", volume)
            if self.views.shown:
                aim_3d(volume)
            self._fitted = True
        self.views.update()

    def _follow_or_leave(self) -> None:
        """Drive the red slice view, or not."""
        volume = self.logic.simulation.live.volume
        wanted = volume if self.parameters.sliceFollows and self.logic.simulation.live.running else None
        if wanted is None:
            self.views.release("Red")
        elif self.views.driven("Red") is not wanted:
            self.views.drive("Red", wanted)

    def leave_comparison(self) -> None:
        """The views as Show alone has them, or as before."""
        self.comparing = False
        if self._surroundings.shown and self.logic.simulation.live.volume is not None:
            self.views.show(self.logic.simulation.live.volume)
        else:
            self._hide()

    def _on_show(self) -> None:
        if self._surroundings.shown:
            self._hide()
        else:
            with slicer.util.WaitCursor():
                self._show()
        self._show_start_button()

    def _show(self) -> None:
        simulation = self.logic.simulation
        self.views.show(simulation.live.volume)
        info = self.logic.modelInfo(self.parameters.modelFile)
        self._surroundings.show(
            simulation.renderer,
            simulation.image_to_probe,
            simulation.live.image_to_reference,
            simulation.live.reference,
            info.field if info is not None else None,
        )

    def _hide(self) -> None:
        self._surroundings.hide()
        if not self.comparing:
            self.views.hide()


def _icon(state: PoseState, colour: qt.QColor) -> qt.QPixmap:
    """Beside the words, for a glance; in the colour of the words where it has none of its own."""
    style = qt.QStyle
    kind = {
        PoseState.GOOD: style.SP_MediaPlay,
        PoseState.FROZEN: style.SP_MediaPause,
        PoseState.STOPPED: style.SP_MediaStop,
        PoseState.INVALID: style.SP_MessageBoxCritical,
        PoseState.NO_MODEL: style.SP_MessageBoxInformation,
        PoseState.NO_POSE: style.SP_MessageBoxInformation,
    }.get(state, style.SP_MessageBoxWarning)
    pixmap = slicer.app.style().standardIcon(kind).pixmap(16, 16)
    if state in _PLAIN:
        painter = qt.QPainter(pixmap)
        painter.setCompositionMode(qt.QPainter.CompositionMode_SourceIn)
        painter.fillRect(0, 0, pixmap.width(), pixmap.height(), colour)
        painter.end()
    return pixmap


# Their icons are of one colour, which the dark theme has for its ground.
_PLAIN = (PoseState.GOOD, PoseState.FROZEN, PoseState.STOPPED)
