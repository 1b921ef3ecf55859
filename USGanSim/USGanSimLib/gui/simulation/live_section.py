"""Start and Show: the live simulation, its state in words and its speed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import qt
import slicer
import slicer.util
from slicer.i18n import tr as _

from ...errors import UserError
from ...live import PoseState
from ...mrml.live.surroundings import Surroundings
from ...mrml.transform_chain import volume_to_world
from ..dependencies import torch_status
from ..panel import Section
from ..slice_views import SLICE_AND_3D, LiveViews, aim_3d, look_at

TICK_MS = 8
# A slow renderer leaves the views and the mouse at least this share of the time.
LEAST_GUI_SHARE = 0.3
# Words and figures need not change faster than a person reads.
STATUS_EVERY_S = 0.2


class LiveSection(Section):
    """Starts and stops the simulation, and ticks while it runs.

    views      what is laid out and followed
    listeners  called after each new image
    comparing  a real image is looked at too, so that the views stay when the surroundings are hidden
    """

    ui_file = "USGanSimLive.ui"

    def setup(self) -> None:
        self._steps: Iterator[str] | None = None
        self._problem = ""
        self._fitted = False
        self._told_s = 0.0
        self.views = LiveViews()
        self.comparing = False
        self.listeners: list[Callable[[], None]] = []
        self._surroundings = Surroundings(slicer.mrmlScene)
        self._timer = qt.QTimer(self.widget)
        self._timer.setSingleShot(True)
        self._timer.connect("timeout()", self._on_timer)
        self.ui.startButton.connect("clicked()", self._on_start_stop)
        self.ui.showButton.connect("clicked()", self._on_show)
        self.ui.deviceLabel.text = torch_status()
        self._show_status()

    def show(self) -> None:
        self._problem = ""
        self._show_start_button()
        self._follow_or_leave()

    def close_scene(self) -> None:
        self.stop()
        self._hide()
        self.logic.simulation.forget()

    def cleanup(self) -> None:
        self.stop()
        self._hide()

    def stop(self) -> None:
        """Stop the simulation; the last image stays."""
        self._timer.stop()
        self._steps = None
        self.logic.stop()
        self.panel.show()
        self._show_start_button()
        self._show_status()

    def _show_start_button(self) -> None:
        busy = self.logic.simulation.live.running or self._steps is not None
        problem = "" if busy or self.parameters is None else self.logic.problem(self.parameters)
        self.ui.startButton.text = _("Stop") if busy else _("Start")
        self.ui.startButton.enabled = not problem
        self.ui.startButton.toolTip = problem or _("Simulate at each new pose of the probe")
        self.ui.showButton.enabled = self.logic.simulation.live.volume is not None
        self.ui.showButton.checked = self._surroundings.shown
        self.ui.showButton.text = _("Hide") if self._surroundings.shown else _("Show")

    def _on_start_stop(self) -> None:
        if self.logic.simulation.live.running or self._steps is not None:
            self.stop()
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
        except UserError as error:
            self.stop()
            self._problem = str(error)
            self._show_status()
            return
        except Exception:
            self.stop()
            raise
        if words:
            self.ui.stateLabel.text = words
            self._timer.start(TICK_MS)
            return
        self._steps, self._fitted = None, False
        if self._surroundings.shown:
            # Another model has other surroundings.
            self._show()
        self.ui.deviceLabel.text = torch_status()
        self.panel.show()
        self._show_status()
        self._timer.start(0)

    def _tick(self) -> None:
        began_s = time.perf_counter()
        try:
            fresh = self.logic.simulation.tick()
        except Exception:
            # Told once, not at every tick.
            self.stop()
            raise
        if not self.logic.simulation.live.running:
            self.stop()
            return
        if fresh:
            self._on_image()
        if began_s - self._told_s > STATUS_EVERY_S:
            self._told_s = began_s
            self._show_status()
        took_ms = (time.perf_counter() - began_s) * 1e3
        self._timer.start(round(max(TICK_MS - took_ms, took_ms * LEAST_GUI_SHARE / (1 - LEAST_GUI_SHARE))))

    def _show_status(self) -> None:
        status = self.logic.simulation.live.status
        self.ui.stateLabel.text = self._problem or str(status)
        self.ui.stateIcon.setPixmap(_icon(PoseState.INVALID if self._problem else status.state))
        self.ui.poseLabel.text = self._pose_words()
        self.ui.figuresLabel.text, self.ui.droppedLabel.text = self._figures(), self._counts()

    def _pose_words(self) -> str:
        simulation = self.logic.simulation
        words = []
        if simulation.live.running and simulation.live.pose_age_s is not None:
            words.append(_("{age:.0f} ms old").format(age=simulation.live.pose_age_s * 1e3))
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

    def _on_image(self) -> None:
        """Views and listeners see the new image; views are fitted to the first one."""
        if not self._fitted:
            self._fitted = True
            volume = self.logic.simulation.live.volume
            if self.ui.sliceFollowsCheckBox.checked or self.views.shown:
                look_at("Red", volume)
            if self.views.shown:
                aim_3d(volume_to_world(volume), volume)
        self.views.update()
        for listener in self.listeners:
            listener()

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
            self.views.show(self.logic.simulation.live.volume, SLICE_AND_3D)
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


def _icon(state: PoseState) -> qt.QPixmap:
    """Beside the words, for a glance."""
    style = qt.QStyle
    kind = {
        PoseState.GOOD: style.SP_MediaPlay,
        PoseState.FROZEN: style.SP_MediaPause,
        PoseState.STOPPED: style.SP_MediaStop,
        PoseState.INVALID: style.SP_MessageBoxCritical,
        PoseState.NO_MODEL: style.SP_MessageBoxInformation,
        PoseState.NO_POSE: style.SP_MessageBoxInformation,
    }.get(state, style.SP_MessageBoxWarning)
    return slicer.app.style().standardIcon(kind).pixmap(16, 16)
