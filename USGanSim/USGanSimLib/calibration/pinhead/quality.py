"""How far a pinhead calibration can be trusted: what the points determine, not how well they were fitted.

The fit residual alone says nothing: it is about 0.7 mm when the probe was tilted by ±5° and the image corners are 1 mm
off, and as much when it was tilted by ±30° and they are 0.3 mm off.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ...geometry.transforms import Matrix
from .model import (
    PinFit,
    condition,
    image_to_probe,
    in_reference,
    numeric_jacobian,
    pin_distance_mm,
    pixel_sizes_mm,
    predicted_error_mm,
    refine,
    slowness,
)
from .points import PinPoints, Vector

FOLDS = 10


@dataclass(frozen=True, eq=False)
class PinQuality:
    """rms_mm         RMS distance of the points used from the fitted pin, in Reference
    heldout_mm        the same of points that were left out of the fit (10 blocks in turn)
    corner_error_mm   expected error of the four image corners and the centre, the mean of `place_errors_mm` (5,)
    condition         condition number of the fit with every parameter in units of its own effect; infinite, as all
                      expected errors are, where the points do not determine every parameter
    tilt_deg          (3,) half the range of directions about the image's x, y, z axes
    tilt_sd_deg       (3,) their standard deviations
    independent       how many independent images the points count as: neighbours in a sweep are alike
    depth_range_mm    range of the pin's depth in the image
    parameter_sd      name → standard deviations: rotation about and shift along the image's axes, pixel size, pin
    """

    rms_mm: float
    heldout_mm: float
    corner_error_mm: float
    place_errors_mm: Vector
    condition: float
    tilt_deg: Vector
    tilt_sd_deg: Vector
    depth_range_mm: float
    independent: float
    parameter_sd: dict[str, list[float]]


def assess(fit: PinFit, points: PinPoints) -> PinQuality:
    """The quality of a fit to these points."""
    used = points.chosen(fit.inliers)
    errors = predicted_error_mm(fit, places(points.width_px, points.height_px))
    turns = directions_deg(fit.image_to_probe, used)
    return PinQuality(
        rms_mm=_rms(pin_distance_mm(fit.parameters, used)),
        heldout_mm=heldout_mm(fit, used),
        corner_error_mm=float(errors.mean()),
        place_errors_mm=errors,
        condition=condition(fit.parameters, used, (fit.in_plane_mm, fit.elevation_mm), fit.fixed_mm_per_px),
        tilt_deg=np.ptp(turns, axis=0) / 2,
        tilt_sd_deg=turns.std(axis=0),
        depth_range_mm=float(np.ptp(used.pixels[:, 1]) * fit.mm_per_px[1]),
        independent=len(used) / slowness(used),
        parameter_sd=_parameter_sd(fit, points),
    )


def places(width_px: int, height_px: int) -> Vector:
    """(5, 2): the pixels in the four corners and the centre of an image."""
    right, bottom = width_px - 1, height_px - 1
    return np.array([[0, 0], [right, 0], [0, bottom], [right, bottom], [right / 2, bottom / 2]], np.float64)


def directions_deg(image_to_probe_: Matrix, points: PinPoints) -> Vector:
    """(N, 3): the rotation of each image from the mean one, about the mean image's x, y and z axes, in degrees."""
    axes = image_to_probe_[:3, :3] / np.linalg.norm(image_to_probe_[:3, :3], axis=0)
    rotations = Rotation.from_matrix(points.probe_to_reference[:, :3, :3] @ axes)
    turns: Vector = np.rad2deg((rotations.mean().inv() * rotations).as_rotvec())
    return turns


def heldout_mm(fit: PinFit, used: PinPoints) -> float:
    """RMS distance from the pin of points left out, a block of neighbours at a time, from the fit to the others."""
    count = len(used)
    # Neighbours are alike: a point whose neighbour was fitted is not held out.
    block = np.arange(count) * min(FOLDS, count) // count
    distances = np.zeros(count)
    for left_out in range(block[-1] + 1):
        apart = block == left_out
        refitted = refine(
            fit.parameters,
            used.chosen(~apart),
            (fit.in_plane_mm, fit.elevation_mm),
            fit.fixed_mm_per_px,
            robust=False,
        )
        distances[apart] = pin_distance_mm(refitted, used.chosen(apart))
    return _rms(distances)


def _parameter_sd(fit: PinFit, points: PinPoints) -> dict[str, list[float]]:
    """Rotations and shifts about and along the axes of the image, the latter of its centre."""
    centre = places(points.width_px, points.height_px)[4]
    matrix = fit.image_to_probe
    axes = matrix[:3, :3] / np.linalg.norm(matrix[:3, :3], axis=0)

    def seen(parameters: Vector) -> Vector:
        other = image_to_probe(parameters)
        turn = Rotation.from_matrix(axes.T @ (other[:3, :3] / np.linalg.norm(other[:3, :3], axis=0)))
        shift = axes.T @ ((other - matrix) @ [*centre, 0, 1])[:3]
        return np.concatenate(
            [turn.as_rotvec(degrees=True), shift, pixel_sizes_mm(parameters), parameters[8:11]]
        )

    jacobian = numeric_jacobian(seen, fit.parameters)
    if np.isfinite(fit.covariance).all():
        sd = np.sqrt(np.maximum(np.diag(jacobian @ fit.covariance @ jacobian.T), 0)).tolist()
    else:
        sd = [float("inf")] * len(jacobian)
    return {"rotation_deg": sd[:3], "centre_mm": sd[3:6], "mm_per_px": sd[6:8], "pin_mm": sd[8:]}


def _rms(values: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(values**2)))


def offsets_mm(fit: PinFit, points: PinPoints) -> Vector:
    """(N, 3): each point's offset from the pin in Reference, of all points."""
    return in_reference(fit.parameters, points) - fit.pin_mm
