"""The field of view of an image: a fan, a trapezoid, a rectangle, or the whole image. A few numbers, no mask.

Pixels (u, v) are points at their centres, u rightwards, v downwards (MF). A fan's circles are circles in millimetres:
where pixels are oblong, `aspect` is a pixel's height by its width, and lengths are counted in widths of pixels.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from .image_geometry import Crop

SHAPES = ("fan", "trapezoid", "rectangle", "whole")
GIVEN_BY_HAND = "given by hand"
ARC_POINTS = 33
Point = tuple[float, float]


@dataclass(frozen=True)
class FieldOfView:
    """Where the ultrasound is in an image of `width_px` × `height_px`.

    shape       one of SHAPES
    corners_px  four points (u, v): near left, near right, far right, far left, near being the probe's side; of a fan
                they follow from the next four
    apex_px     where a fan's beams meet, (u, v); above the image for a curved probe
    radii_px    from the apex to the probe's face and to the greatest depth, in widths of pixels
    angles_deg  of the first and the last beam from straight down, negative to the left
    aspect      a pixel's height by its width, in millimetres
    verdict     a sentence: how sure this is, with the numbers that say so
    certain     whether the images told
    """

    shape: str
    width_px: int
    height_px: int
    corners_px: tuple[Point, Point, Point, Point]
    apex_px: Point | None = None
    radii_px: Point | None = None
    angles_deg: Point | None = None
    aspect: float = 1.0
    verdict: str = GIVEN_BY_HAND
    certain: bool = True

    @classmethod
    def fan(
        cls,
        size_px: tuple[int, int],
        apex_px: Point,
        radii_px: Point,
        angles_deg: Point,
        aspect: float = 1.0,
        verdict: str = GIVEN_BY_HAND,
        certain: bool = True,
    ) -> FieldOfView:
        """A fan in an image of `size_px` (width, height). Raises UserError where it has no area in the image."""
        (face, depth), (left, right) = radii_px, angles_deg
        numbers = (*apex_px, face, depth, left, right, aspect)
        if not all(map(math.isfinite, numbers)) or not (0 <= face < depth and -90 < left < right < 90):
            raise UserError(
                f"A fan of radii {face:g} to {depth:g} px and angles {left:g} to {right:g}° is none.",
                "Give apex, radii (face before depth) and angles from straight down, left before right.",
            )
        if aspect <= 0:
            raise UserError(f"A pixel of {aspect:g} times its width in height is none.", "Give more than 0.")
        ends = ((face, left), (face, right), (depth, right), (depth, left))
        first, second, third, fourth = (_polar(apex_px, radius, angle, aspect) for radius, angle in ends)
        corners = (first, second, third, fourth)
        found = cls("fan", *size_px, corners, apex_px, radii_px, angles_deg, aspect, verdict, certain)
        return found._with_area()

    @classmethod
    def trapezoid(
        cls,
        size_px: tuple[int, int],
        corners_px: tuple[Point, Point, Point, Point],
        verdict: str = GIVEN_BY_HAND,
        certain: bool = True,
    ) -> FieldOfView:
        """Four corners: near left, near right, far right, far left. Raises UserError where they have no area."""
        if not np.isfinite(corners_px).all() or _turns(corners_px) <= 0:
            raise UserError(
                "The corners of the field of view enclose nothing.",
                "Give near left, near right, far right, far left as x,y in pixels.",
            )
        return cls("trapezoid", *size_px, corners_px, verdict=verdict, certain=certain)._with_area()

    @classmethod
    def rectangle(
        cls, size_px: tuple[int, int], box: Crop, verdict: str = GIVEN_BY_HAND, certain: bool = True
    ) -> FieldOfView:
        """All of the pixels of `box`."""
        box.require_inside(*size_px)
        return cls("rectangle", *size_px, _box_corners(box), verdict=verdict, certain=certain)

    @classmethod
    def whole(
        cls, size_px: tuple[int, int], verdict: str = GIVEN_BY_HAND, certain: bool = True
    ) -> FieldOfView:
        """The whole image."""
        corners = _box_corners(Crop(0, 0, *size_px))
        return cls("whole", *size_px, corners, verdict=verdict, certain=certain)

    @property
    def outline_px(self) -> NDArray[np.float64]:
        """(K, 2) points (u, v) around the field, clockwise from the near left corner, the first one again at the end.
        It may leave the image where the field does."""
        if self.apex_px is None or self.radii_px is None or self.angles_deg is None:
            return np.array([*self.corners_px, self.corners_px[0]])
        angles = np.linspace(*self.angles_deg, ARC_POINTS)
        face, depth = (
            np.array([_polar(self.apex_px, radius, float(angle), self.aspect) for angle in angles])
            for radius in self.radii_px
        )
        return np.concatenate([face, depth[::-1], face[:1]])

    @property
    def face_px(self) -> Point:
        """The middle of the probe's face (u, v): where the middle beam begins. Of a whole image, of which nothing is
        known, the middle of its first row."""
        if self.apex_px is not None and self.radii_px is not None and self.angles_deg is not None:
            return _polar(self.apex_px, self.radii_px[0], sum(self.angles_deg) / 2, self.aspect)
        if self.shape == "whole":
            return (self.width_px - 1) / 2, 0.0
        (left, top), (right, other_top) = self.corners_px[:2]
        return (left + right) / 2, (top + other_top) / 2

    @property
    def box_px(self) -> Crop:
        """The pixels between the field's outermost ones, each way, within the image."""
        return box_around(self.mask())

    def mask(self) -> NDArray[np.bool_]:
        """(H, W) bool: pixels whose centre lies in the field."""
        return self.depth_inside_px() >= 0

    def depth_inside_px(self) -> NDArray[np.float64]:
        """(H, W) how far inside the nearest border a pixel lies, in widths of pixels; negative outside, where it is the
        distance from the border's continuation."""
        v, u = np.indices((self.height_px, self.width_px))
        return self.inside_at(u.astype(np.float64), v.astype(np.float64))

    def inside_at(self, u: NDArray[np.float64], v: NDArray[np.float64]) -> NDArray[np.float64]:
        """The same at any points."""
        if self.apex_px is None or self.radii_px is None or self.angles_deg is None:
            return depth_in_polygon(u, v, self.corners_px)
        return depth_in_fan(u, v, self.apex_px, self.radii_px, self.angles_deg, self.aspect)

    def resized(self, crop: Crop, width_px: int, height_px: int) -> FieldOfView:
        """The same field in the image that cutting out `crop` and resizing it to width × height makes."""
        across, down = width_px / crop.width_px, height_px / crop.height_px

        def moved(point: Point) -> Point:
            u, v = point
            return (u - crop.x_px + 0.5) * across - 0.5, (v - crop.y_px + 0.5) * down - 0.5

        size_px = width_px, height_px
        if self.shape == "whole":
            return FieldOfView.whole(size_px, self.verdict, self.certain)
        if self.apex_px is not None and self.radii_px is not None and self.angles_deg is not None:
            face, depth = self.radii_px
            return FieldOfView.fan(
                size_px,
                moved(self.apex_px),
                (face * across, depth * across),
                self.angles_deg,
                self.aspect * across / down,
                self.verdict,
                self.certain,
            )
        first, second, third, fourth = (moved(corner) for corner in self.corners_px)
        return dataclasses.replace(
            self, width_px=width_px, height_px=height_px, corners_px=(first, second, third, fourth)
        )

    def as_dict(self) -> dict[str, Any]:
        """What JSON results, training sets and models hold; outline and corners are of no more than 0.01 pixels."""
        data: dict[str, Any] = {
            "shape": self.shape,
            "width_px": self.width_px,
            "height_px": self.height_px,
            "corners_px": np.round(self.corners_px, 2).tolist(),
            "outline_px": np.round(self.outline_px, 2).tolist(),
            "face_px": np.round(self.face_px, 2).tolist(),
            "verdict": self.verdict,
            "certain": self.certain,
        }
        if self.apex_px is not None and self.radii_px is not None and self.angles_deg is not None:
            data |= {
                "apex_px": list(self.apex_px),
                "radii_px": list(self.radii_px),
                "angles_deg": list(self.angles_deg),
                "pixel_aspect": self.aspect,
            }
        return data

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> FieldOfView:
        """The inverse of `as_dict`. Raises KeyError, TypeError, ValueError or UserError for anything else."""
        size_px = int(data["width_px"]), int(data["height_px"])
        if min(size_px) < 1:
            raise ValueError(f"a field of view in an image of {size_px[0]}×{size_px[1]} px")
        told = str(data["verdict"]), bool(data["certain"])
        if data["shape"] == "whole":
            return cls.whole(size_px, *told)
        if data["shape"] == "fan":
            apex, radii, angles = (_pair(data[name]) for name in ("apex_px", "radii_px", "angles_deg"))
            return cls.fan(size_px, apex, radii, angles, float(data["pixel_aspect"]), *told)
        if data["shape"] not in SHAPES:
            raise ValueError(f"there is no shape '{data['shape']}'")
        first, second, third, fourth = (_pair(corner) for corner in data["corners_px"])
        return dataclasses.replace(
            cls.trapezoid(size_px, (first, second, third, fourth), *told), shape=str(data["shape"])
        )

    def _with_area(self) -> FieldOfView:
        if not self.mask().any():
            raise UserError(
                f"The field of view lies outside the image of {self.width_px}×{self.height_px} px.",
                "Give it in pixels of the recording's MF-oriented image.",
            )
        return self


