"""How far a pin is off the image plane, judged by how bright it is shown.

A beam is a millimetre or two thick, so a pin off the plane is shown in it, only fainter: in a log-compressed image the
grey level falls with the square of its distance, s = s₀ − k z² (a Gaussian beam). The side is that of the fit so far,
which is good to a fraction of a millimetre where the points are; where the distance is no more than that, 0 is taken.
Without brightness every point is taken to lie in the plane, within the spread that they show.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .pin_points import PinPoints
from .pinhead import PinFit, fit_pinhead, off_plane_mm

ROUNDS = 6
# Brightness must explain this part of its own variance by distance, or it says nothing about it.
LEAST_EXPLAINED = 0.25
# No beam is known better than this.
SMALLEST_SD_MM = 0.1


def fit_with_brightness(points: PinPoints, fixed_mm_per_px: tuple[float, float] | None = None
                        ) -> tuple[PinFit, PinPoints]:
    """`fit_pinhead`, with each point's distance from the plane judged by its brightness where the points have one and
    it tells the distance; the fit, and the points with what was found."""
    fit = fit_pinhead(points, fixed_mm_per_px)
    for _ in range(ROUNDS):
        judged = _judged(points, fit)
        if judged is None:
            break
        points, fit = judged, fit_pinhead(judged, fixed_mm_per_px)
    return fit, points


def _judged(points: PinPoints, fit: PinFit) -> PinPoints | None:
    """The points with distance and spread from s = a + b v + c v² − k z² fitted to the points used; None where k does
    not explain the brightness."""
    strengths = points.strengths
    if strengths is None:
        return None
    off_plane = off_plane_mm(fit.parameters, points)
    depth = points.pixels[:, 1] / points.height_px
    smooth = np.column_stack([np.ones_like(depth), depth, depth**2])
    design = np.column_stack([smooth, -(off_plane**2)])
    used = fit.inliers
    numbers, alone = (np.linalg.lstsq(part[used], strengths[used], rcond=None)[0] for part in (design, smooth))
    noise = float(np.std((strengths - design @ numbers)[used]))
    explained = 1 - (noise / float(np.std((strengths - smooth @ alone)[used]))) ** 2
    k = float(numbers[3])
    if k <= 0 or explained < LEAST_EXPLAINED:
        return None
    squared = np.maximum((smooth @ numbers[:3] - strengths) / k, 0.0)
    distance, unsure = np.sqrt(squared), np.sqrt(noise / k)
    # d z = d s / 2 k z, and near the plane √(d s / k).
    sd = np.maximum(noise / k / np.maximum(2 * distance, unsure), SMALLEST_SD_MM)
    near = distance < unsure
    return replace(points, elevation_mm=np.where(near, 0.0, np.sign(off_plane) * distance),
                   elevation_share=sd / np.sqrt(np.mean(sd[used] ** 2)))
