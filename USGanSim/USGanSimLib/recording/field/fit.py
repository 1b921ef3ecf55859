"""A fan, a trapezoid or a rectangle fitted to the pixels that show ultrasound.

Every pixel votes for lying inside: strongly where it shows something, weakly against where it shows nothing (tissue may
be dark, contact lost). A shape has the sum of the votes that it encloses. The best fan, trapezoid and rectangle are
each searched coarsely over the whole range of shapes (search.py), so that no local optimum holds them, then refined
with soft borders. The plainest shape that does not lose much to the best one is taken.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from ...geometry.field_of_view import FieldOfView, Point, depth_in_fan, depth_in_polygon
from .search import Votes, box_of_most_votes, fan_of_most_votes, from_reduced, pixel_places, reduced

# A pixel that shows nothing counts one eighth of one that does: a border lies where fewer than one in nine show.
VOTE_AGAINST = 0.125
# Between shapes it counts as much as half of one that does: the corners of a fan's box show nothing.
_AGAINST_BETWEEN_SHAPES = 0.5
_COARSE_PX, _MIDDLE_PX = 72, 160
# What share of their width a trapezoid's sides lean inwards at the start.
_LEANS = (0.0, 0.2, -0.2)
# One refinement after another: width of the soft borders in pixels, and how far from the border pixels vote.
_SOFT_REACH_PX = ((3.0, 6.0), (1.0, 6.0))
# At last the border comes to the middle between what shows something and what does not: votes of equal weight, of near
# pixels alone, since whole stretches of the border may be dark.
_EVEN_SOFT_REACH_PX = (1.0, 2.0)
# A plainer shape is taken where it has this share of the best one's votes.
_PLAINER_SHARE, _SYMMETRIC_SHARE = 0.99, 0.997
_MOST_TRIES = 500
# How far from the image's outermost pixels a trapezoid's edges may lie.
_BEYOND_PX = 1.0

Numbers = NDArray[np.float64]


class _Shape(Protocol):
    """How the numbers of one kind of shape are read."""

    def inside(self, numbers: Numbers, u: Numbers, v: Numbers) -> Numbers:
        """How far inside points lie, in pixels; −∞ everywhere where the numbers are no shape."""
        ...

    def enlarged(self, numbers: Numbers, step: int) -> _Candidate:
        """From pixels that are means over squares of `step` to those that they are made of."""
        ...

    def field(self, numbers: Numbers, size_px: tuple[int, int]) -> FieldOfView: ...


@dataclass(frozen=True)
class _Box:
    """Left, top, right, bottom border."""

    def inside(self, numbers: Numbers, u: Numbers, v: Numbers) -> Numbers:
        left, top, right, bottom = numbers
        depths: Numbers = np.minimum.reduce([u - left, v - top, right - u, bottom - v])
        return depths

    def enlarged(self, numbers: Numbers, step: int) -> _Candidate:
        return _Candidate(self, from_reduced(numbers, step))

    def field(self, numbers: Numbers, size_px: tuple[int, int]) -> FieldOfView:
        # Where the ultrasound reaches the image's edge, nothing holds the border.
        last = np.array(size_px * 2) - 0.5
        left, top, right, bottom = (float(number) for number in np.clip(numbers, -0.5, last))
        corners = ((left, top), (right, top), (right, bottom), (left, bottom))
        return replace(FieldOfView.trapezoid(size_px, corners), shape="rectangle")


@dataclass(frozen=True)
class _Trapezoid:
    """Near left, near right, far right, far left (u), near and far (v): level edges, sides of any slope. The edges and
    the near corners lie in the image, of `size_px` (width, height)."""

    size_px: tuple[int, int]

    def inside(self, numbers: Numbers, u: Numbers, v: Numbers) -> Numbers:
        near_left, near_right, far_right, far_left, near, far = numbers
        if far - near < 1 or near_right - near_left < 1 or far_right - far_left < 1:
            return np.full(u.shape, -np.inf)
        width, height = self.size_px
        if (
            min(near, near_left) < -_BEYOND_PX
            or far > height - 1 + _BEYOND_PX
            or near_right > width - 1 + _BEYOND_PX
        ):
            return np.full(u.shape, -np.inf)
        return depth_in_polygon(u, v, self._corners(numbers))

    def enlarged(self, numbers: Numbers, step: int) -> _Candidate:
        size_px = self.size_px[0] * step, self.size_px[1] * step
        return _Candidate(_Trapezoid(size_px), from_reduced(numbers, step))

    def field(self, numbers: Numbers, size_px: tuple[int, int]) -> FieldOfView:
        return FieldOfView.trapezoid(size_px, self._corners(numbers))

    def _corners(self, numbers: Numbers) -> tuple[Point, Point, Point, Point]:
        near_left, near_right, far_right, far_left, near, far = (float(number) for number in numbers)
        return (near_left, near), (near_right, near), (far_right, far), (far_left, far)


@dataclass(frozen=True)
class _Fan:
    """Apex u, v, both radii and the angles in degrees: of the last beam, and of the first where it is not the same."""

    aspect: float
    symmetric: bool = True

    def inside(self, numbers: Numbers, u: Numbers, v: Numbers) -> Numbers:
        apex, (face, depth), (left, right) = self._parts(numbers)
        if not (-89 < left < right < 89 and 0 <= face < depth):
            return np.full(u.shape, -np.inf)
        return depth_in_fan(u, v, apex, (face, depth), (left, right), self.aspect)

    def enlarged(self, numbers: Numbers, step: int) -> _Candidate:
        parts = [from_reduced(numbers[:2], step), numbers[2:4] * step, numbers[4:]]
        return _Candidate(self, np.concatenate(parts))

    def field(self, numbers: Numbers, size_px: tuple[int, int]) -> FieldOfView:
        apex, (face, depth), angles = self._parts(numbers)
        # Where the image cuts the fan off, nothing holds its depth: it ends where the image does.
        corners = (
            np.array([(u, v) for u in (-0.5, size_px[0] - 0.5) for v in (-0.5, size_px[1] - 0.5)]) - apex
        )
        farthest = float(np.hypot(corners[:, 0], corners[:, 1] * self.aspect).max())
        return FieldOfView.fan(size_px, apex, (face, min(depth, farthest)), angles, self.aspect)

    def _parts(self, numbers: Numbers) -> tuple[Point, Point, Point]:
        values = [float(number) for number in numbers]
        first = -values[4] if self.symmetric else values[5]
        return (values[0], values[1]), (values[2], values[3]), (first, values[4])


@dataclass(frozen=True)
class _Candidate:
    """A shape with its numbers."""

    shape: _Shape
    numbers: Numbers

    def enclosed(self, votes: Votes) -> float:
        """The votes within its borders."""
        v, u = pixel_places(votes)
        return float((_weight(self.shape.inside(self.numbers, u, v), 1.0) * votes).sum())

    def refined(self, votes: Votes) -> _Candidate:
        """The local optimum. Pixels far from the border are taken to stay on their side of it."""
        numbers = self.numbers
        for soft_px, reach_px in _SOFT_REACH_PX:
            numbers = _refined(self.shape, numbers, votes, soft_px, reach_px)
        return replace(self, numbers=numbers)

    def centred(self, even: Votes) -> _Candidate:
        """The border in the middle of the step, from votes of equal weight."""
        return replace(self, numbers=_refined(self.shape, self.numbers, even, *_EVEN_SOFT_REACH_PX))


def best_shape(lit: NDArray[np.bool_], aspect: float) -> FieldOfView:
    """The shape that explains `lit` (H, W), in pixels that are `aspect` times as high as wide; some must be lit."""
    step = max(1, math.ceil(max(lit.shape) / _MIDDLE_PX))
    votes, between = (np.where(lit, 1.0, -against) for against in (VOTE_AGAINST, _AGAINST_BETWEEN_SHAPES))
    candidates = _candidates(reduced(votes, step), aspect)
    if step > 1:
        candidates = [found.shape.enlarged(found.numbers, step).refined(votes) for found in candidates]
    enclosed = [candidate.enclosed(between) for candidate in candidates]
    enough = max(enclosed) - (1 - _PLAINER_SHARE) * abs(max(enclosed))
    chosen = next(shape for shape, own in zip(candidates, enclosed, strict=True) if own >= enough)
    chosen = chosen.centred(np.where(lit, 1.0, -1.0))
    return chosen.shape.field(chosen.numbers, (lit.shape[1], lit.shape[0]))


def _candidates(votes: Votes, aspect: float) -> list[_Candidate]:
    """The best shape of each kind, the plainest first."""
    box = np.array(box_of_most_votes(votes))
    left, top, right, bottom = box
    leaning = [
        np.array([left + lean * (right - left), right - lean * (right - left), right, left, top, bottom])
        for lean in _LEANS
    ]
    kind = _Trapezoid((votes.shape[1], votes.shape[0]))
    trapezoids = [_Candidate(kind, numbers).refined(votes) for numbers in leaning]
    return [
        _Candidate(_Box(), box).refined(votes),
        max(trapezoids, key=lambda candidate: candidate.enclosed(votes)),
        _best_fan(votes, aspect),
    ]


def _best_fan(votes: Votes, aspect: float) -> _Candidate:
    step = max(1, math.ceil(max(votes.shape) / _COARSE_PX))
    coarse = np.array(fan_of_most_votes(reduced(votes, step), aspect))
    symmetric = _Fan(aspect).enlarged(coarse, step).refined(votes)
    lopsided = _Candidate(_Fan(aspect, symmetric=False), np.append(symmetric.numbers, -symmetric.numbers[4]))
    lopsided = lopsided.refined(votes)
    return symmetric if symmetric.enclosed(votes) >= _SYMMETRIC_SHARE * lopsided.enclosed(votes) else lopsided


def _refined(shape: _Shape, numbers: Numbers, votes: Votes, soft_px: float, reach_px: float) -> Numbers:
    v, u = pixel_places(votes)
    near = np.abs(shape.inside(numbers, u, v)) < reach_px
    u, v, some = u[near], v[near], votes[near]
    if not len(some):
        return numbers

    def lost(moved: Numbers) -> float:
        return -float((_weight(shape.inside(moved, u, v), soft_px) * some).mean())

    # One pixel or degree to every side of every number; degrees move the deep corners by about as much.
    simplex = np.concatenate([numbers[None], numbers + soft_px * np.eye(len(numbers))])
    options = {"initial_simplex": simplex, "xatol": 0.02, "fatol": 1e-7, "maxfev": _MOST_TRIES}
    found: Numbers = optimize.minimize(lost, numbers, method="Nelder-Mead", options=options).x
    return found


def _weight(inside: Numbers, soft_px: float) -> Numbers:
    """0 outside, 1 inside, linear over a border of `soft_px`."""
    return np.clip(inside / soft_px + 0.5, 0, 1)
