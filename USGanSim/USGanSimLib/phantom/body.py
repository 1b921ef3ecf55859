"""The anatomy on a grid: a label for every voxel, landmarks in Reference, and what moves: heart and fetus.

Painting the solids once makes a lookup of any point a single memory read, so that a frame costs milliseconds. Solids
are painted at slightly displaced points, a smooth random field of a millimetre or so, which gives organs an organic,
subject-specific outline; landmarks are carried through the same displacement.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from . import anatomy
from .anatomy import BODY_LOWER, BODY_UPPER, Part, Variation
from .medium import Labels, ThinObject
from .moment import Moment
from .shapes import Points, Solid, Vector, squared_length
from .tissues import LABELS

VOXEL_MM = 0.7
_WARP_MM = 1.2
_WARP_GRID_MM = 14.0
_SLAB_VOXELS = 500_000  # painted together: few enough to stay near the processor's cache
_HEART_REACH_MM = 13.0


@dataclass(frozen=True, eq=False)
class Body:
    """labels (Z, Y, X) uint8 with `lower_mm` the centre of the first voxel (x, y, z) and cubic voxels of `voxel_mm`;
    `landmarks_mm` name → (3,) in Reference; `heart_mm` the centre that beats. Outside stands maternal tissue."""

    labels: Labels
    lower_mm: Vector
    voxel_mm: float
    landmarks_mm: dict[str, Vector]
    heart_mm: Vector
    thin: tuple[ThinObject, ...] = ()

    def labels_at(self, points: Points) -> Labels:
        """(3, N) Reference mm → (N,) labels of the nearest voxels."""
        scale = np.float32(1 / self.voxel_mm)
        offset = (0.5 - self.lower_mm / self.voxel_mm).astype(np.float32)
        x, y, z = np.floor(points * scale + offset[:, None]).astype(np.int32)
        depth, height, width = self.labels.shape
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height) & (z >= 0) & (z < depth)
        found: Labels = np.take(self.labels.ravel(), (z * height + y) * width + x, mode="clip")
        found[~inside] = LABELS["maternal tissue"]
        return found

    def at_rest(self, points: Points, moment: Moment) -> Points:
        """Undo fetal motion, which fades towards the uterine wall, and heart beat; (3, N) → (3, N)."""
        inner = np.clip((1 - anatomy.FLUID.squared(points)) * 4, 0, 1)
        points = points - inner * moment.motion_mm.astype(np.float32)[:, None]
        offset = points - self.heart_mm.astype(np.float32)[:, None]
        near = np.exp(squared_length(offset) * np.float32(-1 / _HEART_REACH_MM**2))
        points -= offset * (np.float32(moment.beat) * near)
        return points


@functools.lru_cache(maxsize=2)
def fetal_body(seed: int = 0, voxel_mm: float = VOXEL_MM) -> Body:
    """The body of subject `seed` (anatomy.subject). Two seconds or so; the last two are kept."""
    variation = anatomy.subject(seed)
    warp = _Warp(seed)
    axes = [np.arange(low, high, voxel_mm) for low, high in zip(BODY_LOWER, BODY_UPPER, strict=True)]
    labels = np.full([len(values) for values in axes[::-1]], LABELS["maternal tissue"], np.uint8)
    mother = [_placed(part, axes, Variation()) for part in anatomy.mother()]
    fetus = [_placed(part, axes, variation) for part in anatomy.fetus()]
    slices = max(1, _SLAB_VOXELS // labels[0].size)
    for first in range(0, len(labels), slices):
        slab = slice(first, min(first + slices, len(labels)))
        points = warp.warped_grid(axes, slab)
        _paint(labels[slab], points, mother, first, None)
        _paint(labels[slab], points, fetus, first, variation)
    place = functools.partial(_carried, variation=variation, warp=warp)
    landmarks = {name: place(np.array(point)) for name, point in anatomy.LANDMARKS.items()}
    return Body(labels, BODY_LOWER.copy(), voxel_mm, landmarks, place(anatomy.HEART_CENTRE))


class _Warp:
    """A smooth random displacement with an SD of _WARP_MM in each axis: a coarse random grid, linear in between."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng([seed, 7])
        shape = np.ceil((BODY_UPPER - BODY_LOWER) / _WARP_GRID_MM).astype(int) + 2
        fields = gaussian_filter(rng.standard_normal((3, *shape)), (0, 1, 1, 1), mode="wrap")
        self._fields = (fields / fields.std() * _WARP_MM).astype(np.float32)

    def at(self, point: Vector) -> Vector:
        """The displacement of one point (3,), mm."""
        weights = [self._weights(np.array([value]), axis)[0] for axis, value in enumerate(point)]
        moved: Vector = np.einsum("cijk,i,j,k->c", self._fields, *weights)
        return moved

    def warped_grid(self, axes: Sequence[Vector], slab: slice) -> Points:
        """Grid points of some slices moved by the displacement, (3, Z, Y, X) float32."""
        own = [axes[0], axes[1], axes[2][slab]]
        x, y, z = (self._weights(values, axis) for axis, values in enumerate(own))
        # One axis after the other, nodes (i, j, k) → (i, j, z) → (z, y, i) → (z, y, x), each a contiguous product.
        columns = np.ascontiguousarray((self._fields @ z.T).transpose(0, 3, 2, 1))
        rows = y @ columns
        points: Points = (rows.reshape(-1, rows.shape[3]) @ x.T).reshape(*rows.shape[:3], len(x))
        for axis, values in enumerate(own):
            points[axis] += values.astype(np.float32).reshape([-1 if 2 - axis == i else 1 for i in range(3)])
        return points

    def _weights(self, values: Vector, axis: int) -> Points:
        """(N, nodes): how much each node of the coarse grid counts at each value along an axis."""
        place = (values - BODY_LOWER[axis]) / _WARP_GRID_MM
        nodes = np.arange(self._fields.shape[1 + axis])
        return np.asarray(np.maximum(0, 1 - np.abs(place[:, None] - nodes)), np.float32)


