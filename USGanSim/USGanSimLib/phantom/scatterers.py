"""Scatterers fixed in the tissue: random fields in space, looked up at any point, that repeat after centimetres."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from .moment import SCATTERER_CELLS, Moment
from .shapes import Points, Vector

Complex = NDArray[np.complex64]
Cells = NDArray[np.int32]
Address = NDArray[np.intp]
Field = NDArray[np.float32]

SCATTERER_MM = 0.5
CELL_BITS = SCATTERER_CELLS.bit_length() - 1
LUMP_CELLS, LUMP_MM = 64, 1.6
REACH_SD = 2.25  # 0.2 % of the beam's power lies farther from the image plane


class Scatterers:
    """Complex amplitudes with mean square 1, one a cell, many to a resolution cell of the probe (fully developed
    speckle, Goodman 1975), and lumps: a slow variation of their strength with mean 0 and SD 1."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng([seed, 96])
        parts = rng.standard_normal((*(SCATTERER_CELLS,) * 3, 2), dtype=np.float32) / np.float32(np.sqrt(2))
        self._amplitudes: Complex = parts.view(np.complex64).ravel()
        lumps = gaussian_filter(rng.standard_normal((LUMP_CELLS,) * 3, dtype=np.float32), 1.3, mode="wrap")
        self._lumps: NDArray[np.float32] = (lumps / lumps.std()).ravel()

    def layers(
        self, points: Points, normal: Vector, sd_mm: float, moment: Moment
    ) -> Iterator[tuple[Field, Complex]]:
        """What a beam sees of the cells across the image plane: an amplitude that is Gaussian, of SD `sd_mm`, along
        the unit vector `normal` (3,), at points (3, N) of the resting tissue, mm.

        Yields, for each layer of cells that the beam passes, the distance of its middle from the plane (N,), in SDs,
        and the weighted amplitudes there (N,), which add up to a mean square of 1. Layers stand still in the tissue
        along the axis of its grid that is nearest to the normal. So when the probe moves by d along the normal the
        cells stay and the weights move on, and the correlation is that of two Gaussians, exp(−d² / 4 sd²).
        """
        axis = int(np.argmax(np.abs(normal)))
        grid = points * np.float32(1 / SCATTERER_MM)
        slope = (normal / normal[axis]).astype(np.float32)
        to_middle = np.floor(grid[axis]) + np.float32(0.5) - grid[axis]
        places = grid + slope[:, None] * to_middle
        sign = np.float32(np.sign(normal[axis]))
        cells_per_sd = np.float32(sd_mm * abs(normal[axis]) / SCATTERER_MM)
        scale = np.sqrt(1 / (np.sqrt(np.pi) * cells_per_sd), dtype=np.float32)
        reach = max(1, round(REACH_SD * float(cells_per_sd)))
        for layer in range(-reach, reach + 1):
            distance_sd = (to_middle + np.float32(layer)) * (sign / cells_per_sd)
            weight = scale * np.exp(np.float32(-0.5) * distance_sd**2)
            address = _address(
                np.floor(places + np.float32(layer) * slope[:, None]).astype(np.int32), SCATTERER_CELLS
            )
            yield distance_sd, weight * self._mixed(address, moment)

    def _mixed(self, address: Address, moment: Moment) -> Complex:
        """The fixed amplitudes and the changing share of them at cells (N,), in one with a mean square of 1."""
        fixed, change = self._amplitudes.take(address), moment.speckle_change
        if not change:
            return fixed
        mixed: Complex = np.float32(np.sqrt(1 - change**2)) * fixed
        # The changing share shows the same statistics at cells that have nothing to do with the fixed ones: the digits
        # of an address, z, y, x, turned to x, z, y (cells along a beam lie together), and counted on by the pattern.
        turned = (address << 2 * CELL_BITS) + (address >> CELL_BITS)
        for pattern, share in moment.speckle_patterns:
            elsewhere = (turned + pattern) & (SCATTERER_CELLS**3 - 1)
            mixed += np.float32(change * share) * self._amplitudes.take(elsewhere)
        return mixed

    def lumps_at(self, points: Points) -> NDArray[np.float32]:
        """The slow variation (N,) at points (3, N), mm."""
        return self._lumps[_address(_cells(points, LUMP_MM), LUMP_CELLS)]


def _cells(points: Points, cell_mm: float) -> Cells:
    cells: Cells = np.floor(points * np.float32(1 / cell_mm)).astype(np.int32)
    return cells


def _address(cells: Cells, size: int) -> Address:
    x, y, z = cells & (size - 1)
    address: Address = ((z * size + y) * size + x).astype(np.intp)
    return address
