"""The coordinate grids against pixels transformed one by one."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from USGanSimLib.geometry.conditioning import CoordinateNormalisation, grid, pixel_affine, pixel_moments

WIDTH_PX, HEIGHT_PX = 13, 9


def some_poses(count: int = 5) -> NDArray[np.float64]:
    random = np.random.default_rng(3)
    poses = np.tile(np.eye(4), (count, 1, 1))
    poses[:, :3, :3] = Rotation.random(count, random_state=3).as_matrix() * (0.4, 0.3, 0.35)
    poses[:, :3, 3] = random.normal((20, -70, 200), 30, (count, 3))
    return poses


def every_pixel_mm(poses: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 3, H, W), by multiplying each pixel with each pose."""
    result = np.empty((len(poses), 3, HEIGHT_PX, WIDTH_PX))
    for n, pose in enumerate(poses):
        for v in range(HEIGHT_PX):
            for u in range(WIDTH_PX):
                result[n, :, v, u] = (pose @ [u, v, 0, 1])[:3]
    return result


def test_the_moments_are_those_of_all_pixels() -> None:
    pixels = np.array([[u, v, 1] for u in range(WIDTH_PX) for v in range(HEIGHT_PX)], float)
    np.testing.assert_allclose(pixel_moments(WIDTH_PX, HEIGHT_PX), pixels.T @ pixels / len(pixels))


def test_the_grid_is_every_pixel_times_the_pose() -> None:
    poses = some_poses()
    np.testing.assert_allclose(
        grid(pixel_affine(poses), WIDTH_PX, HEIGHT_PX), every_pixel_mm(poses), atol=1e-9
    )
    assert grid(pixel_affine(poses[0]), WIDTH_PX, HEIGHT_PX).shape == (3, HEIGHT_PX, WIDTH_PX)


@pytest.mark.parametrize("stride", [2, 4, 8])
def test_a_coarse_cell_has_the_mean_coordinate_of_the_pixels_it_covers(stride: int) -> None:
    affine = pixel_affine(some_poses(1)[0])
    fine = grid(affine, 3 * stride, 2 * stride)
    means = fine.reshape(3, 2, stride, 3, stride).mean(axis=(2, 4))
    np.testing.assert_allclose(grid(affine, 3, 2, stride), means, atol=1e-9)


def test_the_normalisation_is_the_mean_and_deviation_of_all_pixels_of_all_poses() -> None:
    poses = some_poses()
    everything = every_pixel_mm(poses).transpose(1, 0, 2, 3).reshape(3, -1)
    found = CoordinateNormalisation.of_poses(poses, WIDTH_PX, HEIGHT_PX)
    np.testing.assert_allclose(found.mean_mm, everything.mean(axis=1))
    np.testing.assert_allclose(found.std_mm, everything.std(axis=1))


def test_folded_coefficients_give_the_normalised_coordinates() -> None:
    poses = some_poses()
    found = CoordinateNormalisation.of_poses(poses, WIDTH_PX, HEIGHT_PX)
    normalised = grid(found.fold(pixel_affine(poses)), WIDTH_PX, HEIGHT_PX).astype(float)
    np.testing.assert_allclose(normalised.mean(axis=(0, 2, 3)), 0, atol=1e-12)
    np.testing.assert_allclose(normalised.std(axis=(0, 2, 3)), 1)
    expected = (every_pixel_mm(poses) - np.reshape(found.mean_mm, (3, 1, 1))) / np.reshape(
        found.std_mm, (3, 1, 1)
    )
    np.testing.assert_allclose(normalised, expected, atol=1e-9)


def test_a_coordinate_that_never_changes_still_has_a_divisor() -> None:
    pose = np.diag([0.5, 0.5, 0.5, 1.0])
    found = CoordinateNormalisation.of_poses(pose[None], WIDTH_PX, HEIGHT_PX)
    assert found.std_mm[2] == pytest.approx(1e-3)
    assert np.isfinite(found.fold(pixel_affine(pose))).all()
