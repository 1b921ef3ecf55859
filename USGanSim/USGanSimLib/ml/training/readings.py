"""Losses on their way from the device to metrics.csv. Reading a number waits for the device, so a GPU is asked for
those of several iterations at once; each keeps its own line."""

from __future__ import annotations

import time
from dataclasses import dataclass

from torch import Tensor

# A CPU has computed them when they are there.
READ_EVERY = {"cpu": 1, "cuda": 10, "mps": 10}


@dataclass(frozen=True)
class Reading:
    """The losses of iteration `step`, counted from 1, and its time: the mean over those that were read with it."""

    step: int
    losses: dict[str, float]
    seconds: float


class Readings:
    """Takes the losses of each iteration, and gives them in order when they are asked for."""

    def __init__(self, every: int) -> None:
        self._every = every
        self._waiting: list[tuple[int, tuple[str, ...], Tensor]] = []
        self._seconds = 0.0

    def add(self, step: int, names: tuple[str, ...], values: Tensor, seconds: float) -> None:
        """Take the losses (len(names),) of an iteration, and how long it was worked on."""
        self._waiting.append((step, names, values))
        self._seconds += seconds

    @property
    def due(self) -> bool:
        """Whether there are as many as are read at once."""
        return len(self._waiting) >= self._every

    def read(self) -> list[Reading]:
        """All that were added since the last time."""
        begun_s = time.perf_counter()
        losses = [
            (step, dict(zip(names, values.tolist(), strict=True))) for step, names, values in self._waiting
        ]
        seconds = (self._seconds + time.perf_counter() - begun_s) / max(len(losses), 1)
        self._waiting, self._seconds = [], 0.0
        return [Reading(step, numbers, seconds) for step, numbers in losses]
