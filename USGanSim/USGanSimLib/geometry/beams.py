"""Where the beams of a field of view run: a grid of depths and lines, and scan conversion between it and the image.

Shadows, attenuation, reverberation and grain follow beams; an image shows them after scan conversion.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .field_of_view import FieldOfView

Grid = NDArray[np.float64]


@dataclass(frozen=True)
class Beams:
    """Coordinates in a field of view: across, 0 to 1 from the first beam to the last; down, 0 at the probe's face to 1
    at the greatest depth. In a fan beams part from the apex; in any other field they run from the near edge to the far
    one."""

    field: FieldOfView

    def points(self, across: Grid, down: Grid) -> tuple[Grid, Grid]:
        """Pixels (u, v) of coordinates of any shape."""
        field = self.field
        if field.apex_px is None or field.radii_px is None or field.angles_deg is None:
            near_left, near_right, far_right, far_left = np.array(field.corners_px)
            sides = (near_left, far_left), (near_right, far_right)
            left, right = (near + down[..., None] * (far - near) for near, far in sides)
            between = left + across[..., None] * (right - left)
            return between[..., 0], between[..., 1]
        (face, depth), (first, last) = field.radii_px, np.deg2rad(field.angles_deg)
        radius, angle = face + down * (depth - face), first + across * (last - first)
        return (
            field.apex_px[0] + radius * np.sin(angle),
            field.apex_px[1] + radius * np.cos(angle) / field.aspect,
        )

    def coordinates(self) -> tuple[Grid, Grid]:
        """(H, W) each: across and down of every pixel; outside the field beyond 0 to 1."""
        field = self.field
        v, u = np.indices((field.height_px, field.width_px)).astype(np.float64)
        if field.apex_px is None or field.radii_px is None or field.angles_deg is None:
            near_left, near_right, far_right, far_left = np.array(field.corners_px)
            down = (v - near_left[1]) / (far_left[1] - near_left[1])
            left, right = (
                near[0] + down * (far[0] - near[0])
                for near, far in ((near_left, far_left), (near_right, far_right))
            )
            return (u - left) / (right - left), down
        right, below = u - field.apex_px[0], (v - field.apex_px[1]) * field.aspect
        (face, depth), (first, last) = field.radii_px, np.deg2rad(field.angles_deg)
        across = (np.arctan2(right, below) - first) / (last - first)
        return across, (np.hypot(right, below) - face) / (depth - face)

    def grid(self, depths: int, lines: int) -> tuple[Grid, Grid]:
        """Pixels (u, v), (depths, lines) each, of a grid whose first and last rows and columns lie on the border."""
        down, across = np.meshgrid(np.linspace(0, 1, depths), np.linspace(0, 1, lines), indexing="ij")
        return self.points(across, down)

    def depth_mm(self, mm_per_px: tuple[float, float]) -> float:
        """How long a beam is, from the face to the greatest depth: in the middle where they differ."""
        field = self.field
        if field.radii_px is not None:
            return (field.radii_px[1] - field.radii_px[0]) * mm_per_px[0]
        near_left, near_right, far_right, far_left = np.array(field.corners_px) * mm_per_px
        return float(np.linalg.norm(far_left + far_right - near_left - near_right) / 2)

    def width_mm(self, down: Grid, mm_per_px: tuple[float, float]) -> Grid:
        """How far it is from the first beam to the last at depths of any shape, along the arc where they part."""
        field = self.field
        if field.radii_px is not None and field.angles_deg is not None:
            (face, depth), (first, last) = field.radii_px, field.angles_deg
            return (face + down * (depth - face)) * math.radians(last - first) * mm_per_px[0]
        near_left, near_right, far_right, far_left = np.array(field.corners_px) * mm_per_px
        near, far = near_right - near_left, far_right - far_left
        return np.asarray(np.linalg.norm(near + down[..., None] * (far - near), axis=-1))

    @property
    def size_px(self) -> tuple[float, float]:
        """(depth, width) in widths of pixels: along a beam, and across all beams at the greatest depth."""
        field = self.field
        if field.radii_px is not None and field.angles_deg is not None:
            (face, depth), (first, last) = field.radii_px, field.angles_deg
            return depth - face, depth * math.radians(last - first)
        near_left, near_right, far_right, far_left = np.array(field.corners_px)
        down = (far_left + far_right - near_left - near_right) / 2
        return float(np.hypot(*down)), float(np.hypot(*(far_right - far_left)))
