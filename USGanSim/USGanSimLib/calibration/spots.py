"""Bright compact spots in an image: a pinhead, or a wire where it crosses the image.

The response at scale σ is σ² √det H of the Gaussian-smoothed image's Hessian H where the image is bright (both
curvatures negative), and 0 elsewhere (Lindeberg 1998): unlike the Laplacian's it is small along a bright line, such as
the floor of the bath. A spot is a local maximum; parabolas give the fraction of the pixel.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..geometry.peaks import refined

Image = NDArray[Any]  # grey levels
Values = NDArray[np.float64]

SCALES_PX = (2.0, 3.0, 4.0, 6.0, 8.0)
_MARGIN_SIGMAS = 4
# From this scale on every second pixel tells all there is, in a quarter of the time.
_COARSE_SCALE_PX = 4.0


def find_spots(image: Image, scale_px: float, least: float) -> tuple[Values, Values]:
    """(K, 2) pixels u, v of the spots of a (H, W) image whose response is at least `least` (grey levels), and their
    responses (K,), strongest first."""
    if scale_px >= _COARSE_SCALE_PX and min(image.shape) > 4 * scale_px:
        places, strengths = find_spots(_halved(image), scale_px / 2, least)
        return 2 * places + 0.5, strengths
    response = spot_response(image, scale_px)
    peak = (response == ndimage.maximum_filter(response, 2 * math.ceil(scale_px) + 1)) & (
        response >= max(least, 1e-6)
    )
    rows, columns = np.nonzero(peak)
    order = np.argsort(-response[rows, columns])
    rows, columns = rows[order], columns[order]
    return refined(response, rows, columns), response[rows, columns]


def find_spots_near(
    image: Image, place: Values, reach_px: float, scale_px: float, least: float
) -> tuple[Values, Values]:
    """`find_spots` within `reach_px` of a place (2,), at the cost of that part of the image."""
    height, width = image.shape
    margin = reach_px + _MARGIN_SIGMAS * scale_px
    left, top = (max(math.floor(value - margin), 0) for value in place)
    right, bottom = (
        min(math.ceil(value + margin) + 1, side) for value, side in zip(place, (width, height), strict=True)
    )
    if right - left < 3 or bottom - top < 3:
        return np.zeros((0, 2)), np.zeros(0)
    found, strengths = find_spots(image[top:bottom, left:right], scale_px, least)
    found = found + np.array([left, top])
    near = np.linalg.norm(found - place, axis=1) <= reach_px
    return found[near], strengths[near]


def scale_of_spot(image: Image, place: Values, reach_px: float = 12.0) -> tuple[float, float]:
    """The scale at which the spot near a place (2,) responds most, and that response; 0 where there is no spot."""
    strengths = {}
    for scale in SCALES_PX:
        _, found = find_spots_near(image, place, reach_px, scale, 0.0)
        strengths[scale] = float(found[0]) if len(found) else 0.0
    best = max(strengths, key=lambda scale: strengths[scale])
    return best, strengths[best]


def _halved(image: NDArray[Any]) -> NDArray[np.float32]:
    """Means of 2×2 pixels; (0, 0) is centred at (0.5, 0.5) of the image, an odd last row or column is dropped."""
    height, width = (side // 2 * 2 for side in image.shape)
    blocks = image[:height, :width].astype(np.float32).reshape(height // 2, 2, width // 2, 2)
    result: NDArray[np.float32] = blocks.mean(axis=(1, 3))
    return result


def isolation(image: Image, place: Values, scale_px: float) -> float:
    """How much brighter a spot is than the brightest on a ring of five to seven scales around it, grey levels: large
    for a thing of its own, small for the end of a line or a grain of speckle; 0 on the border, where none can tell."""
    if min(*place, *(np.array(image.shape[::-1]) - 1 - place)) < 3 * scale_px:
        return 0.0
    reach = math.ceil(7 * scale_px)
    column, row = (round(float(value)) for value in place)
    top, left = max(row - reach, 0), max(column - reach, 0)
    near = ndimage.uniform_filter(
        image[top : row + reach + 1, left : column + reach + 1].astype(np.float32), 3
    )
    rows, columns = np.ogrid[top : top + near.shape[0], left : left + near.shape[1]]
    distance = np.hypot(rows - row, columns - column)
    spot, ring = near[distance <= scale_px], near[(distance >= 5 * scale_px) & (distance <= reach)]
    return float(spot.max() - ring.max(initial=0.0))


def spot_response(image: Image, scale_px: float) -> Values:
    """(H, W) response in grey levels."""
    grey = image.astype(np.float32)
    xx, yy, xy = (
        ndimage.gaussian_filter(grey, scale_px, order=order, mode="nearest", truncate=3.0)
        for order in ((0, 2), (2, 0), (1, 1))
    )
    determinant = np.where((xx < 0) & (yy < 0), xx * yy - xy**2, 0.0)
    result: Values = scale_px**2 * np.sqrt(np.maximum(determinant, 0.0))
    return result
