"""How long a training takes on a computer where some iterations of it were timed."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Pace:
    """`stages` are the stages of a recipe: number of the first iteration, from 0, and seconds that each takes."""

    stages: tuple[tuple[int, float], ...]

    def seconds_for(self, iterations: int) -> float:
        """Of a training from its beginning."""
        return sum(count * seconds for count, seconds in self._counts(iterations))

    def iterations_in(self, seconds: float) -> int:
        """How far a training gets from its beginning."""
        done = 0
        for count, each_s in self._counts(math.inf):
            if seconds < count * each_s:
                return done + int(seconds / each_s)
            done += int(count)
            seconds -= count * each_s
        return done

    def as_list(self) -> list[dict[str, Any]]:
        """For JSON; `of_list` is its inverse."""
        return [{"from_iteration": first, "seconds": round(seconds, 4)} for first, seconds in self.stages]

    @classmethod
    def of_list(cls, stages: list[dict[str, Any]]) -> Pace:
        return cls(tuple((stage["from_iteration"], stage["seconds"]) for stage in stages))

    def _counts(self, iterations: float) -> Iterator[tuple[float, float]]:
        """(iterations, seconds of each) in every stage of a training of so many."""
        ends = [*(float(first) for first, _seconds in self.stages[1:]), math.inf]
        for (first, seconds), end in zip(self.stages, ends, strict=True):
            yield max(0, min(end, iterations) - first), seconds
