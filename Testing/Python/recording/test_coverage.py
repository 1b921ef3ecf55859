"""Coverage against volumes, angles and landmarks that are known from geometry."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation

from USGanSimLib.errors import UserError
from USGanSimLib.geometry.transforms import TransformTrack
from USGanSimLib.recording.coverage import (
    beam_angles_deg,
    coverage,
    coverage_picture,
    image_poses,
    landmark_views,
    save_coverage_picture,
)

WIDTH, HEIGHT, MM_PER_PX = 101, 61, 0.5  # images of 50×30 mm


def a_pose(z_mm: float = 0.0, tilt_deg: float = 0.0) -> np.ndarray:
    """An image in the plane z = z_mm of Reference, tilted about its upper edge."""
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_euler("x", tilt_deg, degrees=True).as_matrix() @ np.diag(
        [MM_PER_PX, MM_PER_PX, 1]
    )
    pose[:3, 3] = 0.5, 0.5, z_mm
    return pose


@pytest.fixture
def a_sweep_of_40_mm():
    return np.stack([a_pose(z_mm) for z_mm in np.linspace(0.5, 39.5, 80)])


def test_the_swept_volume_is_that_of_the_box_that_was_swept(a_sweep_of_40_mm):
    covered = coverage(a_sweep_of_40_mm, WIDTH, HEIGHT, voxel_mm=1.0)
    assert covered.swept_ml == pytest.approx(51 * 31 * 40 / 1000, rel=0.03)
    assert (covered.counts > 0).all()
    # Images half a millimetre apart: two in each voxel of a millimetre.
    assert np.median(covered.counts) == 2
    assert covered.counts.sum() == pytest.approx(80 * 51 * 31, rel=0.03)


def test_a_pose_counts_once_in_a_voxel_however_many_pixels_it_has_there():
    assert coverage(a_pose(2.0)[None], WIDTH, HEIGHT, voxel_mm=5.0).counts.max() == 1


def test_voxels_lie_where_the_images_were(a_sweep_of_40_mm):
    moved = a_sweep_of_40_mm.copy()
    moved[:, :3, 3] += (1000, -200, 37)
    covered = coverage(moved, WIDTH, HEIGHT, voxel_mm=5.0)
    np.testing.assert_allclose(covered.lower_mm, (1000, -200, 35))
    last_mm = covered.lower_mm + np.array(covered.counts.shape) * 5
    assert (last_mm >= (1050.5, -169.5, 76.5)).all()
    assert (last_mm <= (1060, -160, 85)).all()


def test_a_long_recording_is_thinned_and_covers_the_same():
    many = np.stack([a_pose(z_mm) for z_mm in np.linspace(0.5, 39.5, 5000)])
    covered = coverage(many, WIDTH, HEIGHT, voxel_mm=5.0)
    assert len(covered.poses) == 1000
    assert covered.swept_ml == coverage(many[::5], WIDTH, HEIGHT, voxel_mm=5.0).swept_ml


def test_nothing_recorded_covers_nothing():
    covered = coverage(np.zeros((0, 4, 4)), WIDTH, HEIGHT)
    assert covered.swept_ml == 0
    assert coverage_picture(covered).shape[2] == 3
    assert landmark_views(np.zeros((0, 4, 4)), WIDTH, HEIGHT, {"tip": np.zeros(3)})[0].frames == 0


def test_a_landmark_is_seen_by_the_images_that_pass_through_it(a_sweep_of_40_mm):
    views = landmark_views(
        a_sweep_of_40_mm,
        WIDTH,
        HEIGHT,
        {
            "inside": np.array([20.0, 10.0, 20.0]),
            "beside": np.array([-4.0, 10.0, 20.0]),
            "below": np.array([20.0, 40.0, 20.0]),
            "behind": np.array([20.0, 10.0, 50.0]),
        },
    )
    step_mm = 39 / 79
    assert views[0].frames == pytest.approx(6 / step_mm, abs=1)
    assert [view.frames for view in views[1:]] == [0, 0, 0]
    assert "seen in 0 frames" in views[1].advice


def test_a_landmark_seen_often_but_from_one_side_only_is_thin():
    poses = np.repeat(a_pose(20.0)[None], 50, axis=0)
    flat = landmark_views(poses, WIDTH, HEIGHT, {"tip": np.array([20.0, 10.0, 20.0])})[0]
    assert (flat.frames, flat.angle_deg) == (50, pytest.approx(0, abs=1e-4))
    assert flat.advice == "seen within 0°; tilt the probe over it (15° at least)"
    tilted = np.stack([a_pose(20.0, tilt_deg) for tilt_deg in np.linspace(-12, 12, 50)])
    turned = landmark_views(tilted, WIDTH, HEIGHT, {"tip": np.array([20.0, 3.0, 20.0])})[0]
    assert (turned.frames, turned.advice) == (50, "")
    assert turned.angle_deg == pytest.approx(24, abs=1e-6)


def test_poses_come_from_the_chain_and_only_where_all_of_it_is_valid():
    random = np.random.default_rng(1)

    def moved(count):
        matrices = np.tile(np.eye(4), (count, 1, 1))
        matrices[:, :3, :3] = Rotation.random(count, random_state=random).as_matrix()
        matrices[:, :3, 3] = random.normal(size=(count, 3))
        return matrices

    probe, reference, calibration = moved(6), moved(6), np.diag([0.2, 0.2, 1, 1.0])
    transforms = {
        "ProbeToTracker": TransformTrack(probe, np.array([1, 1, 0, 1, 1, 1], bool)),
        "ReferenceToTracker": TransformTrack(reference, np.array([1, 1, 1, 1, 0, 1], bool)),
    }
    poses = image_poses(transforms, calibration)
    valid = [0, 1, 3, 5]
    np.testing.assert_allclose(poses, np.linalg.inv(reference[valid]) @ probe[valid] @ calibration)
    with pytest.raises(UserError, match="no transform ImageToReference"):
        image_poses(transforms, None)


@pytest.mark.parametrize("number", [np.nan, np.inf, 1e308, -1e150])
def test_poses_that_are_nowhere_are_refused_before_anything_is_counted(number):
    probe = np.tile(np.eye(4), (6, 1, 1))
    probe[3, 0, 3] = number
    transforms = {"ProbeToReference": TransformTrack(probe, np.ones(6, bool))}
    with pytest.raises(UserError, match="ImageToReference has a number that is none, or beyond 100000 mm"):
        image_poses(transforms, np.eye(4))
    transforms["ProbeToReference"].valid[3] = False
    assert len(image_poses(transforms, np.eye(4))) == 5


def test_beams_are_drawn_at_their_angles_from_the_mean():
    tilts_deg = np.array([-30, -10, 0, 10, 30])
    beams = coverage(np.stack([a_pose(0, tilt_deg) for tilt_deg in tilts_deg]), WIDTH, HEIGHT).beams
    angles = beam_angles_deg(beams)
    np.testing.assert_allclose(np.linalg.norm(angles, axis=1), np.abs(tilts_deg), atol=1e-6)
    np.testing.assert_allclose(angles[0], -angles[4], atol=1e-6)


def test_the_picture_shows_what_was_swept_and_which_landmark_is_thin(a_sweep_of_40_mm, tmp_path):
    covered = coverage(a_sweep_of_40_mm, WIDTH, HEIGHT)
    landmarks = {"far": np.array([45.0, 25.0, 35.0])}
    red = (255, 90, 60)
    without = coverage_picture(covered, landmarks)
    views = landmark_views(a_sweep_of_40_mm, WIDTH, HEIGHT, landmarks)
    picture = coverage_picture(covered, landmarks, views)
    assert not (without == red).all(axis=2).any()
    _, columns = np.nonzero((picture[:, :300] == red).all(axis=2))
    # The box is 55 mm wide, so the view's 300 px are 55 mm.
    assert columns.min() - 2 <= 45 * 300 / 55 <= columns.min() + 6
    assert (picture[18 : 18 + 150, :270, 0] > 200).mean() > 0.9
    save_coverage_picture(tmp_path / "coverage.png", picture)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "coverage.png")), picture)
