"""Images at known poses compounded to a volume, step by step, so that a panel stays alive meanwhile.

    compounding = Compounding(shape, reference_to_voxel)
    for image, pose in …:
        compounding.add(image, pose)
    for _ in compounding.fill(): …                # each step takes a few hundredths of a second
    grey = compounding.grey

Every pixel is shared out to the eight voxels around it, with the weights of trilinear interpolation, and a voxel is the
weighted mean of what it got (compounding by mean). Holes are filled from their surroundings by normalised convolution
(Knutsson and Westin 1993) with a Gaussian that grows until they are closed or out of its reach.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .conditioning import grid, pixel_affine
from .transforms import Matrix

# SDs of the filling Gaussian in voxels, one after the other; each reaches twice as far.
FILL_SDS = (1.0, 2.0, 4.0)
_FILL_REACH = 2.0
FARTHEST_FILL = round(_FILL_REACH * FILL_SDS[-1])
_LEAST_WEIGHT = 1e-3
_VOXELS_A_STEP = 250_000

Voxels = NDArray[np.float32]


class Compounding:
    """A volume of `shape` (X, Y, Z) voxels in the making; `reference_to_voxel` (4, 4) maps mm to voxel indices.

    grey          (X, Y, Z) grey levels, once `fill` has ended; 0 where nothing is known
    known         (X, Y, Z) where something is, once `fill` has ended
    seen_share    share of the voxels that were hit by a pixel
    filled_share  share that was filled from around
    Memory: three arrays of single precision while it is made, one of them and the mask afterwards.
    """

    def __init__(self, shape: tuple[int, int, int], reference_to_voxel: Matrix) -> None:
        self._to_voxel = reference_to_voxel
        self.grey: Voxels = np.zeros(shape, np.float32)
        self._weight: Voxels = np.zeros(shape, np.float32)
        self.known = np.zeros((0, 0, 0), bool)
        self.seen_share = self.filled_share = 0.0

    def add(
        self, image: NDArray[np.uint8], image_to_reference: Matrix, field: NDArray[np.bool_] | None = None
    ) -> None:
        """Share out an image (H, W) at its pose (4, 4); of its pixels those inside `field` (H, W) and the volume."""
        height_px, width_px = image.shape
        places = grid(pixel_affine(self._to_voxel @ image_to_reference), width_px, height_px).reshape(3, -1)
        # Rounding may put an outermost pixel a hair outside.
        last = np.array(self.grey.shape)[:, None] - 1
        inside = ((places > -1e-3) & (places < last + 1e-3)).all(axis=0)
        if field is not None:
            inside &= field.ravel()
        self._share_out(places[:, inside], image.ravel()[inside])

    def _share_out(self, places: NDArray[np.floating], levels: NDArray[np.uint8]) -> None:
        base = np.floor(places).astype(np.int64)
        part = (places - base).astype(np.float32)
        for corner in itertools.product((0, 1), repeat=3):
            share = np.prod(
                [part[axis] if step else 1 - part[axis] for axis, step in enumerate(corner)], axis=0
            )
            index = np.ravel_multi_index(
                tuple(base + np.array(corner)[:, None]), self.grey.shape, mode="clip"
            )
            np.add.at(self.grey.reshape(-1), index, share * levels)
            np.add.at(self._weight.reshape(-1), index, share)

    def fill(self) -> Iterator[float]:
        """Turn sums into grey levels in place: means where seen, filled where near. Yields the share that is done.

        Worked on are slabs with margins as wide as the Gaussian reaches, so the result does not depend on their number.
        """
        grey, weight = self.grey, self._weight
        seen = weight >= _LEAST_WEIGHT
        np.divide(grey, weight, out=grey, where=seen)
        grey[~seen] = 0
        self.seen_share = float(seen.mean())
        np.multiply(grey, seen, out=weight)
        known = seen.copy()
        slabs = _slabs(grey.shape)
        for done, (sd, (begin, end)) in enumerate(itertools.product(FILL_SDS, slabs), 1):
            self._fill_slab(sd, begin, end, seen, known)
            yield done / (len(FILL_SDS) * len(slabs))
        self.known = known
        self.filled_share = float((known & ~seen).mean())
        # What was seen is no longer needed.
        self._weight = np.zeros((0, 0, 0), np.float32)

    def _fill_slab(
        self, sd: float, begin: int, end: int, seen: NDArray[np.bool_], known: NDArray[np.bool_]
    ) -> None:
        margin = int(_FILL_REACH * sd + 0.5)
        low = max(begin - margin, 0)
        wide, inner, own = slice(low, end + margin), slice(begin - low, end - low), slice(begin, end)
        if known[own].all() or not seen[wide].any():
            return
        share = _smooth(seen[wide].astype(np.float32), sd)[inner]
        around = _smooth(self._weight[wide], sd)[inner]
        fillable = ~known[own] & (share > _LEAST_WEIGHT)
        self.grey[own][fillable] = around[fillable] / share[fillable]
        known[own] |= fillable


def _smooth(values: Voxels, sd: float) -> Voxels:
    result: Voxels = ndimage.gaussian_filter(values, sd, mode="constant", truncate=_FILL_REACH)
    return result


def _slabs(shape: tuple[int, ...]) -> list[tuple[int, int]]:
    """First plane and the one after the last of parts of about equal size."""
    thick = max(1, _VOXELS_A_STEP // max(int(np.prod(shape[1:])), 1))
    return [(begin, min(begin + thick, shape[0])) for begin in range(0, shape[0], thick)]
