"""What an image looks like from beam to beam and from depth to depth: contact that is lost darkens whole beams, gain
and attenuation follow depth. Statistics of images that are resampled along their beams."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

SIZES_LINES, FILTERS = (3, 7, 13, 25), 4
BANDS = 12
_DARK_GREY = 5.0  # Added before logarithms, so that black is not infinitely far.
_LEAST = 1e-3


class LineStatistics(nn.Module):
    """Grey levels (B, 1, D, L) on a grid of depths and lines → features (B, count): of the level of lines in the upper
    and the lower half, moments of what random filters across the lines answer, and how both halves go together; of
    BANDS of depth the mean and the SD across lines."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        random = np.random.default_rng(seed)
        for size in SIZES_LINES:
            filters = random.normal(size=(FILTERS, size))
            filters -= filters.mean(axis=1, keepdims=True)
            filters /= np.sqrt((filters**2).sum(axis=1, keepdims=True))
            self.register_buffer(
                f"across{size}", torch.from_numpy(filters[:, None]).float(), persistent=False
            )
        self.count = 9 * FILTERS * len(SIZES_LINES) + 2 * BANDS

    def forward(self, grey: Tensor) -> Tensor:
        batch, _, depths, lines = grey.shape
        halves = grey.view(batch, 2, depths // 2, lines).mean(2)
        levels = (halves + _DARK_GREY).log().view(2 * batch, 1, lines)
        found = [self._profile(grey)]
        for size in SIZES_LINES:
            # Where the whole filter lies on the lines.
            answers = functional.conv1d(levels, self.get_buffer(f"across{size}")).view(batch, 2, FILTERS, -1)
            found.append(self._moments(answers))
        return torch.cat(found, 1)

    def _profile(self, grey: Tensor) -> Tensor:
        batch, _, depths, lines = grey.shape
        bands = grey.view(batch, BANDS, depths // BANDS, lines)
        sd = (bands.var(3, correction=0) + _LEAST).sqrt().mean(2)
        return torch.cat([bands.mean((2, 3)) + 1, sd + 1], 1).log()

    def _moments(self, answers: Tensor) -> Tensor:
        squares = answers.square()
        spread = (squares.mean(3) + _LEAST**2).sqrt()
        together = answers.prod(1).mean(2) / spread.prod(1)
        moments = [
            (answers.abs().mean(3) + _LEAST).log(),
            spread.log(),
            (squares.square().mean(3) + _LEAST**4).log() / 4,
            (squares * answers).mean(3) / spread**3,
        ]
        return torch.cat([*(each.flatten(1) for each in moments), together], 1)
