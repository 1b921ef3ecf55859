"""Images cut out and brought to another size: area averages downwards, straight lines between pixels upwards."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ..geometry.image_geometry import Crop
from .sweep import Frames

# Sums of the same numbers in another order differ by less; a tie is then rounded alike on every machine.
_TIE = 1e-9


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
