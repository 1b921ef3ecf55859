"""The generator on beams: G(z, pose) → B-mode.

    places of the beams' grid → features of the tissue (tissue.py) → a small network on blocks of 2 × 2 cells → at every
    cell of the grid
      level        of the echo, as a logarithm of power
      attenuation  of what lies below, added up along the beam: shadows start where they are cast and stay straight
      specular     amplitude of the even echo of interfaces that are met at a right angle
    z → what lost contact takes from each line (contact.py), gain, a tilt with depth, and a coarse map for the network
    speckle (speckle.py) × level + specular → power + noise of the receiver → logarithm (slope, offset) → a small
    learned residual, which has the last word → scan conversion to the image's pixels

All but speckle is made on the network's grid, so its cost does not depend on the size of the image.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...geometry.field_of_view import FieldOfView
from ...model.beam_settings import BeamSettings
from ..parts.greys import BLACK
from .contact import LostContact
from .grid import BLOCK, BeamGrid, places
from .speckle import (
    FASTER,
    PointSpread,
    echo_tables,
    entries_of_cells,
    entries_of_samples,
    looked_up,
)
from .tissue import Tissue

Layer = TypeVar("Layer", nn.Conv2d, nn.Linear)
# A cell of scatterers, in pixels.
_CELL_PX = 0.5
_MAP = 8  # Channels and size each way of the coarse map that z gives.
_HIDDEN = 64
# The network's numbers are of size 1; a level of 1 is e⁴ in power.
_LEVEL = 4.0
_RARE = -4.0  # Softplus of this is 0.018: attenuation and specular echoes begin small.
_LOG_POWER = -14.0, 10.0
_RESIDUAL, _SLOPE = 16, 0.2
_LEAK = 0.01  # Of greys beyond black and white, in training alone: something to learn from.


@dataclass(frozen=True)
class Circumstances:
    """What z says of one image each: the coarse map as the network takes it (N, C, D / 4, L / 4), losses of log power
    (N, 1, 1, L) by line and (N, 1, D, 1) by depth."""

    coarse: Tensor
    by_line: Tensor
    by_depth: Tensor


class NoisePart(NamedTuple):
    """All that the noise alone decides, and that can be kept while it stands: tables of scatterers' echoes (N, ENTRIES,
    2), power of the receiver's noise (N, 1, D', L'), and the circumstances."""

    tables: Tensor
    receiver: Tensor
    about: Circumstances


class FromNoise(nn.Module):
    """z (N, noise_size) → Circumstances, with the coarse map still at its own size (N, _MAP, _MAP, _MAP)."""

    depths: Tensor

    def __init__(self, settings: BeamSettings) -> None:
        super().__init__()
        self.hidden = nn.Sequential(
            nn.Linear(settings.noise_size, _HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, _HIDDEN), nn.ReLU()
        )
        self.to_map = nn.Linear(_HIDDEN, _MAP**3)
        self.to_gain = nn.Linear(_HIDDEN, 2)
        for layer in (self.to_map, self.to_gain):
            nn.init.normal_(layer.weight, 0.0, 0.02)
            _without_bias(layer)
        self.contact = LostContact(settings.noise_size, settings.lines)
        self.register_buffer("depths", torch.linspace(-1, 1, settings.depths), persistent=False)

    def forward(self, noise: Tensor) -> Circumstances:
        hidden = self.hidden(noise)
        gain, tilt = self.to_gain(hidden)[:, :, None].unbind(1)
        return Circumstances(
            self.to_map(hidden).view(-1, _MAP, _MAP, _MAP),
            -self.contact(noise)[:, None, None],
            (gain + tilt * self.depths)[:, None, :, None],
        )


