"""The fan in images that are drawn here."""

from __future__ import annotations

import numpy as np

from USGanSimLib.geometry.fan_outline import fan_outline


def sectors(count: int = 8, haze: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Speckled sectors (count, 60, 80) with their apex above the image, and the sector itself."""
    random = np.random.default_rng(1)
    v, u = np.mgrid[:60, :80]
    radius, angle = np.hypot(u - 39.5, v + 15), np.arctan2(u - 39.5, v + 15)
    inside = (radius > 20) & (radius < 70) & (np.abs(angle) < 0.6)
    images = np.where(inside, random.integers(60, 200, (count, 60, 80)), 0).astype(np.uint8)
    images[0, :, :20] = np.maximum(images[0, :, :20], haze)
    return images, inside


def test_the_outline_runs_along_the_edge_of_the_sector():
    images, inside = sectors()
    outline = fan_outline(images)
    half = len(outline) // 2
    right, left = outline[:half], outline[half:][::-1]
    for (right_px, row), (left_px, other) in zip(right, left, strict=True):
        assert row == other
        columns = np.flatnonzero(inside[int(row)])
        if len(columns) > 6:  # the closing rounds the tips
            assert abs(columns[0] - left_px) <= 2
            assert abs(columns[-1] - right_px) <= 2
    assert abs(np.flatnonzero(inside.any(axis=1))[[0, -1]] - right[[0, -1], 1]).max() <= 2


def test_haze_in_one_image_of_eight_does_not_widen_the_fan():
    np.testing.assert_array_equal(fan_outline(sectors(haze=90)[0]), fan_outline(sectors()[0]))


def test_dots_on_black_have_the_whole_image_around_them():
    images = np.zeros((3, 30, 40), np.uint8)
    images[:, 10:13, 20:23] = 255
    assert sorted(map(tuple, fan_outline(images))) == [(0, 0), (0, 29), (39, 0), (39, 29)]
    assert len(fan_outline(np.zeros((3, 30, 40), np.uint8))) == 4
