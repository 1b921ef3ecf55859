"""How near known frames pass to each pixel of an image: what of it lies in the swept region, and what does not."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .conditioning import grid, pixel_affine
from .transforms import Matrix


def swept_distance_mm(pose: Matrix, known: Matrix, area: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(H, W) millimetres from each pixel at one ImageToReference (4, 4) to the nearest plane of `known` (K, 4, 4), at
    right angles to it; only a plane whose field of view `area` (H, W) holds the foot counts. Infinite where there is
    none: no known frame has seen what is in front of it or behind it."""
    height_px, width_px = area.shape
    places_mm = grid(pixel_affine(pose), width_px, height_px).reshape(3, -1)
    nearest_mm = np.full(places_mm.shape[1], np.inf)
    for plane in _nearest_first(pose, known, width_px, height_px):
        # Along the image's x and y in pixels, and along its normal in millimetres.
        x, y, origin = plane[:3, 0], plane[:3, 1], plane[:3, 3]
        normal = np.cross(x, y)
        axes = np.linalg.inv(np.column_stack([x, y, normal / np.linalg.norm(normal)]))
        away_mm = np.abs(axes[2] @ places_mm - axes[2] @ origin)
        # Most planes are further away than one that is known already: only for the rest is the foot looked at.
        closer = np.flatnonzero(away_mm < nearest_mm)
        u, v = np.rint(axes[:2] @ places_mm[:, closer] - (axes[:2] @ origin)[:, None]).astype(int)
        inside = (u >= 0) & (u < width_px) & (v >= 0) & (v < height_px)
        inside[inside] = area[v[inside], u[inside]]
        nearest_mm[closer[inside]] = away_mm[closer[inside]]
    return nearest_mm.reshape(height_px, width_px)


def _nearest_first(pose: Matrix, known: Matrix, width_px: int, height_px: int) -> Matrix:
    """`known` by the distance between the middles of the images."""
    middle = np.array([(width_px - 1) / 2, (height_px - 1) / 2, 0, 1])
    ordered: Matrix = known[np.argsort(np.linalg.norm((known - pose) @ middle, axis=1), kind="stable")]
    return ordered