class Trunk(nn.Module):
    """What is told of blocks of BLOCK² cells of the grid (B, C, D / 2, L / 2), and the map that z gives → level,
    attenuation, specular of each cell (N, 3, D, L).

    No map is as large as the grid: a block's channels say what is within it."""

    def __init__(self, told: int, channels: tuple[int, int], size: tuple[int, int]) -> None:
        """`size` is that of the maps of blocks."""
        super().__init__()
        self._blocks = size
        blocks, fewer = channels
        self.first, self.middle1 = _conv(told, blocks, size=1), _conv(blocks, blocks)
        self.down, self.middle2 = _conv(blocks, fewer, 2), _conv(fewer, fewer)
        self.from_map, self.middle3 = _conv(_MAP, fewer), _conv(fewer, fewer)
        # Channels are fewer before maps grow, where they cost a quarter.
        self.before_up, self.up = _conv(fewer, blocks, size=1), _conv(blocks, blocks)
        self.head = _without_bias(nn.Conv2d(blocks, 3 * BLOCK**2, 3, padding=1))
        nn.init.normal_(self.head.weight, 0.0, 0.01)

    def spread(self, coarse: Tensor) -> Tensor:
        """The coarse map (N, _MAP, _MAP, _MAP) → what it adds to the maps at a quarter of the grid's size."""
        size = [_half(side) for side in self._blocks]
        enlarged = functional.interpolate(coarse, size=size, mode="bilinear", align_corners=False)
        added: Tensor = self.from_map(enlarged)
        return added

    def forward(self, told: Tensor, coarse: Tensor) -> Tensor:
        """`coarse` is what `spread` has made of the map."""
        blocks = functional.relu_(self.middle1(functional.relu_(_pixelwise(self.first, told))))
        fewer = self.middle2(functional.relu_(self.down(blocks)))
        # What does not depend on z is made once for all samples of a pose.
        blocks, fewer = (_repeated(part, len(coarse) // len(told)) for part in (blocks, fewer))
        fewer = functional.relu_(fewer + coarse)
        fewer = self.before_up(functional.relu_(self.middle3(fewer)))
        enlarged = functional.interpolate(fewer, size=blocks.shape[2:], mode="nearest")
        return _unfolded(self.head(functional.relu_(self.up(blocks + enlarged))))


class Display(nn.Module):
    """Power of the echo (N, 1, D', L') and level at the network's cells (N, 1, D, L) → grey, 0 black and 1 white."""

    def __init__(self) -> None:
        super().__init__()
        self.slope, self.offset, self.log_floor = (
            nn.Parameter(torch.tensor(start / FASTER)) for start in (0.16, 0.4, -6.0)
        )
        # On blocks of samples, as the trunk is on those of cells.
        self.residual1 = nn.Conv2d(BLOCK**2 + 1, _RESIDUAL, 3, padding=1)
        self.residual2 = _without_bias(nn.Conv2d(_RESIDUAL, BLOCK**2, 3, padding=1))
        nn.init.zeros_(self.residual2.weight)

    def forward(self, power: Tensor, receiver: Tensor, level: Tensor) -> Tensor:
        seen = power + (FASTER * self.log_floor).exp() * receiver + 1e-6
        grey = FASTER * (self.slope * seen.log() + self.offset)
        blocks = functional.pixel_unshuffle(grey, BLOCK)
        level = functional.interpolate(level, size=blocks.shape[2:], mode="bilinear", align_corners=False)
        rest = functional.leaky_relu(self.residual1(torch.cat([blocks, level], 1)), _SLOPE)
        return grey + _unfolded(self.residual2(rest))


class BeamGenerator(nn.Module):
    """G(z, c): noise (N, noise_size) and coordinate coefficients (B, 3, 3) → images (N, 1, H, W) in [−1, 1]; N is B, or
    a multiple of it whose samples take the poses in turn."""

    place: Tensor
    cells_a_unit: Tensor
    receiver_entries: Tensor

    def __init__(self, settings: BeamSettings, field: FieldOfView) -> None:
        super().__init__()
        self.settings = settings
        self.grid = BeamGrid(settings, field)
        self.tissue = Tissue(settings.volume, settings.volume_cells, settings.plane_cells)
        self.trunk = Trunk(self.tissue.count + 2, settings.channels, self.grid.blocks)
        self.from_noise = FromNoise(settings)
        self.spread = PointSpread(self.grid.finer)
        self.display = Display()
        down, across = torch.meshgrid(
            *(torch.linspace(-1, 1, size // BLOCK) for size in (settings.depths, settings.lines)),
            indexing="ij",
        )
        cells = 1 / (_CELL_PX * torch.tensor(settings.pixel))
        self.register_buffer("place", torch.stack([down, across])[None], persistent=False)
        self.register_buffer("cells_a_unit", cells, persistent=False)
        self.register_buffer(
            "receiver_entries", entries_of_samples(math.prod(self.grid.fine_size))[None], persistent=False
        )

    def forward(self, noise: Tensor, affine: Tensor) -> Tensor:
        return self.images(self.noise_part(noise), affine)

    def noise_part(self, noise: Tensor) -> NoisePart:
        """Noise (N, noise_size) → its part of the images."""
        tables = echo_tables(noise)
        receiver = power_of(looked_up(tables, self.receiver_entries, self.grid.fine_size)) / 2
        about = self.from_noise(noise)
        return NoisePart(tables, receiver, dataclasses.replace(about, coarse=self.trunk.spread(about.coarse)))

    def images(self, noise: NoisePart, affine: Tensor) -> Tensor:
        """Noise parts (N, …) and coefficients (B, 3, 3) → images (N, 1, H, W)."""
        size = self.grid.fine_size
        entries = entries_of_cells(affine, self.grid.samples, self.cells_a_unit)
        echoes = self.spread(looked_up(noise.tables, entries, size))
        level, specular, raw = self.levels(noise.about, affine)
        return self.converted(self.display(power_of(echoes, level, specular), noise.receiver, raw))

    def levels(self, about: Circumstances, affine: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Log power of speckle and of the specular part at every sample (N, 1, D', L'), and the tissue's own level at
        every cell (N, 1, D, L)."""
        height, width = self.grid.blocks
        middles = places(affine, self.grid.middles, (height, width))
        told = self.tissue(middles, places(affine, self.grid.rows, (BLOCK * height, width)))
        told = torch.cat([told, self.place.expand(len(told), -1, -1, -1)], 1)
        level, attenuation, specular = torch.split(self.trunk(told, about.coarse), 1, 1)
        attenuation = functional.softplus(attenuation + _RARE)
        above = attenuation.cumsum(2) - attenuation
        shift = _LEVEL * (about.by_line + about.by_depth - above)
        specular = 2 * (functional.softplus(specular + _RARE) + 1e-4).log() + shift
        maps = torch.cat([_LEVEL * level + shift, specular], 1)
        fine = functional.interpolate(maps, size=self.grid.fine_size, mode="bilinear", align_corners=True)
        speckled, even = torch.split(fine.clamp(*_LOG_POWER), 1, 1)
        return speckled, even, level

    def converted(self, grey: Tensor) -> Tensor:
        """Grey on the speckle's grid (N, 1, D', L') → images; black outside the field of view."""
        # As a scanner does it: what is too dark or too bright is cut on the beams, and pixels lie between what is left.
        shown = grey.clamp(0, 1)
        if self.training:
            shown = shown + _LEAK * (grey - shown)
        to_grid = self.grid.to_grid.expand(len(grey), -1, -1, -1)
        images = functional.grid_sample(shown, to_grid, align_corners=True, padding_mode="border")
        return torch.where(self.grid.inside, 2 * images - 1, BLACK)


def power_of(echoes: Tensor, level: Tensor | None = None, specular: Tensor | None = None) -> Tensor:
    """Complex echoes (N, 2, D, L) → their power (N, 1, D, L); speckle of a log power, beside an even echo."""
    real, imaginary = torch.split(echoes, 1, 1)
    if level is not None and specular is not None:
        amplitude = (level / 2).exp()
        real, imaginary = real * amplitude + (specular / 2).exp(), imaginary * amplitude
    return real.square() + imaginary.square()


def _conv(channels_in: int, channels_out: int, stride: int = 1, size: int = 3) -> nn.Conv2d:
    conv = nn.Conv2d(channels_in, channels_out, size, stride, padding=size // 2)
    nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
    return _without_bias(conv)


def _without_bias(layer: Layer) -> Layer:
    """The layer with a bias that begins at 0."""
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer


def _unfolded(blocks: Tensor) -> Tensor:
    """`pixel_shuffle` by BLOCK, for maps of few channels more than twice as fast."""
    batch, channels, height, width = blocks.shape
    maps = blocks.new_empty(batch, channels // BLOCK**2, BLOCK * height, BLOCK * width)
    for number, (row, column) in enumerate(itertools.product(range(BLOCK), repeat=2)):
        maps[:, :, row::BLOCK, column::BLOCK] = blocks[:, number :: BLOCK**2]
    return maps


def _pixelwise(conv: nn.Conv2d, maps: Tensor) -> Tensor:
    """A convolution of size 1 as a product, channels last: several times as fast where channels come first."""
    rows = functional.linear(maps.flatten(2).transpose(1, 2), conv.weight[:, :, 0, 0], conv.bias)
    return rows.view(len(maps), *maps.shape[2:], -1).permute(0, 3, 1, 2)


def _half(size: int) -> int:
    """Of a map after a convolution of stride 2."""
    return (size + 1) // 2


def _repeated(maps: Tensor, times: int) -> Tensor:
    return maps if times == 1 else maps.repeat(times, 1, 1, 1)
