"""Speckle as what it is: echoes of many small scatterers that stick to the tissue, added up by pulse and beam.

Scatterers are complex white noise in small cells of Reference. A cell's echo stands in a table of a sample's own, at an
entry that is a hash of the cell, so that noise of any fineness needs neither much memory nor a period. The point-spread
function is a Gaussian along the beam and another across it, which changes with depth; both are learned.
"""

from __future__ import annotations

import functools
import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

ENTRIES = 1 << 16
# A table is a mixture of so many patterns of signs, weighted by the first numbers of z: one bit of a hash for each.
_PATTERNS = 32
# Standard deviations at the beginning, across in lines of the network's grid and along in its depths; and the greatest.
_LATERAL_SD, _AXIAL_SD = 0.9, 0.45
_MOST_LATERAL_SD, _MOST_AXIAL_SD = 3.0, 1.5
_KNOTS = 9  # Depths at which the lateral width is learned; it is linear, as a logarithm, in between.
# Adam moves every number by about its learning rate; those few that shape all images have further to go.
FASTER = 5.0


def echo_tables(noise: Tensor) -> Tensor:
    """z (N, noise_size) → (N, ENTRIES, 2): real and imaginary parts, each of SD 1, that change little for a little
    change of z."""
    weights = functional.normalize(noise[:, :_PATTERNS].float(), dim=1)
    return (weights @ _signs(noise.device)[: weights.shape[1]]).view(len(noise), ENTRIES, 2)


def entries_of_cells(points: Tensor, cells_a_unit: Tensor) -> Tensor:
    """Normalised coordinates (B, 3, D, L) and cells per unit of each axis (3,) → entries (B, D · L), int64."""
    x, y, z = torch.floor(points * cells_a_unit[:, None, None]).int().flatten(2).unbind(1)
    # Odd factors spread neighbours; then two rounds of shift and multiply (the way of Wellons' hashes). Products wrap.
    mixed = x * 0x27D4EB2D + y * 0x165667B1 + z * 0x1B873593
    mixed = (mixed ^ (mixed >> 15)) * 0x2C1B3C6D
    mixed = (mixed ^ (mixed >> 12)) * 0x297A2D39
    return ((mixed ^ (mixed >> 15)) & (ENTRIES - 1)).long()


def entries_of_samples(count: int) -> Tensor:
    """(count,): the entries of noise that belongs to the receiver, not to the tissue."""
    index = torch.arange(count)[None, None, None].expand(1, 3, 1, count).float()
    return entries_of_cells(index, torch.tensor([1.0, -3.0, 7.0]))[0]


def looked_up(tables: Tensor, entries: Tensor, size: tuple[int, int]) -> Tensor:
    """Tables (N, ENTRIES, 2) at entries (B, D · L), which take the samples in turn → (N, 2, D, L)."""
    echoes = [functional.embedding(entries[k % len(entries)], table) for k, table in enumerate(tables)]
    return torch.stack(echoes).transpose(1, 2).reshape(len(tables), 2, *size)


class PointSpread(nn.Module):
    """White noise (N, 2, D, L) → speckle of mean power 1."""

    def __init__(self, finer: tuple[int, int]) -> None:
        """`finer` says how many samples there are to a depth and to a line of the network's grid."""
        super().__init__()
        self._finer = finer
        self.log_lateral_sd = nn.Parameter(torch.full((_KNOTS,), math.log(_LATERAL_SD) / FASTER))
        self.log_axial_sd = nn.Parameter(torch.tensor(math.log(_AXIAL_SD) / FASTER))

    def forward(self, echoes: Tensor) -> Tensor:
        across = self.lateral_kernels(echoes.shape[2])
        reach = across.shape[1] // 2
        windows = functional.pad(echoes, (reach, reach)).unfold(3, across.shape[1], 1)
        spread = torch.einsum("ncdlk,dk->ncdl", windows, across).flatten(0, 1)
        along = self.axial_kernel()[None, None, :, None]
        return functional.conv2d(spread[:, None], along, padding="same").view_as(echoes) * math.sqrt(0.5)

    def lateral_kernels(self, depths: int) -> Tensor:
        """(depths, taps), each of norm 1."""
        log_sd = functional.interpolate(
            FASTER * self.log_lateral_sd[None, None], size=depths, mode="linear", align_corners=True
        )[0, 0]
        return _gaussians(
            log_sd.exp().clamp_max(_MOST_LATERAL_SD) * self._finer[1], _MOST_LATERAL_SD * self._finer[1]
        )

    def axial_kernel(self) -> Tensor:
        """(taps,), of norm 1."""
        sd = (FASTER * self.log_axial_sd).exp().clamp_max(_MOST_AXIAL_SD) * self._finer[0]
        return _gaussians(sd[None], _MOST_AXIAL_SD * self._finer[0])[0]


def _gaussians(sd: Tensor, most: float) -> Tensor:
    """SDs (K,) in samples, up to `most` → (K, taps), each of norm 1."""
    reach = math.ceil(3 * most)
    at = torch.arange(-reach, reach + 1, device=sd.device, dtype=torch.float32)
    return functional.normalize(torch.exp(-0.5 * (at / sd[:, None]) ** 2), dim=1)


@functools.lru_cache(maxsize=2)
def _signs(device: torch.device) -> Tensor:
    """(_PATTERNS, ENTRIES · 2) ± 1: the bits of a fixed hash of each number (Wellons' lowbias32)."""
    bits = np.arange(ENTRIES * 2, dtype=np.uint32)
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        bits = (bits ^ (bits >> np.uint32(shift))) * np.uint32(factor)
    bits ^= bits >> np.uint32(16)
    each = (bits >> np.arange(_PATTERNS, dtype=np.uint32)[:, None]) & np.uint32(1)
    return torch.from_numpy(1 - 2 * each.astype(np.float32)).to(device)
