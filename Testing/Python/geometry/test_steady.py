"""Lag and jitter of a steadied hand against what an exponential mean has in closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from USGanSimLib.errors import UserError
from USGanSimLib.geometry.steady import SteadyHand

CONSTANT_S, STEP_S = 0.1, 1 / 60
# Of one pose in 1 / 60 s, from the definition: it loses e in a time constant.
SHARE = 1 - math.exp(-STEP_S / CONSTANT_S)


def pose(rotvec_deg, translation_mm) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_rotvec(np.radians(rotvec_deg)).as_matrix()
    matrix[:3, 3] = translation_mm
    return matrix


def angles_deg(matrices) -> np.ndarray:
    return np.degrees(Rotation.from_matrix(np.array(matrices)[:, :3, :3]).as_rotvec())


def test_a_moving_hand_is_followed_with_the_lag_that_is_told():
    hand = SteadyHand(CONSTANT_S)
    mm_per_s, deg_per_s = np.array([30.0, -12.0, 5.0]), np.array([0.0, 40.0, 0.0])
    for number in range(200):
        at_s = number * STEP_S
        smoothed = hand.steady(pose(deg_per_s * at_s, mm_per_s * at_s), at_s)
    # Behind a ramp an exponential mean is late by (1 − share) / share steps.
    lag_s = STEP_S * (1 - SHARE) / SHARE
    assert hand.lag_s == pytest.approx(lag_s, rel=1e-6)
    np.testing.assert_allclose(smoothed[:3, 3], mm_per_s * (at_s - lag_s), rtol=1e-6)
    np.testing.assert_allclose(angles_deg([smoothed])[0], deg_per_s * (at_s - lag_s), atol=1e-4)


def test_jitter_becomes_as_small_as_the_mean_of_so_many_poses_makes_it():
    rng, hand, out = np.random.default_rng(0), SteadyHand(CONSTANT_S), []
    for number in range(20_000):
        jittered = pose(rng.normal((20, 50, -30), 0.3), rng.normal((100, 0, 5), 0.4))
        out.append(hand.steady(jittered, number * STEP_S))
    settled = np.array(out[200:])
    share = math.sqrt(SHARE / (2 - SHARE))  # Of white noise: Σ of the squared weights.
    assert hand.jitter_share == pytest.approx(share, rel=1e-6)
    np.testing.assert_allclose(settled[:, :3, 3].std(axis=0), 0.4 * share, rtol=0.08)
    np.testing.assert_allclose(settled[:, :3, 3].mean(axis=0), (100, 0, 5), atol=0.02)
    mean = Rotation.from_matrix(settled[:, :3, :3]).mean()
    turned = np.degrees((Rotation.from_matrix(settled[:, :3, :3]) * mean.inv()).magnitude())
    raw = Rotation.from_rotvec(np.radians(rng.normal((20, 50, -30), 0.3, (20_000, 3))))
    raw_turned = np.degrees((raw * raw.mean().inv()).magnitude())
    assert turned.mean() / raw_turned.mean() == pytest.approx(share, rel=0.08)


def test_what_comes_out_is_a_rotation_across_half_a_turn_too():
    hand, before, after = SteadyHand(CONSTANT_S), pose((0, 0, 175), (0, 0, 0)), pose((0, 0, -175), (0, 0, 0))
    hand.steady(before, 0.0)
    between = hand.steady(after, CONSTANT_S * math.log(2))
    # Half-way along the shortest way, which leads over 180°; the mean of the matrices' numbers would shrink.
    np.testing.assert_allclose(between, pose((0, 0, 180), (0, 0, 0)), atol=1e-9)


def test_poses_at_uneven_times_count_for_the_time_that_they_took():
    even, uneven = SteadyHand(CONSTANT_S), SteadyHand(CONSTANT_S)
    for hand in (even, uneven):
        hand.steady(pose((0, 0, 0), (0, 0, 0)), 0.0)
    there = pose((0, 30, 0), (10, 0, 0))
    for at_s in (0.02, 0.04, 0.06):
        one = even.steady(there, at_s)
    other = uneven.steady(there, 0.06)
    np.testing.assert_allclose(one, other, atol=1e-9)


def test_after_a_gap_the_next_pose_counts_alone():
    hand = SteadyHand(CONSTANT_S)
    hand.steady(pose((0, 0, 0), (0, 0, 0)), 0.0)
    hand.steady(pose((0, 0, 0), (1, 0, 0)), 0.02)
    far = pose((5, 6, 7), (80, 0, 0))
    np.testing.assert_allclose(hand.steady(far, 0.6), far, atol=1e-12)
    assert (hand.lag_s, hand.jitter_share) == (0, 1)


@pytest.mark.parametrize("constant_s", [0, -0.1, 2.1, math.nan])
def test_a_time_constant_out_of_range_is_refused(constant_s):
    with pytest.raises(UserError, match="cannot be steadied"):
        SteadyHand(constant_s)
