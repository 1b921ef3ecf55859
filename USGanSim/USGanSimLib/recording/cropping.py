"""Images as a training set has them: cropped around the ultrasound (field/), pixels square in millimetres, resized."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ..geometry.image_geometry import Crop
from ..geometry.sampling import evenly
from .pixels import release_pages
from .sweep import Frames, TrackedSweep

# Enough frames to see where anything ever shows.
MOST_FRAMES = 500
# Sums of the same numbers in another order differ by less; a tie is then rounded alike on every machine.
_TIE = 1e-9
# Room on every side of what was found, as a share of its size: another pose may show something further out.
MARGIN_SHARE = 0.03


def pixel_extremes(sweeps: Sequence[TrackedSweep], most_frames: int = MOST_FRAMES) -> tuple[Frames, Frames]:
    """The darkest and the brightest value (H, W) of every pixel over evenly spread valid frames of all sweeps."""
    shape = sweeps[0].frames.shape[1:]
    darkest, brightest = np.full(shape, 255, np.uint8), np.zeros(shape, np.uint8)
    for sweep in sweeps:
        valid = np.flatnonzero(sweep.image_valid)
        count = min(len(valid), max(most_frames // len(sweeps), 2))
        for index in valid[evenly(len(valid), count)]:
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


class Resizer:
    """Cuts `crop` out of an image and resizes it to width × height.

    Each axis is a sparse matrix of weights, so an image is rows · image · columnsᵀ. Where an axis shrinks, a pixel
    is the average over the exact area it covers, parts of source pixels included: the mean of the image is kept.
    Where it grows, it is interpolated linearly between pixel centres and constant beyond the outermost ones.
    The geometry of the result is `ImageGeometry.resized`.
    """

    def __init__(self, crop: Crop, width_px: int, height_px: int) -> None:
        self._crop = crop
        self._rows = sparse.csr_array(axis_weights(crop.height_px, height_px))
        self._columns = sparse.csr_array(axis_weights(crop.width_px, width_px))

    def __call__(self, image: Frames) -> Frames:
        """(H, W) uint8 → (height, width) uint8, rounded to the nearest level, halves upwards."""
        crop = self._crop
        part = image[crop.y_px : crop.y_px + crop.height_px, crop.x_px : crop.x_px + crop.width_px]
        result: NDArray[np.float64] = (self._columns @ (self._rows @ part.astype(np.float64)).T).T
        return np.floor(result + (0.5 + _TIE)).astype(np.uint8)


def axis_weights(source_px: int, target_px: int) -> NDArray[np.float64]:
    """Weights (target, source) of one axis; every row sums to one."""
    return (
        _area_weights(source_px, target_px) if target_px <= source_px else _line_weights(source_px, target_px)
    )


def _area_weights(source_px: int, target_px: int) -> NDArray[np.float64]:
    # In units of 1 / target of a source pixel all borders are whole numbers, so the overlaps are exact.
    starts = np.arange(target_px)[:, None] * source_px
    pixels = np.arange(source_px) * target_px
    overlap = np.minimum(starts + source_px, pixels + target_px) - np.maximum(starts, pixels)
    result: NDArray[np.float64] = np.maximum(overlap, 0) / source_px
    return result


def _line_weights(source_px: int, target_px: int) -> NDArray[np.float64]:
    centres = (np.arange(target_px) + 0.5) * source_px / target_px - 0.5
    distance = np.abs(np.clip(centres, 0, source_px - 1)[:, None] - np.arange(source_px))
    result: NDArray[np.float64] = np.maximum(1 - distance, 0)
    return result