def box_around(pixels: NDArray[np.bool_]) -> Crop:
    """The smallest box around the true pixels (H, W), of which there is one at least."""
    rows, columns = (np.flatnonzero(pixels.any(axis=axis)) for axis in (1, 0))
    x, y = int(columns[0]), int(rows[0])
    return Crop(x, y, int(columns[-1]) + 1 - x, int(rows[-1]) + 1 - y)


def depth_in_fan(
    u: NDArray[np.float64],
    v: NDArray[np.float64],
    apex_px: Point,
    radii_px: Point,
    angles_deg: Point,
    aspect: float,
) -> NDArray[np.float64]:
    """How far inside a fan points lie, in widths of pixels; negative outside."""
    right, down = u - apex_px[0], (v - apex_px[1]) * aspect
    radius = np.hypot(right, down)
    depths = [radius - radii_px[0], radii_px[1] - radius]
    for side, angle in zip((1, -1), np.deg2rad(angles_deg), strict=True):
        # The distance from the line of the first or the last beam, inwards.
        depths.append(side * (right * math.cos(angle) - down * math.sin(angle)))
    # Behind the apex the lines have changed sides.
    return np.where(down > 0, np.minimum.reduce(depths), -radius)


def depth_in_polygon(
    u: NDArray[np.float64], v: NDArray[np.float64], corners: tuple[Point, Point, Point, Point]
) -> NDArray[np.float64]:
    """How far inside a convex polygon, its corners clockwise, points lie; negative outside."""
    edges = []
    for (u0, v0), (u1, v1) in zip(corners, (*corners[1:], corners[0]), strict=True):
        length = math.hypot(u1 - u0, v1 - v0)
        if length > 0:
            edges.append(((u1 - u0) * (v - v0) - (v1 - v0) * (u - u0)) / length)
    depth: NDArray[np.float64] = np.minimum.reduce(edges)
    return depth


def _polar(apex_px: Point, radius_px: float, angle_deg: float, aspect: float) -> Point:
    angle = math.radians(angle_deg)
    return apex_px[0] + radius_px * math.sin(angle), apex_px[1] + radius_px * math.cos(angle) / aspect


def _box_corners(box: Crop) -> tuple[Point, Point, Point, Point]:
    left, top = box.x_px - 0.5, box.y_px - 0.5
    right, bottom = left + box.width_px, top + box.height_px
    return (left, top), (right, top), (right, bottom), (left, bottom)


def _turns(corners: tuple[Point, Point, Point, Point]) -> float:
    """The smallest cross product of neighbouring edges: positive where the corners go clockwise round a convex area."""
    points = np.array(corners)
    edges = np.roll(points, -1, axis=0) - points
    following = np.roll(edges, -1, axis=0)
    return float((edges[:, 0] * following[:, 1] - edges[:, 1] * following[:, 0]).min())


def _pair(values: Any) -> Point:
    first, second = values
    return float(first), float(second)
