"""How many threads of the CPU render, chosen while they do.

Where the processor is free, all of them are the fastest; where others use it, threads wait for each other at every
layer, and one alone can be a hundred times as fast. So the other number is tried now and then for a few images, at
once where images have become slow, and kept where they come sooner. What fails, at once or after some seconds, is
tried again later and later.
"""

from __future__ import annotations

import statistics
import time
from collections import deque
from collections.abc import Callable

import torch

# Images of a trial, of fewer threads and of more, whose times vary where others come and go; it ends after the first
# one that takes twice as long as it should.
_FEWER, _MORE, _HOPELESS = 3, 12, 2.0
_BETTER = 0.9
# Images whose median is the present pace, and how much slower than its best it must be to be doubted.
_RECENT, _SLOWER = 7, 1.4
_FIRST_WAIT_S, _LONGEST_WAIT_S = 2.0, 60.0
# A choice that is given up sooner was none.
_LASTING_S = 30.0


class ThreadChoice:
    """Two numbers of threads, of which the one is used that renders faster now."""

    def __init__(
        self,
        threads: tuple[int, int],
        set_threads: Callable[[int], None] = torch.set_num_threads,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Begins with the first of both."""
        self._now, self._other = threads
        self._most = max(threads)
        self._set_threads, self._clock = set_threads, clock
        self._recent: deque[float] = deque(maxlen=_RECENT)
        self._best_s = float("inf")
        self._trial: list[float] | None = None
        self._wait_s, self._failures_s = _FIRST_WAIT_S, _FIRST_WAIT_S
        self._tried_s = self._changed_s = clock()
        set_threads(self._now)

    @property
    def threads(self) -> int:
        """As many render now, trials apart."""
        return self._now

    @property
    def words(self) -> str:
        """What a person may want to know; empty where all threads are used."""
        return (
            "" if self._now == self._most else f"{self._now} of {self._most} threads, the processor is busy"
        )

    def rendered(self, seconds: float) -> None:
        """An image took so long. Sets the number of threads for the next one."""
        if self._trial is not None:
            self._judge(self._trial, seconds)
            return
        self._recent.append(seconds)
        if len(self._recent) < _FEWER:
            return
        pace_s = statistics.median(self._recent)
        self._best_s = min(self._best_s, pace_s)
        since_s = self._clock() - self._tried_s
        slowed = pace_s > _SLOWER * self._best_s and since_s > _FIRST_WAIT_S / 2
        if since_s > self._wait_s or slowed:
            self._trial = []
            self._set_threads(self._other)

    def _judge(self, trial: list[float], seconds: float) -> None:
        trial.append(seconds)
        pace_s = statistics.median(self._recent)
        hopeless = seconds > _HOPELESS * pace_s
        if len(trial) < (_MORE if self._other > self._now else _FEWER) and not hopeless:
            return
        self._trial, self._tried_s = None, self._clock()
        # What is usual from now on: a processor that stays busy is no reason to doubt again and again.
        self._best_s = pace_s
        if not hopeless and statistics.median(trial) < _BETTER * pace_s:
            self._change()
        else:
            self._wait_s = min(2 * self._wait_s, _LONGEST_WAIT_S)
            self._set_threads(self._now)

    def _change(self) -> None:
        lasted_s = self._clock() - self._changed_s
        to_fewer = self._other < self._now
        self._now, self._other = self._other, self._now
        self._changed_s = self._clock()
        self._recent.clear()
        self._best_s = float("inf")
        if to_fewer:
            # More of them held for so long, or not long enough to be tried again soon.
            longer_s = min(2 * self._failures_s, _LONGEST_WAIT_S)
            self._failures_s = _FIRST_WAIT_S if lasted_s > _LASTING_S else longer_s
        self._wait_s = self._failures_s if to_fewer else _FIRST_WAIT_S
