"""Reconstruction and reslicing against volumes known in closed form."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from USGanSimLib.evaluation.predictors.volume import VolumeReslice, reconstruct
from USGanSimLib.geometry import volume_grid
from USGanSimLib.geometry.image_geometry import ImageGeometry
from USGanSimLib.recording.dataset import Dataset, write_dataset

WIDTH_PX, HEIGHT_PX, FRAMES = 24, 20, 16
GEOMETRY = ImageGeometry(WIDTH_PX, HEIGHT_PX, np.eye(4))
EVERYWHERE = np.ones((HEIGHT_PX, WIDTH_PX), bool)


def ramp(places_mm: np.ndarray) -> np.ndarray:
    """Grey levels that rise along x, y and z, (3, …) mm → (…)."""
    return 20 + 3 * places_mm[0] + 2 * places_mm[1] + 5 * places_mm[2]


def pixels(pose: np.ndarray) -> np.ndarray:
    v, u = np.mgrid[:HEIGHT_PX, :WIDTH_PX]
    return np.tensordot(pose[:3, [0, 1, 3]], np.stack([u, v, np.ones_like(u)]), 1)


def swept(folder: Path, places_mm: list[float], grey: Callable[[np.ndarray], np.ndarray] = ramp) -> Dataset:
    """Images 1 mm a pixel at the given places along z; the last is held out."""
    poses = np.tile(np.eye(4), (len(places_mm), 1, 1))
    poses[:, 2, 3] = places_mm
    images = np.rint(np.array([grey(pixels(pose)) for pose in poses])).astype(np.uint8)
    return write_dataset(folder, images, poses, GEOMETRY, heldout=np.arange(len(poses)) == len(poses) - 1)


def test_a_ramp_is_resliced_exactly_at_any_pose(tmp_path: Path) -> None:
    """Pixels that lie on voxels are kept as they are, and trilinear interpolation of a ramp is the ramp."""
    found = reconstruct(swept(tmp_path / "set", [*range(FRAMES), 7.0]), EVERYWHERE)
    assert found.spacing_mm == 1
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_euler("xyz", [25, -35, 10], degrees=True).as_matrix()
    pose[:3, 3] = 9.3, 6.6, 8.1
    expected = ramp(pixels(pose))
    low, high = 0.01, np.array([WIDTH_PX - 1, HEIGHT_PX - 1, FRAMES - 1])[:, None, None] - 0.01
    inside = ((pixels(pose) >= low) & (pixels(pose) <= high)).all(axis=0)
    assert inside.sum() > 50
    np.testing.assert_allclose(found.slice(pose, GEOMETRY)[inside], expected[inside], atol=1e-3)


def test_frames_at_one_place_are_averaged(tmp_path: Path) -> None:
    levels = iter([10, 40, 100, 0])
    found = reconstruct(
        swept(tmp_path / "set", [3.0, 3.0, 3.0, 9.0], lambda p: 0 * p[0] + next(levels)), EVERYWHERE
    )
    pose = np.eye(4)
    pose[2, 3] = 3
    np.testing.assert_allclose(found.slice(pose, GEOMETRY), 50, atol=1e-3)


def test_a_gap_between_frames_is_filled_from_both_sides(tmp_path: Path) -> None:
    places_mm = [*range(8), *range(10, FRAMES), 8.5]
    found = reconstruct(swept(tmp_path / "set", places_mm), EVERYWHERE)
    pose = np.eye(4)
    pose[2, 3] = 8.5
    middle = found.slice(pose, GEOMETRY)[6:-6, 6:-6]
    np.testing.assert_allclose(middle, ramp(pixels(pose))[6:-6, 6:-6], atol=1.5)
    assert found.filled_share > 0


def test_what_is_out_of_reach_stays_black(tmp_path: Path) -> None:
    found = reconstruct(swept(tmp_path / "set", [0.0, 1, 2, 30, 31, 32, 16]), EVERYWHERE)
    pose = np.eye(4)
    pose[2, 3] = 16
    assert not found.slice(pose, GEOMETRY).any()


def test_held_out_frames_and_what_lies_outside_the_field_of_view_are_not_used(tmp_path: Path) -> None:
    dataset = swept(
        tmp_path / "set",
        [*range(FRAMES), 4.0],
        lambda p: np.where((p[2] == 4) & (p[0] > 3), 250, 100) if p[2, 0, 0] != 4 else 0 * p[0] + 100,
    )
    field = EVERYWHERE.copy()
    field[:, :12] = False
    found = reconstruct(dataset, field)
    assert found.grey[12:20, :HEIGHT_PX, :FRAMES].max() <= 100.01
    # Filling reaches eight voxels beyond what is seen.
    assert found.grey[:3].max() == 0


def test_large_volumes_get_larger_voxels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = swept(tmp_path / "set", [*range(FRAMES), 7.0])
    monkeypatch.setattr(volume_grid, "MOST_VOXELS", 600)
    found = reconstruct(dataset, EVERYWHERE)
    assert found.spacing_mm == pytest.approx((23 * 19 * 15 / 600) ** (1 / 3))
    assert found.grey.size < 1500


def test_the_baseline_gives_the_held_out_ramp_and_black_around_the_field_of_view(tmp_path: Path) -> None:
    def in_a_box(places_mm: np.ndarray) -> np.ndarray:
        inside = (np.abs(places_mm[0] - 11.5) < 9) & (np.abs(places_mm[1] - 9.5) < 7)
        return np.where(inside, ramp(places_mm), 0)

    dataset = swept(tmp_path / "set", [*range(FRAMES), 7.0], in_a_box)
    (image,) = VolumeReslice(dataset).images(FRAMES)
    np.testing.assert_allclose(image, np.asarray(dataset.images[FRAMES]), atol=1)
    assert (image == 0).sum() == (np.asarray(dataset.images[FRAMES]) == 0).sum()


def test_filled_voxels_are_no_brighter_than_what_they_are_filled_from(tmp_path: Path) -> None:
    found = reconstruct(swept(tmp_path / "set", [0.0, 1, 8, 9, 4], lambda p: 0 * p[0] + 100), EVERYWHERE)
    for z_mm, level in ((2.0, 100), (3.0, 100), (5.0, 100), (7.0, 100)):
        pose = np.eye(4)
        pose[2, 3] = z_mm
        np.testing.assert_allclose(found.slice(pose, GEOMETRY), level, atol=0.01)
