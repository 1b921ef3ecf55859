"""What random filters answer to in an image: moments of their responses and how these go together, within the field.

Random filters favour no texture that anyone had in mind. Moments are taken as logarithms, so that a share by which a
texture is weaker is a step of one size in every image.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ....geometry.filter_bank import SCALES, random_filters
from ....recording.sweep import Frames

_FLOOR = 1e-3  # Grey levels: responses of an image without texture.
_BATCH = 16


class RandomTexture:
    """Filters of several sizes on the image and on its half-size copy, the same for the same seed; responses count
    where the whole filter lies in the field (H, W), over all of it, its upper and its lower half."""

    def __init__(self, area: NDArray[np.bool_], seed: int = 0) -> None:
        self._banks = [
            (scale, torch.from_numpy(filters).float(), torch.from_numpy(zones).float())
            for scale, filters, zones in random_filters(area, seed)
        ]

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
