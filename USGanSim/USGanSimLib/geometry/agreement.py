"""How far from its told pose a real image fits best what a model expects: a number with a usual range. When a reference
or a probe's marker moves, the model is asked for the wrong pose, and the number leaves that range.

Two images agree by the correlation of what they show, without speckle and without what changes slowly over an image,
such as gain. How well they agree depends on the place and on the model, so it is compared with itself: at the pose, and
a few millimetres aside along each axis of the image. The vertex of a parabola through the three is where it fits best.
"""

from __future__ import annotations

import math
from collections import deque

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .image_geometry import ImageGeometry
from .pose_distance import PoseDistance
from .transforms import Matrix

# Speckle is finer, gain and attenuation are coarser.
FINE_MM, COARSE_MM = 3.5, 14.0
_LIT_GREY = 2
# How far aside is looked along each axis; nothing further away is told.
ASIDE_MM = 4.0
# The latest so many poses are judged together. Nearer ones show the same, and say nothing more.
RECENT, APART_MM = 10, 3.0
# Scans of the virtual phantom with the shipped model stay below (measured.md).
USUAL_MM = 1.5


def agreement(
    real: NDArray[np.float32], expected: NDArray[np.float32], where: NDArray[np.bool_], pixel_mm: float
) -> float:
    """The correlation (−1 to 1) of two images (H, W) over `where`, as far as either is lit; NaN where one of them has
    no structure there."""
    lit = where & ((real > _LIT_GREY) | (expected > _LIT_GREY))
    first, second = (_structure(image, pixel_mm)[lit] for image in (real, expected))
    if lit.sum() < 2 or min(first.std(), second.std()) < 1e-3:
        return math.nan
    return float(np.corrcoef(first, second)[0, 1])


def _structure(image: NDArray[np.float32], pixel_mm: float) -> NDArray[np.float32]:
    fine, coarse = (
        ndimage.gaussian_filter(image.astype(np.float32), size_mm / pixel_mm)
        for size_mm in (FINE_MM, COARSE_MM)
    )
    result: NDArray[np.float32] = fine - coarse
    return result


def places_aside(image_to_reference: Matrix) -> Matrix:
    """(7, 4, 4): the pose, and ASIDE_MM from it, forth and back, along rows, columns and out of the plane."""
    poses = np.repeat(image_to_reference[None], 7, axis=0)
    axes = image_to_reference[:3, :3] / np.linalg.norm(image_to_reference[:3, :3], axis=0)
    for axis in range(3):
        poses[1 + 2 * axis, :3, 3] += ASIDE_MM * axes[:, axis]
        poses[2 + 2 * axis, :3, 3] -= ASIDE_MM * axes[:, axis]
    return poses


class BestPlace:
    """Keeps how well the latest images agreed at `places_aside`, and says where they fit best."""

    def __init__(self, geometry: ImageGeometry) -> None:
        self._distance = PoseDistance(geometry.width_px, geometry.height_px)
        self._numbers: deque[NDArray[np.float64]] = deque(maxlen=RECENT)
        self._last: NDArray[np.float64] | None = None

    def lies_apart(self, image_to_reference: Matrix) -> bool:
        """Whether a pose would say something new."""
        here = self._distance.embed(image_to_reference)
        return self._last is None or float(np.linalg.norm(here - self._last)) >= APART_MM

    def add(self, numbers: NDArray[np.float64], image_to_reference: Matrix) -> None:
        """The agreement (7,) of an image at `places_aside` of its pose; nothing where one of them is none."""
        if np.isfinite(numbers).all():
            self._last = self._distance.embed(image_to_reference)
            self._numbers.append(np.asarray(numbers, float))

    @property
    def seen(self) -> int:
        """Of RECENT images."""
        return len(self._numbers)

    @property
    def agreement(self) -> float:
        """At the pose that is told, the mean of the latest; NaN before there is one."""
        return float(np.mean([numbers[0] for numbers in self._numbers])) if self._numbers else math.nan

    @property
    def offset_mm(self) -> NDArray[np.float64] | None:
        """(3,) from the pose that is told to where the images fit best: across, in depth, out of the plane, each up to
        ASIDE_MM. None before RECENT images were seen."""
        if self.seen < RECENT:
            return None
        here, *aside = np.mean(self._numbers, axis=0)
        return np.array(
            [_vertex_mm(here, forth, back) for forth, back in zip(aside[::2], aside[1::2], strict=True)]
        )

    @property
    def away_mm(self) -> float:
        """The length of `offset_mm`; NaN where there is none."""
        offset_mm = self.offset_mm
        return math.nan if offset_mm is None else float(np.linalg.norm(offset_mm))

    @property
    def moved(self) -> bool:
        """Whether the images fit best further away than is usual."""
        return self.away_mm > USUAL_MM


def _vertex_mm(here: float, forth: float, back: float) -> float:
    bend = forth + back - 2 * here
    if bend < 0 and abs(back - forth) < -2 * bend:
        return float(ASIDE_MM * (back - forth) / (2 * bend))
    return ASIDE_MM if forth > back else -ASIDE_MM
