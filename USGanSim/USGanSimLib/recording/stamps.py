"""Time stamps watched while they come: those that repeat or go back, and those that jump."""

from __future__ import annotations

import math
from collections import deque
from statistics import median

# A step this many times the usual one (and at least so long) is a gap and no unsteady rate.
JUMP_FACTOR = 5.0
JUMP_S = 0.2
_STEPS = 61


class StampWatch:
    """Counts what is wrong with a clock, one stamp after the other, in constant memory.

    repeated    stamps equal to the one before
    backwards   stamps earlier than the one before
    jumps       steps of more than JUMP_FACTOR times the usual one; `longest_s` is the longest of them
    """

    def __init__(self) -> None:
        self.repeated = self.backwards = self.jumps = 0
        self.longest_s = 0.0
        self._last_s = math.nan
        self._steps_s: deque[float] = deque(maxlen=_STEPS)

    def see(self, stamp_s: float) -> None:
        """The next stamp."""
        step_s = stamp_s - self._last_s
        self._last_s = stamp_s
        if math.isnan(step_s):
            return
        self.repeated += step_s == 0
        self.backwards += step_s < 0
        if step_s <= 0:
            return
        if self._steps_s and step_s > max(JUMP_FACTOR * median(self._steps_s), JUMP_S):
            self.jumps += 1
            self.longest_s = max(self.longest_s, step_s)
        else:
            self._steps_s.append(step_s)

    @property
    def usual_step_s(self) -> float:
        """The median of the latest steps, NaN before the second stamp."""
        return median(self._steps_s) if self._steps_s else math.nan

    def sentences(self) -> list[str]:
        """What there is to say, in words; empty when all is well."""
        said = []
        if self.repeated:
            said.append(f"{self.repeated} time stamps repeat the one before.")
        if self.backwards:
            said.append(f"{self.backwards} time stamps are earlier than the one before.")
        if self.jumps:
            said.append(
                f"{self.jumps} time stamps jump (longest step {self.longest_s:.2f} s, usual "
                f"{self.usual_step_s:.3f} s)."
            )
        return said
