"""Pixels and millimetres: what a crop and a change of size keep."""

from __future__ import annotations

import numpy as np
import pytest

from USGanSimLib.errors import UserError
from USGanSimLib.geometry.image_geometry import Crop, ImageGeometry, corner_distance_mm, resized_to_source

IMAGE_TO_PROBE = np.array([[0.0, 0.08, 0, 11], [-0.1, 0, 0, 48], [0, 0, 0.09, -0.4], [0, 0, 0, 1.0]])


def test_mm_per_px_are_the_lengths_of_the_first_two_columns() -> None:
    assert ImageGeometry(820, 616, IMAGE_TO_PROBE).mm_per_px == pytest.approx((0.1, 0.08))


def test_the_corners_of_the_area_stay_where_they_were_in_the_probe_frame() -> None:
    crop = Crop(100, 60, 640, 480)
    small = ImageGeometry(820, 616, IMAGE_TO_PROBE).resized(crop, 160, 120)
    # Pixel centres are whole numbers, so the area's outer edges lie half a pixel outside the first and last centre.
    for share_x in (0, 1):
        for share_y in (0, 1):
            full = IMAGE_TO_PROBE @ [100 - 0.5 + share_x * 640, 60 - 0.5 + share_y * 480, 0, 1]
            mine = small.image_to_probe @ [-0.5 + share_x * 160, -0.5 + share_y * 120, 0, 1]
            np.testing.assert_allclose(mine, full, atol=1e-12)
    assert small.mm_per_px == pytest.approx((0.4, 0.32))


def test_the_centroid_of_a_block_mean_is_the_pixel_it_becomes() -> None:
    full = np.zeros((60, 80))
    full[24:28, 40:44] = 1.0
    v, u = np.argwhere(full).mean(axis=0)
    crop = Crop(8, 4, 64, 48)
    small = full[4:52, 8:72].reshape(12, 4, 16, 4).mean(axis=(1, 3))
    ((row, column),) = np.argwhere(small > 0)
    np.testing.assert_allclose(resized_to_source(crop, 16, 12) @ [column, row, 0, 1], [u, v, 0, 1])


def test_the_whole_image_at_its_own_size_changes_nothing() -> None:
    np.testing.assert_array_equal(resized_to_source(Crop(0, 0, 33, 21), 33, 21), np.eye(4))


def test_a_resize_by_a_fraction_keeps_the_middle() -> None:
    middle = resized_to_source(Crop(10, 20, 101, 77), 40, 30) @ [(40 - 1) / 2, (30 - 1) / 2, 0, 1]
    np.testing.assert_allclose(middle, [10 + (101 - 1) / 2, 20 + (77 - 1) / 2, 0, 1])


@pytest.mark.parametrize("rectangle", [(-1, 0, 5, 5), (0, -2, 5, 5), (0, 0, 0, 5), (0, 0, 5, -1)])
def test_a_crop_without_area_is_refused(rectangle: tuple[int, int, int, int]) -> None:
    with pytest.raises(UserError, match="no area"):
        Crop(*rectangle)


def test_a_crop_that_leaves_the_image_is_refused_with_both_sizes() -> None:
    with pytest.raises(UserError, match=r"640×480 at \(181, 0\) leaves the image of 820×616"):
        ImageGeometry(820, 616, IMAGE_TO_PROBE).resized(Crop(181, 0, 640, 480), 160, 120)
    ImageGeometry(820, 616, IMAGE_TO_PROBE).resized(Crop(180, 136, 640, 480), 160, 120)


@pytest.mark.parametrize("spoil", [0.0, np.nan])
def test_a_zero_or_undefined_pixel_size_is_refused(spoil: float) -> None:
    matrix = IMAGE_TO_PROBE.copy()
    matrix[:3, 1] = spoil
    with pytest.raises(UserError, match="pixel size"):
        ImageGeometry(820, 616, matrix)


def test_the_corner_distance_of_a_shift_is_the_shift_and_of_a_scale_the_far_corner() -> None:
    first = ImageGeometry(101, 81, IMAGE_TO_PROBE)
    shifted, scaled = IMAGE_TO_PROBE.copy(), IMAGE_TO_PROBE.copy()
    shifted[:3, 3] += (3, 4, 12)
    scaled[:3, 0] *= 1.5
    assert corner_distance_mm(first, ImageGeometry(101, 81, shifted)) == pytest.approx(13)
    assert corner_distance_mm(first, ImageGeometry(101, 81, scaled)) == pytest.approx(100 * 0.05)
