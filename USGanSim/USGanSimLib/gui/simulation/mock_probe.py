"""No tracker? A probe moved by hand, along the trained sweep, or by a recording."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import qt
import slicer
import slicer.util
from slicer.i18n import tr as _

from ...errors import UserError
from ...geometry.image_frame import Offset
from ...geometry.trained_sweep import trained_sweep
from ...model.info import ModelInfo
from ...mrml.live.mock_probe import MockProbe, mock_node
from ...mrml.live.playing import Motion, Player, SweepMotion
from ...mrml.live.recording_replay import RecordingReplay, image_to_probe_of
from ...recording.sequence_file import read_sweep
from ..panel import Section
from ..stepwise import Stepwise
from .choices import MockMotion

TICK_MS = 15
# Parameter → number of an Offset, and how far its slider goes to both sides.
_SLIDERS = {
    "mockAcrossMm": ("across_mm", 100),
    "mockDepthMm": ("depth_mm", 100),
    "mockOutMm": ("out_mm", 100),
    "mockTiltDeg": ("tilt_deg", 89),
    "mockRockDeg": ("rock_deg", 180),
    "mockTurnDeg": ("turn_deg", 180),
}


class MockProbeSection(Section):
    """Makes a mock probe the panel's probe, and moves it."""

    ui_file = "USGanSimMockProbe.ui"

    def setup(self) -> None:
        self._mock: MockProbe | None = None
        self._offset = Offset()
        self._following = False
        self._motion_shown: MockMotion | None = None
        self._player: Player | None = None
        self._making = Stepwise(self.widget)
        self._played: tuple[Any, ...] = ()
        self._timer = qt.QTimer(self.widget)
        self._timer.setInterval(TICK_MS)
        self._timer.connect("timeout()", self._on_tick)
        self.ui.moveButton.connect("clicked()", self._on_move)
        self.ui.resetButton.connect("clicked()", self._on_reset)
        self.ui.timeSlider.connect("valueChanged(double)", self._on_time)

    def show(self) -> None:
        motion = self.parameters.mockMotion
        self.ui.handFrame.visible = motion is MockMotion.HAND
        self.ui.replayFrame.visible = motion is MockMotion.REPLAY
        self.ui.playFrame.visible = motion is not MockMotion.HAND
        if self._played and self._played != self._wanted_motion():
            self._end_playing()
        info = self._info
        self._attach(info)
        if motion is not self._motion_shown:
            self._motion_shown = motion
            self._take_over(motion)
        self._apply_handle(motion)
        self._apply_sliders(motion)
        if self._player is not None:
            self._player.speed, self._player.loop = self.parameters.playSpeed, self.parameters.playLoop
        self._show_button(motion, info)

    def close_scene(self) -> None:
        self._end_playing()
        self._let_go()

    def cleanup(self) -> None:
        self.close_scene()

    def start_sweep(self) -> None:
        """Move a mock probe along the trained sweep of the chosen model."""
        self.parameters.mockMotion = MockMotion.SWEEP
        self._play()

    def start_replay(self, recording: Path) -> None:
        """Let a recording move the probe."""
        self.parameters.replayFile = recording
        self.parameters.mockMotion = MockMotion.REPLAY
        self._play()

    # The mock probe

    @property
    def _info(self) -> ModelInfo | None:
        info: ModelInfo | None = self.logic.modelInfo(self.parameters.modelFile)
        return info

    def _attach(self, info: ModelInfo | None) -> None:
        """Follow the scene's mock probe, if it has one, with the model and the reference that are chosen."""
        if self._mock is not None and not (self._mock.in_scene and self._mock.fits(info)):
            self._let_go()
        if self._mock is not None:
            self._mock.hang_under(self.parameters.reference)
        if self._mock is None and info is not None and mock_node(slicer.mrmlScene) is not None:
            self._make_mock(info)

    def _make_mock(self, info: ModelInfo) -> MockProbe:
        self._let_go()
        calibrated = self.logic.imageToProbe(self.parameters)
        self._mock = MockProbe.of_scene(
            slicer.mrmlScene,
            info.pose_range,
            info.geometry.image_to_probe if calibrated is None else calibrated,
            self.parameters.reference,
        )
        self.addObserver(
            self._mock.node, slicer.vtkMRMLTransformableNode.TransformModifiedEvent, self._on_moved
        )
        self._read_offset()
        return self._mock

    def _let_go(self) -> None:
        self.removeObservers(self._on_moved)
        self._mock = None

    def _use(self, node: Any) -> None:
        """Make a node the panel's probe; one that may stand still."""
        changed = self.parameters.probe is not node or not self.parameters.movedByHand
        with slicer.util.NodeModify(self.parameters.parameterNode):
            self.parameters.probe = node
            self.parameters.movedByHand = True
        if changed and self.logic.simulation.live.running:
            self.logic.start(self.parameters)

    def _on_moved(self, _caller: Any, _event: str) -> None:
        """The probe was moved: by a handle, or by this section."""
        if (
            not self._following
            and self.parameters is not None
            and self.parameters.mockMotion is MockMotion.HAND
        ):
            self._read_offset()

    def _take_over(self, motion: MockMotion) -> None:
        """The hand goes on where the path left the probe."""
        if motion is MockMotion.HAND and self._mock is not None:
            self._mock.rebase()
            self._read_offset()

    def _read_offset(self) -> None:
        """Let the sliders show where the probe is."""
        if self._mock is None or self.parameters is None:
            return
        self._following = True
        offset = self._mock.offset.as_dict()
        with slicer.util.NodeModify(self.parameters.parameterNode):
            for parameter, (name, most) in _SLIDERS.items():
                setattr(self.parameters, parameter, min(max(offset[name], -most), most))
        self._offset = self._wanted()
        self._following = False

    def _wanted(self) -> Offset:
        return Offset(
            **{name: getattr(self.parameters, parameter) for parameter, (name, _most) in _SLIDERS.items()}
        )

    def _apply_handle(self, motion: MockMotion) -> None:
        if self._mock is not None:
            self._mock.show_handle(self.parameters.mockHandle and motion is MockMotion.HAND)

    def _apply_sliders(self, motion: MockMotion) -> None:
        if self._mock is None or self._following or motion is not MockMotion.HAND:
            return
        if (wanted := self._wanted()) != self._offset:
            self._following, self._offset = True, wanted
            self._mock.move(wanted)
            self._following = False

    def _on_reset(self) -> None:
        if self._mock is not None:
            self._mock.reset()
            self._read_offset()

    # Playing

    def _on_move(self) -> None:
        if self._making.running:
            return
        if self.parameters.mockMotion is not MockMotion.HAND:
            if self._player is not None and self._player.playing:
                self._player.pause()
            else:
                self._play()
        else:
            try:
                self._use(self._make_mock(self._require_model()).node)
            except UserError as error:
                self.ui.mockStateLabel.text = str(error)
                return
        self.show()

    def _play(self) -> None:
        wanted = self._wanted_motion()
        if self._player is not None and self._played == wanted:
            self._player.play()
            self._timer.start()
            return
        self._end_playing()
        self._played = wanted
        self._making.start(self._motion(), self._say, self._made)

    def _wanted_motion(self) -> tuple[Any, ...]:
        """What decides which motion is played: where it changes, another one has to be made."""
        chosen = self.parameters
        replay = chosen.mockMotion is MockMotion.REPLAY
        return (
            chosen.mockMotion,
            chosen.modelFile,
            chosen.reference,
            *((chosen.replayFile, chosen.replayImages) if replay else ()),
        )

    def _made(self, motion: Motion | None, error: Exception | None) -> None:
        """What is to be played is there, or is not."""
        if motion is None or self.parameters is None:
            self._say(str(error) if error is not None else "")
            if error is not None and not isinstance(error, UserError):
                raise error
            return
        self._player = Player(motion, speed=self.parameters.playSpeed, loop=self.parameters.playLoop)
        self.ui.timeSlider.maximum = motion.duration_s
        self._player.play()
        self._timer.start()
        self.show()

    def _say(self, words: str) -> None:
        self.ui.mockStateLabel.text = words

    def _motion(self) -> Generator[str, None, Motion]:
        """What is to be played; its probe becomes the panel's. Before what takes time, its words."""
        if self.parameters.mockMotion is MockMotion.SWEEP:
            info = self._require_model()
            mock = self._make_mock(info)
            self._use(mock.node)
            yield _("Finding a way through the trained poses…")
            return SweepMotion(mock, trained_sweep(info.pose_range))
        yield _("Reading the recording…")
        sweep = read_sweep(self.parameters.replayFile)
        calibration = image_to_probe_of(sweep, self._info)
        replay = RecordingReplay(
            slicer.mrmlScene,
            sweep,
            self.parameters.reference,
            calibration if self.parameters.replayImages else None,
        )
        self._use(replay.probe)
        if replay.volume is not None:
            self.parameters.realImage = replay.volume
        return replay

    def _require_model(self) -> ModelInfo:
        info = self._info
        if info is None:
            raise UserError(
                _("A mock probe stands at the poses that a model was trained on."), _("Choose a model first.")
            )
        return info

    def _end_playing(self) -> None:
        self._timer.stop()
        self._making.cancel()
        self._player, self._played = None, ()

    def _on_tick(self) -> None:
        if self._player is None or not self._player.playing:
            self._timer.stop()
            if self.parameters is not None:
                self.show()
            return
        self._player.tick()
        slider = self.ui.timeSlider
        blocked = slider.blockSignals(True)
        slider.value = self._player.at_s
        slider.blockSignals(blocked)

    def _on_time(self, at_s: float) -> None:
        if self._player is not None:
            self._player.seek(at_s)

    # Words

    def _show_button(self, motion: MockMotion, info: ModelInfo | None) -> None:
        button, playing = self.ui.moveButton, self._player is not None and self._player.playing
        if motion is MockMotion.HAND:
            problem = "" if info is not None else _("Choose a model first")
            button.text = _("Use a mock probe")
        else:
            problem = self._problem(motion, info)
            button.text = _("Pause") if playing else _("Play")
        button.enabled = not problem
        button.toolTip = problem or (
            _("Make a transform that you move the probe of")
            if motion is MockMotion.HAND
            else _("Move the probe, or let it stand")
        )
        self.ui.resetButton.enabled = self._mock is not None
        self.ui.timeSlider.enabled = self._player is not None
        for name in ("acrossSlider", "depthSlider", "outSlider", "tiltSlider", "rockSlider", "turnSlider"):
            getattr(self.ui, name).enabled = self._mock is not None
        if not self._making.running:
            self._say(self._state(motion))

    def _problem(self, motion: MockMotion, info: ModelInfo | None) -> str:
        if motion is MockMotion.SWEEP:
            return "" if info is not None else _("Choose a model first")
        return "" if self.parameters.replayFile.is_file() else _("Choose a recording")

    def _state(self, motion: MockMotion) -> str:
        if motion is not MockMotion.HAND or self._mock is None:
            return ""
        nearest = self._mock.nearest()
        return _("The image is {centre:.0f} mm and {angle:.0f}° from the nearest trained pose.").format(
            centre=nearest.centre_mm, angle=nearest.angle_deg
        )
