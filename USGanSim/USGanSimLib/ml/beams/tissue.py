"""The tissue as features in Reference that are learned with the weights: a fine volume, a coarse one, three planes.

The volume holds what is where; the planes are finer than a volume of their size could be, for what is long and thin.
The generator is told nothing else of where it is: raw coordinates are what frames are copied from.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..parts.places import FEATURE_SCALE, FEATURE_SD, VOLUME_REACH, FeatureVolume

_COARSER = 4
# Axes of the three planes.
PLANES = (0, 1), (0, 2), (1, 2)


class FeaturePlanes(nn.Module):
    """Features on three planes, of x and y, x and z, y and z, that span ± VOLUME_REACH; a place has the sum of those
    where it falls on each, linear between cells."""

    def __init__(self, channels: int, cells: int) -> None:
        super().__init__()
        self.channels, self.cells = channels, cells
        # Flat, as the features of a volume are.
        self.features = nn.Parameter(FEATURE_SD * torch.randn(3, channels, cells**2))

    def at(self, grid: Tensor) -> Tensor:
        """Normalised coordinates (B, 3, h, w) → features (B, channels, h, w)."""
        batch, _, height, width = grid.shape
        flat = (grid.permute(0, 2, 3, 1) / VOLUME_REACH).reshape(1, batch * height, width, 3)
        found = torch.stack(
            [
                functional.grid_sample(
                    plane.view(1, self.channels, self.cells, self.cells),
                    flat[..., list(axes)],
                    padding_mode="border",
                    align_corners=False,
                )
                for plane, axes in zip(self.features, PLANES, strict=True)
            ]
        ).sum(0)
        return found.view(self.channels, batch, height, width).transpose(0, 1) * FEATURE_SCALE


class Tissue(nn.Module):
    """All features of the places of a grid: those of planes at every place, those of volumes at every second one each
    way, whose cells are larger than that."""

    def __init__(self, channels: int, cells: int, plane_cells: int) -> None:
        super().__init__()
        self.fine = FeatureVolume(channels, cells)
        self.coarse = FeatureVolume(channels, max(1, cells // _COARSER))
        self.planes = FeaturePlanes(channels, plane_cells)

    def forward(self, grid: Tensor) -> tuple[Tensor, Tensor]:
        """Normalised coordinates (B, 3, h, w) → (B, channels, h, w) and (B, 2 · channels, ⌈h / 2⌉, ⌈w / 2⌉)."""
        # A convolution of stride 2 with a border of 1 is about these places.
        second = grid[:, :, ::2, ::2]
        return self.planes.at(grid), torch.cat([self.fine.at(second), self.coarse.at(second)], 1)
