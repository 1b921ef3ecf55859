"""Compounding against volumes known in closed form; slabs against the whole."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from USGanSimLib.geometry import compounding as compounding_module
from USGanSimLib.geometry.compounding import FARTHEST_FILL, Compounding

SIZE = 20
# Voxels of 2 mm whose axes are turned against Reference.
VOXEL_TO_REFERENCE = np.eye(4)
VOXEL_TO_REFERENCE[:3, :3] = 2 * Rotation.from_euler("xyz", [20, -30, 70], degrees=True).as_matrix()
VOXEL_TO_REFERENCE[:3, 3] = 5, -7, 11


def compounded(stack: dict[int, np.ndarray], size: int = SIZE) -> Compounding:
    """Images whose pixels lie on the voxels of the planes k."""
    result = Compounding((size, size, size), np.linalg.inv(VOXEL_TO_REFERENCE))
    for k, image in stack.items():
        place = np.eye(4)
        place[2, 3] = k
        result.add(image, VOXEL_TO_REFERENCE @ place)
    for _ in result.fill():
        pass
    return result


def test_pixels_on_voxels_keep_their_grey_level_whatever_the_grids_direction():
    rng = np.random.default_rng(0)
    stack = {k: rng.integers(0, 256, (SIZE, SIZE), np.uint8) for k in range(SIZE)}
    found = compounded(stack)
    expected = np.stack([image.T for image in stack.values()], axis=-1)
    np.testing.assert_allclose(found.grey, expected, atol=0.01)
    assert found.seen_share > 0.99


def test_pixels_beside_the_volume_are_left_out():
    image = np.full((SIZE + 10, SIZE + 10), 100, np.uint8)
    found = compounded({3: image, -2: image, SIZE + 1: image})
    np.testing.assert_allclose(found.grey[:, :, 3], 100, atol=0.01)
    assert found.seen_share == pytest.approx(1 / SIZE)


def test_a_constant_is_filled_with_itself_as_far_as_it_reaches_and_no_further():
    found = compounded({0: np.full((40, 40), 77, np.uint8)}, size=40)
    near = found.grey[..., : FARTHEST_FILL + 1]
    np.testing.assert_allclose(near[5:-5, 5:-5, :6], 77, atol=0.01)
    assert not found.grey[..., FARTHEST_FILL + 1 :].any()


def test_the_number_of_steps_changes_nothing(monkeypatch):
    rng = np.random.default_rng(1)
    stack = {k: rng.integers(0, 256, (SIZE, SIZE), np.uint8) for k in (1, 2, 6, 12, 19)}
    whole = compounded(stack)
    monkeypatch.setattr(compounding_module, "_VOXELS_A_STEP", 1)
    slabs = compounded(stack)
    np.testing.assert_allclose(slabs.grey, whole.grey, atol=1e-3)
    assert slabs.filled_share == whole.filled_share > 0


def test_steps_tell_how_far_they_are(monkeypatch):
    monkeypatch.setattr(compounding_module, "_VOXELS_A_STEP", 4 * SIZE**2)
    done = list(Compounding((SIZE, SIZE, SIZE), np.eye(4)).fill())
    assert len(done) == 3 * SIZE / 4
    assert done == sorted(done)
    assert done[-1] == 1
