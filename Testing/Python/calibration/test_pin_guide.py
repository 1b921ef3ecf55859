"""What is missing in a pinhead recording, as its images come."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from USGanSimLib.calibration.pinhead.guide import PinGuide
from USGanSimLib.calibration.pinhead.points import read_marks, read_poses
from USGanSimLib.calibration.pinhead.verdict import pin_residuals

WIDTH, HEIGHT = 160, 120


def an_image(u: float, v: float) -> np.ndarray:
    """A bright spot on a dark ground."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    return (10 + 200 * np.exp(-((columns - u) ** 2 + (rows - v) ** 2) / (2 * 3.0**2))).astype(np.uint8)


def a_pose(x_deg: float = 0, y_deg: float = 0, z_deg: float = 0, shift_mm: float = 0) -> np.ndarray:
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_euler("xyz", [x_deg, y_deg, z_deg], degrees=True).as_matrix()
    pose[0, 3] = shift_mm
    return pose


def test_the_pin_is_followed_and_its_range_told():
    guide = PinGuide()
    for step in range(33):
        guide.add(an_image(40 + 2.5 * step, 30), a_pose(shift_mm=3 * step))
        np.testing.assert_allclose(guide.place, [40 + 2.5 * step, 30], atol=0.3)
    progress = guide.progress()
    assert progress.points == 33
    assert progress.share == (pytest.approx(80 / WIDTH, abs=0.01), pytest.approx(0, abs=0.01))


def test_directions_are_half_the_range_about_each_axis():
    guide = PinGuide()
    for angle in np.linspace(-8, 8, 9):
        guide.add(an_image(80, 60), a_pose(x_deg=angle))
    for angle in np.linspace(-20, 20, 9):
        guide.add(an_image(80, 60), a_pose(z_deg=angle))
    tilt_deg = guide.progress().tilt_deg
    np.testing.assert_allclose(tilt_deg, [8, 0, 20], atol=0.3)
    missing = " ".join(guide.progress().missing())
    assert "Tilt more about the probe's x axis: ±8° of ±15° so far" in missing
    assert "about the probe's y axis: ±0° of ±15°" in missing
    assert "z axis" not in missing


def test_with_an_earlier_calibration_the_axes_are_the_images():
    turned = np.eye(4)
    turned[:3, :3] = [[0, 0, 1], [1, 0, 0], [0, 1, 0]]  # the image's x is the probe's y
    guide = PinGuide(turned @ np.diag([0.5, 0.5, 1, 1]))
    for angle in np.linspace(-9, 9, 9):
        guide.add(an_image(80, 60), a_pose(y_deg=angle))
    np.testing.assert_allclose(guide.progress().tilt_deg, [9, 0, 0], atol=0.3)
    assert "about the image's y axis: ±0°" in " ".join(guide.progress().missing())


def test_with_enough_of_everything_nothing_is_missing():
    guide = PinGuide()
    rng = np.random.default_rng(1)
    for step in range(60):
        phase = 2 * np.pi * step / 30
        guide.add(
            an_image(80 + 40 * np.sin(phase), 60 + 30 * np.cos(2 * phase)), a_pose(*rng.uniform(-25, 25, 3))
        )
    assert guide.progress().missing() == []
    assert guide.progress().enough


def test_images_without_a_pose_and_of_a_probe_at_rest_do_not_count():
    guide = PinGuide()
    for _ in range(5):
        guide.add(an_image(80, 60), a_pose())
        guide.add(an_image(80, 60), None)
    assert guide.progress().points == 1


def test_an_empty_image_has_no_pin():
    guide = PinGuide()
    guide.add(an_image(80, 60), a_pose())
    guide.add(np.full((HEIGHT, WIDTH), 10, np.uint8), a_pose(x_deg=5))
    assert guide.place is None
    assert guide.progress().points == 1


def test_images_of_another_size_begin_anew():
    guide = PinGuide()
    guide.add(an_image(80, 60), a_pose())
    guide.add(an_image(80, 60)[:100], a_pose(x_deg=5))
    assert guide.points().height_px == 100
    assert len(guide.points()) == 1


def test_the_tables_are_those_that_the_calibration_reads(tmp_path):
    guide = PinGuide()
    for step in range(12):
        guide.add(an_image(40 + 5 * step, 30), a_pose(y_deg=3 * step, shift_mm=step))
    guide.write(tmp_path / "points.csv", tmp_path / "poses.csv", 6)
    frames, pixels, _ = read_marks(tmp_path / "points.csv")
    poses = read_poses(tmp_path / "poses.csv")
    assert frames.tolist() == list(poses) == [0, 2, 4, 7, 9, 11]
    np.testing.assert_allclose(pixels[-1], [95, 30], atol=0.3)
    np.testing.assert_array_equal(poses[11], a_pose(y_deg=33, shift_mm=11))


def test_residuals_come_furthest_first_with_outliers_named():
    found = pin_residuals(
        {"frames": [3, 5, 8], "residuals_mm": [[0.3, -0.4], [6.0, 8.0], [0.0, 0.1]], "outlier_frames": [5]}
    )
    assert [(one.frame, one.mm, one.used) for one in found] == [
        (5, pytest.approx(10.0), False),
        (3, pytest.approx(0.5), True),
        (8, pytest.approx(0.1), True),
    ]
