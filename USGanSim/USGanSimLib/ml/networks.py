"""The generator and the discriminator of Hu et al. 2017, as presets of one configurable pair
(model/network_settings.py).

Generator   z → dense + ReLU → seed map → K × [concatenate the coordinate grid, transposed conv ×2, conv]
            → conv → conv + tanh. Sizes halve from the image down to the seed, rounding up; where a doubled size
            exceeds the next one (8 → 16, wanted 15) the surplus row or column is cut off.
Discriminator   image ⊕ grid → 5×5 conv → I × [residual unit, conv stride 2] → residual unit → one map → one logit.

The coordinate grid of a level with stride s has the positions of that level's own cells: each covers s × s image
pixels, so its coordinate is that of the middle of what it covers.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..model.network_settings import NetworkSettings
from .parts.places import COORDINATES, coordinate_grid

LEAKY_SLOPE = 0.2
_INITIAL_SD = 0.02


class UpLayer(nn.Module):
    """The concatenated grid, then a transposed convolution that doubles the size, then a convolution."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        # No biases before batch norm: its own shift does their work.
        self.up = nn.ConvTranspose2d(
            channels_in + COORDINATES, channels_out, 3, stride=2, padding=1, output_padding=1, bias=False
        )
        self.up_norm = nn.BatchNorm2d(channels_out)
        self.conv = nn.Conv2d(channels_out, channels_out, 3, padding=1, bias=False)
        self.conv_norm = nn.BatchNorm2d(channels_out)

    def forward(self, features: Tensor, grid: Tensor, size: tuple[int, int]) -> Tensor:
        doubled = self.up(torch.cat([features, grid], dim=1))[:, :, : size[0], : size[1]]
        grown = functional.relu(self.up_norm(doubled), inplace=True)
        return functional.relu(self.conv_norm(self.conv(grown)), inplace=True)


class Generator(nn.Module):
    """G(z, c): noise (N, noise_size) and coordinate coefficients (B, 3, 3) → images (N, 1, H, W) in [−1, 1]; N is B, or
    a multiple of it whose samples take the poses in turn."""

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__()
        self.settings = settings
        height, width = settings.level_sizes[0]
        self.project = nn.Linear(settings.noise_size, settings.generator_channels * height * width)
        self.layers = nn.ModuleList(
            UpLayer(settings.channels_at(level), settings.channels_at(level + 1))
            for level in range(settings.up_layers)
        )
        last = settings.channels_at(settings.up_layers)
        self.last = nn.Conv2d(last, last, 3, padding=1, bias=False)
        self.last_norm = nn.BatchNorm2d(last)
        self.to_image = nn.Conv2d(last, 1, 3, padding=1)
        self.apply(_initialise)

    def forward(self, noise: Tensor, affine: Tensor) -> Tensor:
        settings = self.settings
        grids = [
            coordinate_grid(affine, *size, settings.stride_at(level))
            for level, size in enumerate(settings.level_sizes[:-1])
        ]
        return self.from_grids(noise, grids)

    def from_grids(self, noise: Tensor, grids: Sequence[Tensor]) -> Tensor:
        """The same from the normalised coordinates of every level's cells."""
        settings, times = self.settings, len(noise) // len(grids[0])
        features = functional.relu(self.project(noise)).view(len(noise), -1, *settings.level_sizes[0])
        for layer, grid, size in zip(self.layers, grids, settings.level_sizes[1:], strict=True):
            features = layer(features, grid.repeat(times, 1, 1, 1), size)
        features = functional.relu(self.last_norm(self.last(features)), inplace=True)
        return torch.tanh(self.to_image(features))


class ResidualUnit(nn.Module):
    """Two convolutions with batch norm around an identity shortcut, leaky ReLU."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)

    def forward(self, features: Tensor) -> Tensor:
        inner = functional.leaky_relu(self.norm1(self.conv1(features)), LEAKY_SLOPE, inplace=True)
        return functional.leaky_relu(self.norm2(self.conv2(inner)) + features, LEAKY_SLOPE, inplace=True)


class DownLayer(nn.Module):
    """A residual unit, then a convolution of stride 2 that doubles the channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.unit = ResidualUnit(channels)
        self.down = nn.Conv2d(channels, 2 * channels, 3, stride=2, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(2 * channels)

    def forward(self, features: Tensor) -> Tensor:
        return functional.leaky_relu(self.norm(self.down(self.unit(features))), LEAKY_SLOPE, inplace=True)


class Discriminator(nn.Module):
    """D(x, c): images (B, 1, H, W) in [−1, 1] and coefficients (B, 3, 3) → one logit each, (B,)."""

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__()
        channels, height, width = settings.discriminator_channels, settings.height_px, settings.width_px
        self.first = nn.Conv2d(4, channels, 5, padding=2)
        layers: list[nn.Module] = []
        for _ in range(settings.down_layers):
            layers.append(DownLayer(channels))
            channels, height, width = 2 * channels, (height + 1) // 2, (width + 1) // 2
        self.layers = nn.Sequential(*layers)
        self.unit = ResidualUnit(channels)
        self.to_map = nn.Conv2d(channels, 1, 3, padding=1)
        self.to_logit = nn.Linear(height * width, 1)
        self.apply(_initialise)

    def forward(self, images: Tensor, affine: Tensor) -> Tensor:
        grid = coordinate_grid(affine, *images.shape[2:])
        features = functional.leaky_relu(
            self.first(torch.cat([images, grid], dim=1)), LEAKY_SLOPE, inplace=True
        )
        features = self.unit(self.layers(features))
        one_map = functional.leaky_relu(self.to_map(features), LEAKY_SLOPE)
        logit: Tensor = self.to_logit(one_map.flatten(1)).squeeze(1)
        return logit


def _initialise(module: nn.Module) -> None:
    """Weights ~ N(0, 0.02) as in DCGAN (Radford et al. 2016), batch-norm scales around 1, biases zero."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(module.weight, 0.0, _INITIAL_SD)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, _INITIAL_SD)
    bias = getattr(module, "bias", None)
    if bias is not None:
        nn.init.zeros_(bias)
