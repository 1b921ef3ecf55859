"""The generator and the discriminator of Hu et al. 2017, as presets of one configurable pair (METHOD.md).

Generator   z → dense + ReLU → seed map → K × [concatenate the coordinate grid, transposed conv ×2, conv]
            → conv → conv + tanh. Sizes halve from the image down to the seed, rounding up; where a doubled size
            exceeds the next one (8 → 16, wanted 15) the surplus row or column is cut off.
Discriminator   image ⊕ grid → 5×5 conv → I × [residual unit, conv stride 2] → residual unit → one map → one logit.

The coordinate grid of a level with stride s has the positions of that level's own cells: each covers s × s image
pixels, so its coordinate is that of the middle of what it covers.

Not in the paper: the generator's grids can be encoded (`octaves`, see `encoded`), and it can have the noise spread over
the image as well (`grain`, see `grain_of`).
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ..errors import UserError

LEAKY_SLOPE = 0.2
COORDINATES = 3
# In normalised coordinates (SD 1) the first octave's period spans all that was scanned, about ±2 SD.
_FIRST_OCTAVE = math.pi / 2


@dataclass(frozen=True)
class NetworkSettings:
    """Everything that fixes the shape of both networks.

    width_px, height_px     image size
    noise_size              length of z (paper: 100)
    up_layers               K, up-sampling layers of the generator; the seed is the image halved K times
    generator_channels      n1, channels of the seed map, halved at each up-sampling layer (paper: 512)
    down_layers             I, down-sampling layers of the discriminator
    discriminator_channels  m0, channels after the first convolution, doubled at each down-sampling (paper: 32)
    octaves                 sines and cosines of the generator's coordinates at its finest level (paper: 0, none)
    grain                   channels of noise at the size of the image (paper: 0, none)
    """

    width_px: int = 160
    height_px: int = 120
    noise_size: int = 100
    up_layers: int = 5
    generator_channels: int = 512
    down_layers: int = 4
    discriminator_channels: int = 32
    octaves: int = 0
    grain: int = 0

    def __post_init__(self) -> None:
        smallest = 2**self.up_layers
        if self.generator_channels % smallest:
            raise UserError(f"{self.generator_channels} generator channels cannot be halved {self.up_layers} times.",
                            f"Use a multiple of {smallest}.")
        if min(self.width_px, self.height_px) < 2 ** max(self.up_layers, self.down_layers):
            raise UserError(f"An image of {self.width_px}×{self.height_px} px is too small for {self.up_layers} "
                            f"up- and {self.down_layers} down-sampling layers.", "Prepare larger images.")

    @property
    def level_sizes(self) -> list[tuple[int, int]]:
        """(height, width) of the generator's maps, from the seed to the image; K + 1 of them."""
        sizes = [(self.height_px, self.width_px)]
        for _ in range(self.up_layers):
            height, width = sizes[0]
            sizes.insert(0, ((height + 1) // 2, (width + 1) // 2))
        return sizes

    def octaves_at(self, level: int) -> int:
        """Octaves of a level of the generator, 0 the coarsest: each level back has cells twice as large, which cannot
        hold the finest one any more."""
        return max(0, self.octaves - (self.up_layers - 1 - level))

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> NetworkSettings:
        """Settings from a model's metadata. Raises UserError for names that this version does not know."""
        try:
            return cls(**{name: int(value) for name, value in values.items()})
        except (TypeError, ValueError) as error:
            raise UserError(f"The model's network settings are not understood ({error}).",
                            "It may come from a newer version; update this software.") from error

    def as_dict(self) -> dict[str, int]:
        return dataclasses.asdict(self)


def coordinate_grid(affine: Tensor, height: int, width: int, stride: int = 1) -> Tensor:
    """(B, 3, 3) normalised coefficients → (B, 3, height, width); torch twin of geometry.conditioning.grid."""
    offset = (stride - 1) / 2
    u = torch.arange(width, device=affine.device, dtype=affine.dtype) * stride + offset
    v = torch.arange(height, device=affine.device, dtype=affine.dtype) * stride + offset
    columns = affine[..., None, None]
    return columns[:, :, 0] * u + columns[:, :, 1] * v[:, None] + columns[:, :, 2]


def encoded(grid: Tensor, octaves: int) -> Tensor:
    """Normalised coordinates (B, 3, h, w) → (B, 3 + 6 · octaves, h, w): themselves, then for every octave the sine and
    the cosine of each, with half the period of the octave before.

    A network of smooth functions follows fine detail of its input slowly; given waves of all lengths it places detail
    within a few training frames (Tancik et al. 2020, Fourier features).
    """
    waves = [wave(grid * (_FIRST_OCTAVE * 2**octave)) for octave in range(octaves) for wave in (torch.sin, torch.cos)]
    return torch.cat([grid, *waves], dim=1) if waves else grid


def grain_of(settings: NetworkSettings) -> Tensor:
    """(noise_size, grain, H, W) ± 1 / √noise_size, by which noise z becomes one of pixels: Σ zᵢ · grainᵢ.

    It is white for a new z, changes little for a little change of z, and is the same everywhere for one z: the signs
    are bit 16 of a fixed hash of their place (the multiplications of Wellons' lowbias32), so no file has to hold them.
    """
    shape = (settings.noise_size, settings.grain, settings.height_px, settings.width_px)
    bits = np.arange(math.prod(shape), dtype=np.uint32)
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        bits = (bits ^ (bits >> np.uint32(shift))) * np.uint32(factor)
    signs = 1 - 2 * ((bits >> np.uint32(16)) & np.uint32(1)).astype(np.float32)
    return torch.from_numpy(signs.reshape(shape) / np.float32(math.sqrt(settings.noise_size)))


def encoded_channels(octaves: int) -> int:
    """Channels that `encoded` gives."""
    return COORDINATES * (1 + 2 * octaves)


class UpLayer(nn.Module):
    """Concatenated (encoded) coordinates, then a transposed convolution that doubles the size, then a convolution."""

    def __init__(self, channels_in: int, channels_out: int, octaves: int = 0) -> None:
        super().__init__()
        self.octaves = octaves
        # No biases before batch norm: its own shift does their work.
        self.up = nn.ConvTranspose2d(channels_in + encoded_channels(octaves), channels_out, 3, stride=2, padding=1,
                                     output_padding=1, bias=False)
        self.up_norm = nn.BatchNorm2d(channels_out)
        self.conv = nn.Conv2d(channels_out, channels_out, 3, padding=1, bias=False)
        self.conv_norm = nn.BatchNorm2d(channels_out)

    def forward(self, features: Tensor, coordinates: Tensor, size: tuple[int, int]) -> Tensor:
        position = encoded(coordinates, self.octaves)
        doubled = self.up(torch.cat([features, position], dim=1))[:, :, : size[0], : size[1]]
        grown = functional.relu(self.up_norm(doubled), inplace=True)
        return functional.relu(self.conv_norm(self.conv(grown)), inplace=True)


class Generator(nn.Module):
    """G(z, c): noise (B, noise_size) and coordinate coefficients (B, 3, 3) → images (B, 1, H, W) in [−1, 1]."""

    grain: Tensor

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__()
        self.settings = settings
        height, width = settings.level_sizes[0]
        channels = settings.generator_channels
        self.project = nn.Linear(settings.noise_size, channels * height * width)
        self.layers = nn.ModuleList(
            UpLayer(channels >> level, channels >> (level + 1), settings.octaves_at(level))
            for level in range(settings.up_layers))
        last = channels >> settings.up_layers
        self.last = nn.Conv2d(last + settings.grain, last, 3, padding=1, bias=False)
        self.last_norm = nn.BatchNorm2d(last)
        self.to_image = nn.Conv2d(last, 1, 3, padding=1)
        if settings.grain:
            self.register_buffer("grain", grain_of(settings), persistent=False)
        self.apply(_initialise)

    def forward(self, noise: Tensor, affine: Tensor) -> Tensor:
        sizes = self.settings.level_sizes
        features = functional.relu(self.project(noise)).view(len(noise), -1, *sizes[0])
        for level, layer in enumerate(self.layers):
            stride = 2 ** (self.settings.up_layers - level)
            features = layer(features, coordinate_grid(affine, *sizes[level], stride), sizes[level + 1])
        return self.finished(features, noise)

    def finished(self, features: Tensor, noise: Tensor) -> Tensor:
        """Features at the size of the image (B, C, H, W), and the noise → images."""
        if self.settings.grain:
            features = torch.cat([features, self.grain_for(noise)], dim=1)
        features = functional.relu(self.last_norm(self.last(features)), inplace=True)
        return torch.tanh(self.to_image(features))

    def grain_for(self, noise: Tensor) -> Tensor:
        """Noise (B, noise_size) → (B, grain, H, W)."""
        grain: Tensor = torch.tensordot(noise, self.grain.to(noise.dtype), 1)
        return grain


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
        features = functional.leaky_relu(self.first(torch.cat([images, grid], dim=1)), LEAKY_SLOPE, inplace=True)
        features = self.unit(self.layers(features))
        one_map = functional.leaky_relu(self.to_map(features), LEAKY_SLOPE)
        logit: Tensor = self.to_logit(one_map.flatten(1)).squeeze(1)
        return logit


def _initialise(module: nn.Module) -> None:
    """Weights ~ N(0, 0.02) as in DCGAN (Radford et al. 2016), batch-norm scales around 1, biases zero."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
    bias = getattr(module, "bias", None)
    if bias is not None:
        nn.init.zeros_(bias)
