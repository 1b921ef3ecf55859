"""The choice of threads on a machine whose times are known: quiet, busy, and changing between both."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from USGanSimLib.ml.thread_choice import ThreadChoice

# Milliseconds of an image by threads, as measured quiet, and with six busy processes beside.
QUIET = {1: 10.0, 2: 6.5}
BUSY = {1: 25.0, 2: 1700.0}
SHARED = {1: 20.0, 2: 19.0}


class Machine:
    """Renders images at 60 poses a second, each as long as the load of the moment says."""

    def __init__(self, load: Callable[[float], dict[int, float]], threads: tuple[int, int]) -> None:
        self.load, self.now_s, self.threads = load, 0.0, 0
        self.times_s: list[tuple[float, float]] = []
        self.choice = ThreadChoice(threads, self.use, lambda: self.now_s)

    def use(self, threads: int) -> None:
        self.threads = threads

    def run(self, until_s: float) -> None:
        while self.now_s < until_s:
            taken_s = self.load(self.now_s)[self.threads] / 1000
            self.now_s += max(taken_s, 1 / 60)
            self.times_s.append((self.now_s, taken_s))
            self.choice.rendered(taken_s)

    def mean_ms(self, from_s: float, to_s: float) -> float:
        taken = [1000 * s for at_s, s in self.times_s if from_s <= at_s < to_s]
        return sum(taken) / len(taken)


@pytest.mark.parametrize("threads", [(1, 2), (2, 1)])
@pytest.mark.parametrize("load", [QUIET, BUSY, SHARED])
def test_on_a_steady_machine_it_is_about_as_fast_as_the_better_number(load, threads) -> None:
    machine = Machine(lambda now_s: load, threads)
    machine.run(300)
    assert machine.choice.threads == min(load, key=load.__getitem__) or load is SHARED
    assert machine.mean_ms(60, 300) <= 1.2 * min(load.values())


def test_when_others_come_it_steps_down_within_seconds_and_when_they_go_it_comes_back() -> None:
    machine = Machine(lambda now_s: BUSY if 60 <= now_s < 180 else QUIET, (2, 1))
    machine.run(60)
    assert (machine.choice.threads, machine.choice.words) == (2, "")
    machine.run(75)
    assert machine.choice.threads == 1
    assert machine.choice.words == "1 of 2 threads, the processor is busy"
    machine.run(180)
    assert machine.mean_ms(75, 180) <= 1.2 * BUSY[1]
    machine.run(245)
    assert machine.choice.threads == 2
    machine.run(300)
    assert machine.mean_ms(245, 300) <= 1.05 * QUIET[2]


def test_a_trial_of_many_threads_on_a_busy_machine_costs_one_image_a_minute() -> None:
    machine = Machine(lambda now_s: BUSY, (1, 2))
    machine.run(600)
    slow = [at_s for at_s, taken_s in machine.times_s if taken_s > 1 and at_s > 120]
    assert len(slow) <= 480 / 60 + 1


def test_where_all_threads_are_fast_by_turns_the_steady_number_is_kept_most_of_the_time() -> None:
    """One busy process beside two threads: for tenths of a second it is in the way, and for tenths it is not."""

    def load(now_s: float) -> dict[int, float]:
        return {1: 13.5, 2: 10.0 if now_s % 0.6 < 0.2 else 26.0}

    machine = Machine(load, (2, 1))
    machine.run(300)
    assert machine.mean_ms(30, 300) <= 1.2 * 13.5


def test_one_slow_image_changes_nothing() -> None:
    machine = Machine(lambda now_s: BUSY if 10.0 <= now_s < 10.01 else QUIET, (2, 1))
    machine.run(30)
    assert machine.choice.threads == 2
    assert machine.mean_ms(12, 30) <= 1.1 * QUIET[2]
