"""The tissue as features in Reference that are learned with the weights: a fine volume, a coarse one, three planes.

The volume holds what is where; the planes are finer than a volume of their size could be, for what is long and thin.
The generator is told nothing else of where it is: raw coordinates are what frames are copied from.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..parts.places import FeaturePlanes, FeatureVolume
from .grid import BLOCK

_COARSER = 4


class Tissue(nn.Module):
    """All features of blocks of the beams' grid: those of planes at every row of a block, those of volumes, whose cells
    are larger than that, at its middle."""

    def __init__(self, channels: int, cells: int, plane_cells: int) -> None:
        super().__init__()
        self.fine = FeatureVolume(channels, cells)
        self.coarse = FeatureVolume(channels, max(1, cells // _COARSER))
        self.planes = FeaturePlanes(channels, plane_cells)
        self.count = (BLOCK + 2) * channels

    def forward(self, middles: Tensor, rows: Tensor) -> Tensor:
        """Normalised coordinates of the middles (B, 3, h, w) and of the rows of blocks (B, 3, BLOCK · h, w), all first
        ones before all second ones → (B, count, h, w)."""
        found = self.planes.at(rows).reshape(len(rows), -1, *middles.shape[2:])
        return torch.cat([found, self.fine.at(middles), self.coarse.at(middles)], 1)
