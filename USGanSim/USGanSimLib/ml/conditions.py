"""What the generator is told at each of its levels, beside its own features: where its cells lie, and what is there.

In the paper that is the physical position of each cell, x, y, z. More can be told (NetworkShape):

- `octaves`: sines and cosines of the position (`encoded`).
- `volume`: features of the tissue there, read from a volume in Reference that is learned with the weights, at each
  level one of its own (`FeatureVolume`); and where in the image the cell lies, since depths differ.

And at the end it can be given speckle that sticks to the tissue and moves with it (`TissueSpeckle`); how much of it a
pixel has is the generator's to say (`with_speckle`).
"""

from __future__ import annotations

import functools
import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from .parts.places import COORDINATES, FeatureVolume

# In normalised coordinates (SD 1) the first octave's period spans all that was scanned, about ±2 SD.
_FIRST_OCTAVE = math.pi / 2
# The lattice of noise has so many cells each way and then repeats; it is a mixture of so many patterns of signs.
NOISE_CELLS, _NOISE_PATTERNS = 48, 8
# Down the image and across it; the generator mixes them as each place needs it.
SPECKLE_SD_PX = ((0.5, 0.5), (0.5, 1.0), (0.6, 1.5), (0.9, 2.5))
_DARKEST_SD = -3.0


def encoded(grid: Tensor, octaves: int) -> Tensor:
    """Normalised coordinates (B, 3, h, w) → (B, 3 + 6 · octaves, h, w): themselves, then for every octave the sine and
    the cosine of each, with half the period of the octave before.

    A network of smooth functions follows fine detail of its input slowly; given waves of all lengths it places detail
    within a few training frames (Tancik et al. 2020, Fourier features).
    """
    waves = [
        wave(grid * (_FIRST_OCTAVE * 2**octave))
        for octave in range(octaves)
        for wave in (torch.sin, torch.cos)
    ]
    return torch.cat([grid, *waves], dim=1) if waves else grid


def noise_lattices(noise: Tensor) -> Tensor:
    """z (N, noise_size) → complex white noise on a lattice in space, (N, NOISE_CELLS³, 2): its real and imaginary part,
    each of SD 1. It changes little for a little change of z.

    It is a mixture of patterns of signs, weighted by the first numbers of z. The signs are bit 16 of a fixed hash of
    their place (the multiplications of Wellons' lowbias32), so no file has to hold them.
    """
    weights = functional.normalize(noise[:, :_NOISE_PATTERNS], dim=1)
    signs = _signs(weights.shape[1], weights.device).to(weights.dtype)
    return (weights @ signs).view(len(noise), NOISE_CELLS**3, 2)


class TissueSpeckle(nn.Module):
    """Fully developed speckle that sticks to the tissue: a lattice's noise at the pixels, blurred by some widths of
    beam and pulse, its power in logarithms, as a display shows it (Goodman 1975)."""

    channels = len(SPECKLE_SD_PX)
    kernels: Tensor

    def __init__(self, cell: float) -> None:
        """`cell` is the size of a cell of the lattice in normalised coordinates."""
        super().__init__()
        self.cell = cell
        kernels = _blurs()
        self._kernel_shape = kernels.shape
        # Flat, as the features of a volume are. They are computed, so no file has to hold them.
        self.register_buffer("kernels", kernels.flatten(), persistent=False)

    @torch.no_grad()
    def at(self, pixels: Tensor, lattices: Tensor) -> Tensor:
        """Normalised coordinates (B, 3, H, W) and lattices (N, cells, 2), which take the poses in turn → (N, channels,
        H, W) of mean 0 and SD 1; its few darkest pixels are cut off."""
        x, y, z = torch.floor(pixels * (1 / self.cell)).long().remainder(NOISE_CELLS).unbind(1)
        places = ((z * NOISE_CELLS + y) * NOISE_CELLS + x).flatten(1).repeat(len(lattices) // len(pixels), 1)
        echoes = torch.stack([lattice[place] for lattice, place in zip(lattices, places, strict=True)])
        height, width = pixels.shape[2:]
        fields = echoes.transpose(1, 2).reshape(2 * len(lattices), 1, height, width)
        blurred = functional.conv2d(fields, self.kernels.view(self._kernel_shape).to(fields), padding="same")
        power = blurred.view(len(lattices), 2, self.channels, height, width).square().mean(dim=1)
        # Power of mean 1 has an exponential distribution; its logarithm has the mean −0.577… and the SD π / √6.
        return (power.log_() + np.euler_gamma).div_(math.pi / math.sqrt(6)).clamp_min_(_DARKEST_SD)


def with_speckle(images: Tensor, speckle: Tensor) -> Tensor:
    """Levels and how strong each speckle is, (N, 1 + channels, H, W), and the speckle, (N, channels, H, W) → (N, 1,
    H, W).

    On a logarithmic display speckle is added to the level of the tissue.
    """
    # Never negative: the dark dots of speckle would be bright.
    return images[:, :1] + (images[:, 1:].abs() * speckle).sum(dim=1, keepdim=True)


class Conditions(nn.Module):
    """All that one level is told of its cells."""

    def __init__(self, octaves: int, volume: FeatureVolume | None) -> None:
        super().__init__()
        self.octaves, self.volume = octaves, volume

    @property
    def channels(self) -> int:
        """How many numbers a cell is told."""
        of_volume = self.volume.channels + 2 if self.volume is not None else 0
        return COORDINATES * (1 + 2 * self.octaves) + of_volume

    def forward(self, grid: Tensor) -> Tensor:
        """Normalised coordinates (B, 3, h, w) → (B, channels, h, w)."""
        position = encoded(grid, self.octaves)
        if self.volume is None:
            return position
        return torch.cat([position, self.volume.at(grid), place_in_image(grid)], dim=1)


def place_in_image(grid: Tensor) -> Tensor:
    """(B, 3, h, w) → (B, 2, h, w): −1 … 1 from the image's left to its right, and from its top to its bottom."""
    height, width = grid.shape[2:]
    across = torch.linspace(-1, 1, width, device=grid.device, dtype=grid.dtype).expand(height, width)
    down = torch.linspace(-1, 1, height, device=grid.device, dtype=grid.dtype)[:, None].expand(height, width)
    return torch.stack([across, down]).expand(len(grid), -1, -1, -1)


@functools.lru_cache(maxsize=2)
def _signs(patterns: int, device: torch.device) -> Tensor:
    """(patterns, NOISE_CELLS³ · 2) ± 1."""
    shape = (patterns, NOISE_CELLS**3 * 2)
    bits = np.arange(math.prod(shape), dtype=np.uint32)
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        bits = (bits ^ (bits >> np.uint32(shift))) * np.uint32(factor)
    signs = 1 - 2 * ((bits >> np.uint32(16)) & np.uint32(1)).astype(np.float32)
    return torch.from_numpy(signs.reshape(shape)).to(device)


def _blurs() -> Tensor:
    """(channels, 1, h, w): Gaussian kernels whose squares sum to 1, so that blurred white noise keeps its power."""
    reach = [math.ceil(3 * max(widths)) for widths in zip(*SPECKLE_SD_PX, strict=True)]
    down, across = (torch.arange(-most, most + 1, dtype=torch.float32) for most in reach)
    kernels = [
        torch.outer(torch.exp(-0.5 * (down / axial) ** 2), torch.exp(-0.5 * (across / lateral) ** 2))
        for axial, lateral in SPECKLE_SD_PX
    ]
    return torch.stack([kernel / kernel.norm() for kernel in kernels])[:, None]
