"""Points and poses that cannot give a calibration, recognised by what they would look like if they were right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ...errors import UserError
from ...geometry.transforms import TransformTrack
from ...recording.calibration_file import Calibration
from .fit import OUTLIER_LIMIT, PinFit, robust_start
from .points import PinPoints, Vector
from .uncertainty import alikeness

# Poses that differ by less are parallel: two optical trackers' readings of one pose differ by a tenth of it.
LEAST_TURN_DEG = 2.0
# The inverse poses must fit better by this factor to be taken for the right ones.
INVERSE_FACTOR = 3.0
MOST_MOMENTS = 30
FEWEST_MOVED = 5  # points on either side of a moment at which the pin may have moved
# A moved pin must be more likely than a still one by this much (log likelihood of independent residuals) to be
# believed. Of 216 synthetic sets with a still pin none passed 18; a shift of 2 mm in 50 points gives 40 to 120.
CLEAR_GAIN = 25.0


@dataclass(frozen=True)
class PinMotion:
    """The pin moved by `distance_mm`: at once before frame `frame`, or steadily (`frame` None) over the recording."""

    distance_mm: float
    frame: int | None


def require_turned(points: PinPoints) -> None:
    """Raise UserError where the probe was never turned between points: then no place in it is determined."""
    if len(points) < 2:
        return
    rotations = Rotation.from_matrix(points.probe_to_reference[:, :3, :3])
    turn_deg = float(np.rad2deg((rotations.mean().inv() * rotations).magnitude().max()))
    if turn_deg < LEAST_TURN_DEG:
        raise UserError(
            f"All {len(points)} poses are parallel within {turn_deg:.1f}°: the probe was moved but not "
            "turned.",
            "Record again, tilting and turning the probe by ±30° about all three axes.",
        )


def require_direction(points: PinPoints, fixed_mm_per_px: tuple[float, float] | None = None) -> None:
    """Raise UserError where the inverse poses hold the pin still far better than the poses as given."""
    every = np.ones(len(points), bool)
    inverse = replace(
        points, probe_to_reference=TransformTrack(points.probe_to_reference, every).inverse().matrices
    )
    given_mm, inverse_mm = (robust_start(p, fixed_mm_per_px)[1] for p in (points, inverse))
    if inverse_mm * INVERSE_FACTOR < given_mm:
        raise UserError(
            f"The poses are of the wrong direction: as given the pin wanders by {given_mm:.1f} mm "
            f"(median), with their inverses by {inverse_mm:.1f} mm.",
            "Give ProbeToReference; these are ReferenceToProbe (or TrackerToProbe).",
        )


def require_marks_on_spots(points: PinPoints, image_of: Callable[[int], NDArray[np.uint8]]) -> None:
    """Raise UserError where the images are bright not at the marked places but at those with u and v exchanged, or
    mirrored: the marks were made in a picture of another orientation. `image_of` a frame is (H, W) in MF orientation.
    """
    right, bottom = points.width_px - 1, points.height_px - 1
    u, v = points.pixels.T
    ways = {
        "as given": (u, v),
        "with u_px and v_px exchanged": (v, u),
        "mirrored left to right": (right - u, v),
        "mirrored top to bottom": (u, bottom - v),
        "turned upside down": (right - u, bottom - v),
    }
    shown = np.unique(np.linspace(0, len(points) - 1, min(len(points), 30)).round().astype(int))
    images = [image_of(int(points.frames[index])) for index in shown]
    brightness = {
        name: float(
            np.median(
                [_contrast(image, x[index], y[index]) for index, image in zip(shown, images, strict=True)]
            )
        )
        for name, (x, y) in ways.items()
    }
    best = max(brightness, key=lambda name: brightness[name])
    if brightness[best] > 4 and brightness["as given"] < brightness[best] / 4:
        raise UserError(
            f"There is no bright spot at the marked places (contrast {round(brightness['as given'])} grey "
            f"levels), but there is {best} ({round(brightness[best])}).",
            "Give u_px, v_px in pixels of the MF-oriented image: marked side right, depth downwards.",
        )


def require_same_side(fit: PinFit, earlier: Calibration) -> float:
    """The largest distance (mm) of an image corner from where an earlier calibration has it.

    Raises UserError where the corners agree far better with u mirrored: then the images of one of the two were
    mirrored, which the points themselves cannot tell, since a mirrored image fits as well with its x and z reversed.
    """
    pixels = np.column_stack([fit.points.places[:4], np.zeros(4), np.ones(4)])
    mirrored = pixels.copy()
    mirrored[:, 0] = fit.points.width_px - 1 - pixels[:, 0]
    known = pixels @ earlier.image_to_probe.T
    apart_mm, mirrored_mm = (
        float(np.linalg.norm((way @ fit.image_to_probe.T - known)[:, :3], axis=1).max())
        for way in (pixels, mirrored)
    )
    if mirrored_mm * INVERSE_FACTOR < apart_mm:
        raise UserError(
            f"The images are mirrored left to right against {earlier.source}: corners lie {apart_mm:.1f} "
            f"mm from where it has them, {mirrored_mm:.1f} mm when mirrored.",
            "Check the orientation of the recording (marked side right) and of the earlier one.",
        )
    return apart_mm


def pin_motion(fit: PinFit) -> PinMotion | None:
    """Whether a pin that moves explains the points clearly better than one that stands still.

    The model is made linear at the fit, with three more unknowns: the shift of the pin from one moment on, or over the
    whole recording. Likelihoods are Cauchy's, so that misplaced points do not decide.
    """
    count = len(fit.points)
    moments = np.arange(FEWEST_MOVED, count - FEWEST_MOVED + 1)
    if not moments.size:
        return None
    moments = moments[np.linspace(0, len(moments) - 1, min(len(moments), MOST_MOMENTS)).round().astype(int)]
    residuals = (fit.residuals_mm / [fit.in_plane_mm, fit.in_plane_mm, fit.elevation_mm]).ravel()
    courses = {int(moment): (np.arange(count) >= moment).astype(float) for moment in moments}
    courses[-1] = np.linspace(-0.5, 0.5, count)
    still, _, _ = _most_likely(residuals, fit.jacobian)
    moving = {
        moment: _most_likely(
            residuals, np.column_stack([fit.jacobian, np.repeat(course, 3)[:, None] * fit.jacobian[:, 8:11]])
        )
        for moment, course in courses.items()
    }
    best = min(moving, key=lambda moment: moving[moment][0])
    cost, x, left = moving[best]
    if (still - cost) / alikeness(np.clip(left, -OUTLIER_LIMIT, OUTLIER_LIMIT).reshape(-1, 3)) < CLEAR_GAIN:
        return None
    return PinMotion(float(np.linalg.norm(x[-3:])), None if best < 0 else int(fit.points.frames[best]))


def _most_likely(residuals: Vector, jacobian: Vector) -> tuple[float, Vector, Vector]:
    """The least negative log likelihood of residuals + jacobian · x under a Cauchy distribution of unknown width, that
    x, and what it leaves in units of the width; by reweighted least squares."""
    weights: Vector = np.ones(len(residuals))
    for _ in range(6):
        root = np.sqrt(weights)
        x = np.linalg.lstsq(jacobian * root[:, None], -residuals * root, rcond=None)[0].astype(np.float64)
        left = residuals + jacobian @ x
        width = _cauchy_width(left)
        weights = 1 / (1 + (left / width) ** 2)
    return float(np.sum(np.log(1 + (left / width) ** 2)) + len(left) * np.log(width)), x, left / width


def _cauchy_width(values: Vector) -> float:
    """The most likely width of a Cauchy distribution around zero: mean of v² / (w² + v²) is a half."""
    width = float(np.median(np.abs(values))) + 1e-9
    for _ in range(10):
        width *= np.sqrt(2 * np.mean(values**2 / (width**2 + values**2)))
    return width


def _contrast(image: NDArray[np.uint8], u: float, v: float) -> float:
    """How much brighter the 5×5 pixels around a place are than the 41×41, grey levels; 0 outside the image."""
    height, width = image.shape
    column, row = round(u), round(v)
    if not (0 <= column < width and 0 <= row < height):
        return 0.0
    near, far = (image[max(row - r, 0) : row + r + 1, max(column - r, 0) : column + r + 1] for r in (2, 20))
    return float(near.mean() - far.mean())
