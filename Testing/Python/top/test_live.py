"""The live path without MRML: the queue's account, the statistics, the words, and how the noise changes, against the
arithmetic of an Ornstein-Uhlenbeck process."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from USGanSimLib.errors import UserError
from USGanSimLib.geometry.pose_distance import PoseRange
from USGanSimLib.live import (
    LatencyLog,
    LiveMeter,
    LiveStatus,
    PoseQueue,
    PoseState,
    Spread,
    Variation,
    drift_step,
)


def pose_at(x_mm: float, turn_deg: float = 0.0) -> np.ndarray:
    """An image of 0.5 mm pixels, turned in its plane and moved along x."""
    cosine, sine = math.cos(math.radians(turn_deg)), math.sin(math.radians(turn_deg))
    pose = np.eye(4)
    pose[:2, :2] = 0.5 * np.array([[cosine, -sine], [sine, cosine]])
    pose[0, 3] = x_mm
    return pose


def test_the_newest_pose_is_taken_and_the_older_ones_are_counted():
    queue: PoseQueue[str] = PoseQueue()
    for number, pose in enumerate(["old", "older", "newest"]):
        queue.put(pose, float(number))
    assert queue.take() == ("newest", 2.0)
    assert queue.take() is None
    assert (queue.counts.received, queue.counts.superseded) == (3, 2)


def test_every_pose_is_accounted_for_at_every_moment():
    dice = random.Random(1)
    queue: PoseQueue[int] = PoseQueue()
    tally = {"received": 0, "rendered": 0, "unusable": 0, "refreshed": 0}
    for number in range(2000):
        if dice.random() < 0.6:
            queue.put(number, 0.0)
            tally["received"] += 1
        elif queue.take() is None:
            queue.count_refreshed()
            tally["refreshed"] += 1
        else:
            fate = dice.choice(["rendered", "unusable"])
            getattr(queue, f"count_{fate}")()
            tally[fate] += 1
        assert queue.counts.accounted_for
    assert queue.counts.superseded > 100
    assert tally.items() <= queue.counts.as_dict().items()


def test_a_pose_that_is_taken_and_forgotten_shows_in_the_account():
    queue: PoseQueue[int] = PoseQueue()
    queue.put(1, 0.0)
    queue.take()
    assert not queue.counts.accounted_for


def test_latency_is_split_into_age_render_and_write():
    log = LatencyLog()
    for image in range(101):
        arrived_s = image / 50
        # Rendering takes 1, 2, … 101 ms; waiting always 3 ms, writing half a millisecond.
        log.add(
            arrived_s, arrived_s + 0.003, arrived_s + 0.004 + image / 1000, arrived_s + 0.0045 + image / 1000
        )
    report = log.report()
    assert report.pose_age.median_ms == pytest.approx(3)
    assert report.render.median_ms == pytest.approx(51)
    assert report.render.p95_ms == pytest.approx(96)
    assert report.write.p95_ms == pytest.approx(0.5)
    assert report.total.median_ms == pytest.approx(54.5)
    # 100 steps from the first to the last written image: 2 s and the 100 ms that the last took longer.
    assert report.rate_hz == pytest.approx(100 / 2.1)
    assert report.as_dict()["render_p95_ms"] == report.render.p95_ms


def test_the_log_keeps_the_latest_images_alone():
    log = LatencyLog(length=10)
    for image in range(50):
        log.add(image, image, image + (1 if image < 40 else 2), image + 3)
    assert log.report().render == Spread(10, 2000.0, 2000.0)


def test_without_images_there_are_no_figures():
    report = LatencyLog().report()
    assert report.render.count == 0
    assert all(math.isnan(value) for value in report.as_dict().values())


def test_only_live_states_belong_to_the_probe_of_this_moment():
    assert {state for state in PoseState if state.is_live} == {
        PoseState.GOOD,
        PoseState.OUT_OF_RANGE,
        PoseState.FROZEN,
    }


def test_a_pose_outside_the_trained_range_is_told_with_its_distance():
    trained = PoseRange(101, 81, np.stack([pose_at(0), pose_at(10)]), coverage_mm=1.0, margin_mm=5.0)
    assert LiveStatus.of_range(trained, pose_at(14)) == LiveStatus(PoseState.GOOD)
    far = LiveStatus.of_range(trained, pose_at(40))
    assert far.state is PoseState.OUT_OF_RANGE
    assert str(far) == "outside the trained range: 30 mm and 0° from the nearest trained pose"
    # Turned about pixel (0, 0): the centre, 25 mm and 20 mm away, moves by a chord of sqrt(25² + 20²)·√2 = 45 mm.
    turned = LiveStatus.of_range(trained, pose_at(0, 90))
    assert turned.detail == "45 mm and 90° from the nearest trained pose"


class Clock:
    now_s = 10.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


def image(meter, clock, arrived_s, render_s=0.020):
    timing = meter.begin(arrived_s)
    clock.now_s += render_s
    meter.rendered(timing)
    clock.now_s += 0.001
    meter.finish(timing, LiveStatus(PoseState.GOOD))


def test_a_meter_counts_every_image_and_times_those_that_a_pose_asked_for(clock):
    meter = LiveMeter(LiveStatus(PoseState.NO_POSE), 0.5, clock)
    meter.received("pose", clock.now_s)
    clock.now_s += 0.005
    pose, arrived_s = meter.queue.take()
    image(meter, clock, arrived_s)
    image(meter, clock, None, render_s=7.0)
    assert (pose, meter.status) == ("pose", LiveStatus(PoseState.GOOD))
    counts, latency = meter.counts, meter.latency
    assert (counts.received, counts.rendered, counts.refreshed) == (1, 1, 1)
    spreads = (latency.pose_age, latency.render, latency.write, latency.total)
    assert [spread.median_ms for spread in spreads] == pytest.approx([5, 20, 1, 26])
    meter.restart()
    assert (meter.counts.received, meter.latency.total.count, meter.age_s) == (0, 0, None)


def test_a_pose_grows_stale_unless_a_hand_moves_the_probe_or_another_one_is_followed(clock):
    meter, by_hand = (LiveMeter(LiveStatus(PoseState.NO_POSE), after_s, clock) for after_s in (0.5, math.inf))
    assert meter.stale() is None
    for one in (meter, by_hand):
        one.received(None, clock.now_s)
    clock.now_s += 0.4
    assert (meter.stale(), meter.age_s) == (None, pytest.approx(0.4))
    clock.now_s += 0.2
    assert str(meter.stale("lost")) == "pose is stale: no new one for more than 0.5 s; lost"
    assert by_hand.stale() is None
    meter.forget_pose()
    assert (meter.stale(), meter.age_s) == (None, None)
    assert meter.counts.received == 1


class Spy:
    """Notes what it is told to do."""

    def __init__(self):
        self.told = []

    def resample(self):
        self.told.append("resample")

    def drift(self, step):
        self.told.append(step)


@pytest.mark.parametrize("rate_hz", [5, 24, 60])
def test_half_of_the_likeness_is_gone_after_the_half_life_at_any_rate(rate_hz):
    half_life_s = 2.0
    step = drift_step(1 / rate_hz, half_life_s)
    # One step multiplies the correlation by √(1 − step²).
    assert ((1 - step**2) ** 0.5) ** (rate_hz * half_life_s) == pytest.approx(0.5)


def test_no_time_is_no_drift_and_long_time_is_new_noise():
    assert drift_step(0, 1) == 0
    assert drift_step(100, 1) == pytest.approx(1)


@pytest.mark.parametrize("half_life_s", [0, -1, float("nan"), 1000])
def test_a_half_life_out_of_range_is_refused_with_its_number(half_life_s):
    with pytest.raises(UserError, match=f"{half_life_s:g} s"):
        drift_step(0.1, half_life_s)


def test_each_variation_does_what_it_says():
    spy = Spy()
    assert not Variation.FIXED.change(spy, 0.1, 2.0)
    assert Variation.RESAMPLED.change(spy, 0.1, 2.0)
    assert Variation.DRIFTING.change(spy, 0.1, 2.0)
    assert spy.told == ["resample", drift_step(0.1, 2.0)]
