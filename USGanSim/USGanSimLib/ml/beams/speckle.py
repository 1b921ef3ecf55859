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


def echo_tables(noise: Tensor) -> Tensor:
    """z (N, noise_size) → (N, ENTRIES, 2): real and imaginary parts, each of SD 1, that change little for a little
    change of z."""
    weights = functional.normalize(noise[:, :_PATTERNS].float(), dim=1)
    return (weights @ _signs(noise.device)[: weights.shape[1]]).view(len(noise), ENTRIES, 2)


def entries_of_cells(points: Tensor, cells_a_unit: Tensor) -> Tensor:
    """Normalised coordinates (B, 3, D, L) of the points of a plane each, and cells per unit of each axis (3,) → entries
    (B, D · L), int64."""
    at = points * cells_a_unit[:, None, None]
    normals = _normals(at)
    fine = torch.floor(at).int().flatten(2)
    # Along the axis that is nearest to the plane's normal, cells are as long as the beam is thick, and begin each at a
    # place of its own: so speckle changes little by little when the plane moves on.
    axes = normals.abs().argmax(1)[:, None, None].expand(-1, 1, fine.shape[2])
    across = _mixed(fine.scatter(1, axes, 0))
    begins = (across & (ENTRIES - 1)).float() / ENTRIES
    layer = torch.floor(at.flatten(2).gather(1, axes)[:, 0] / _THICKNESS_CELLS + begins).int()
    entries: Tensor = (_scrambled(across + layer * 0x1B873593) & (ENTRIES - 1)).long()
    return entries


def entries_of_samples(count: int) -> Tensor:
    """(count,): the entries of noise that belongs to the receiver, not to the tissue."""
    index = torch.arange(count, dtype=torch.int32)
    hashes = _mixed(torch.stack([index, -3 * index, 7 * index])[None])[0]
    entries: Tensor = (hashes & (ENTRIES - 1)).long()
    return entries


def _normals(points: Tensor) -> Tensor:
    """Of planes through the corners of grids (B, 3, D, L), (B, 3), of any length."""
    along, across = points[:, :, -1, 0] - points[:, :, 0, 0], points[:, :, 0, -1] - points[:, :, 0, 0]
    normals: Tensor = torch.linalg.cross(along, across)
    return normals


def _mixed(cells: Tensor) -> Tensor:
    """Whole numbers (B, 3, P) → hashes (B, P), int32."""
    x, y, z = cells.unbind(1)
    # Odd factors spread neighbours.
    return _scrambled(x * 0x27D4EB2D + y * 0x165667B1 + z * 0x1B873593)


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
