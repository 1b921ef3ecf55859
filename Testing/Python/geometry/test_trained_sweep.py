"""The path through the trained poses: it stays where the model was trained, moves evenly, and ends where it began."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from USGanSimLib.geometry.pose_distance import PoseDistance, PoseRange
from USGanSimLib.geometry.trained_sweep import trained_sweep

WIDTH_PX, HEIGHT_PX = 160, 120
IMAGE_TO_PROBE = np.diag([0.5, 0.5, 1, 1])
IMAGE_TO_PROBE[0, 3] = -40


def swept(count: int = 1500) -> np.ndarray:
    """Poses on an arch: a probe fanned and slid over a round skin, there and back with a wandering turn."""
    at = np.linspace(0, 4 * np.pi, count)
    angles = np.column_stack([20 * np.sin(at), 15 * np.sin(2.3 * at), 10 * np.cos(1.7 * at)])
    poses = np.tile(np.eye(4), (count, 1, 1))
    poses[:, :3, :3] = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    poses[:, :3, 3] = np.column_stack([30 * np.sin(at), 80 + 5 * np.cos(at), 25 * np.cos(0.5 * at)])
    return poses @ IMAGE_TO_PROBE


@pytest.fixture(scope="module")
def pose_range() -> PoseRange:
    return PoseRange.of_training_poses(swept(), WIDTH_PX, HEIGHT_PX)


def test_every_pose_on_the_way_is_inside_the_trained_range(pose_range):
    path = trained_sweep(pose_range)
    assert all(pose_range.covers(path.at(at_s)) for at_s in np.arange(0, path.duration_s, 0.1))


def test_the_way_reaches_most_of_the_range(pose_range):
    path = trained_sweep(pose_range)
    distance = PoseDistance(WIDTH_PX, HEIGHT_PX)
    on_the_way = np.array([path.at(at_s) for at_s in np.arange(0, path.duration_s, 0.1)])
    apart_mm = [distance.nearest(pose, on_the_way).rms_mm for pose in pose_range.poses]
    # The trained faces spread over 60 mm.
    assert np.median(apart_mm) < 5


def test_the_speed_is_that_of_a_hand_all_the_way_round(pose_range):
    path = trained_sweep(pose_range, speed_mm_s=15)
    times_s = np.arange(0, path.duration_s, 0.02)
    poses = np.array([path.at(at_s) for at_s in times_s])
    speeds = np.linalg.norm(np.diff(PoseDistance(WIDTH_PX, HEIGHT_PX).embed(poses), axis=0), axis=1) / 0.02
    assert np.median(speeds) == pytest.approx(15, rel=0.02)
    assert speeds.max() < 16
    np.testing.assert_allclose(path.at(path.duration_s), path.at(0), atol=1e-9)


def test_the_probe_stays_rigid(pose_range):
    path = trained_sweep(pose_range)
    for at_s in np.linspace(0, path.duration_s, 17):
        turn = (path.at(at_s) @ np.linalg.inv(IMAGE_TO_PROBE))[:3, :3]
        np.testing.assert_allclose(turn.T @ turn, np.eye(3), atol=1e-9)


def test_one_trained_pose_is_shown_as_it_is():
    path = trained_sweep(PoseRange.of_training_poses(IMAGE_TO_PROBE[None], WIDTH_PX, HEIGHT_PX))
    for at_s in (0, 0.5 * path.duration_s, 100):
        np.testing.assert_allclose(path.at(at_s), IMAGE_TO_PROBE, atol=1e-12)


def test_two_trained_poses_are_gone_between():
    poses = np.array([IMAGE_TO_PROBE, IMAGE_TO_PROBE])
    poses[1, 2, 3] += 50
    path = trained_sweep(PoseRange.of_training_poses(poses, WIDTH_PX, HEIGHT_PX))
    places_mm = [path.at(at_s)[2, 3] for at_s in np.linspace(0, path.duration_s, 50)]
    assert min(places_mm) > -1e-9
    assert max(places_mm) < 50 + 1e-9
    assert np.ptp(places_mm) > 35
