"""recording/cropping.py, the resizing, against averages in exact fractions and against closed forms."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from USGanSimLib.geometry.image_geometry import Crop
from USGanSimLib.recording.cropping import Resizer, axis_weights


def exact_average(image: np.ndarray, width_px: int, height_px: int) -> np.ndarray:
    """Area averages by cutting every pixel into width × height pieces, in whole numbers; halves upwards."""
    pieces = image.astype(object).repeat(height_px, axis=0).repeat(width_px, axis=1)
    rows, columns = image.shape
    cells = pieces.reshape(height_px, rows, width_px, columns).sum(axis=(1, 3))
    return np.array(
        [[math.floor(Fraction(int(cell), rows * columns) + Fraction(1, 2)) for cell in row] for row in cells],
        np.uint8,
    )


@pytest.mark.parametrize(
    ("source", "target"),
    [((20, 15), (7, 4)), ((12, 12), (6, 4)), ((9, 8), (8, 7)), ((13, 11), (13, 11)), ((11, 10), (1, 1))],
)
def test_every_pixel_is_the_average_over_the_exact_area_it_covers(
    source: tuple[int, int], target: tuple[int, int]
) -> None:
    image = np.random.default_rng(3).integers(0, 256, source[::-1], dtype=np.uint8)
    resized = Resizer(Crop(0, 0, *source), *target)(image)
    assert resized.dtype == np.uint8
    assert np.array_equal(resized, exact_average(image, *target))


def test_a_ramp_averages_to_the_ramp_at_the_cell_centres() -> None:
    image = np.tile(np.arange(120, dtype=np.uint8) * 2, (60, 1))
    resized = Resizer(Crop(0, 0, 120, 60), 40, 20)(image)
    # Cells of three columns are centred on columns 1, 4, 7, …, where the ramp is 2, 8, 14, …
    assert np.array_equal(resized, np.tile(np.arange(40) * 6 + 2, (20, 1)))


@pytest.mark.parametrize(("source_px", "target_px"), [(616, 120), (820, 160), (7, 7), (160, 159)])
def test_shrinking_keeps_the_mean_of_every_line(source_px: int, target_px: int) -> None:
    weights = axis_weights(source_px, target_px)
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-12)
    np.testing.assert_allclose(weights.sum(axis=0), target_px / source_px, rtol=1e-12)


def test_halves_are_rounded_upwards() -> None:
    image = np.array([[0, 0, 4, 5], [0, 2, 4, 5], [1, 1, 255, 254], [0, 1, 255, 254]], np.uint8)
    # Averages 0.5, 4.5, 0.75 and 254.5.
    assert Resizer(Crop(0, 0, 4, 4), 2, 2)(image).tolist() == [[1, 5], [1, 255]]


def test_the_crop_is_cut_out_first() -> None:
    image = np.arange(200, dtype=np.uint8).reshape(10, 20)
    assert np.array_equal(Resizer(Crop(3, 2, 8, 6), 8, 6)(image), image[2:8, 3:11])


def test_a_smaller_crop_is_stretched_along_straight_lines() -> None:
    image = np.tile(np.array([10, 20, 40], np.uint8), (2, 1))
    # Twelve cells of a quarter pixel; their centres lie at -0.375, -0.125, 0.125, … source pixels.
    expected = np.interp((np.arange(12) + 0.5) / 4 - 0.5, [0, 1, 2], [10, 20, 40])
    resized = Resizer(Crop(0, 0, 3, 2), 12, 2)(image)
    assert np.array_equal(resized, np.tile(np.floor(expected + 0.5), (2, 1)))


def test_one_axis_may_grow_while_the_other_shrinks() -> None:
    image = np.array([[0, 100], [10, 110], [20, 120], [30, 130]], np.uint8)
    assert Resizer(Crop(0, 0, 2, 4), 4, 2)(image).tolist() == [[5, 30, 80, 105], [25, 50, 100, 125]]
