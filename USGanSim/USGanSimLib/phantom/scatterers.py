"""Scatterers fixed in the tissue: random fields in space, looked up at any point, that repeat after centimetres."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from .moment import SCATTERER_CELLS, Moment
from .shapes import Points

Complex = NDArray[np.complex64]
Cells = NDArray[np.int32]

SCATTERER_MM = 0.5
LUMP_CELLS, LUMP_MM = 64, 1.6


class Scatterers:
    """Complex amplitudes with mean square 1, one a cell, many to a resolution cell of the probe (fully developed
    speckle, Goodman 1975), and lumps: a slow variation of their strength with mean 0 and SD 1."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng([seed, 96])
        parts = rng.standard_normal((*(SCATTERER_CELLS,) * 3, 2), dtype=np.float32) / np.float32(np.sqrt(2))
        self._amplitudes: Complex = parts.view(np.complex64).ravel()
        lumps = gaussian_filter(rng.standard_normal((LUMP_CELLS,) * 3, dtype=np.float32), 1.3, mode="wrap")
        self._lumps: NDArray[np.float32] = (lumps / lumps.std()).ravel()

    def at(self, points: Points, moment: Moment) -> Complex:
        """Amplitudes (N,) at points (3, N) of the resting tissue, mm."""
        cells = _cells(points, SCATTERER_MM)
        fixed = self._amplitudes[_address(cells, SCATTERER_CELLS)]
        if not moment.speckle_change:
            return fixed
        # The changing share shows the same statistics at cells that have nothing to do with the fixed ones.
        elsewhere = cells[[1, 2, 0]] + np.array(moment.speckle_offset, np.int32)[:, None]
        change = np.float32(moment.speckle_change)
        changed = self._amplitudes[_address(elsewhere, SCATTERER_CELLS)]
        mixed: Complex = np.sqrt(1 - change**2) * fixed + change * changed
        return mixed

    def lumps_at(self, points: Points) -> NDArray[np.float32]:
        """The slow variation (N,) at points (3, N), mm."""
        return self._lumps[_address(_cells(points, LUMP_MM), LUMP_CELLS)]


def _cells(points: Points, cell_mm: float) -> Cells:
    cells: Cells = np.floor(points * np.float32(1 / cell_mm)).astype(np.int32)
    return cells


def _address(cells: Cells, size: int) -> Cells:
    x, y, z = cells & (size - 1)
    address: Cells = (z * size + y) * size + x
    return address
