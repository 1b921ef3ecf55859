"""The pinhead found in drawn images: to a part of a pixel, beside a bright floor, lost and found, corrected by hand."""

from __future__ import annotations

import numpy as np
import pytest

from USGanSimLib.calibration.pinhead.detection import propose
from USGanSimLib.calibration.spots import find_spots, scale_of_spot
from USGanSimLib.errors import UserError

WIDTH, HEIGHT, FRAMES = 240, 200, 40


def drawn(places: np.ndarray, strengths: np.ndarray, seed: int = 0) -> np.ndarray:
    """(N, H, W): a spot of 4×2 px (SDs) at each place, a slanted floor far brighter, and noise."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    images = []
    for index, ((u, v), strength) in enumerate(zip(places, strengths, strict=True)):
        spot = strength * np.exp(-0.5 * (((columns - u) / 4) ** 2 + ((rows - v) / 2) ** 2))
        floor = 220 * np.exp(-0.5 * ((rows - 150 - 0.1 * columns - index / 4) / 3) ** 2)
        images.append(np.clip(spot + floor + rng.normal(8, 3, rows.shape), 0, 255).astype(np.uint8))
    return np.array(images)


@pytest.fixture(scope="module")
def course() -> np.ndarray:
    times = np.arange(FRAMES)
    return np.column_stack([120 + 70 * np.sin(times / 6), 60 + 25 * np.cos(times / 9)])


def test_the_pin_is_found_without_a_click_to_a_part_of_a_pixel(course):
    found = propose(drawn(course, np.full(FRAMES, 120.0)), {})
    assert found.frames.tolist() == list(range(FRAMES))
    error_px = np.linalg.norm(found.pixels - course, axis=1)
    assert np.sqrt(np.mean(error_px**2)) < 0.15
    assert error_px.max() < 0.5
    assert not found.given.any()


def test_a_pin_out_of_sight_is_not_proposed_and_found_again(course):
    strengths = np.full(FRAMES, 120.0)
    strengths[12:25] = 0
    found = propose(drawn(course, strengths), {2: course[2]})
    assert set(found.frames) == set(range(12)) | set(range(25, FRAMES))
    assert np.linalg.norm(found.pixels - course[found.frames], axis=1).max() < 0.5


def test_given_points_are_kept_and_tracked_from(course):
    """A second, brighter spot leads the tracker astray until the right one is clicked."""
    images = drawn(course, np.full(FRAMES, 90.0))
    other = drawn(np.full((FRAMES, 2), (30.0, 40.0)), np.full(FRAMES, 150.0))
    images = np.maximum(images, np.where(np.arange(WIDTH) < 60, other, 0).astype(np.uint8))
    # The course begins with the pin at (120, 85), far from the other spot.
    clicked = {0: np.array([121.0, 84.0]), 30: np.array([10.0, 20.0])}
    found = propose(images, clicked)
    assert found.given[found.frames == 0].all()
    assert found.pixels[found.frames == 0][0].tolist() == [121, 84]
    assert found.pixels[found.frames == 30][0].tolist() == [10, 20]
    early = (found.frames > 0) & (found.frames < 8)
    assert np.linalg.norm(found.pixels[early] - course[found.frames[early]], axis=1).max() < 0.5


def test_unusable_frames_are_passed_over(course):
    usable = np.arange(FRAMES) != 5
    assert 5 not in propose(drawn(course, np.full(FRAMES, 120.0)), {0: course[0]}, usable).frames


def test_images_without_a_spot_are_refused(course):
    with pytest.raises(UserError, match="No frame has one spot"):
        propose(drawn(course, np.zeros(FRAMES)), {})
    with pytest.raises(UserError, match="Frame 40 is not in the recording, whose last is 39"):
        propose(drawn(course, np.zeros(FRAMES)), {40: course[0]})


def test_clicks_beside_the_pin_and_outside_the_image_are_refused(course):
    images = drawn(course, np.full(FRAMES, 120.0))
    with pytest.raises(
        UserError, match=r"No bright compact spot is at the 1 given places \(first: frame 3\)"
    ):
        propose(images, {3: np.array([15.0, 12.0])})
    with pytest.raises(
        UserError, match=rf"click in frame 3, \(500, 20\) px, is outside the image of {WIDTH}×"
    ):
        propose(images, {3: np.array([500.0, 20.0])})


def test_a_straight_line_is_hardly_a_spot():
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    line = (200 * np.exp(-0.5 * ((rows - 60 - 0.3 * columns) / 3) ** 2)).astype(np.uint8)
    spot = (200 * np.exp(-0.5 * (((rows - 60) / 3) ** 2 + ((columns - 70) / 3) ** 2))).astype(np.uint8)
    places, strengths = find_spots(line, 4.0, 1.0)
    middle = strengths[(places[:, 0] > 40) & (places[:, 0] < 200)]
    found, strength = find_spots(spot, 4.0, 1.0)
    np.testing.assert_allclose(found[0], (70, 60), atol=0.1)
    assert strength[0] > 4 * middle.max()


def test_the_scale_is_that_of_the_spot():
    rows, columns = np.mgrid[:100, :100]
    for sd in (2.0, 4.0, 8.0):
        image = (200 * np.exp(-0.5 * (((columns - 50) / sd) ** 2 + ((rows - 50) / sd) ** 2))).astype(np.uint8)
        assert scale_of_spot(image, np.array([50.0, 50]))[0] == pytest.approx(sd, rel=0.5)
