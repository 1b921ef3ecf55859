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
# The beam's thickness, in cells of scatterers: after so many across the plane nothing of the speckle is left.
_THICKNESS_CELLS = 6
# Odd factors spread neighbours.
_FACTORS = torch.tensor([0x27D4EB2D, 0x165667B1, 0x1B873593])
_FACTOR = 0x2545F491


def echo_tables(noise: Tensor) -> Tensor:
    """z (N, noise_size) → (N, ENTRIES, 2): real and imaginary parts, each of SD 1, that change little for a little
    change of z."""
    weights = functional.normalize(noise[:, :_PATTERNS].float(), dim=1)
    return (weights @ _signs(noise.device)[: weights.shape[1]]).view(len(noise), ENTRIES, 2)


def entries_of_cells(affine: Tensor, positions: Tensor, cells_a_unit: Tensor) -> Tensor:
    """Coefficients (B, 3, 3) of planes, positions (3, P) in them, cells per unit of each axis (3,) → entries (B, P)."""
    to_cells = affine * cells_a_unit[:, None]
    at = to_cells @ positions
    normals = torch.linalg.cross(to_cells[:, :, 0], to_cells[:, :, 1])
    # Along the axis that is nearest to the plane's normal, cells are as long as the beam is thick, and begin each at a
    # place of its own: so speckle changes little by little when the plane moves on.
    thick = functional.one_hot(normals.abs().argmax(1), 3)
    x, y, z = torch.floor(at).int().unbind(1)
    factors = (_FACTORS.to(thick.device) * (1 - thick)).int()
    across = x * factors[:, :1] + y * factors[:, 1:2] + z * factors[:, 2:]
    begins = ((across * _FACTOR >> 16) & (ENTRIES - 1)).float() * (1 / ENTRIES)
    depth = (thick[:, None].to(at) / _THICKNESS_CELLS) @ at
    layer = torch.floor(depth[:, 0] + begins).int()
    entries: Tensor = (_scrambled(across + layer * _FACTOR) & (ENTRIES - 1)).long()
    return entries


def entries_of_samples(count: int) -> Tensor:
    """(count,): the entries of noise that belongs to the receiver, not to the tissue."""
    index = torch.arange(count, dtype=torch.int32)
    entries: Tensor = (_scrambled(index * _FACTOR) & (ENTRIES - 1)).long()
    return entries


def _scrambled(mixed: Tensor) -> Tensor:
    """Two rounds of shift and multiply, as in Wellons' hashes; products wrap."""
    mixed = (mixed ^ (mixed >> 15)) * 0x2C1B3C6D
    mixed = (mixed ^ (mixed >> 12)) * 0x297A2D39
    return mixed ^ (mixed >> 15)


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
        depths, lines = echoes.shape[2:]
        # As products with banded matrices: convolutions of one channel are many times as slow, backwards above all.
        across = _banded(self.lateral_kernels(depths), lines)
        along = _banded(self.axial_kernel()[None], depths)[0]
        spread = torch.einsum("ncdl,dlk->ncdk", echoes, across)
        return (along @ spread) * math.sqrt(0.5)

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


def _banded(kernels: Tensor, size: int) -> Tensor:
    """Symmetrical kernels (K, taps) → matrices (K, size, size) that convolve with them, zeros beyond the ends."""
    beside = size - 1 - kernels.shape[1] // 2
    return functional.pad(kernels, (beside, beside)).unfold(1, size, 1).flip(1)


@functools.lru_cache(maxsize=2)
def _signs(device: torch.device) -> Tensor:
    """(_PATTERNS, ENTRIES · 2) ± 1: the bits of a fixed hash of each number (Wellons' lowbias32)."""
    bits = np.arange(ENTRIES * 2, dtype=np.uint32)
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        bits = (bits ^ (bits >> np.uint32(shift))) * np.uint32(factor)
    bits ^= bits >> np.uint32(16)
    each = (bits >> np.arange(_PATTERNS, dtype=np.uint32)[:, None]) & np.uint32(1)
    return torch.from_numpy(1 - 2 * each.astype(np.float32)).to(device)
