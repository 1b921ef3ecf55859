"""Controls on predictors whose behaviour is known: moved scenes, constants, copies, noise."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from USGanSimLib.evaluation.measures.controls import ShuffledPoses, Speed, spread
from USGanSimLib.evaluation.measures.floor import RealImageElsewhere
from USGanSimLib.evaluation.measures.geometry_control import GeometryControl, displacement_mm, window_inside
from USGanSimLib.evaluation.measures.same_pose import SamePose, energy_distance
from USGanSimLib.evaluation.measures.video import VideoControl, successive_pairs
from USGanSimLib.evaluation.predictors.predictor import (
    NearestTrainingFrame,
    PosePredictor,
    RealImage,
    SecondScan,
)
from USGanSimLib.geometry.image_geometry import ImageGeometry
from USGanSimLib.geometry.transforms import Matrix
from USGanSimLib.recording.dataset import Dataset, write_dataset
from USGanSimLib.recording.sweep import Frames

WIDTH_PX, HEIGHT_PX, COUNT = 80, 60, 24
MM_PER_PX = (0.6, 0.8)
SCENE = ndimage.gaussian_filter(np.random.default_rng(0).uniform(0, 255, (200, 200)), 3)
SCENE = np.clip((SCENE - SCENE.mean()) / SCENE.std() * 45 + 120, 0, 255)


def view(pose: Matrix, speed: float = 1.0) -> np.ndarray:
    """The scene, 1 mm a cell, as seen at a pose that moves in its plane; `speed` 1 is right."""
    v, u = np.mgrid[:HEIGHT_PX, :WIDTH_PX]
    x, y = u * MM_PER_PX[0] + speed * pose[0, 3] + 40, v * MM_PER_PX[1] + speed * pose[1, 3] + 40
    return ndimage.map_coordinates(SCENE, [y, x], order=1)


class Seen(PosePredictor):
    """Sees the scene with another speed, with noise of its own, or at a fixed place."""

    def __init__(self, dataset: Dataset, speed: float = 1.0, noise: float = 0.0) -> None:
        super().__init__("seen", dataset)
        self.speed, self.noise = speed, noise

    def at(self, pose: Matrix, count: int, seed: int) -> Frames:
        random = np.random.default_rng(seed)
        images = view(pose, self.speed) + random.normal(0, self.noise, (count, HEIGHT_PX, WIDTH_PX))
        return np.clip(np.rint(images), 0, 255).astype(np.uint8)


@pytest.fixture
def scanned(tmp_path: Path) -> Dataset:
    """24 frames along x at growing steps; twelve in the middle held out."""
    pose = np.diag([*MM_PER_PX, 1.0, 1.0])
    poses = np.tile(pose, (COUNT, 1, 1))
    poses[:, 0, 3] = 0.06 * np.arange(COUNT) ** 2
    images = np.rint([view(pose) for pose in poses]).astype(np.uint8)
    return write_dataset(
        tmp_path / "set",
        images,
        poses,
        ImageGeometry(WIDTH_PX, HEIGHT_PX, pose),
        heldout=np.abs(np.arange(COUNT) - 11.5) < 6,
    )


@pytest.mark.parametrize("shift_mm", [(0.0, 0.0), (3.0, -2.0), (-4.4, 5.1), (0.35, 0.2)])
def test_a_shifted_image_is_found_at_its_shift(scanned, shift_mm) -> None:
    moved = np.eye(4)
    moved[:2, 3] = -np.array(shift_mm)
    window = window_inside(np.ones((HEIGHT_PX, WIDTH_PX), bool), MM_PER_PX)
    found = displacement_mm(view(np.eye(4)), view(moved), window, MM_PER_PX)
    np.testing.assert_allclose(found, shift_mm, atol=0.08)


@pytest.mark.parametrize(("speed", "near_share"), [(1.0, 1), (0.6, 0.5), (0.0, 0), (1.4, 0.5)])
def test_the_slope_is_the_speed_of_the_scene(scanned, speed: float, near_share: float) -> None:
    values = GeometryControl(scanned).values(Seen(scanned, speed))
    assert values["geometry_slope"] == pytest.approx(speed, abs=0.02)
    # Moves of 2 and 4 mm: an RMS of √10.
    assert values["geometry_rms_mm"] == pytest.approx(abs(speed - 1) * np.sqrt(10), abs=0.1)
    # At 0.6 and 1.4, moves of 2 mm are 0.8 mm off and those of 4 mm twice as much.
    assert values["geometry_within_1mm_share"] == near_share


def test_noise_that_is_drawn_anew_does_not_hide_the_movement(scanned) -> None:
    assert GeometryControl(scanned).values(Seen(scanned, noise=25))["geometry_slope"] == pytest.approx(
        1, abs=0.05
    )


def test_a_copied_frame_does_not_follow(scanned) -> None:
    assert abs(GeometryControl(scanned).values(NearestTrainingFrame(scanned))["geometry_slope"]) < 0.5


def test_real_frames_cannot_be_moved(scanned) -> None:
    assert set(GeometryControl(scanned).values(RealImage(scanned)).values()) == {None}


def test_a_window_stays_clear_of_the_fan() -> None:
    field = np.zeros((HEIGHT_PX, WIDTH_PX), bool)
    field[5:55, 10:70] = True
    rows, columns = window_inside(field, MM_PER_PX)
    assert rows.start - 7 / 0.8 >= 5
    assert rows.stop + 7 / 0.8 <= 55
    assert columns.start - 7 / 0.6 >= 10
    assert columns.stop + 7 / 0.6 <= 70
    assert (
        window_inside(np.zeros((HEIGHT_PX, WIDTH_PX), bool) | (np.arange(WIDTH_PX) < 20), MM_PER_PX) is None
    )


def test_shuffled_poses_cost_a_predictor_that_looks_at_the_pose_and_no_other(scanned) -> None:
    control = ShuffledPoses(scanned)
    right, blind = control.values(Seen(scanned)), control.values(Seen(scanned, speed=0))
    assert right["ncc_field"] == pytest.approx(1, abs=0.01)
    assert right["ncc_field_lost"] > 0.3
    assert blind["ncc_field_lost"] == pytest.approx(0, abs=1e-9)
    real = control.values(RealImage(scanned))
    assert right["ncc_field_shuffled"] == pytest.approx(real["ncc_field_shuffled"], abs=0.02)


def test_images_that_are_shuffled_already_are_not_shuffled_again(scanned) -> None:
    assert set(ShuffledPoses(scanned).values(RealImageElsewhere(scanned)).values()) == {None}


def test_time_is_taken_of_single_images(scanned) -> None:
    class Slow(Seen):
        def at(self, pose: Matrix, count: int, seed: int) -> Frames:
            time.sleep(0.004)
            return super().at(pose, count, seed)

    values = Speed(scanned).values(Slow(scanned))
    assert 4 <= values["render_median_ms"] <= values["render_p95_ms"]
    assert set(Speed(scanned).values(RealImage(scanned)).values()) == {None}


def test_frames_are_spread_to_both_ends() -> None:
    assert spread(np.arange(100, 200), 4).tolist() == [100, 133, 166, 199]
    assert spread(np.arange(3), 9).tolist() == [0, 1, 2]


def test_the_field_of_view_is_the_fan_with_its_holes_and_all_where_there_is_none(
    tmp_path, dotted_set
) -> None:
    v, u = np.mgrid[:HEIGHT_PX, :WIDTH_PX]
    fan = (np.hypot(u - 40, v + 10) < 60) & (np.abs(np.degrees(np.arctan2(u - 40, v + 10))) < 50)
    lit = fan & ~((np.abs(u - 40) < 4) & (np.abs(v - 25) < 4))
    random = np.random.default_rng(0)
    images = np.where(lit, random.integers(20, 200, (20, HEIGHT_PX, WIDTH_PX)), 3).astype(np.uint8)
    dataset = write_dataset(
        tmp_path / "fan",
        images,
        np.tile(np.eye(4), (20, 1, 1)),
        ImageGeometry(WIDTH_PX, HEIGHT_PX, np.eye(4)),
        heldout=np.arange(20) > 15,
    )
    # The median rounds the fan's corners by a pixel or two.
    assert (dataset.field.mask() != fan).sum() <= 6
    assert dotted_set.dataset.field.mask().all()


def held_set(folder: Path, spread_grey: float = 20.0) -> Dataset:
    """Two held poses of eight repeats each, both held out, and eight training frames; noise differs between repeats."""
    random = np.random.default_rng(3)
    poses = np.tile(np.diag([*MM_PER_PX, 1.0, 1.0]), (24, 1, 1))
    poses[8:16, 0, 3], poses[16:, 0, 3] = 6, 12
    clean = np.array([view(pose) for pose in poses])
    images = np.clip(np.rint(clean + random.normal(0, spread_grey, clean.shape)), 0, 255).astype(np.uint8)
    return write_dataset(
        folder,
        images,
        poses,
        ImageGeometry(WIDTH_PX, HEIGHT_PX, poses[0]),
        heldout=np.arange(24) >= 8,
        hold=np.repeat([-1, 0, 1], 8),
    )


def test_samples_with_the_real_noise_have_its_spread_and_no_energy_distance(tmp_path) -> None:
    dataset = held_set(tmp_path / "set")
    control = SamePose(dataset)
    assert control.poses == [8, 16]
    right, half, none = (control.values(Seen(dataset, noise=noise)) for noise in (20, 10, 0))
    assert right["spread_ratio"] == pytest.approx(1, abs=0.03)
    assert half["spread_ratio"] == pytest.approx(0.5, abs=0.03)
    assert right["energy_distance_grey"] == pytest.approx(0, abs=0.2)
    assert right["energy_distance_grey"] < half["energy_distance_grey"] < none["energy_distance_grey"]
    # Without noise: 2 · 20 between the single image and the repeats, less 20 √2 between two repeats.
    assert none["energy_distance_grey"] == pytest.approx(40 - 20 * np.sqrt(2), abs=0.5)


def test_real_repeats_spread_as_real_repeats_do_whatever_their_number(tmp_path) -> None:
    """The SD of three is 1.11 times that of two on average: halves must be of one size."""
    dataset = held_set(tmp_path / "set")
    five = dataclasses.replace(dataset, heldout=np.isin(np.arange(24), [*range(8, 13), *range(16, 21)]))
    five = dataclasses.replace(five, hold=np.where(five.heldout, dataset.hold, -1).astype(np.int32))
    real = SamePose(five).values(RealImage(five))
    assert real["spread_ratio"] == pytest.approx(1, abs=0.03)


def test_duplicates_have_no_diversity(tmp_path) -> None:
    dataset = held_set(tmp_path / "set")
    control = SamePose(dataset)
    copied, varied = (control.values(Seen(dataset, noise=noise)) for noise in (0, 20))
    assert (copied["spread_ratio"], copied["ms_ssim_samples"]) == (0, pytest.approx(1))
    assert varied["ms_ssim_samples"] < 0.97
    real = control.values(RealImage(dataset))
    assert varied["ms_ssim_samples"] == pytest.approx(real["ms_ssim_samples"], abs=0.01)
    assert real["energy_distance_grey"] == pytest.approx(0, abs=0.3)


def test_without_repeats_samples_are_compared_among_themselves(scanned) -> None:
    control = SamePose(scanned)
    values = control.values(Seen(scanned, noise=20))
    assert (values["spread_ratio"], values["energy_distance_grey"]) == (None, None)
    assert 0 < values["ms_ssim_samples"] < 1
    assert "no real repeats" in control.note
    assert set(control.values(RealImage(scanned)).values()) == {None}


def test_the_energy_distance_of_two_lines_is_known() -> None:
    """Points 0 and 2 against 1 and 5: 2 · mean(1, 5, 1, 3) − 2 − 4."""
    assert energy_distance(np.array([[0.0], [2]]), np.array([[1.0], [5]])) == pytest.approx(2 * 2.5 - 2 - 4)


def test_a_second_scan_is_another_repeat_of_the_same_pose(tmp_path) -> None:
    dataset = held_set(tmp_path / "set")
    second = SecondScan(dataset)
    np.testing.assert_array_equal(second.images(8)[0], np.asarray(dataset.images[9]))
    np.testing.assert_array_equal(second.images(15)[0], np.asarray(dataset.images[8]))
    np.testing.assert_array_equal(second.images(16)[0], np.asarray(dataset.images[17]))
    assert second.images(3).shape == (0, HEIGHT_PX, WIDTH_PX)


def test_a_true_predictor_changes_as_the_real_frames_do(scanned) -> None:
    control = VideoControl(scanned)
    values = control.values(Seen(scanned))
    assert values["video_change_ratio"] == pytest.approx(1, abs=0.02)
    assert values["video_step_correlation"] > 0.95, "the steps grow, and so does the change"
    still = control.values(Seen(scanned, speed=0))
    assert (still["video_change_ratio"], still["video_step_correlation"]) == (0, None)


def test_flicker_shows_at_small_steps_unless_the_noise_is_kept(scanned) -> None:
    class Flickering(Seen):
        def at(self, pose: Matrix, count: int, seed: int) -> Frames:
            return super().at(pose, count, int(1000 * pose[0, 3]))

    control = VideoControl(scanned)
    flickering, kept = (control.values(kind(scanned, noise=40)) for kind in (Flickering, Seen))
    assert flickering["video_ratio_small_steps"] > flickering["video_ratio_large_steps"] > 1
    assert flickering["video_ratio_small_steps"] > 2
    assert kept["video_change_ratio"] == pytest.approx(1, abs=0.15)


def test_pairs_follow_one_another_in_one_recording(scanned) -> None:
    broken = dataclasses.replace(
        scanned,
        source_frame=np.where(np.arange(COUNT) > 9, np.arange(COUNT) + 5, np.arange(COUNT)).astype(np.int32),
        sweep_index=(np.arange(COUNT) > 13).astype(np.int32),
        hold=np.where(np.arange(COUNT) >= 16, 0, -1).astype(np.int32),
    )
    assert successive_pairs(broken).tolist() == [
        [6, 7],
        [7, 8],
        [8, 9],
        [10, 11],
        [11, 12],
        [12, 13],
        [14, 15],
    ]
