"""Random filters of several sizes for an image and its half-size copy, and where they lie whole in a field of view."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion

SIZES_PX, SCALES, FILTERS = (3, 5, 7, 11), (1, 2), 8
_LEAST_PIXELS = 64
Weights = NDArray[np.float64]


def random_filters(inside: NDArray[np.bool_], seed: int) -> Iterator[tuple[int, Weights, Weights]]:
    """For every scale and size that fits the field (H, W): the scale, FILTERS filters (K, 1, size, size) of mean 0 and
    norm 1, and the `zones` (P, 3) of the image at that scale where the whole filter lies inside."""
    random = np.random.default_rng(seed)
    for scale in SCALES:
        area = _halved(inside) if scale == 2 else inside
        for size in SIZES_PX:
            filters = random.normal(size=(FILTERS, size, size))
            filters -= filters.mean(axis=(1, 2), keepdims=True)
            filters /= np.sqrt((filters**2).sum(axis=(1, 2), keepdims=True))
            whole: NDArray[np.bool_] = np.asarray(binary_erosion(area, np.ones((size, size))))
            if whole.sum() >= _LEAST_PIXELS:
                yield scale, filters[:, None], zones(whole)


def zones(inside: NDArray[np.bool_]) -> Weights:
    """(H · W, 3): weights that take means over the pixels inside, and over those above and below their middle row."""
    rows = np.nonzero(inside)[0]
    upper = np.arange(len(inside))[:, None] <= np.median(rows)
    parts = np.stack([inside, inside & upper, inside & ~upper], axis=-1).reshape(-1, 3).astype(np.float64)
    weights: Weights = parts / np.maximum(parts.sum(axis=0), 1)
    return weights


def _halved(inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pixels of the half-size image of which all four are inside."""
    height, width = (size // 2 for size in inside.shape)
    fours = inside[: 2 * height, : 2 * width].reshape(height, 2, width, 2)
    return np.asarray(fours.all(axis=(1, 3)))
