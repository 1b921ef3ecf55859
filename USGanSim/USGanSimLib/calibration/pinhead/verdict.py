"""The pinhead calibration from points to verdict: good, weak with advice, or refused with the reason; and its points,
the worst first, from what CAL.json holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import UserError
from .checks import PinMotion, pin_motion, require_direction, require_turned
from .elevation import fit_with_brightness
from .fit import PinFit
from .points import PinPoints
from .quality import PinQuality, assess

# Expected error of corners and centre. The paper measures landmarks to 6 mm and tells real from simulated below 1.5 mm.
GOOD_ERROR_MM = 0.8
LARGEST_ERROR_MM = 3.0
# Two of the three directions must spread by this; a uniform ±10° has a standard deviation of 5.8°.
LEAST_TILT_SD_DEG = 5.0
ADVISED_TILT_DEG = 15.0
FEWEST_GOOD_POINTS = 15
ADVISED_POINTS = 30
# Images of one sweep follow each other; so few independent ones hide how far the pin was off the image plane. Where
# brightness told that distance, half as many do.
FEWEST_INDEPENDENT = 20
LARGEST_OUTLIER_SHARE = 0.2
REFUSED_OUTLIER_SHARE = 0.4
LARGEST_PIN_MOTION_MM = 2.0
ADVISED_RANGE_SHARE = 0.4
GOOD, WEAK = "good", "weak"


@dataclass(frozen=True, eq=False)
class PinCalibration:
    """A calibration that was not refused. `reasons` say why it is weak, `advice` what to record next."""

    fit: PinFit
    quality: PinQuality
    motion: PinMotion | None
    reasons: tuple[str, ...]
    advice: tuple[str, ...]

    @property
    def verdict(self) -> str:
        return WEAK if self.reasons else GOOD

    def as_dict(self) -> dict[str, Any]:
        """CAL.json but for the image size: what was found, how far it can be trusted, what to do next."""
        fit, quality, points = self.fit, self.quality, self.fit.points
        return {
            "image_to_probe": fit.image_to_probe.tolist(),
            "mm_per_px": list(fit.mm_per_px),
            "mm_per_px_fixed": fit.fixed_mm_per_px is not None,
            "pin_mm": fit.pin_mm.tolist(),
            "n_points": len(points),
            "n_used": int(fit.inliers.sum()),
            "outlier_frames": points.frames[~fit.inliers].tolist(),
            "left_out": list(points.left_out),
            "rms_mm": quality.rms_mm,
            "heldout_mm": quality.heldout_mm,
            "corner_error_mm": quality.corner_error_mm,
            "place_errors_mm": quality.place_errors_mm.tolist(),
            "in_plane_sd_mm": fit.in_plane_mm,
            "elevation_sd_mm": fit.elevation_mm,
            "condition": quality.condition,
            "tilt_deg": quality.tilt_deg.tolist(),
            "tilt_sd_deg": quality.tilt_sd_deg.tolist(),
            "depth_range_mm": quality.depth_range_mm,
            "parameter_sd": quality.parameter_sd,
            "independent_images": quality.independent,
            "elevation_from_brightness": bool(points.elevation_mm.any()),
            "frames": points.frames.tolist(),
            "residuals_mm": fit.point_residuals_mm.tolist(),
            "pin_motion_mm": self.motion.distance_mm if self.motion else 0.0,
            "verdict": self.verdict,
            "reasons": list(self.reasons),
            "advice": " ".join(self.advice),
        }


def calibrate_pinhead(
    points: PinPoints, fixed_mm_per_px: tuple[float, float] | None = None
) -> PinCalibration:
    """Fit, assess and judge. Raises UserError, with the reason and what to record next, where the points do not give
    a calibration worth having."""
    require_turned(points)
    require_direction(points, fixed_mm_per_px)
    fit = fit_with_brightness(points, fixed_mm_per_px)
    motion = pin_motion(fit)
    if motion and motion.distance_mm > LARGEST_PIN_MOTION_MM:
        raise UserError(
            f"{_motion_words(motion)}.",
            "Fix the pin (and the reference tool) and record again, or give the points of one part alone.",
        )
    outliers = 1 - fit.inliers.mean()
    if outliers > REFUSED_OUTLIER_SHARE:
        raise UserError(
            f"{(~fit.inliers).sum()} of {len(points)} points do not agree with the others.",
            "Check that the points belong to these poses, and mark the pinhead again where they do not.",
        )
    quality = assess(fit)
    if not np.isfinite(quality.corner_error_mm):
        raise UserError(
            f"The {fit.inliers.sum()} points do not determine the calibration: many fit them alike.",
            "Record the pin again all over the image, turning the probe by ±30° about all three axes.",
        )
    advice = advise(fit, quality)
    if not quality.corner_error_mm <= LARGEST_ERROR_MM:
        raise UserError(
            f"The points do not determine the calibration: image corners and centre would be off by "
            f"{quality.corner_error_mm:.1f} mm ({LARGEST_ERROR_MM:g} mm are allowed).",
            " ".join(advice),
        )
    reasons = _reasons(fit, quality, motion)
    return PinCalibration(fit, quality, motion, reasons, advice if reasons else ())


def advise(fit: PinFit, quality: PinQuality) -> tuple[str, ...]:
    """What to record next, most useful first; never empty."""
    used = fit.used
    thin = [
        f"{axis} axis (±{tilt:.0f}° so far)"
        for axis, tilt in zip("xyz", quality.tilt_deg, strict=True)
        if tilt < ADVISED_TILT_DEG
    ]
    advice = (
        [f"Tilt at least ±{ADVISED_TILT_DEG:.0f}° about the image's {' and '.join(thin)}."] if thin else []
    )
    size = (used.width_px, used.height_px)
    for axis, side, what in ((0, size[0], "from left to right"), (1, size[1], "from near to deep")):
        share = np.ptp(used.pixels[:, axis]) / side
        if share < ADVISED_RANGE_SHARE:
            advice.append(f"Show the pin all over the image {what} (over {share:.0%} of it so far).")
    if quality.independent < _fewest_independent(fit.points) <= len(used):
        advice.append(
            "Record longer, or mark images further apart in time, going through the pin again and again."
        )
    # The error falls with the root of the number of points.
    enough = 0 if thin else int(np.ceil(len(used) * (quality.corner_error_mm / GOOD_ERROR_MM) ** 2))
    if len(used) < max(enough, ADVISED_POINTS) or not advice:
        advice.append(
            f"Mark the pin in more images, {max(enough, ADVISED_POINTS)} or more ({len(used)} were used)."
        )
    return tuple(advice)


def _reasons(fit: PinFit, quality: PinQuality, motion: PinMotion | None) -> tuple[str, ...]:
    points, used = fit.points, len(fit.used)
    outliers = len(points) - used
    second_tilt_deg = float(np.sort(quality.tilt_sd_deg)[1])
    checks = (
        (
            quality.corner_error_mm > GOOD_ERROR_MM,
            f"Image corners and centre are expected to be off by {quality.corner_error_mm:.2f} mm.",
        ),
        (
            second_tilt_deg < LEAST_TILT_SD_DEG,
            f"Directions spread by {', '.join(f'{sd:.1f}°' for sd in quality.tilt_sd_deg)} (standard deviations "
            f"about the image's x, y, z axes), where two should reach {LEAST_TILT_SD_DEG:g}°.",
        ),
        (used < FEWEST_GOOD_POINTS, f"Only {used} points were used."),
        (
            quality.independent < _fewest_independent(points) and used >= FEWEST_GOOD_POINTS,
            f"The {used} images follow each other so closely that they count as {quality.independent:.0f} "
            f"({_fewest_independent(points)} are needed).",
        ),
        (outliers > LARGEST_OUTLIER_SHARE * len(points), f"{outliers} of {len(points)} points are outliers."),
        (motion is not None, f"{_motion_words(motion)}." if motion else ""),
    )
    return tuple(reason for true, reason in checks if true)


def _fewest_independent(points: PinPoints) -> int:
    return FEWEST_INDEPENDENT // 2 if points.elevation_mm.any() else FEWEST_INDEPENDENT


def _motion_words(motion: PinMotion) -> str:
    when = f"at about frame {motion.frame}" if motion.frame is not None else "steadily over the recording"
    return f"The pin moved by {motion.distance_mm:.1f} mm {when}"


@dataclass(frozen=True)
class PinResidual:
    """How far off a point is, in the image plane and across it (signed), millimetres; `used` is False for an outlier.

    Where brightness told how far the pin was off the plane, `across_mm` is what that leaves.
    """

    frame: int
    in_plane_mm: float
    across_mm: float
    used: bool

    @property
    def mm(self) -> float:
        """In space."""
        return float(np.hypot(self.in_plane_mm, self.across_mm))


def pin_residuals(result: Mapping[str, Any]) -> list[PinResidual]:
    """One for each point of CAL.json, the one that is furthest off first."""
    outliers = set(result["outlier_frames"])
    found = [
        PinResidual(frame, in_plane_mm, across_mm, frame not in outliers)
        for frame, (in_plane_mm, across_mm) in zip(result["frames"], result["residuals_mm"], strict=True)
    ]
    return sorted(found, key=lambda one: -one.mm)
