"""What a model expects: mean, SD and volume of a renderer whose images are known everywhere."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from USGanSimLib.expected import ModelVolume, expected, planes_of
from USGanSimLib.geometry.conditioning import CoordinateNormalisation, grid, pixel_affine
from USGanSimLib.geometry.image_geometry import Crop, ImageGeometry
from USGanSimLib.geometry.pose_distance import PoseRange
from USGanSimLib.model.info import ModelInfo

WIDTH, HEIGHT = 40, 30
GEOMETRY = ImageGeometry(WIDTH, HEIGHT, np.diag([0.5, 0.5, 1.0, 1.0]))


def field_grey(places_mm: np.ndarray) -> np.ndarray:
    """(3, …) mm → grey levels of a field that is smooth in all directions."""
    x, y, z = places_mm
    return 120 + 2 * x + 30 * np.sin(y / 6) - 1.5 * z


class FieldRenderer:
    """Images of that field with noise of SD 20, another one in every sample and for every seed."""

    def sample(self, image_to_reference: np.ndarray, n: int, seed: int = 0) -> np.ndarray:
        places = grid(pixel_affine(image_to_reference), WIDTH, HEIGHT)
        noise = np.random.default_rng(seed).normal(0, 20, (n, HEIGHT, WIDTH))
        return np.clip(np.rint(field_grey(places) + noise), 0, 255).astype(np.uint8)


def poses() -> np.ndarray:
    """Planes 2 mm apart along z, each tilted a little, and one far from the others."""
    found = np.tile(np.eye(4), (10, 1, 1))
    tilts = Rotation.from_rotvec(np.random.default_rng(1).normal(0, 3, (10, 3)), degrees=True).as_matrix()
    found[:, :3, :3] = tilts * (0.5, 0.5, 1.0)
    found[:, 2, 3] = 2.0 * np.arange(10)
    found[-1, 2, 3] = 60
    return found


def an_info() -> ModelInfo:
    return ModelInfo(
        "beams",
        {},
        GEOMETRY,
        (WIDTH, HEIGHT),
        Crop(0, 0, WIDTH, HEIGHT),
        "Reference",
        CoordinateNormalisation((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
        PoseRange(WIDTH, HEIGHT, poses(), coverage_mm=1.0),
        training_set_sha256="0" * 64,
        seed=0,
        iterations=1,
        software_version="0",
    )


def test_mean_and_sd_are_those_of_the_samples() -> None:
    mean, sd = expected(FieldRenderer(), poses()[3], samples=400)
    truth = field_grey(grid(pixel_affine(poses()[3]), WIDTH, HEIGHT))
    assert np.abs(mean - truth).mean() < 1.5
    assert sd.mean() == pytest.approx(20, rel=0.02)


def test_planes_stand_beside_the_kept_ones_along_their_normals_by_what_lies_between_these() -> None:
    found = planes_of(PoseRange(WIDTH, HEIGHT, poses(), coverage_mm=1.5)).reshape(3, 10, 4, 4)
    assert np.array_equal(found[0], poses())
    steps = found[1:, :, :3, 3] - poses()[:, :3, 3]
    assert np.allclose(np.linalg.norm(steps, axis=-1), 1.5)
    assert np.allclose(np.einsum("skc,kcj->skj", steps, poses()[:, :3, :2]), 0)
    far = planes_of(PoseRange(WIDTH, HEIGHT, poses(), coverage_mm=30.0)).reshape(3, 10, 4, 4)
    assert np.allclose(np.linalg.norm(far[1, :, :3, 3] - poses()[:, :3, 3], axis=-1), 4)


def test_the_volume_is_the_field_where_it_is_known_and_elsewhere_it_says_so() -> None:
    volume = ModelVolume(FieldRenderer(), an_info(), spacing_mm=1.0)
    assert list(volume.made()) == list(range(1, 31))
    depth, height, width = volume.grey.shape
    assert volume.known.shape == (depth, height, width) == volume.grid.shape[::-1]
    k, j, i = np.nonzero(volume.known)
    places = volume.grid.origin_mm[:, None] + volume.grid.spacing_mm * np.stack([i, j, k])
    inner = (places > [[2], [2], [1]]).all(axis=0) & (places < [[17], [12], [15]]).all(axis=0)
    off = volume.grey[k, j, i][inner] - field_grey(places[:, inner])
    assert inner.sum() > 2000
    assert abs(off.mean()) < 0.7
    assert np.abs(off).mean() < 4
    assert not volume.grey[~volume.known].any()
    assert 0.3 < volume.known.mean() < 1


def test_voxels_are_as_large_as_pixels_unless_asked_otherwise() -> None:
    assert ModelVolume(FieldRenderer(), an_info()).grid.spacing_mm == pytest.approx(0.5)