def _carried(point: Vector, variation: Variation, warp: _Warp) -> Vector:
    """Where a point of the standard fetus ends up: x with x + warp(x) = its place in the subject, by iteration."""
    wanted = variation.from_standard(point)
    place = wanted.copy()
    for _ in range(50):
        place = wanted - warp.at(place)
    return place


@dataclass(frozen=True, eq=False)
class _Placed:
    """A solid of standard coordinates, its label, and the voxels (first, last) along z, y, x that may lie inside."""

    solid: Solid
    label: int
    first: NDArray[np.int_]
    last: NDArray[np.int_]


def _placed(part: Part, axes: Sequence[Vector], variation: Variation) -> _Placed:
    lower, upper = part.solid.box()
    corners = np.stack(np.meshgrid(*zip(lower, upper, strict=True)), axis=-1).reshape(-1, 3)
    corners = variation.from_standard(corners)
    margin = 4 * _WARP_MM
    first = [
        np.searchsorted(values, low - margin) for values, low in zip(axes, corners.min(axis=0), strict=True)
    ]
    last = [
        np.searchsorted(values, high + margin) for values, high in zip(axes, corners.max(axis=0), strict=True)
    ]
    return _Placed(part.solid, LABELS[part.tissue], np.array(first[::-1]), np.array(last[::-1]))


def _paint(
    labels: Labels, points: Points, parts: Sequence[_Placed], first_slice: int, variation: Variation | None
) -> None:
    """Overwrite the voxels of a slab (Z, Y, X) that lie inside each part; `points` (3, Z, Y, X) are its voxels. The
    parts are in the standard coordinates of `variation`, or where there is none in Reference."""
    start = np.array([first_slice, 0, 0])
    boxes = [
        (part, np.maximum(part.first - start, 0), np.minimum(part.last - start, labels.shape))
        for part in parts
    ]
    boxes = [(part, low, high) for part, low, high in boxes if (low < high).all()]
    if not boxes:
        return
    # Brought to standard coordinates once for all parts, in the box that holds them.
    corner, end = np.min([low for _, low, _ in boxes], axis=0), np.max([high for _, _, high in boxes], axis=0)
    standard = points[(slice(None), *map(slice, corner, end))]
    if variation is not None:
        standard = variation.to_standard(standard)
    for part, low, high in boxes:
        inside = part.solid.inside(standard[(slice(None), *map(slice, low - corner, high - corner))])
        labels[tuple(map(slice, low, high))][inside] = part.label
