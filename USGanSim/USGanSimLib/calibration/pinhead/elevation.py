"""How far a pin is off the image plane, judged by how bright it is shown.

A beam is a millimetre or two thick, so a pin off the plane is shown in it, only fainter: in a log-compressed image the
grey level falls with the square of its distance, s = s₀ − k z² (a Gaussian beam). The side is that of the fit so far,
which is good to a fraction of a millimetre where the points are; where the distance is no more than that, 0 is taken.
Without brightness every point is taken to lie in the plane, within the spread that they show.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from .fit import PinFit, fit_pinhead
from .model import free_parameters, residuals_mm
from .points import PinPoints, Vector

# Brightness must explain this part of its own variance by distance, or it says nothing about it.
LEAST_EXPLAINED = 0.6
# No beam is known better than this.
SMALLEST_SD_MM = 0.1
TILT_MM = 1.5
NUMBERS = 5
# The model leaves about a tenth of the variation in brightness.
_NOISE_SHARE = 0.1


@dataclass(frozen=True, eq=False)
class _Brightness:
    """s = a + b v + c v² − (k + l v) z², v the depth in image heights: (a, b, c, k, l), and the SD of what it leaves. A
    beam is thinnest at its focus, so that k changes with depth."""

    numbers: Vector
    noise: float

    def loss(self, points: PinPoints) -> Vector:
        """(N,) grey levels lost at a millimetre from the plane, at the points' depths."""
        loss: Vector = self.numbers[3] + self.numbers[4] * points.pixels[:, 1] / points.height_px
        return loss

    def explains(self, points: PinPoints) -> bool:
        """Whether brightness falls with distance, and mainly for that reason."""
        grey = np.asarray(points.strengths)
        smooth = _design(points, np.zeros(len(points)))[:, :3]
        alone = float(np.std(grey - smooth @ np.linalg.lstsq(smooth, grey, rcond=None)[0]))
        explained = 1 - (self.noise / alone) ** 2 if alone else 0.0
        return explained >= LEAST_EXPLAINED and bool((self.loss(points) > 0).all())


@dataclass(frozen=True, eq=False)
class _Explained:
    """Pixels and grey levels explained at once: all points' distance from the plane (N,), mm, by what brightness, at
    what cost."""

    off_plane_mm: Vector
    brightness: _Brightness
    cost: float


def fit_with_brightness(points: PinPoints, fixed_mm_per_px: tuple[float, float] | None = None) -> PinFit:
    """`fit_pinhead` of points whose distance from the plane is not known yet (`elevation_mm` is 0), with that judged by
    their brightness where they have one and it tells the distance; the fit's points hold what was found."""
    fit = fit_pinhead(points, fixed_mm_per_px)
    if points.strengths is None or np.ptp(points.strengths) == 0:
        return fit
    best = min((_together(fit, start) for start in _starts(fit)), key=lambda found: found.cost)
    if not best.brightness.explains(fit.used):
        return fit
    judged = _judged(fit, best)
    return fit_pinhead(judged, fixed_mm_per_px)


def _starts(fit: PinFit) -> list[Vector]:
    """The fit, and the fit tilted so that points leave the plane by up to ±TILT_MM: a sweep that stays on one side of
    the pin for long misleads it by as much."""
    span_mm = np.ptp(fit.used.pixels, axis=0) / 2 * fit.mm_per_px
    middle_mm = fit.used.pixels.mean(axis=0) * fit.mm_per_px
    axes = Rotation.from_rotvec(fit.parameters[:3])
    starts = []
    for along_x, along_y in itertools.product((-1.0, 0.0, 1.0), repeat=2):
        # A turn about the image's y axis lifts points along x, and the other way round.
        turn = Rotation.from_rotvec(TILT_MM * np.array([along_y / span_mm[1], -along_x / span_mm[0], 0.0]))
        centre = np.array([*middle_mm, 0.0])
        start = fit.parameters.copy()
        start[:3] = (axes * turn).as_rotvec()
        start[3:6] += axes.apply(centre - turn.apply(centre))
        starts.append(start)
    return starts


def _together(fit: PinFit, start: Vector) -> _Explained:
    """What explains pixels and grey levels of the points used at once, from a start."""
    points, used, free = fit.points, fit.inliers, free_parameters(fit.fixed_mm_per_px)
    grey = np.asarray(fit.used.strengths)
    scale = float(np.std(grey)) + 1e-9

    def seen(values: Vector) -> tuple[Vector, Vector]:
        """The residuals of all points (N, 3), and the brightness's design of those used."""
        parameters = start.copy()
        parameters[free] = values
        residuals = residuals_mm(parameters, points)
        return residuals, _design(fit.used, residuals[used, 2])

    def misfit(values: Vector) -> Vector:
        residuals, design = seen(values[:-NUMBERS])
        left = grey - design @ values[-NUMBERS:]
        in_plane = residuals[used, :2] / fit.in_plane_mm
        return np.concatenate([in_plane.ravel(), left / (_NOISE_SHARE * scale)])

    numbers = np.linalg.lstsq(seen(start[free])[1], grey, rcond=None)[0]
    solution = least_squares(misfit, np.concatenate([start[free], numbers]), loss="soft_l1", x_scale="jac")
    residuals, design = seen(solution.x[:-NUMBERS])
    numbers = solution.x[-NUMBERS:]
    noise = float(np.std(grey - design @ numbers))
    return _Explained(residuals[:, 2], _Brightness(numbers, noise), float(solution.cost))


def _judged(fit: PinFit, explained: _Explained) -> PinPoints:
    """The points with the distance that their brightness tells, and its spread."""
    points, brightness = fit.points, explained.brightness
    k = np.maximum(brightness.loss(points), 1e-3)
    in_plane_grey = _design(points, np.zeros(len(points))) @ brightness.numbers
    distance = np.sqrt(np.maximum(in_plane_grey - np.asarray(points.strengths), 0.0) / k)
    # d z = d s / 2 k z, and near the plane √(d s / k).
    unsure = np.sqrt(brightness.noise / k)
    sd = np.maximum(brightness.noise / k / np.maximum(2 * distance, unsure), SMALLEST_SD_MM)
    return replace(
        points,
        elevation_mm=np.where(distance < unsure, 0.0, np.sign(explained.off_plane_mm) * distance),
        elevation_share=sd / np.sqrt(np.mean(sd[fit.inliers] ** 2)),
    )


def _design(points: PinPoints, off_plane: Vector) -> Vector:
    depth = points.pixels[:, 1] / points.height_px
    squared = off_plane**2
    return np.column_stack([np.ones_like(depth), depth, depth**2, -squared, -squared * depth])
