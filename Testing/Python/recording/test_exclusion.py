"""recording/splits.py, what is left out: near by pixels or by the jitter, which is measured at rest."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from USGanSimLib.errors import UserError
from USGanSimLib.geometry.image_geometry import ImageGeometry
from USGanSimLib.recording.dataset import Dataset, open_dataset, resplit, write_dataset
from USGanSimLib.recording.splits import Exclusion, jitter_of_sds, jitter_of_static, within_confidence

GEOMETRY = ImageGeometry(10, 8, np.diag([0.5, 0.25, 1.0, 1.0]))
# The upper 5 % point of χ² with six degrees of freedom, from tables.
CHI2_6_95 = 12.592


def along_x(places_mm: list[float]) -> np.ndarray:
    poses = np.tile(np.eye(4), (len(places_mm), 1, 1))
    poses[:, 0, 3] = places_mm
    return poses


def a_set(folder: Path, exclusion: Exclusion | None = None) -> Dataset:
    """Frames 1 mm apart, the last three held out."""
    poses = along_x(list(range(12))) @ GEOMETRY.image_to_probe
    images = np.random.default_rng(0).integers(0, 256, (12, 8, 10), dtype=np.uint8)
    return write_dataset(folder, images, poses, GEOMETRY, heldout=np.arange(12) >= 9, exclusion=exclusion)


@pytest.mark.parametrize(("radius_mm", "left"), [(0, 9), (0.99, 9), (1.01, 8), (5.01, 4), (8.5, 1)])
def test_frames_within_the_radius_of_a_held_out_pose_are_left_out(
    tmp_path: Path, radius_mm: float, left: int
) -> None:
    dataset = a_set(tmp_path / "set", Exclusion(radius_mm))
    assert dataset.train_indices.tolist() == list(range(left))
    assert dataset.heldout_indices.tolist() == [9, 10, 11]


def test_the_radius_is_the_rms_displacement_of_the_pixels_of_a_turned_image() -> None:
    """Turned about its corner by a small angle, a pixel at r moves by r times the angle."""
    angle = 0.01
    poses = np.stack([np.eye(4), np.eye(4)])
    poses[0, :3, :3] = Rotation.from_rotvec([0, 0, angle]).as_matrix()
    u_mm, v_mm = np.meshgrid(0.5 * np.arange(10), 0.25 * np.arange(8))
    rms_mm = 2 * np.sin(angle / 2) * np.sqrt((u_mm**2 + v_mm**2).mean())
    heldout = np.array([False, True])
    for factor, expected in ((0.999, False), (1.001, True)):
        found = Exclusion(rms_mm * factor).of(poses @ GEOMETRY.image_to_probe, heldout, GEOMETRY)
        assert found.tolist() == [expected, False]


def test_the_confidence_region_ends_where_the_chi_square_table_says() -> None:
    for sds in (0.99, 1.01):
        reach = sds * np.sqrt(CHI2_6_95)
        moved = along_x([reach * 0.3])
        turned = np.eye(4)[None].copy()
        turned[0, :3, :3] = Rotation.from_rotvec([0, np.deg2rad(reach * 0.2), 0]).as_matrix()
        for pose in (moved, turned):
            assert within_confidence(pose, along_x([50, 0]), jitter_of_sds(0.3, 0.2)).tolist() == [sds < 1]


def test_translation_and_rotation_add_up_in_the_confidence_region() -> None:
    """Each is 0.8 of the radius: alone inside, together (1.13) outside."""
    reach = 0.8 * np.sqrt(CHI2_6_95)
    pose = along_x([reach * 0.3])
    assert within_confidence(pose, along_x([0]), jitter_of_sds(0.3, 0.2)).all()
    pose[0, :3, :3] = Rotation.from_rotvec([np.deg2rad(reach * 0.2), 0, 0]).as_matrix()
    assert not within_confidence(pose, along_x([0]), jitter_of_sds(0.3, 0.2)).any()


def test_correlated_jitter_reaches_further_along_than_across() -> None:
    jitter = jitter_of_sds(1.0, 1.0)
    jitter[3, 4] = jitter[4, 3] = 0.99
    along, across = np.eye(4), np.eye(4)
    along[:2, 3], across[:2, 3] = (2, 2), (2, -2)
    # d Σ⁻¹ d is 8 / 1.99 along and 8 / 0.01 across.
    assert within_confidence(np.stack([along, across]), np.eye(4)[None], jitter).tolist() == [True, False]


def at_rest(count: int, sd_mm: float, sd_deg: float) -> np.ndarray:
    random = np.random.default_rng(3)
    poses = np.tile(np.eye(4), (count, 1, 1))
    middle = Rotation.from_euler("xyz", [40, -20, 100], degrees=True)
    poses[:, :3, :3] = (
        Rotation.from_rotvec(np.deg2rad(random.normal(0, sd_deg, (count, 3)))) * middle
    ).as_matrix()
    poses[:, :3, 3] = random.normal([10, 20, 30], sd_mm, (count, 3))
    return poses


def test_the_jitter_of_a_probe_at_rest_is_measured() -> None:
    found = jitter_of_static(at_rest(4000, 0.25, 0.12), "rest")
    sds = np.sqrt(np.diag(found))
    np.testing.assert_allclose(sds[3:], 0.25, rtol=0.05)
    np.testing.assert_allclose(np.rad2deg(sds[:3]), 0.12, rtol=0.05)
    off_diagonal = found / np.outer(sds, sds) - np.eye(6)
    assert np.abs(off_diagonal).max() < 0.06


def test_a_probe_that_moves_is_no_probe_at_rest() -> None:
    poses = at_rest(200, 0.25, 0.12)
    poses[:, 0, 3] += np.linspace(0, 20, 200)
    with pytest.raises(UserError, match="The probe moves in rest"):
        jitter_of_static(poses, "rest")


def test_too_few_or_unchanging_poses_give_no_jitter() -> None:
    with pytest.raises(UserError, match="rest has 19 valid poses.*at least 20"):
        jitter_of_static(at_rest(19, 0.2, 0.1), "rest")
    with pytest.raises(UserError, match="do not jitter in every direction"):
        jitter_of_static(np.tile(np.eye(4), (30, 1, 1)), "rest")


@pytest.mark.parametrize("radius_mm", [-1, np.inf, np.nan])
def test_a_radius_without_meaning_is_refused(radius_mm: float) -> None:
    with pytest.raises(UserError, match="makes no sense"):
        Exclusion(radius_mm)


def test_an_exclusion_that_leaves_nothing_is_refused_with_the_numbers(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="3 of 12 frames are held out, and 9 are too near"):
        a_set(tmp_path / "set", Exclusion(100))
    assert not (tmp_path / "set").exists()


def test_an_excluded_set_comes_back_and_shares_the_hash_of_its_split(tmp_path: Path) -> None:
    exclusion = Exclusion(2.5, jitter_of_sds(0.3, 0.1))
    plain, excluded = a_set(tmp_path / "plain"), a_set(tmp_path / "excluded", exclusion)
    read = open_dataset(excluded.folder)
    assert read.excluded.tolist() == [False] * 7 + [True] * 2 + [False] * 3
    assert read.exclusion.rms_mm == 2.5
    np.testing.assert_array_equal(read.exclusion.jitter, exclusion.jitter)
    assert plain.sha256 == plain.split_sha256 == read.split_sha256 != read.sha256
    # The coordinates of frames that are not trained on must not enter the constants of the model.
    assert read.normalisation.mean_mm[0] < plain.normalisation.mean_mm[0]


def test_splitting_anew_in_memory_is_what_writing_it_would_be(tmp_path: Path) -> None:
    plain, exclusion = a_set(tmp_path / "plain"), Exclusion(1.5)
    for changed, written in (
        (resplit(plain, exclusion=exclusion), a_set(tmp_path / "excluded", exclusion)),
        (
            resplit(plain, np.arange(12) < 4, exclusion),
            write_dataset(
                tmp_path / "first",
                plain.images,
                plain.poses,
                GEOMETRY,
                heldout=np.arange(12) < 4,
                exclusion=exclusion,
            ),
        ),
    ):
        assert changed.train_indices.tolist() == written.train_indices.tolist()
        assert (changed.sha256, changed.split_sha256) == (written.sha256, written.split_sha256)
        assert dataclasses.astuple(changed.normalisation) == dataclasses.astuple(written.normalisation)
