"""The condition of the GAN: the x, y, z in millimetres of every pixel centre, normalised (Resources/Docs/method.md).

Coordinates are affine in the pixel index, so a grid of any size is three numbers a channel and exact arithmetic: the
(3, 3) matrix `A` of a pose gives `c(u, v) = A · (u, v, 1)`. Normalisation is affine too and folds into the same A.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .transforms import Matrix


@dataclass(frozen=True)
class CoordinateNormalisation:
    """Mean and standard deviation (mm) of x, y, z over all pixels of all training frames."""

    mean_mm: tuple[float, float, float]
    std_mm: tuple[float, float, float]

    @classmethod
    def of_poses(cls, image_to_reference: Matrix, width_px: int, height_px: int) -> CoordinateNormalisation:
        """Exact statistics over every pixel of every pose (N, 4, 4), in closed form from the moments of (u, v, 1)."""
        affine = pixel_affine(image_to_reference)
        moments = pixel_moments(width_px, height_px)
        mean = (affine @ moments[:, 2]).mean(axis=0)
        centred = affine - mean[:, None] * np.array([0.0, 0.0, 1.0])
        variance = np.einsum("nci,ij,ncj->c", centred, moments, centred) / len(affine)
        # A sweep whose pixels share one coordinate exactly still needs a divisor.
        std = np.sqrt(np.maximum(variance, 1e-6))
        return cls(tuple(mean.tolist()), tuple(std.tolist()))

    def fold(self, affine: NDArray[np.floating]) -> NDArray[np.floating]:
        """Coefficients (…, 3, 3) in millimetres → coefficients of the normalised coordinates."""
        shifted = affine - np.asarray(self.mean_mm)[:, None] * np.array([0.0, 0.0, 1.0])
        result: NDArray[np.floating] = shifted / np.asarray(self.std_mm)[:, None]
        return result


def pixel_affine(image_to_reference: Matrix) -> Matrix:
    """(…, 4, 4) poses → (…, 3, 3) coefficients: columns for u, v and 1, rows for x, y, z in millimetres."""
    return image_to_reference[..., :3, [0, 1, 3]]


def grid(
    affine: NDArray[np.floating], width_px: int, height_px: int, stride: int = 1
) -> NDArray[np.floating]:
    """Coordinates (…, 3, height, width) of coefficients (…, 3, 3).

    With `stride` s a cell covers s × s image pixels and the coordinate is that of the middle of what it covers, as in
    the coarse levels of the generator.
    """
    u = np.arange(width_px) * stride + (stride - 1) / 2
    v = np.arange(height_px) * stride + (stride - 1) / 2
    result: NDArray[np.floating] = (
        affine[..., 0, None, None] * u + affine[..., 1, None, None] * v[:, None] + affine[..., 2, None, None]
    )
    return result


def pixel_moments(width_px: int, height_px: int) -> Matrix:
    """The mean of (u, v, 1)ᵀ(u, v, 1) over all pixels."""
    u, v = (width_px - 1) / 2, (height_px - 1) / 2
    uu = u * u + (width_px**2 - 1) / 12
    vv = v * v + (height_px**2 - 1) / 12
    return np.array([[uu, u * v, u], [u * v, vv, v], [u, v, 1.0]])
