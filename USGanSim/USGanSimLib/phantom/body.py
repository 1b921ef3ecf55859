"""The anatomy on a grid: a label for every voxel, landmarks in Reference, and what moves: heart and fetus.

Painting the solids once makes a lookup of any point a single memory read, so that a frame costs milliseconds. Solids
are painted at slightly displaced points, a smooth random field of a millimetre or so, which gives organs an organic,
subject-specific outline; landmarks are carried through the same displacement.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from . import anatomy
from .anatomy import BODY_LOWER, BODY_UPPER, Variation
from .shapes import Points, Solid, Vector
from .tissues import LABELS

VOXEL_MM = 0.7
_WARP_MM = 1.2
_WARP_GRID_MM = 14.0


@dataclass(frozen=True, eq=False)
class Body:
    """labels (Z, Y, X) uint8 with `lower_mm` the centre of the first voxel (x, y, z) and cubic voxels of `voxel_mm`;
    `landmarks_mm` name → (3,) in Reference; `heart_mm` the centre that beats, or None; outside stands `background`."""

    labels: NDArray[np.uint8]
    lower_mm: Vector
    voxel_mm: float
    landmarks_mm: dict[str, Vector]
    heart_mm: Vector | None
    background: int

    def labels_at(self, points: Points) -> NDArray[np.uint8]:
        """(N, 3) Reference mm → (N,) labels of the nearest voxels."""
        index = np.rint((points - self.lower_mm.astype(np.float32)) * np.float32(1 / self.voxel_mm)).astype(np.int32)
        depth, height, width = self.labels.shape
        x, y, z = index[:, 0], index[:, 1], index[:, 2]
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height) & (z >= 0) & (z < depth)
        flat = (z * height + y) * width + x
        found: NDArray[np.uint8] = np.take(self.labels.ravel(), flat, mode="clip")
        found[~inside] = self.background
        return found


@functools.lru_cache(maxsize=2)
def fetal_body(seed: int = 0, voxel_mm: float = VOXEL_MM) -> Body:
    """The body of subject `seed` (anatomy.subject). A few seconds; the last two are kept."""
    variation = anatomy.subject(seed)
    warp = _Warp(seed)
    axes = [np.arange(low, high, voxel_mm) for low, high in zip(BODY_LOWER, BODY_UPPER, strict=True)]
    points = warp.warped_grid(axes)
    labels = np.full(points.shape[:3], LABELS["maternal tissue"], np.uint8)
    for name, solid in anatomy.mother():
        _paint(labels, axes, points, solid, LABELS[name], Variation())
    for name, solid in anatomy.fetus():
        _paint(labels, axes, points, solid, LABELS[name], variation)
    place = functools.partial(_carried, variation=variation, warp=warp)
    return Body(labels, BODY_LOWER.copy(), voxel_mm,
                {name: place(np.array(point)) for name, point in anatomy.LANDMARKS.items()},
                place(anatomy.HEART_CENTRE), LABELS["maternal tissue"])


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

    def warped_grid(self, axes: list[Vector]) -> Points:
        """Grid points moved by the displacement, (Z, Y, X, 3) float32."""
        x, y, z = (self._weights(values, axis) for axis, values in enumerate(axes))
        points = np.empty((len(z), len(y), len(x), 3), np.float32)
        for channel, field in enumerate(self._fields):
            columns = np.einsum("ijk,zk->zij", field, z)
            points[..., channel] = np.swapaxes(x @ (columns @ y.T), 1, 2)
        points[..., 0] += axes[0].astype(np.float32)
        points[..., 1] += axes[1].astype(np.float32)[:, None]
        points[..., 2] += axes[2].astype(np.float32)[:, None, None]
        return points

    def _weights(self, values: Vector, axis: int) -> Points:
        """(N, nodes): how much each node of the coarse grid counts at each value along an axis."""
        place = (values - BODY_LOWER[axis]) / _WARP_GRID_MM
        nodes = np.arange(self._fields.shape[1 + axis])
        return np.maximum(0, 1 - np.abs(place[:, None] - nodes)).astype(np.float32)


def _carried(point: Vector, variation: Variation, warp: _Warp) -> Vector:
    """Where a point of the standard fetus ends up: x with x + warp(x) = its place in the subject, by iteration."""
    wanted = variation.from_standard(point)
    place = wanted.copy()
    for _ in range(50):
        place = wanted - warp.at(place)
    return place


def _paint(labels: NDArray[np.uint8], axes: list[Vector], points: Points, solid: Solid, label: int,
           variation: Variation) -> None:
    """Overwrite the voxels inside a solid of standard coordinates; `points` (Z, Y, X, 3) are the warped voxels."""
    lower, upper = solid.box()
    corners = np.stack(np.meshgrid(*zip(lower, upper, strict=True)), axis=-1).reshape(-1, 3)
    corners = variation.from_standard(corners)
    part = []
    for axis, values in enumerate(axes):
        first = np.searchsorted(values, corners[:, axis].min() - 4 * _WARP_MM)
        last = np.searchsorted(values, corners[:, axis].max() + 4 * _WARP_MM)
        part.append(slice(first, last))
    box = tuple(part[::-1])
    inside = solid.inside(variation.to_standard(points[box].reshape(-1, 3)))
    labels[box][inside.reshape(labels[box].shape)] = label
