"""What random filters answer to in an image: moments of their responses and how these go together, within the field.

Random filters favour no texture that anyone had in mind. Moments are taken as logarithms, so that a share by which a
texture is weaker is a step of one size in every image.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion
from torch import Tensor
from torch.nn import functional

from ....recording.sweep import Frames

SIZES_PX, SCALES, FILTERS = (3, 5, 7, 11), (1, 2), 8
_LEAST_PIXELS = 64
_FLOOR = 1e-3  # Grey levels: responses of an image without texture.
_BATCH = 16


class RandomTexture:
    """Filters of several sizes on the image and on its half-size copy, the same for the same seed; responses count
    where the whole filter lies in the field (H, W), over all of it, its upper and its lower half."""

    def __init__(self, area: NDArray[np.bool_], seed: int = 0) -> None:
        random = np.random.default_rng(seed)
        self._banks: list[tuple[int, Tensor, Tensor]] = []
        for scale in SCALES:
            inside = _halved(area) if scale == 2 else area
            for size in SIZES_PX:
                filters = random.normal(size=(FILTERS, size, size))
                filters -= filters.mean(axis=(1, 2), keepdims=True)
                filters /= np.sqrt((filters**2).sum(axis=(1, 2), keepdims=True))
                whole = binary_erosion(inside, np.ones((size, size)))
                if whole.sum() >= _LEAST_PIXELS:
                    bank = torch.from_numpy(filters[:, None]).float()
                    self._banks.append((scale, bank, torch.from_numpy(_zones(whole)).float()))

    @torch.no_grad()
    def features(self, images: Frames) -> NDArray[np.float32]:
        """(N, H, W) uint8 → (N, p)."""
        found = [self._of(images[start : start + _BATCH]) for start in range(0, len(images), _BATCH)]
        return np.concatenate(found) if found else np.zeros((0, 1), np.float32)

    def _of(self, images: Frames) -> NDArray[np.float32]:
        grey = torch.from_numpy(np.ascontiguousarray(images)).float()[:, None]
        pyramid = {scale: functional.avg_pool2d(grey, scale) for scale in SCALES}
        parts = []
        for scale, bank, zones in self._banks:
            responses = functional.conv2d(pyramid[scale], bank, padding=bank.shape[-1] // 2).flatten(2)
            parts += _moments(responses, zones)
        return torch.cat(parts, 1).numpy()


def _moments(responses: Tensor, zones: Tensor) -> list[Tensor]:
    """Responses (N, K, P) and weights (P, 3) of the field and its halves → features (N, …): logarithms of mean roots of
    several powers, skewness, the halves' mean absolute values, correlations of the filters."""
    everywhere, size = zones[:, :1], responses.abs()
    squares = responses * responses
    absolute = size @ zones
    second = (squares @ everywhere)[..., 0]
    fourth = ((squares * squares) @ everywhere)[..., 0]
    root = (size.sqrt() @ everywhere)[..., 0]
    third = ((squares * responses) @ everywhere)[..., 0]
    spread = second.sqrt() + _FLOOR
    together = (responses * everywhere[:, 0]) @ responses.transpose(1, 2)
    row, column = torch.triu_indices(len(responses[0]), len(responses[0]), 1)
    correlations = together[:, row, column] / (spread[:, row] * spread[:, column])
    return [
        (absolute + _FLOOR).log().flatten(1),
        spread.log(),
        (fourth.sqrt().sqrt() + _FLOOR).log(),
        2 * (root + _FLOOR**0.5).log(),
        third.sign() * (third.abs() ** (1 / 3)) / spread,
        correlations,
    ]


def _zones(inside: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(H·W, 3): weights that take the mean over the pixels inside, and over those above and below their middle row."""
    rows = np.nonzero(inside)[0]
    upper = np.arange(len(inside))[:, None] <= np.median(rows)
    zones = np.stack([inside, inside & upper, inside & ~upper], axis=-1).reshape(-1, 3).astype(np.float64)
    weights: NDArray[np.float64] = zones / np.maximum(zones.sum(axis=0), 1)
    return weights


def _halved(area: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pixels of the half-size image of which all four are inside."""
    height, width = (size // 2 for size in area.shape)
    fours = area[: 2 * height, : 2 * width].reshape(height, 2, width, 2)
    return np.asarray(fours.all(axis=(1, 3)))
