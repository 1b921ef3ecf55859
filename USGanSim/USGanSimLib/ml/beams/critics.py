"""The critics of the generator on beams: one looks at crops at full size, one at the whole image at a quarter, and one
is a discriminant in closed form (texture.py). None has batch norm."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...geometry.field_of_view import FieldOfView
from ...model.beam_settings import BeamSettings
from ..parts.places import COORDINATES, coordinate_grid
from .texture import TextureCritic

CROP_PX, SMALLER = 64, 4
_SLOPE, _DOWNS, _MOST_CHANNELS = 0.2, 3, 96
# The grain beside the image, as strong as the rest: what a critic would need long to learn to look at.
_GRAIN_PX, _GRAIN_GAIN = 5, 6.0
_PLACE = 3


class Critic(nn.Module):
    """Maps (B, C, h, w) → one logit each, (B,): residual units and convolutions of stride 2."""

    def __init__(self, told: int, channels: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [_conv(told, channels)]
        for _ in range(_DOWNS):
            more = min(2 * channels, _MOST_CHANNELS)
            layers += [_Unit(channels), _conv(channels, more, 2), nn.LeakyReLU(_SLOPE)]
            channels = more
        self.layers = nn.Sequential(*layers, _Unit(channels), nn.LeakyReLU(_SLOPE))
        self.to_map = _conv(channels, 1)
        nn.init.normal_(self.to_map.weight, 0.0, 0.02)

    def forward(self, maps: Tensor) -> Tensor:
        logits: Tensor = self.to_map(self.layers(maps)).mean((1, 2, 3))
        return logits


class Critics(nn.Module):
    """Images (B, 1, H, W) in [−1, 1], their coefficients (B, 3, 3) and corners of crops (v, u) → logits (2, B)."""

    place: Tensor

    def __init__(self, settings: BeamSettings, field: FieldOfView) -> None:
        super().__init__()
        height, width = self.size_px = settings.height_px, settings.width_px
        self.crop_px = min(CROP_PX, height), min(CROP_PX, width)
        self.crops = Critic(2 + _PLACE, settings.discriminator_channels)
        self.whole = Critic(1 + COORDINATES + _PLACE, settings.discriminator_channels)
        inside = field.mask()
        v, u = torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij")
        place = torch.stack([u, v, torch.from_numpy(inside).float()])[None]
        self.register_buffer("place", place, persistent=False)
        self.texture = TextureCritic(field)

    def corners(self, count: int, step: int) -> list[tuple[int, int]]:
        """Where `count` crops of iteration `step` begin, (v, u); the same for the same iteration."""
        random = torch.Generator().manual_seed(step)
        rest = [size - crop + 1 for size, crop in zip(self.size_px, self.crop_px, strict=True)]
        v, u = (torch.randint(0, most, (count,), generator=random).tolist() for most in rest)
        return list(zip(v, u, strict=True))

    def forward(self, images: Tensor, affine: Tensor, corners: Sequence[tuple[int, int]]) -> Tensor:
        place = self.place.expand(len(images), -1, -1, -1)
        rows = functional.avg_pool2d(images, (1, _GRAIN_PX), stride=1, padding=(0, _GRAIN_PX // 2))
        grain = images - functional.avg_pool2d(rows, (_GRAIN_PX, 1), stride=1, padding=(_GRAIN_PX // 2, 0))
        seen = torch.cat([images, _GRAIN_GAIN * grain, place], 1)
        height, width = self.crop_px
        crops = torch.stack(
            [one[:, v : v + height, u : u + width] for one, (v, u) in zip(seen, corners, strict=True)]
        )
        small = functional.avg_pool2d(images, SMALLER)
        grid = coordinate_grid(affine, small.shape[2], small.shape[3], SMALLER)
        whole = torch.cat([small, grid, functional.avg_pool2d(place, SMALLER)], 1)
        return torch.stack([self.crops(crops), self.whole(whole)])


class _Unit(nn.Module):
    """Two convolutions beside an identity, which is all that it is at first."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first, self.second = _conv(channels, channels), _conv(channels, channels)
        nn.init.zeros_(self.second.weight)

    def forward(self, maps: Tensor) -> Tensor:
        inner = self.first(functional.leaky_relu(maps, _SLOPE))
        result: Tensor = maps + self.second(functional.leaky_relu(inner, _SLOPE))
        return result


def _conv(channels_in: int, channels_out: int, stride: int = 1) -> nn.Conv2d:
    conv = nn.Conv2d(channels_in, channels_out, 3, stride, padding=1)
    nn.init.kaiming_normal_(conv.weight, a=_SLOPE)
    assert conv.bias is not None
    nn.init.zeros_(conv.bias)
    return conv
