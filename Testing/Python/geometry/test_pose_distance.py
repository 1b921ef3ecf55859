"""Distances between poses against the displacement of every single pixel."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from USGanSimLib.geometry.pose_distance import PoseDistance, PoseRange, angle_deg

WIDTH_PX, HEIGHT_PX = 15, 11


def a_pose(seed: int, spread_deg: float = 180.0) -> NDArray[np.float64]:
    random = np.random.default_rng(seed)
    pose = np.eye(4)
    turn = Rotation.from_rotvec(np.radians(random.uniform(-spread_deg, spread_deg, 3)))
    pose[:3, :3] = turn.as_matrix() * (0.4, 0.3, 0.35)
    pose[:3, 3] = random.normal(0, 20, 3)
    return pose


def rms_over_every_pixel_mm(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    pixels = np.array([[u, v, 0, 1] for u in range(WIDTH_PX) for v in range(HEIGHT_PX)], float)
    moved_mm = (pixels @ first.T - pixels @ second.T)[:, :3]
    return float(np.sqrt((moved_mm**2).sum(axis=1).mean()))


def test_the_distance_of_embeddings_is_the_rms_displacement_over_every_pixel() -> None:
    distance = PoseDistance(WIDTH_PX, HEIGHT_PX)
    for seed in range(10):
        first, second = a_pose(2 * seed), a_pose(2 * seed + 1)
        found = np.linalg.norm(distance.embed(first) - distance.embed(second))
        assert found == pytest.approx(rms_over_every_pixel_mm(first, second), rel=1e-9)


def test_the_nearest_pose_is_the_one_that_brute_force_finds() -> None:
    known = np.stack([a_pose(seed, 20) for seed in range(40)])
    pose = a_pose(99, 20)
    by_hand = [rms_over_every_pixel_mm(pose, other) for other in known]
    found = PoseDistance(WIDTH_PX, HEIGHT_PX).nearest(pose, known)
    assert found.index == int(np.argmin(by_hand))
    assert found.rms_mm == pytest.approx(min(by_hand))
    middle = (pose - known[found.index]) @ [(WIDTH_PX - 1) / 2, (HEIGHT_PX - 1) / 2, 0, 1]
    assert found.centre_mm == pytest.approx(np.linalg.norm(middle[:3]))


def test_a_pure_shift_is_its_length_and_a_turn_about_the_centre_moves_no_centre() -> None:
    pose, shifted, turned = a_pose(1), a_pose(1), a_pose(1)
    shifted[:3, 3] += (2, 3, 6)
    centre = (pose @ [(WIDTH_PX - 1) / 2, (HEIGHT_PX - 1) / 2, 0, 1])[:3]
    turn = Rotation.from_rotvec(np.radians([0, 0, 30])).as_matrix()
    turned[:3, :3] = turn @ pose[:3, :3]
    turned[:3, 3] = turn @ (pose[:3, 3] - centre) + centre
    distance = PoseDistance(WIDTH_PX, HEIGHT_PX)
    by_shift, by_turn = distance.nearest(shifted, pose[None]), distance.nearest(turned, pose[None])
    assert (by_shift.rms_mm, by_shift.centre_mm, by_shift.angle_deg) == pytest.approx((7, 7, 0), abs=1e-5)
    assert (by_turn.centre_mm, by_turn.angle_deg) == pytest.approx((0, 30), abs=1e-5)


@pytest.mark.parametrize("turn_deg", [0.01, 5.0, 90.0, 179.0])
def test_the_angle_ignores_the_pixel_size(turn_deg: float) -> None:
    turn = np.eye(4)
    turn[:3, :3] = Rotation.from_rotvec(np.radians(turn_deg) * np.array([0.6, 0, 0.8])).as_matrix()
    assert angle_deg(a_pose(5), turn @ a_pose(5)) == pytest.approx(turn_deg, abs=1e-4)


def test_every_training_pose_lies_within_the_coverage_of_the_chosen_ones() -> None:
    training = np.stack([a_pose(seed, 10) for seed in range(200)])
    found = PoseRange.of_training_poses(training, WIDTH_PX, HEIGHT_PX, most=20)
    assert len(found.poses) == 20
    nearest_mm = [min(rms_over_every_pixel_mm(pose, chosen) for chosen in found.poses) for pose in training]
    assert max(nearest_mm) == pytest.approx(found.coverage_mm)
    assert all(found.contains(found.nearest(pose)) for pose in training)


def test_a_pose_beyond_coverage_and_margin_is_outside() -> None:
    training = np.tile(a_pose(1), (30, 1, 1))
    training[:, 0, 3] += np.arange(30)
    found = PoseRange.of_training_poses(training, WIDTH_PX, HEIGHT_PX)
    assert found.coverage_mm == 0
    for beyond_mm, inside in ((4.9, True), (5.1, False)):
        pose = training[-1].copy()
        pose[0, 3] += beyond_mm
        assert found.contains(found.nearest(pose)) is inside


def test_repeated_training_poses_are_chosen_once() -> None:
    training = np.stack([a_pose(1), a_pose(1), a_pose(2), a_pose(2)])
    assert len(PoseRange.of_training_poses(training, WIDTH_PX, HEIGHT_PX).poses) == 2


def test_the_quick_range_check_agrees_with_the_nearest_pose():
    rng = np.random.default_rng(5)
    known = np.tile(np.diag([0.3, 0.3, 1.0, 1.0]), (40, 1, 1))
    known[:, :3, 3] = rng.uniform(-40, 40, (40, 3))
    trained = PoseRange(160, 120, known, coverage_mm=8.0)
    answers = []
    for _ in range(300):
        pose = np.diag([0.3, 0.3, 1.0, 1.0])
        pose[:3, 3] = rng.uniform(-60, 60, 3)
        answers.append(trained.covers(pose))
        assert answers[-1] == trained.contains(trained.nearest(pose))
    assert 20 < sum(answers) < 280


def test_the_angle_between_poses_is_that_of_their_rotations():
    rng = np.random.default_rng(6)
    for _ in range(50):
        first, second = Rotation.random(random_state=rng), Rotation.random(random_state=rng)
        poses = [np.eye(4), np.eye(4)]
        for pose, turn in zip(poses, (first, second), strict=True):
            pose[:3, :3] = turn.as_matrix() * (0.2, 0.35, 1.0)
        expected = np.degrees((first.inv() * second).magnitude())
        assert angle_deg(*poses) == pytest.approx(expected, abs=1e-6)
