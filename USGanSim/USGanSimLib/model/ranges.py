"""The range that a number must lie in, so that nonsense is refused in one line and help tells what is allowed."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Range:
    """`least` or more, or with `above` more than that; less than `below`. NaN and infinity are in no range."""

    least: float
    above: bool = False
    below: float = math.inf

    def __contains__(self, value: float) -> bool:
        return (value > self.least if self.above else value >= self.least) and value < self.below

    def __str__(self) -> str:
        lower = f"more than {self.least:g}" if self.above else f"{self.least:g} or more"
        return lower if math.isinf(self.below) else f"{lower}, and less than {self.below:g}"
