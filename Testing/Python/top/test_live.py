"""The live path without MRML: the queue's account, the statistics, the words."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from USGanSimLib.geometry.pose_distance import PoseRange
from USGanSimLib.live import LatencyLog, LiveStatus, PoseQueue, PoseState, Spread


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
