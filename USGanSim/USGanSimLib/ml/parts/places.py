"""Where the cells of a map lie, in normalised coordinates, and features of the tissue there."""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor, nn
from torch.nn import functional

COORDINATES = 3
# The coordinates of a scan have SD 1 and few lie beyond 2.
VOLUME_REACH = 2.4
# Adam moves every number by about its learning rate; features have further to go than the weights of a convolution.
FEATURE_SCALE, FEATURE_SD = 10.0, 1e-3
# Axes of three planes.
PLANES = (0, 1), (0, 2), (1, 2)


def coordinate_grid(affine: Tensor, height: int, width: int, stride: int = 1) -> Tensor:
    """(B, 3, 3) normalised coefficients → (B, 3, height, width); torch twin of geometry.conditioning.grid."""
    offset = (stride - 1) / 2
    u = torch.arange(width, device=affine.device, dtype=affine.dtype) * stride + offset
    v = torch.arange(height, device=affine.device, dtype=affine.dtype) * stride + offset
    columns = affine[..., None, None]
    return columns[:, :, 0] * u + columns[:, :, 1] * v[:, None] + columns[:, :, 2]


class FeatureVolume(nn.Module):
    """Features on a cube of `cells`³ that spans ± VOLUME_REACH of the normalised coordinates; linear in between, and
    beyond it as at its border. They are learned like any weight."""

    def __init__(self, channels: int, cells: int) -> None:
        super().__init__()
        self.channels, self.cells = channels, cells
        # Flat, since 4-D weights may be put in another memory format, which would be slow to read here.
        self.features = nn.Parameter(FEATURE_SD * torch.randn(channels, cells**3))

    def at(self, grid: Tensor) -> Tensor:
        """Normalised coordinates (B, 3, h, w) → features (B, channels, h, w)."""
        if grid.device.type == "mps":
            # Apple's GPUs have no grid_sample in space before PyTorch 2.9, and none backwards before 2.12.
            return linear_in_cells(self.features, self.cells, grid / VOLUME_REACH) * FEATURE_SCALE
        volume = self.features.view(1, self.channels, *[self.cells] * 3)
        # grid_sample takes x, y, z last, and one grid for one volume: the images of a batch are its slices.
        places = (grid.permute(0, 2, 3, 1) / VOLUME_REACH)[None]
        found = functional.grid_sample(volume, places, padding_mode="border", align_corners=False)
        return found[0].transpose(0, 1) * FEATURE_SCALE


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


def linear_in_cells(features: Tensor, cells: int, places: Tensor) -> Tensor:
    """Features (C, cells³) at places (B, 3, h, w), −1 … 1 over the cube → (B, C, h, w), linear between the middles of
    the cells: grid_sample of plain parts."""
    at = ((places + 1) * (cells / 2) - 0.5).clamp(0, cells - 1)
    low = at.floor().clamp(max=cells - 2)
    (x, y, z), share = low.long().unbind(1), at - low
    found = features.new_zeros(len(features), *x.shape)
    for corner in itertools.product((0, 1), repeat=3):
        index = ((z + corner[2]) * cells + y + corner[1]) * cells + x + corner[0]
        weight = math.prod(share[:, axis] if high else 1 - share[:, axis] for axis, high in enumerate(corner))
        found = found + weight * features[:, index]
    return found.transpose(0, 1)
