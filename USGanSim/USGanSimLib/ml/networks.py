"""The generator and the discriminator of Hu et al. 2017, as presets of one configurable pair
(model/network_settings.py).

Generator   z → dense + ReLU → seed map → K × [concatenate the coordinate grid, transposed conv ×2, conv]
            → conv → conv + tanh. Sizes halve from the image down to the seed, rounding up; where a doubled size
            exceeds the next one (8 → 16, wanted 15) the surplus row or column is cut off.
Discriminator   image ⊕ grid → 5×5 conv → I × [residual unit, conv stride 2] → residual unit → one map → one logit.

The coordinate grid of a level with stride s has the positions of that level's own cells: each covers s × s image
pixels, so its coordinate is that of the middle of what it covers.

Not in the paper: the generator can be told more than positions (conditions.py), keep a least number of channels, and do
without batch norm. Then it is the same function in training and live, whatever else is in the batch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..model.network_settings import NetworkSettings
from .conditions import Conditions, TissueSpeckle, noise_lattices, with_speckle
from .parts.greys import BLACK
from .parts.places import FeatureVolume, coordinate_grid

LEAKY_SLOPE = 0.2
_INITIAL_SD = 0.02


class UpLayer(nn.Module):
    """Concatenated conditions, then a transposed convolution that doubles the size, then a convolution."""

    def __init__(self, channels_in: int, channels_out: int, normed: bool) -> None:
        super().__init__()
        # No biases before batch norm: its own shift does their work.
        self.up = nn.ConvTranspose2d(
            channels_in, channels_out, 3, stride=2, padding=1, output_padding=1, bias=not normed
        )
        self.up_norm = _norm(channels_out, normed)
        self.conv = nn.Conv2d(channels_out, channels_out, 3, padding=1, bias=not normed)
        self.conv_norm = _norm(channels_out, normed)

    def forward(self, features: Tensor, told: Tensor, size: tuple[int, int]) -> Tensor:
        doubled = self.up(torch.cat([features, told], dim=1))[:, :, : size[0], : size[1]]
        grown = functional.relu(self.up_norm(doubled), inplace=True)
        return functional.relu(self.conv_norm(self.conv(grown)), inplace=True)


class Generator(nn.Module):
    """G(z, c): noise (N, noise_size) and coordinate coefficients (B, 3, 3) → images (N, 1, H, W) in [−1, 1]; N is B, or
    a multiple of it whose samples take the poses in turn."""

    fan: Tensor

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__()
        self.settings = settings
        normed = settings.batch_norm
        height, width = settings.level_sizes[0]
        self.project = nn.Linear(settings.noise_size, settings.generator_channels * height * width)
        conditions = [_conditions(settings, level) for level in range(settings.up_layers)]
        self.conditions = nn.ModuleList(conditions)
        self.layers = nn.ModuleList(
            UpLayer(settings.channels_at(level) + told.channels, settings.channels_at(level + 1), normed)
            for level, told in enumerate(conditions)
        )
        last = settings.channels_at(settings.up_layers)
        self.last = nn.Conv2d(last, last, 3, padding=1, bias=not normed)
        self.last_norm = _norm(last, normed)
        self.speckle = TissueSpeckle(settings.speckle_cell) if settings.speckle else None
        # The image, and how much of each speckle it has.
        self.to_image = nn.Conv2d(last, 1 + (self.speckle.channels if self.speckle else 0), 3, padding=1)
        if settings.fan:
            # (H, W), the pixels that are not black for ever; training sets it.
            self.register_buffer("fan", torch.ones(settings.height_px, settings.width_px, dtype=torch.bool))
        self.apply(_initialise if normed else _initialise_without_norm)

    def forward(self, noise: Tensor, affine: Tensor) -> Tensor:
        settings = self.settings
        *sizes, image = settings.level_sizes
        grids = [
            coordinate_grid(affine, *size, settings.stride_at(level)) for level, size in enumerate(sizes)
        ]
        return self.from_grids(noise, grids, coordinate_grid(affine, *image))

    def from_grids(self, noise: Tensor, grids: Sequence[Tensor], pixels: Tensor) -> Tensor:
        """The same from the normalised coordinates of every level's cells, and of the image's pixels."""
        settings, times = self.settings, len(noise) // len(pixels)
        features = functional.relu(self.project(noise)).view(len(noise), -1, *settings.level_sizes[0])
        for level, (conditions, layer) in enumerate(zip(self.conditions, self.layers, strict=True)):
            told = conditions(grids[level]).repeat(times, 1, 1, 1)
            features = layer(features, told, settings.level_sizes[level + 1])
        images = self.to_image(functional.relu(self.last_norm(self.last(features)), inplace=True))
        if self.speckle is not None:
            images = with_speckle(images, self.speckle.at(pixels, noise_lattices(noise)))
        images = torch.tanh(images)
        return torch.where(self.fan, images, BLACK) if settings.fan else images


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


def _conditions(settings: NetworkSettings, level: int) -> Conditions:
    cells = settings.volume_cells >> (settings.up_layers - 1 - level)
    volume = FeatureVolume(settings.volume, cells) if settings.volume else None
    return Conditions(settings.octaves_at(level), volume)


def _norm(channels: int, normed: bool) -> nn.Module:
    return nn.BatchNorm2d(channels) if normed else nn.Identity()


def _initialise_without_norm(module: nn.Module) -> None:
    """Weights that keep the size of what passes ReLUs (He et al. 2015), biases zero; noise begins weak, so that it
    makes no more of a difference than it learns to."""
    if isinstance(module, nn.ConvTranspose2d):
        # Each output gets 9 / 4 of the 9 weights, on average.
        nn.init.normal_(module.weight, 0.0, math.sqrt(2 / (module.in_channels * 9 / 4)))
    elif isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    elif isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, 0.0, _INITIAL_SD)
    _zero_bias(module)


def _initialise(module: nn.Module) -> None:
    """Weights ~ N(0, 0.02) as in DCGAN (Radford et al. 2016), batch-norm scales around 1, biases zero."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(module.weight, 0.0, _INITIAL_SD)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, _INITIAL_SD)
    _zero_bias(module)


def _zero_bias(module: nn.Module) -> None:
    bias = getattr(module, "bias", None)
    if bias is not None:
        nn.init.zeros_(bias)
