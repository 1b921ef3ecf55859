"""Lag and scale from what moves in the images, in a drawn picture that slides under the probe."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from USGanSimLib.calibration.lag.content import Content, scale_interval
from USGanSimLib.calibration.lag.estimate import estimate_lag
from USGanSimLib.calibration.timing import Tracking
from USGanSimLib.errors import UserError
from USGanSimLib.geometry.image_geometry import ImageGeometry
from USGanSimLib.geometry.transforms import TransformTrack
from USGanSimLib.recording.calibration_file import read_calibration
from USGanSimLib.recording.sequence_file import read_sweep

LAG_S, TRUE_MM_PER_PX, FRAMES = 0.06, 0.2, 90


def place_mm(times_s: np.ndarray) -> np.ndarray:
    """(N, 3): the probe slides to and fro along its image, and a little deeper."""
    return np.column_stack(
        [6 * np.sin(2 * np.pi * 0.6 * times_s), 2 * np.sin(2 * np.pi * 0.37 * times_s), 0 * times_s]
    )


@pytest.fixture(scope="module")
def sliding() -> tuple[np.ndarray, np.ndarray, Tracking]:
    """Images (N, 160, 200) of a fixed speckle seen by the sliding probe, their stamps, and the tracker."""
    speckle = ndimage.gaussian_filter(np.random.default_rng(0).normal(0, 1, (400, 440)), 1.5)
    speckle = 110 + 35 * speckle / speckle.std()
    times_s = 1.0 + np.arange(FRAMES) / 12
    rows, columns = np.mgrid[:160, :200]
    images = [
        ndimage.map_coordinates(
            speckle, [rows + 120 + y / TRUE_MM_PER_PX, columns + 120 + x / TRUE_MM_PER_PX], order=3
        )
        for x, y, _ in place_mm(times_s + LAG_S)
    ]
    noise = np.random.default_rng(1).normal(0, 5, (FRAMES, 160, 200))
    pose_times_s = np.arange(0, 10, 0.03)
    poses = np.tile(np.eye(4), (len(pose_times_s), 1, 1))
    poses[:, :3, 3] = place_mm(pose_times_s)
    track = Tracking(pose_times_s, TransformTrack(poses, np.ones(len(poses), bool)), "tracker")
    return np.clip(np.array(images) + noise, 0, 255).astype(np.uint8), times_s, track


@pytest.mark.parametrize("believed_mm_per_px", [0.2, 0.25])
def test_lag_and_scale_are_found_together(sliding, believed_mm_per_px):
    images, times_s, track = sliding
    geometry = ImageGeometry(200, 160, np.diag([believed_mm_per_px, believed_mm_per_px, 1, 1]))
    content = Content.followed(images, np.ones(FRAMES, bool), geometry, "sweep.mha")
    lag_s = estimate_lag(content, times_s, track, "sweep.mha").lag_s
    assert lag_s == pytest.approx(LAG_S, abs=0.005)
    scale, low, high = scale_interval(content, times_s, track, lag_s)
    assert scale == pytest.approx(TRUE_MM_PER_PX / believed_mm_per_px, rel=0.01)
    assert low <= scale <= high
    assert high - low < 0.06


def test_a_probe_at_rest_tells_nothing(sliding):
    images, _, _ = sliding
    still = np.repeat(images[:1], 30, axis=0)
    with pytest.raises(UserError, match=r"moves by 0\.\d\d px from image to image, where 1 px are needed"):
        Content.followed(
            still, np.ones(30, bool), ImageGeometry(200, 160, np.diag([0.2, 0.2, 1, 1])), "sweep.mha"
        )


def test_content_that_changes_from_image_to_image_tells_nothing():
    noise = np.random.default_rng(0).integers(0, 255, (30, 160, 200)).astype(np.uint8)
    with pytest.raises(UserError, match=r"Only \d+ patches of sweep.mha could be followed"):
        Content.followed(
            noise, np.ones(30, bool), ImageGeometry(200, 160, np.diag([0.2, 0.2, 1, 1])), "sweep.mha"
        )


def test_a_sweep_across_its_plane_says_that_it_cannot_tell(plus_data):
    sweep = read_sweep(plus_data / "SpinePhantomFreehand.igs.mha")
    calibration = read_calibration(plus_data / "PlusDeviceSet_SpinePhantomFreehandReconstructionOnly.xml")
    geometry = calibration.geometry(sweep.width_px, sweep.height_px, sweep.name)
    with pytest.raises(UserError, match="tells neither lag nor scale"):
        Content.followed(sweep.frames, sweep.image_valid, geometry, sweep.name)
