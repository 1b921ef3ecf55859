"""The solids that anatomy is made of: each tells its bounding box and which points lie inside. Millimetres.

Points come as (3, …): one array an axis, which numpy works through several times faster than rows of three.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

Points = NDArray[np.float32]
Vector = NDArray[np.float64]
Mask = NDArray[np.bool_]


class Solid(Protocol):
    """A region of space."""

    def box(self) -> tuple[Vector, Vector]:
        """Lower and upper corner, (3,) each."""
        ...

    def inside(self, points: Points) -> Mask:
        """(3, …) → (…)."""
        ...


@dataclass(frozen=True, eq=False)
class Ellipsoid:
    """Half axes along its own x, y, z, which `turn` brings into place."""

    centre: tuple[float, float, float]
    half_axes: tuple[float, float, float]
    turn: Rotation | None = None

    def box(self) -> tuple[Vector, Vector]:
        reach = np.linalg.norm(self._axes() * np.asarray(self.half_axes), axis=1)
        return np.asarray(self.centre) - reach, np.asarray(self.centre) + reach

    def inside(self, points: Points) -> Mask:
        """Where the squared distance from the centre, in half axes, is below one."""
        return self.squared(points) < 1

    def squared(self, points: Points) -> Points:
        """(3, …) → (…): 0 at the centre, 1 on the surface."""
        offset = points - _column(np.asarray(self.centre), points)
        if self.turn is not None:
            offset = turned(self._axes().T, offset)
        offset *= _column(1 / np.asarray(self.half_axes), points)
        return squared_length(offset)

    def _axes(self) -> Vector:
        return np.eye(3) if self.turn is None else np.asarray(self.turn.as_matrix())


@dataclass(frozen=True, eq=False)
class Capsule:
    """All points within a radius of the straight line between two points (3,)."""

    start: Vector
    end: Vector
    radius: float

    def box(self) -> tuple[Vector, Vector]:
        return np.minimum(self.start, self.end) - self.radius, np.maximum(self.start, self.end) + self.radius

    def inside(self, points: Points) -> Mask:
        along = self.end - self.start
        offset = points - _column(self.start, points)
        share = np.clip(turned((along / (along @ along))[None], offset), 0, 1)
        offset -= share * _column(along, points)
        return squared_length(offset) < self.radius**2


def tube(path: Vector, radius: float) -> list[Capsule]:
    """Capsules along a polyline (K, 3). One solid a segment keeps their boxes, and so the painting, small."""
    return [Capsule(start, end, radius) for start, end in itertools.pairwise(path)]


@dataclass(frozen=True, eq=False)
class Region:
    """Anything else: a box and a function of points (3, …)."""

    lower: Vector
    upper: Vector
    test: Callable[[Points], Mask]

    def box(self) -> tuple[Vector, Vector]:
        return self.lower, self.upper

    def inside(self, points: Points) -> Mask:
        return self.test(points)


def turned(matrix: Vector, points: Points) -> Points:
    """Matrix (K, 3) times points (3, …): (K, …)."""
    flat: Points = matrix.astype(np.float32) @ points.reshape(3, -1)
    return flat.reshape(len(matrix), *points.shape[1:])


def squared_length(offset: Points) -> Points:
    """(3, …) → (…)."""
    result: Points = offset[0] * offset[0]
    result += offset[1] * offset[1]
    result += offset[2] * offset[2]
    return result


def _column(vector: Vector, points: Points) -> Points:
    return vector.astype(np.float32).reshape(3, *[1] * (points.ndim - 1))
