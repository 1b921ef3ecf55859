"""Moves along an image's own axes, against what a hand with a ruler would find."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from USGanSimLib.geometry.image_frame import Offset, centre_frame, face_frame, moved, offset_between

WIDTH_PX, HEIGHT_PX = 101, 81
# 0.5 and 0.4 mm a pixel, lying askew in Reference.
POSE = np.eye(4)
POSE[:3, :3] = Rotation.from_euler("xyz", [30, 40, -70], degrees=True).as_matrix() @ np.diag([0.5, 0.4, 1])
POSE[:3, 3] = 12, -5, 40
FACE = (50.0, 0.0)
FACE_PX, CENTRE_PX = np.array([50.0, 0, 0, 1]), np.array([50.0, 40, 0, 1])


def test_the_face_is_the_middle_of_the_first_row_and_its_axes_are_the_images():
    face, centre = face_frame(POSE, FACE), centre_frame(POSE, WIDTH_PX, HEIGHT_PX)
    np.testing.assert_allclose(face[:, 3], POSE @ FACE_PX)
    np.testing.assert_allclose(centre[:, 3], POSE @ CENTRE_PX)
    # Ten rows of 0.4 mm further down is 4 mm deeper.
    np.testing.assert_allclose(face @ [0, 4, 0, 1], POSE @ [50, 10, 0, 1], atol=1e-12)
    np.testing.assert_allclose(face[:3, :3].T @ face[:3, :3], np.eye(3), atol=1e-12)
    assert np.linalg.det(face[:3, :3]) == pytest.approx(1)


def test_a_sheared_image_has_square_axes_all_the_same():
    sheared = POSE.copy()
    sheared[:3, 1] += 0.1 * sheared[:3, 0]
    face = face_frame(sheared, FACE)
    np.testing.assert_allclose(face[:3, :3].T @ face[:3, :3], np.eye(3), atol=1e-12)
    np.testing.assert_allclose(np.cross(face[:3, 0], POSE[:3, 0]), 0, atol=1e-12)


@pytest.mark.parametrize(
    ("offset", "pixel"),
    [(Offset(across_mm=5), (60, 0)), (Offset(across_mm=-2.5), (45, 0)), (Offset(depth_mm=4), (50, 10))],
)
def test_a_move_in_the_plane_puts_the_face_onto_a_known_pixel(offset, pixel):
    np.testing.assert_allclose(moved(POSE, FACE, offset) @ FACE_PX, POSE @ [*pixel, 0, 1], atol=1e-12)


def test_a_move_out_of_the_plane_goes_along_the_normal():
    shift = (moved(POSE, FACE, Offset(out_mm=3)) - POSE)[:3]
    np.testing.assert_allclose(shift[:, :3], 0, atol=1e-12)
    np.testing.assert_allclose(POSE[:3, :2].T @ shift[:, 3], 0, atol=1e-12)
    assert np.linalg.norm(shift[:, 3]) == pytest.approx(3)


@pytest.mark.parametrize("name", ["tilt_deg", "rock_deg", "turn_deg"])
def test_a_turn_keeps_the_face_where_it_is_and_its_own_axis_still(name):
    turned = moved(POSE, FACE, Offset(**{name: 20}))
    np.testing.assert_allclose(turned @ FACE_PX, POSE @ FACE_PX, atol=1e-12)
    before, after = face_frame(POSE, FACE), face_frame(turned, FACE)
    cosines = (before[:3, :3] * after[:3, :3]).sum(axis=0)
    still = ["tilt_deg", "turn_deg", "rock_deg"].index(name)
    expected = np.full(3, np.cos(np.radians(20)))
    expected[still] = 1
    np.testing.assert_allclose(cosines, expected)


def test_rocking_stays_in_the_plane_and_tilting_leaves_it():
    normal = face_frame(POSE, FACE)[:3, 2]
    bottom = np.array([50.0, 80, 0, 1])
    for offset, leaves_mm in ((Offset(rock_deg=10), 0.0), (Offset(tilt_deg=10), 32 * np.sin(np.radians(10)))):
        apart = (moved(POSE, FACE, offset) @ bottom - POSE @ bottom)[:3]
        assert abs(normal @ apart) == pytest.approx(leaves_mm, abs=1e-9)


def test_an_offset_is_read_back_as_it_was_given():
    offset = Offset(3, -4, 5, tilt_deg=25, rock_deg=-130, turn_deg=170)
    found = offset_between(POSE, moved(POSE, FACE, offset), FACE)
    np.testing.assert_allclose(list(found.as_dict().values()), list(offset.as_dict().values()), atol=1e-9)
