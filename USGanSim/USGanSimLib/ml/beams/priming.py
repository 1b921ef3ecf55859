"""The tissue before training: what its volumes hold is the training set itself, compounded.

Each cell gets the mean and the spread of the grey levels that fell there, and how many they were; a cell where too few
fell has what larger ones around it have. Training begins with the anatomy in place, if blurred, and where no frame
passed the volumes are smooth.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn import functional

from ..parts.places import FEATURE_SCALE, VOLUME_REACH, FeatureVolume
from .tissue import Tissue

STRIDE_PX = 2  # Every second pixel each way is enough.
_ENOUGH = 4  # Pixels in a cell whose mean says something.
_LEAST_SD = 1e-3


@torch.no_grad()
def prime(tissue: Tissue, frames: Iterable[tuple[Tensor, Tensor]], inside: Tensor) -> None:
    """Set the first three features of both volumes by images (B, 1, H, W) in [−1, 1] with their coefficients (B, 3, 3),
    at the pixels (H, W) `inside` the field of view."""
    volume = tissue.fine
    sums = torch.zeros(3, volume.cells**3, device=inside.device)
    v, u = inside[::STRIDE_PX, ::STRIDE_PX].nonzero().mul(STRIDE_PX).T
    pixels = torch.stack([u, v, torch.ones_like(u)]).float()
    for images, affine in frames:
        grey = images[:, 0, v, u].flatten()
        cells = _cells_at((affine @ pixels).transpose(0, 1).flatten(1), volume.cells)
        sums.index_add_(1, cells, torch.stack([torch.ones_like(grey), grey, grey * grey]))
    count, mean, square = _filled(sums.view(3, *[volume.cells] * 3))
    spread = (square - mean * mean).clamp_min(0).sqrt()
    known = torch.stack([_standardised(part) for part in (mean, spread, (count + 1).log())])
    _set(volume, known)
    _set(tissue.coarse, functional.adaptive_avg_pool3d(known, tissue.coarse.cells))


def _cells_at(places: Tensor, cells: int) -> Tensor:
    """Normalised coordinates (3, P) → entries of the cells (P,) that they fall in, at the border beyond it."""
    x, y, z = ((places / VOLUME_REACH + 1) * (cells / 2)).long().clamp_(0, cells - 1)
    entries: Tensor = (z * cells + y) * cells + x
    return entries


def _filled(sums: Tensor) -> Tensor:
    """Count and sums (3, n, n, n) → count, mean and mean square, of the smallest cells around that hold enough."""
    size, factor = sums.shape[1], 1
    rest = (1 << (size - 1).bit_length()) - size  # To a power of two, so that the largest cell is all of it.
    sums = functional.pad(sums, (0, rest) * 3)
    found = sums
    while factor < size + rest:
        factor *= 2
        around = functional.avg_pool3d(sums, factor) * factor**3
        larger = functional.interpolate(around[None], scale_factor=factor, mode="nearest")[0]
        found = torch.where(found[0] < _ENOUGH, larger, found)
    sums, found = (part[:, :size, :size, :size] for part in (sums, found))
    return torch.stack([sums[0], *(found[1:] / found[0].clamp_min(1))])


def _standardised(values: Tensor) -> Tensor:
    return (values - values.mean()) / values.std().clamp_min(_LEAST_SD)


def _set(volume: FeatureVolume, features: Tensor) -> None:
    count = min(len(features), volume.channels)
    volume.features[:count] = features[:count].flatten(1) / FEATURE_SCALE
