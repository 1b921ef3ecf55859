"""Where images fit best, in a world that is known everywhere."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial.transform import Rotation

from USGanSimLib.geometry.agreement import ASIDE_MM, RECENT, USUAL_MM, BestPlace, agreement, places_aside
from USGanSimLib.geometry.image_geometry import ImageGeometry

WIDTH_PX, HEIGHT_PX, PIXEL_MM = 60, 48, 1.5
GEOMETRY = ImageGeometry(WIDTH_PX, HEIGHT_PX, np.diag([PIXEL_MM, PIXEL_MM, 1, 1]))
# A world of blobs of some 8 mm, 2 mm a voxel.
WORLD = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(90, 90, 90)), 3.5)
WORLD = 120 + 60 * WORLD / WORLD.std()
WHOLE = np.ones((HEIGHT_PX, WIDTH_PX), bool)


def image(pose: np.ndarray) -> np.ndarray:
    v, u = np.mgrid[:HEIGHT_PX, :WIDTH_PX]
    places = pose[:3, :2] @ np.stack([u.ravel(), v.ravel()]) + pose[:3, 3:]
    grey = ndimage.map_coordinates(WORLD, places / 2, order=1, mode="mirror").reshape(v.shape)
    return np.clip(grey, 0, 255).astype(np.float32)


def poses():
    """Of a probe that goes through the world, turned."""
    for number in range(RECENT + 2):
        pose = np.eye(4)
        pose[:3, :3] = Rotation.from_euler("xyz", [10, 5 * number, 20], degrees=True).as_matrix()
        pose[:3, 3] = 30 + 4 * number, 40, 50 - 2 * number
        yield pose @ GEOMETRY.image_to_probe


def looked_at(told) -> BestPlace:
    """Real images at `poses`, with speckle and another gain; `told(pose)` is what the tracker says."""
    rng, place = np.random.default_rng(1), BestPlace(GEOMETRY)
    for pose in poses():
        real = np.clip(1.3 * image(pose) * rng.rayleigh(0.8, WHOLE.shape), 0, 255).astype(np.float32)
        here = told(pose)
        numbers = [agreement(real, image(one), WHOLE, PIXEL_MM) for one in places_aside(here)]
        place.add(np.array(numbers), here)
    return place


def test_images_at_the_pose_that_is_told_fit_best_there():
    place = looked_at(lambda pose: pose)
    assert place.away_mm < 0.4
    assert not place.moved
    assert place.agreement > 0.8


@pytest.mark.parametrize("offset_mm", [(3, 0, 0), (0, -3, 0), (0, 0, 3), (2, 1, -2)])
def test_where_they_fit_best_is_found_along_the_axes_of_the_image(offset_mm):
    def told(pose):
        wrong, axes = pose.copy(), pose[:3, :3] / np.linalg.norm(pose[:3, :3], axis=0)
        wrong[:3, 3] -= axes @ np.array(offset_mm, float)
        return wrong

    place = looked_at(told)
    np.testing.assert_allclose(place.offset_mm, offset_mm, atol=0.7)
    assert place.moved


def test_further_away_than_is_looked_is_told_as_that_far():
    def told(pose):
        wrong = pose.copy()
        wrong[:3, 3] -= 7 * pose[:3, 0] / PIXEL_MM
        return wrong

    assert looked_at(told).offset_mm[0] == pytest.approx(ASIDE_MM)


def test_poses_that_do_not_move_say_nothing_new_and_nothing_is_told_of_few():
    place, pose = BestPlace(GEOMETRY), next(poses())
    near, far = pose.copy(), pose.copy()
    near[0, 3] += 2
    far[0, 3] += 4
    assert place.lies_apart(pose)
    place.add(np.full(7, 0.9), pose)
    assert not place.lies_apart(near)
    assert place.lies_apart(far)
    assert place.offset_mm is None
    assert not place.moved
    place.add(np.full(7, np.nan), far)
    assert place.seen == 1


def test_an_image_without_structure_agrees_with_nothing():
    real = image(next(poses()))
    assert np.isnan(agreement(real, np.zeros_like(real), WHOLE, PIXEL_MM))
    assert np.isnan(agreement(np.full_like(real, 90), real, WHOLE, PIXEL_MM))
    assert np.isnan(agreement(real, real, np.zeros_like(WHOLE), PIXEL_MM))
    assert agreement(real, real, WHOLE, PIXEL_MM) == pytest.approx(1)
    assert USUAL_MM < ASIDE_MM
