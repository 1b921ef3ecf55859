"""Images resampled along the beams of a field of view: one row a beam, one column a depth."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from .beams import Beams, Grid
from .field_of_view import FieldOfView


class AlongBeams:
    """Takes images of a field of view to `lines` × `depths` cells, bilinearly at the middle of each. `across` (lines,)
    and `down` (depths,) are the middles as `Beams` counts them."""

    def __init__(self, field: FieldOfView, lines: int, depths: int) -> None:
        self.across, self.down = ((np.arange(count) + 0.5) / count for count in (lines, depths))
        u, v = Beams(field).points(*np.meshgrid(self.across, self.down, indexing="ij"))
        self._resampling = _bilinear(u.ravel(), v.ravel(), (field.height_px, field.width_px))

    def resampled(self, images: NDArray[np.uint8]) -> Grid:
        """(N, H, W) grey levels → (N, lines, depths)."""
        flat = images.reshape(len(images), -1).astype(np.float64)
        grey: Grid = (self._resampling @ flat.T).T.reshape(-1, len(self.across), len(self.down))
        return grey


def _bilinear(u: Grid, v: Grid, shape: tuple[int, int]) -> csr_matrix:
    """(P, H·W): takes flat images to their values at points (P,), which are moved into the image."""
    height, width = shape
    u, v = np.clip(u, 0, width - 1), np.clip(v, 0, height - 1)
    left, top = (
        np.minimum(np.floor(at), last - 1).astype(int) for at, last in ((u, width - 1), (v, height - 1))
    )
    rest_u, rest_v = u - left, v - top
    rows, columns, weights = [], [], []
    for down in (0, 1):
        for right in (0, 1):
            rows.append(np.arange(len(u)))
            columns.append((top + down) * width + left + right)
            weights.append(np.where(right, rest_u, 1 - rest_u) * np.where(down, rest_v, 1 - rest_v))
    entries = np.concatenate(weights), (np.concatenate(rows), np.concatenate(columns))
    return csr_matrix(entries, shape=(len(u), height * width))
