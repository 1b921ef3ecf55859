"""The solids that anatomy is made of: each tells its bounding box and which points lie inside. Millimetres."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

Points = NDArray[np.float32]
Vector = NDArray[np.float64]


class Solid(Protocol):
    """A region of space."""

    def box(self) -> tuple[Vector, Vector]:
        """Lower and upper corner, (3,) each."""
        ...

    def inside(self, points: Points) -> NDArray[np.bool_]:
        """(N, 3) → (N,)."""
        ...


@dataclass(frozen=True, eq=False)
class Ellipsoid:
    """Half axes along its own x, y, z, which `turn` brings into place."""

    centre: tuple[float, float, float]
    half_axes: tuple[float, float, float]
    turn: Rotation | None = None

    def box(self) -> tuple[Vector, Vector]:
        axes = self._axes() * np.asarray(self.half_axes)
        reach = np.sqrt((axes**2).sum(axis=1))
        return np.asarray(self.centre) - reach, np.asarray(self.centre) + reach

    def inside(self, points: Points) -> NDArray[np.bool_]:
        to_unit = (self._axes() / np.asarray(self.half_axes)).astype(np.float32)
        unit = (points - np.asarray(self.centre, np.float32)) @ to_unit
        return np.einsum("ni,ni->n", unit, unit) < 1

    def _axes(self) -> Vector:
        return np.eye(3) if self.turn is None else self.turn.as_matrix()


@dataclass(frozen=True, eq=False)
class Capsule:
    """All points within a radius of the straight line between two points (3,)."""

    start: Vector
    end: Vector
    radius: float

    def box(self) -> tuple[Vector, Vector]:
        return np.minimum(self.start, self.end) - self.radius, np.maximum(self.start, self.end) + self.radius

    def inside(self, points: Points) -> NDArray[np.bool_]:
        along = (self.end - self.start).astype(np.float32)
        offset = points - self.start.astype(np.float32)
        share = np.clip(offset @ along / (along @ along), 0, 1)
        gap = offset - share[:, None] * along
        return np.einsum("ni,ni->n", gap, gap) < self.radius**2


def tube(path: Vector, radius: float) -> list[Capsule]:
    """Capsules along a polyline (K, 3). One solid a segment keeps their boxes, and so the painting, small."""
    return [Capsule(start, end, radius) for start, end in zip(path[:-1], path[1:], strict=True)]


@dataclass(frozen=True, eq=False)
class Region:
    """Anything else: a box and a function of points."""

    lower: Vector
    upper: Vector
    test: Callable[[Points], NDArray[np.bool_]]

    def box(self) -> tuple[Vector, Vector]:
        return self.lower, self.upper

    def inside(self, points: Points) -> NDArray[np.bool_]:
        return self.test(points)
