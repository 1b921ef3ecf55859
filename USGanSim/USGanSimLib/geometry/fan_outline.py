"""Where the ultrasound is in an image: the outline of the fan, without the black around it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

# Grey levels; what stays below them in all images but a few is the black around the fan.
LEAST_GREY = 24
_FEW_SHARE = 0.25
# Below this share of the image there is no fan but dots on black, and the black belongs to the image.
LEAST_SHARE = 0.25
_CLOSING_PX = 2


def fan_outline(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(N, H, W) images of different poses → (K, 2) pixels (u, v) around the fan; the image's corners without a fan.

    The outline goes down the right side and up the left one, row by row, so that a curved edge at the top or bottom is
    followed where it is convex.
    """
    _, height_px, width_px = images.shape
    # The median of a neighbourhood leaves nothing of single bright pixels; the haze of a young model is in few images.
    calm = ndimage.median_filter(images, (1, 3, 3))
    bright = np.quantile(calm, 1 - _FEW_SHARE, axis=0, method="higher") >= LEAST_GREY
    padded = ndimage.binary_closing(np.pad(bright, 2 * _CLOSING_PX), iterations=_CLOSING_PX)
    filled = ndimage.binary_fill_holes(padded)[
        2 * _CLOSING_PX : -2 * _CLOSING_PX, 2 * _CLOSING_PX : -2 * _CLOSING_PX
    ]
    labels, count = ndimage.label(filled)
    if count == 0:
        return _corners(width_px, height_px)
    largest = labels == 1 + np.argmax(np.bincount(labels.ravel())[1:])
    if largest.mean() < LEAST_SHARE:
        return _corners(width_px, height_px)
    rows = np.flatnonzero(largest.any(axis=1))
    left = largest.argmax(axis=1)[rows]
    right = width_px - 1 - largest[:, ::-1].argmax(axis=1)[rows]
    return np.concatenate([np.column_stack([right, rows]), np.column_stack([left, rows])[::-1]]).astype(
        np.float64
    )


def _corners(width_px: int, height_px: int) -> NDArray[np.float64]:
    right, bottom = width_px - 1, height_px - 1
    return np.array([[right, 0], [right, bottom], [0, bottom], [0, 0]], np.float64)
