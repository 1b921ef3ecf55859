"""Where the probe's face has no contact: patches that darken the lines behind them, drawn from z.

A patch has a middle anywhere on the face, a width, a loss and edges; how wide they are, how often and how much they
take is learned, in five numbers. Its shadow is as straight as the lines are.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from .speckle import FASTER

PATCHES = 4
# Half widths and edges as shares of half the face, losses in units of the level; as they begin.
_HALF_WIDTH, _SPREAD_OF_WIDTHS, _EDGE = 0.08, 0.5, 0.05
_USUAL_LOSS, _SPREAD_OF_LOSSES = -2.0, 1.5
_REACH = 1.1  # Patches may lie half beside the face.


class LostContact(nn.Module):
    """z (N, noise_size) → the loss of each line, 0 or more, (N, L)."""

    lines: Tensor

    def __init__(self, noise_size: int, lines: int) -> None:
        super().__init__()
        # The last numbers of z: the first ones make the speckle.
        self._patches = min(PATCHES, noise_size // 3)
        self.log_half_width, self.spread_of_widths, self.log_edge, self.usual_loss, self.spread_of_losses = (
            nn.Parameter(torch.tensor(start / FASTER))
            for start in (
                math.log(_HALF_WIDTH),
                _SPREAD_OF_WIDTHS,
                math.log(_EDGE),
                _USUAL_LOSS,
                _SPREAD_OF_LOSSES,
            )
        )
        self.register_buffer("lines", torch.linspace(-1, 1, lines), persistent=False)

    def forward(self, noise: Tensor) -> Tensor:
        own = noise[:, noise.shape[1] - 3 * self._patches :].view(len(noise), self._patches, 3, 1)
        place, width, strength = own.unbind(2)
        middle = _REACH * torch.erf(place / math.sqrt(2))  # Everywhere alike.
        half = (FASTER * (self.log_half_width + self.spread_of_widths * width)).exp()
        loss = functional.softplus(FASTER * (self.usual_loss + self.spread_of_losses * strength))
        inside = (half - (self.lines - middle).abs()) / (FASTER * self.log_edge).exp()
        return (loss * inside.sigmoid()).sum(1)
