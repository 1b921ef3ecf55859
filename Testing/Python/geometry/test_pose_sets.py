"""Poses along curves and around a plane, against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from USGanSimLib.errors import UserError
from USGanSimLib.geometry.image_frame import Offset
from USGanSimLib.geometry.image_geometry import ImageGeometry
from USGanSimLib.geometry.pose_distance import angle_deg
from USGanSimLib.geometry.pose_sets import along_curve, around, at_centre, at_face, offsets_around

UP = np.array([0.0, 1, 0])
IMAGE_TO_PROBE = np.eye(4)
IMAGE_TO_PROBE[:3, :3] = Rotation.from_euler("xyz", [80, 10, 5], degrees=True).as_matrix() @ np.diag(
    [0.5, 0.4, 1]
)
IMAGE_TO_PROBE[:3, 3] = 3, -40, 7
GEOMETRY = ImageGeometry(101, 81, IMAGE_TO_PROBE)


def circle(radius_mm: float, points: int = 2000, turn: float = 0.5) -> np.ndarray:
    """An arc around z through (radius, 0, 0), `turn` of a whole round."""
    angle = np.linspace(0, 2 * np.pi * turn, points)
    return np.column_stack([radius_mm * np.cos(angle), np.zeros(points), radius_mm * np.sin(angle)])


@pytest.mark.parametrize("in_plane", [True, False])
def test_on_a_straight_line_faces_stand_at_equal_distances_and_look_down(in_plane):
    frames = along_curve(np.array([[0.0, 5, 0], [10, 5, 0]]), 2.0, UP, in_plane)
    np.testing.assert_allclose(frames[:, :3, 3], [[x, 5, 0] for x in range(0, 11, 2)], atol=1e-12)
    np.testing.assert_allclose(frames[:, :3, 1], np.tile(-UP, (6, 1)), atol=1e-12)
    along, square = (0, 2) if in_plane else (2, 0)
    np.testing.assert_allclose(frames[:, :3, along], np.tile([1.0, 0, 0], (6, 1)), atol=1e-12)
    np.testing.assert_allclose(np.abs(frames[:, 2, square]), 1)
    assert np.allclose(np.linalg.det(frames[:, :3, :3]), 1)


def test_on_a_circle_the_image_turns_with_the_tangent():
    radius_mm, spacing_mm = 40.0, 5.0
    frames = along_curve(circle(radius_mm), spacing_mm, UP, in_plane=True)
    angle = np.arange(len(frames)) * spacing_mm / radius_mm
    assert len(frames) == int(np.pi * radius_mm / spacing_mm) + 1
    places = radius_mm * np.column_stack([np.cos(angle), 0 * angle, np.sin(angle)])
    np.testing.assert_allclose(frames[:, :3, 3], places, atol=0.01)
    tangents = np.column_stack([-np.sin(angle), 0 * angle, np.cos(angle)])
    np.testing.assert_allclose(frames[1:-1, :3, 0], tangents[1:-1], atol=0.002)


def test_where_the_curve_climbs_the_depth_axis_stays_square_to_it():
    frames = along_curve(np.array([[0.0, 0, 0], [10, 10, 0]]), 1.0, UP, in_plane=True)
    np.testing.assert_allclose(frames[:, :3, 1], np.tile(np.array([1, -1, 0]) / np.sqrt(2), (len(frames), 1)))


def test_a_length_of_whole_spacings_has_both_ends_in_spite_of_rounding():
    third = np.array([[0.0, 0, 0], [0.1, 0, 0], [0.3, 0, 0], [0.9, 0, 0]])
    assert len(along_curve(third, 0.3, UP, in_plane=True)) == 4


def test_curves_that_tell_no_plane_are_refused_with_the_place():
    bent = np.array([[0.0, 0, 0], [20, 0, 0], [20, 20, 0]])
    with pytest.raises(UserError, match=r"At 2\d mm the curve runs along the way up"):
        along_curve(bent, 1.0, UP, in_plane=True)
    with pytest.raises(UserError, match="1 points and no length"):
        along_curve(np.zeros((1, 3)), 1.0, UP, in_plane=True)
    with pytest.raises(UserError, match="would be 1000001 poses"):
        along_curve(np.array([[0.0, 0, 0], [10, 0, 0]]), 1e-5, UP, in_plane=True)


def test_an_image_is_placed_with_its_rigid_probe():
    """The face stands where it is to be, and the probe that holds it there is a rotation and a translation alone."""
    frames = along_curve(circle(30), 10.0, UP, in_plane=False)
    poses = at_face(frames, GEOMETRY, (50.0, 0.0))
    np.testing.assert_allclose(poses @ [50, 0, 0, 1], frames[..., 3], atol=1e-9)
    depth = poses[:, :3, 1] / 0.4
    np.testing.assert_allclose(depth, frames[:, :3, 1], atol=1e-9)
    probes = (poses @ np.linalg.inv(IMAGE_TO_PROBE))[:, :3, :3]
    np.testing.assert_allclose(
        np.swapaxes(probes, 1, 2) @ probes, np.tile(np.eye(3), (len(probes), 1, 1)), atol=1e-9
    )


def test_an_image_can_be_placed_by_its_centre():
    np.testing.assert_allclose(at_centre(np.eye(4), GEOMETRY) @ [50, 40, 0, 1], [0, 0, 0, 1], atol=1e-9)


def test_a_grid_has_all_combinations_and_the_middle():
    offsets = offsets_around(Offset(across_mm=4, tilt_deg=10), 5)
    assert len(offsets) == 25
    assert sorted({one.across_mm for one in offsets}) == [-4, -2, 0, 2, 4]
    assert sorted({one.tilt_deg for one in offsets}) == [-10, -5, 0, 5, 10]
    assert offsets[12] == Offset()
    poses = around(IMAGE_TO_PROBE, (50.0, 0.0), offsets)
    np.testing.assert_allclose(poses[12], IMAGE_TO_PROBE, atol=1e-12)
    apart_mm = np.linalg.norm((poses @ [50, 0, 0, 1])[:, :3] - (IMAGE_TO_PROBE @ [50, 0, 0, 1])[:3], axis=1)
    np.testing.assert_allclose(apart_mm, [abs(one.across_mm) for one in offsets], atol=1e-9)
    turned_deg = [angle_deg(pose, IMAGE_TO_PROBE) for pose in poses]
    np.testing.assert_allclose(turned_deg, [abs(one.tilt_deg) for one in offsets], atol=1e-5)


def test_a_grid_without_extent_is_the_pose_itself():
    assert offsets_around(Offset(), 7) == [Offset()]


def test_grids_without_a_middle_and_far_too_large_ones_are_refused():
    with pytest.raises(UserError, match="4 steps leave out the middle"):
        offsets_around(Offset(across_mm=1), 4)
    with pytest.raises(UserError, match="would be 117649 poses"):
        offsets_around(Offset(1, 1, 1, 1, 1, 1), 7)
