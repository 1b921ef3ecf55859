"""Spread and coverage as numbers and as images, on a renderer whose spread is known."""

from __future__ import annotations

import numpy as np
import pytest

from USGanSimLib.geometry.pose_distance import PoseRange
from USGanSimLib.uncertainty import coverage_image, coverage_mm, spread_grey, spread_image

AREA = np.ones((6, 8), bool)
AREA[:, 0] = False


class KnownSpread:
    """Samples whose SD in column u is 4 u grey levels about 128, whatever the pose."""

    def sample(self, image_to_reference: np.ndarray, n: int) -> np.ndarray:
        noise = np.random.default_rng(0).normal(size=(n, 6, 8))
        return np.rint(128 + 4 * np.arange(8) * noise).astype(np.uint8)


def at(z_mm: float) -> np.ndarray:
    pose = np.eye(4)
    pose[2, 3] = z_mm
    return pose


def test_the_spread_is_the_sd_between_samples_in_each_pixel() -> None:
    found = spread_grey(KnownSpread(), at(0), 400)
    assert found.shape == (6, 8)
    assert found.mean(axis=0) == pytest.approx(4 * np.arange(8), rel=0.05, abs=1e-9)
    # Two samples: the SD is half their difference times the root of two.
    first, second = KnownSpread().sample(at(0), 2).astype(float)
    assert spread_grey(KnownSpread(), at(0), 2) == pytest.approx(np.abs(first - second) / 2**0.5)


def test_beyond_the_reach_of_the_kept_frames_a_pixel_is_outside_the_swept_region() -> None:
    """Kept frames that are 3 mm from other training frames, and a margin of 5 mm: 8 mm on the whole."""
    known = PoseRange(8, 6, np.stack([at(0), at(50)]), coverage_mm=3.0, margin_mm=5.0)
    assert np.allclose(coverage_mm(known, at(7.9), AREA)[AREA], 7.9)
    assert np.isinf(coverage_mm(known, at(8.1), AREA)).all()
    assert np.allclose(coverage_mm(known, at(45), AREA)[AREA], 5.0)


def test_images_hold_half_grey_levels_and_tenths_of_a_millimetre() -> None:
    spread = np.full((6, 8), 3.0)
    spread[0, 1], spread[0, 2] = 0.0, 180.0
    image = spread_image(spread, AREA)
    assert image.dtype == np.uint8
    assert (image[0, 1], image[0, 2], image[1, 1], image[1, 0]) == (0, 255, 6, 0)
    covered = np.full((6, 8), 1.23)
    covered[0, 1:4] = 0.0, 99.0, np.inf
    image = coverage_image(covered, AREA)
    assert image[0, :5].tolist() == [0, 0, 254, 255, 12]
    assert not image[:, 0].any()
