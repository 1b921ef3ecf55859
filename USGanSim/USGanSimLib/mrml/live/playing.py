"""What plays in time by a timer: paused, faster or slower, in a loop, from any place.

player = Player(SweepMotion(mock, trained_sweep(pose_range)))
player.play()
while …: player.tick()                         # in Slicer: a QTimer
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from ...geometry.trained_sweep import PosePath
from .mock_probe import MockProbe


class Motion(Protocol):
    """Something that is somewhere at every moment from 0 to `duration_s`."""

    @property
    def duration_s(self) -> float: ...

    def show(self, at_s: float) -> None:
        """Bring the scene to this moment."""
        ...


class SweepMotion:
    """A mock probe on a path of image poses."""

    def __init__(self, mock: MockProbe, path: PosePath) -> None:
        self._mock, self._path = mock, path

    @property
    def duration_s(self) -> float:
        return self._path.duration_s

    def show(self, at_s: float) -> None:
        self._mock.put(self._path.at(at_s))


class Player:
    """Moves a motion on with the clock.

    speed  1 is as recorded
    loop   begin again at the end; otherwise stop there
    clock  seconds, monotonic
    """

    def __init__(
        self,
        motion: Motion,
        *,
        speed: float = 1.0,
        loop: bool = True,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.motion = motion
        self.speed, self.loop = speed, loop
        self._clock = clock
        self._ticked_s: float | None = None
        self.at_s = 0.0

    @property
    def playing(self) -> bool:
        return self._ticked_s is not None

    def play(self) -> None:
        """Go on from where it stands; from the beginning where that is the end."""
        if self.at_s >= self.motion.duration_s:
            self.at_s = 0.0
        self._ticked_s = self._clock()
        self.motion.show(self.at_s)

    def pause(self) -> None:
        self._ticked_s = None

    def seek(self, at_s: float) -> None:
        """Go to a moment, playing or not."""
        self.at_s = min(max(at_s, 0.0), self.motion.duration_s)
        self.motion.show(self.at_s)

    def tick(self) -> None:
        """Show what is due now."""
        if self._ticked_s is None:
            return
        now_s = self._clock()
        self.at_s += (now_s - self._ticked_s) * self.speed
        self._ticked_s = now_s
        duration_s = self.motion.duration_s
        if self.at_s >= duration_s:
            if self.loop and duration_s > 0:
                self.at_s %= duration_s
            else:
                self.at_s = duration_s
                self.pause()
        self.motion.show(self.at_s)
