"""Simulated recordings with known truth: poses, marks, table and volume, against a renderer that can be predicted."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from USGanSimLib.errors import UserError
from USGanSimLib.geometry.pose_distance import PoseRange
from USGanSimLib.geometry.transforms import TransformTrack
from USGanSimLib.recording import simulated
from USGanSimLib.recording.sequence_file import read_sweep, write_sweep
from USGanSimLib.recording.simulated import (
    Grid,
    PosePlan,
    compounding,
    outside_count,
    simulating,
    write_poses,
)

WIDTH_PX, HEIGHT_PX, COUNT = 24, 20, 16
IMAGE_TO_PROBE = np.diag([0.5, 0.5, 1, 1])
IMAGE_TO_PROBE[:3, 3] = -6, 3, 1
REFERENCE_TO_RAS = np.eye(4)
REFERENCE_TO_RAS[:3, :3] = Rotation.from_euler("xyz", [30, -20, 100], degrees=True).as_matrix()
REFERENCE_TO_RAS[:3, 3] = 100, -50, 20


class RampRenderer:
    """Grey levels that rise linearly in Reference: 50.2 + 2 x + 3 y + z, in mm."""

    width_px, height_px, image_to_probe = WIDTH_PX, HEIGHT_PX, IMAGE_TO_PROBE
    pose_range = PoseRange(WIDTH_PX, HEIGHT_PX, IMAGE_TO_PROBE[None], coverage_mm=1.0)

    def render(self, image_to_reference: np.ndarray) -> np.ndarray:
        v, u = np.mgrid[:HEIGHT_PX, :WIDTH_PX]
        x, y, z = np.tensordot(image_to_reference[:3, [0, 1, 3]], np.stack([u, v, np.ones_like(u)]), 1)
        return np.rint(50.2 + 2 * x + 3 * y + z).astype(np.uint8)


def plan(step_mm: float = 0.5, count: int = COUNT) -> PosePlan:
    """Images moved along their normal, ImageToRas."""
    poses = np.tile(IMAGE_TO_PROBE, (count, 1, 1))
    poses[:, 2, 3] += np.arange(count) * step_mm
    return PosePlan.of_poses("set", REFERENCE_TO_RAS @ poses)


def ended(steps):
    """What a generator returns, and all that it yields."""
    seen = []
    while True:
        try:
            seen.append(next(steps))
        except StopIteration as end:
            return end.value, seen


def simulated_set(**options):
    return ended(simulating(RampRenderer(), plan(**options), REFERENCE_TO_RAS, IMAGE_TO_PROBE))[0]


def test_each_image_is_that_of_its_pose_and_the_chain_to_ras_is_whole():
    sweep, shares = ended(simulating(RampRenderer(), plan(), REFERENCE_TO_RAS, IMAGE_TO_PROBE))
    for frame in range(COUNT):
        pose = IMAGE_TO_PROBE.copy()
        pose[2, 3] += 0.5 * frame
        assert np.array_equal(sweep.frames[frame], RampRenderer().render(pose))
        np.testing.assert_allclose(
            sweep.transforms["ImageToRas"].matrices[frame], REFERENCE_TO_RAS @ pose, atol=1e-9
        )
    probe = sweep.graph().track("Image", "Probe").matrices
    np.testing.assert_allclose(probe, np.tile(IMAGE_TO_PROBE, (COUNT, 1, 1)))
    moved = sweep.transforms["ProbeToReference"].matrices
    np.testing.assert_allclose(moved[:, :3, :3], np.tile(np.eye(3), (COUNT, 1, 1)), atol=1e-12)
    np.testing.assert_allclose(moved[:, 2, 3], np.arange(COUNT) * 0.5, atol=1e-9)
    assert shares == pytest.approx((np.arange(COUNT) + 1) / COUNT)


def test_poses_outside_the_trained_range_are_counted_and_marked_with_their_distance():
    sweep = simulated_set(step_mm=1.0)
    # One trained pose, 1 mm of coverage and 5 mm of margin: seven of the images lie within 6 mm.
    assert sweep.frame_fields["OutsideTrainedRange"] == ("0",) * 7 + ("1",) * 9
    assert sweep.frame_fields["NearestTrainedPoseMm"][:3] == ("0.00", "1.00", "2.00")
    assert outside_count(sweep) == 9


def test_what_is_no_pose_is_black_and_invalid():
    poses = plan()
    poses.valid[3] = False
    sweep, _ = ended(simulating(RampRenderer(), poses, REFERENCE_TO_RAS, IMAGE_TO_PROBE))
    assert not sweep.frames[3].any()
    assert not sweep.image_valid[3]
    assert not sweep.transforms["ImageToRas"].valid[3]
    assert sweep.image_valid.sum() == COUNT - 1


def test_the_recording_is_read_back_with_its_truth(tmp_path):
    sweep = simulated_set()
    write_sweep(tmp_path / "set.igs.mha", sweep)
    again = read_sweep(tmp_path / "set.igs.mha")
    assert np.array_equal(again.frames, sweep.frames)
    assert again.transforms.keys() == sweep.transforms.keys()
    assert (
        again.transforms["ImageToRas"].matrices.tobytes() == sweep.transforms["ImageToRas"].matrices.tobytes()
    )
    assert again.frame_fields["OutsideTrainedRange"] == sweep.frame_fields["OutsideTrainedRange"]


def test_the_table_holds_the_true_poses(tmp_path):
    sweep = simulated_set()
    write_poses(tmp_path / "poses.csv", sweep)
    with (tmp_path / "poses.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == COUNT
    pose = np.array([float(rows[5][f"m{row}{column}"]) for row in range(4) for column in range(4)]).reshape(
        4, 4
    )
    expected = IMAGE_TO_PROBE.copy()
    expected[2, 3] += 2.5
    np.testing.assert_allclose(pose, REFERENCE_TO_RAS @ expected, atol=1e-9)
    assert (rows[5]["frame"], rows[5]["valid"], rows[5]["OutsideTrainedRange"]) == ("5", "1", "0")
    assert float(rows[5]["timestamp_s"]) == pytest.approx(5 / 20)


def ramp_at(grid: Grid) -> np.ndarray:
    """The ramp at the voxels of a grid, and which of them lie inside the swept block."""
    index = np.moveaxis(np.indices(grid.shape), 0, -1).reshape(-1, 3)
    reference = (np.linalg.inv(REFERENCE_TO_RAS) @ grid.ijk_to_ras @ np.c_[index, np.ones(len(index))].T)[:3]
    inside = np.ones(len(index), bool)
    for axis, (low, high) in enumerate([(-6, 5.5), (3, 12.5), (1, 8.5)]):
        inside &= (reference[axis] > low + 0.5) & (reference[axis] < high - 0.5)
    return (50.2 + 2 * reference[0] + 3 * reference[1] + reference[2]).reshape(grid.shape), inside.reshape(
        grid.shape
    )


def test_a_ramp_is_compounded_to_the_ramp_on_a_grid_of_its_own():
    sweep = simulated_set()
    volume, shares = ended(compounding(sweep, Grid.around(sweep, 0.5)))
    truth, inside = ramp_at(volume.grid)
    assert inside.sum() > 3000
    # Half a grey level of rounding in pixels and voxels each, and the mean over the voxels around.
    np.testing.assert_allclose(volume.grey[inside], truth[inside], atol=2)
    assert volume.seen_share > 0.1
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1)


def test_on_a_given_grid_it_has_the_same_voxels_and_is_black_where_no_image_is():
    direction = Rotation.from_euler("xyz", [10, 50, -30], degrees=True).as_matrix()
    ijk_to_ras = np.eye(4)
    ijk_to_ras[:3, :3] = direction @ np.diag([0.6, 0.8, 0.7])
    centre = REFERENCE_TO_RAS @ [0, 8, 5, 1]
    ijk_to_ras[:3, 3] = centre[:3] - ijk_to_ras[:3, :3] @ [40, 45, 50]
    grid = Grid((80, 90, 100), ijk_to_ras)
    volume, _ = ended(compounding(simulated_set(), grid))
    truth, inside = ramp_at(grid)
    assert volume.grey.shape == grid.shape
    assert inside.sum() > 1000
    np.testing.assert_allclose(volume.grey[inside], truth[inside], atol=3)
    assert not volume.grey[:10].any()
    assert not volume.grey[..., -10:].any()


def test_images_beside_the_volume_and_volumes_beyond_the_memory_are_refused(monkeypatch):
    sweep = simulated_set()
    far = np.eye(4)
    far[:3, 3] = 1e4
    with pytest.raises(UserError, match="None of the images lies in the chosen volume"):
        next(compounding(sweep, Grid((10, 10, 10), far)))
    monkeypatch.setattr(simulated, "MOST_VOXELS", 1000)
    with pytest.raises(UserError, match="million voxels"):
        next(compounding(sweep, Grid.around(sweep, 0.5)))


@pytest.mark.parametrize("wanted_mm", [0.13, 0.2, 0.5])
def test_a_voxel_size_is_proposed_that_fits_and_no_larger_one(monkeypatch, wanted_mm):
    sweep = simulated_set()
    voxels = [np.prod(Grid.around(sweep, size_mm).shape) for size_mm in (0.2, 0.3, 0.4)]
    monkeypatch.setattr(simulated, "MOST_VOXELS", (voxels[1] + voxels[2]) // 2)
    fits_mm = Grid.voxel_that_fits_mm(sweep, wanted_mm)
    assert fits_mm == max(wanted_mm, 0.4)
    assert np.prod(Grid.around(sweep, fits_mm).shape) <= simulated.MOST_VOXELS


def test_invalid_images_take_no_part_in_the_volume():
    sweep = simulated_set()
    valid = np.ones(COUNT, bool)
    valid[4:] = False
    sweep.frames[4:] = 255
    tracks = {
        **sweep.transforms,
        "ImageToRas": TransformTrack(sweep.transforms["ImageToRas"].matrices, valid),
    }
    fewer = type(sweep)(sweep.frames, sweep.timestamps_s, tracks, valid, "few")
    volume, _ = ended(compounding(fewer, Grid.around(fewer, 0.5)))
    assert volume.grey.max() < 130


class FanRenderer(RampRenderer):
    """A bright rectangle with a faint rim, as a generator draws the edge of a field of view, and black around it."""

    def render(self, image_to_reference: np.ndarray) -> np.ndarray:
        v, u = np.mgrid[:HEIGHT_PX, :WIDTH_PX]
        odd = round(image_to_reference[2, 3] * 2) % 2
        from_border_px = np.minimum.reduce([u - 2, v - 2, WIDTH_PX - 3 - u, HEIGHT_PX - 3 - v])
        return np.select([from_border_px >= 1, from_border_px >= 0], [100 + 10 * odd, 8 * odd], 0).astype(
            np.uint8
        )


def test_the_faint_rim_of_a_fan_darkens_nothing():
    sweep, _ = ended(simulating(FanRenderer(), plan(), REFERENCE_TO_RAS, IMAGE_TO_PROBE))
    volume, _ = ended(compounding(sweep, Grid.around(sweep, 0.5)))
    lit = volume.grey[volume.grey > 0]
    assert lit.size > 1000
    assert lit.min() >= 99
