"""The section No tracker: which motion, its button, and where the probe is in words."""

from __future__ import annotations

from pathlib import Path

from slicer.i18n import tr as _

from ....errors import UserError
from ....model.info import ModelInfo
from ...choices import MockMotion
from ...panel import Section
from .hand import MockHand
from .playing import MockPlaying


class MockProbeSection(Section):
    """Makes a mock probe the panel's probe, and moves it."""

    ui_file = "USGanSimMockProbe.ui"

    def setup(self) -> None:
        self.hand = MockHand(self)
        self.playing = MockPlaying(self, self.hand)
        self.on_press("moveButton", self._on_move)

    def show(self) -> None:
        motion = self.parameters.mockMotion
        self.ui.handFrame.visible = motion is MockMotion.HAND
        self.ui.replayFrame.visible = motion is MockMotion.REPLAY
        self.ui.playFrame.visible = motion is not MockMotion.HAND
        self.playing.end_other()
        info = self.hand.info
        self.hand.show(info)
        self.playing.show()
        self._show_button(motion, info)
        if not self.playing.making:
            self.ui.mockStateLabel.text = self._state(motion)

    def close_scene(self) -> None:
        self.playing.end()
        self.hand.let_go()

    def cleanup(self) -> None:
        self.close_scene()

    def start_sweep(self) -> None:
        """Move a mock probe along the trained sweep of the chosen model."""
        self.parameters.mockMotion = MockMotion.SWEEP
        self.playing.play()

    def start_replay(self, recording: Path) -> None:
        """Let a recording move the probe."""
        self.parameters.replayFile = recording
        self.parameters.mockMotion = MockMotion.REPLAY
        self.playing.play()

    def _on_move(self) -> None:
        if self.playing.making:
            return
        if self.parameters.mockMotion is not MockMotion.HAND:
            self.playing.toggle()
        else:
            try:
                self.hand.use(self.hand.make(self.hand.require_model()).node)
            except UserError as error:
                self.ui.mockStateLabel.text = str(error)
                return
        self.show()

    def _show_button(self, motion: MockMotion, info: ModelInfo | None) -> None:
        button, problem = self.ui.moveButton, self._problem(motion, info)
        if motion is MockMotion.HAND:
            button.text = _("The mock probe is in use") if self.hand.in_use else _("Use a mock probe")
            tip = _("Make a transform that you move the probe of")
        else:
            button.text = _("Pause") if self.playing.playing else _("Play")
            tip = _("Move the probe, or let it stand")
        self.enable("moveButton", problem, tip)

    def _problem(self, motion: MockMotion, info: ModelInfo | None) -> str:
        if motion is not MockMotion.REPLAY and info is None:
            return _("Choose a model first")
        if motion is MockMotion.HAND:
            return _("Move it by its handle in the views, or by the sliders") if self.hand.in_use else ""
        if motion is MockMotion.SWEEP:
            return ""
        return "" if self.parameters.replayFile.is_file() else _("Choose a recording")

    def _state(self, motion: MockMotion) -> str:
        mock = self.hand.mock
        if motion is not MockMotion.HAND or mock is None:
            return ""
        nearest = mock.nearest()
        return _("The image is {centre:.0f} mm and {angle:.0f}° from the nearest trained pose.").format(
            centre=nearest.centre_mm, angle=nearest.angle_deg
        )
