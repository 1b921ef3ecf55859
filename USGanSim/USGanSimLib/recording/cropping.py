"""The crop of a recording's images around the ultrasound (field/): with a margin, and pixels square in millimetres."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..geometry.image_geometry import Crop
from .pixels import release_pages
from .sweep import Frames, TrackedSweep

# Enough frames to see where anything ever shows.
MOST_FRAMES = 500
# Room on every side of what was found, as a share of its size: another pose may show something further out.
MARGIN_SHARE = 0.03


def pixel_extremes(sweeps: Sequence[TrackedSweep], most_frames: int = MOST_FRAMES) -> tuple[Frames, Frames]:
    """The darkest and the brightest value (H, W) of every pixel over evenly spread valid frames of all sweeps."""
    shape = sweeps[0].frames.shape[1:]
    darkest, brightest = np.full(shape, 255, np.uint8), np.zeros(shape, np.uint8)
    for sweep in sweeps:
        valid = np.flatnonzero(sweep.image_valid)
        count = min(len(valid), max(most_frames // len(sweeps), 2))
        for index in valid[np.linspace(0, len(valid) - 1, count).round().astype(int)] if count else valid:
            np.minimum(darkest, sweep.frames[index], out=darkest)
            np.maximum(brightest, sweep.frames[index], out=brightest)
            release_pages(sweep.frames)
    return darkest, brightest


def grown_to_aspect(
    box: Crop, image_size_px: tuple[int, int], mm_per_px: tuple[float, float], size_px: tuple[int, int]
) -> Crop:
    """The box with a margin, made wider or higher so that pixels of `size_px` (width, height) are square in mm.

    It grows on both sides alike and moves inwards at the image's border. Near the border the margin gives way; where
    the image is too small even so, the pixels stay oblong (which the geometry carries exactly).
    """
    width_per_height = size_px[0] / size_px[1] * mm_per_px[1] / mm_per_px[0]
    roomy = 1 + 2 * MARGIN_SHARE
    width = min(roomy * max(box.width_px, box.height_px * width_per_height), image_size_px[0])
    height = min(roomy * max(box.height_px, box.width_px / width_per_height), image_size_px[1])
    width_px = max(box.width_px, round(min(width, height * width_per_height)))
    height_px = max(box.height_px, round(min(height, width / width_per_height)))
    return Crop(
        _moved_inside(box.x_px, box.width_px, width_px, image_size_px[0]),
        _moved_inside(box.y_px, box.height_px, height_px, image_size_px[1]),
        width_px,
        height_px,
    )


def _moved_inside(first_px: int, length_px: int, grown_px: int, limit_px: int) -> int:
    return min(max(first_px - (grown_px - length_px) // 2, 0), limit_px - grown_px)
