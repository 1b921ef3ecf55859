"""A steadied probe in the scene: the image is where the smoothed pose is, and only a tracker's poses are smoothed."""

from __future__ import annotations

import math

import numpy as np
import pytest

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

STEP_S, CONSTANT_S = 0.02, 0.1
SHARE = 1 - math.exp(-STEP_S / CONSTANT_S)


@pytest.fixture
def step(nodes, probe, clock):
    """A pose arrives, one step after the last, and is simulated."""

    def arrive(live, x_mm):
        clock.now_s += STEP_S
        nodes.receive(probe, x_mm)
        live.tick()

    return arrive


def test_the_image_goes_to_where_the_smoothed_pose_is(probe, simulate, step, pixels, renderer):
    live = simulate(probe)
    live.steady(CONSTANT_S)
    step(live, 100)
    assert (pixels(live) == 100).all()
    for count in (1, 2, 3):
        step(live, 200)
        reached = 200 - 100 * (1 - SHARE) ** count
        assert (pixels(live) == round(reached)).all()
        place = slicer.util.arrayFromTransformMatrix(live.image_to_reference)
        np.testing.assert_allclose(place, renderer.poses[-1])
        assert place[0, 3] - renderer.image_to_probe[0, 3] == pytest.approx(reached)
    assert 0 < live.hand.lag_s < CONSTANT_S


def test_off_and_by_hand_nothing_is_smoothed(probe, nodes, simulate, step, pixels):
    live = simulate(probe)
    live.steady(CONSTANT_S)
    live.steady(0.0)
    step(live, 100)
    step(live, 200)
    assert live.hand is None
    assert (pixels(live) == 200).all()
    by_hand = simulate(probe, stale_after_s=None)
    by_hand.steady(CONSTANT_S)
    nodes.move(probe, 50)
    by_hand.tick()
    nodes.move(probe, 70)
    by_hand.tick()
    assert by_hand.hand is None
    assert (pixels(by_hand) == 70).all()


def test_choosing_the_same_again_forgets_nothing_and_a_start_does(probe, simulate, step, pixels):
    live = simulate(probe)
    live.steady(CONSTANT_S)
    step(live, 100)
    live.steady(CONSTANT_S)
    step(live, 200)
    assert (pixels(live) < 150).all()
    live.start()
    step(live, 200)
    assert (pixels(live) == 200).all()
