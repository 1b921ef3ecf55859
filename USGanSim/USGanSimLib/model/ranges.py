"""The range that a number must lie in, so that nonsense is refused in one line and help tells what is allowed."""

from __future__ import annotations

import math
from dataclasses import dataclass

# What 64 bits hold, as a generator of random numbers takes them; nobody needs to be told.
LARGEST_WHOLE = 2**63 - 1


@dataclass(frozen=True)
class Range:
    """`least` or more, or with `above` more than that; `most` or less; less than `below`. NaN and infinity are in no
    range."""

    least: float = -math.inf
    above: bool = False
    below: float = math.inf
    most: float = math.inf

    def __contains__(self, value: float) -> bool:
        if not math.isfinite(value):
            return False
        return (
            (value > self.least if self.above else value >= self.least)
            and value < self.below
            and value <= self.most
        )

    def __str__(self) -> str:
        if math.isinf(self.least):
            return "any finite number"
        if math.isfinite(self.most) and self.most != LARGEST_WHOLE and not self.above:
            return f"{self.least:g} to {self.most:g}"
        words = f"more than {self.least:g}" if self.above else f"{self.least:g} or more"
        if math.isfinite(self.below):
            return f"{words}, and less than {self.below:g}"
        return f"{words}, at most {self.most:g}" if self.above and math.isfinite(self.most) else words


SEED = Range(0, most=LARGEST_WHOLE)
# Far more than a processor has; PyTorch ends the program when the system gives it no more.
THREADS = Range(1, most=1024)
# Of one pose; more would be at it for days.
SAMPLES = Range(1, most=100_000)
