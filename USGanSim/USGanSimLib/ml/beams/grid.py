"""The grids of a field of view as tensors: where beams are sampled in the image, and where pixels lie on the beams."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...geometry.beams import Beams
from ...geometry.field_of_view import FieldOfView
from ...model.beam_settings import BeamSettings

# Speckle is sampled so finely along a beam (samples a pixel) and across the beams at the greatest depth, but no finer
# than these many times the network's grid: its grain is a share of the depth, however many pixels show it.
_SAMPLES_A_PX, _LINES_A_PX = 2.0, 0.75
_FINEST = 4, 2
# Cells of either grid, each way, that are channels of one place in a convolution.
BLOCK = 2


class BeamGrid(nn.Module):
    """Buffers that follow from the settings and the field of view; no file holds them.

    middles    (3, D / 2 · L / 2): (u, v, 1) in image pixels of the middles of blocks of cells of the network's grid
    rows       (3, D · L / 2): the same of the middles of the rows of each block, all first ones before all second ones
    samples    (3, D' · L'): the same of the speckle's grid, `finer` as fine each way
    to_grid    (1, H, W, 2): where each pixel lies on either grid, −1 … 1 from the middle of its first to its last cell
    inside     (H, W): pixels in the field of view
    """

    middles: Tensor
    rows: Tensor
    samples: Tensor
    to_grid: Tensor
    inside: Tensor

    def __init__(self, settings: BeamSettings, field: FieldOfView) -> None:
        super().__init__()
        beams = Beams(field)
        depth_px, across_px = beams.size_px
        self.size = settings.depths, settings.lines
        wanted = _SAMPLES_A_PX * depth_px / settings.depths, _LINES_A_PX * across_px / settings.lines
        self.finer = min(max(1, round(wanted[0])), _FINEST[0]), min(max(1, round(wanted[1])), _FINEST[1])
        self.fine_size = settings.depths * self.finer[0], settings.lines * self.finer[1]
        self.blocks = settings.depths // BLOCK, settings.lines // BLOCK
        down, across = (np.linspace(0, 1, size).reshape(-1, BLOCK) for size in self.size)
        middles = np.meshgrid(down.mean(1), across.mean(1), indexing="ij")
        rows = np.meshgrid(down.T.ravel(), across.mean(1), indexing="ij")
        samples = np.meshgrid(*(np.linspace(0, 1, size) for size in self.fine_size), indexing="ij")
        for name, (depth, line) in (("middles", middles), ("rows", rows), ("samples", samples)):
            u, v = beams.points(line, depth)
            positions = np.stack([u, v, np.ones_like(u)]).reshape(3, -1)
            self.register_buffer(name, _tensor(positions), persistent=False)
        across, down = beams.coordinates()
        to_grid = 2 * np.stack([across, down], axis=-1) - 1
        self.register_buffer("to_grid", _tensor(to_grid)[None], persistent=False)
        self.register_buffer("inside", torch.from_numpy(field.mask()), persistent=False)


def places(affine: Tensor, positions: Tensor, size: tuple[int, int]) -> Tensor:
    """Coefficients (B, 3, 3) and positions (3, D · L) → normalised coordinates (B, 3, D, L)."""
    return (affine @ positions).view(len(affine), 3, *size)


def _tensor(values: NDArray[np.float64]) -> Tensor:
    return torch.from_numpy(values.astype(np.float32))
