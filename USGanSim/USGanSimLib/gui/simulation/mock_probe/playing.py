"""What moves a probe by itself: the trained sweep, or a recording."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import slicer
from slicer.i18n import tr as _

from ....geometry.trained_sweep import trained_sweep
from ....mrml.live.playing import Motion, Player, SweepMotion
from ....mrml.live.recording_replay import RecordingReplay, image_to_probe_of
from ....recording.sequence_file import read_sweep
from ...choices import MockMotion
from ...panel import Section
from ...stepwise import Stepwise
from ...troubles import Repeating, in_words, log_fault
from .hand import MockHand

TICK_MS = 15


class MockPlaying:
    """Makes the motion that is chosen, plays it and lets it stand. `player` is None until there is one."""

    def __init__(self, section: Section, hand: MockHand) -> None:
        self._section, self.ui, self._hand = section, section.ui, hand
        self.player: Player | None = None
        self._making = Stepwise(section.widget, section.troubles)
        self._played: tuple[Any, ...] = ()
        self._timer = Repeating(
            section.widget, section.troubles, _("The probe is not moved"), self._on_tick, TICK_MS
        )
        self.ui.timeSlider.connect(
            "valueChanged(double)", section.troubles.guarded(_("The probe is not moved"), self._on_time)
        )

    @property
    def parameters(self) -> Any:
        return self._section.parameters

    @property
    def making(self) -> bool:
        """Whether a motion is being made."""
        return self._making.running

    @property
    def playing(self) -> bool:
        return self.player is not None and self.player.playing

    def end_other(self) -> None:
        """End what is played where another motion is chosen."""
        if self._played and self._played != self._wanted_motion():
            self.end()

    def show(self) -> None:
        """Follow the parameters: speed, loop."""
        if self.player is not None:
            self.player.speed, self.player.loop = self.parameters.playSpeed, self.parameters.playLoop
        self.ui.timeSlider.enabled = self.player is not None

    def toggle(self) -> None:
        """Let it stand, or go on."""
        if self.player is not None and self.player.playing:
            self.player.pause()
        else:
            self.play()

    def play(self) -> None:
        """Play the motion that is chosen, which may have to be made first."""
        wanted = self._wanted_motion()
        if self.player is not None and self._played == wanted:
            self.player.play()
            self._timer.start()
            return
        self.end()
        self._played = wanted
        self._making.start(self._motion(), self._say, self._made)

    def end(self) -> None:
        """Play nothing more."""
        self._timer.stop()
        self._making.cancel()
        self.player, self._played = None, ()

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

    def _motion(self) -> Generator[str, None, Motion]:
        """What is to be played; its probe becomes the panel's. Before what takes time, its words."""
        if self.parameters.mockMotion is MockMotion.SWEEP:
            info = self._hand.require_model()
            mock = self._hand.make(info)
            self._hand.use(mock.node)
            yield _("Finding a way through the trained poses…")
            return SweepMotion(mock, trained_sweep(info.pose_range))
        yield _("Reading the recording…")
        sweep = read_sweep(self.parameters.replayFile)
        calibration = image_to_probe_of(sweep, self._hand.info)
        replay = RecordingReplay(
            slicer.mrmlScene,
            sweep,
            self.parameters.reference,
            calibration if self.parameters.replayImages else None,
        )
        self._hand.use(replay.probe)
        if replay.volume is not None:
            self.parameters.realImage = replay.volume
        return replay

    def _made(self, motion: Motion | None, error: Exception | None) -> None:
        """What is to be played is there, or is not."""
        if motion is None or self.parameters is None:
            self._say(in_words(error) if error is not None else "")
            if error is not None:
                log_fault(_("There is nothing to play"), error)
            return
        self.player = Player(motion, speed=self.parameters.playSpeed, loop=self.parameters.playLoop)
        self.ui.timeSlider.maximum = motion.duration_s
        self.player.play()
        self._timer.start()
        self._section.show()

    def _say(self, words: str) -> None:
        self.ui.mockStateLabel.text = words

    def _on_tick(self) -> None:
        if self.player is None or not self.player.playing:
            self._timer.stop()
            if self.parameters is not None:
                self._section.show()
            return
        self.player.tick()
        slider = self.ui.timeSlider
        blocked = slider.blockSignals(True)
        slider.value = self.player.at_s
        slider.blockSignals(blocked)

    def _on_time(self, at_s: float) -> None:
        if self.player is not None:
            self.player.seek(at_s)
