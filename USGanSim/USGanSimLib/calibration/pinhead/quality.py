"""How far a pinhead calibration can be trusted: what the points determine, not how well they were fitted.

The fit residual alone says nothing: it is about 0.7 mm when the probe was tilted by ±5° and the image corners are 1 mm
off, and as much when it was tilted by ±30° and they are 0.3 mm off.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from ...geometry.transforms import Matrix
from .fit import PinFit, heldout_offsets_mm
from .model import image_to_probe, pixel_sizes_mm
from .points import PinPoints, Vector
from .uncertainty import numeric_jacobian, predicted_error_mm, slowness


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


def assess(fit: PinFit) -> PinQuality:
    """The quality of a fit."""
    turns = directions_deg(fit.image_to_probe, fit.used)
    shown = fit.points.places
    parameter_sd = _parameter_sd(fit, shown[4])
    independent = len(fit.used) / slowness(fit.used)
    errors = predicted_error_mm(fit.parameters, fit.covariance, shown)
    left_out = heldout_offsets_mm(fit)
    return PinQuality(
        rms_mm=_rms_length(fit.offsets_mm[fit.inliers]),
        heldout_mm=_rms_length(left_out),
        corner_error_mm=float(errors.mean()),
        place_errors_mm=errors,
        condition=fit.condition,
        tilt_deg=np.ptp(turns, axis=0) / 2,
        tilt_sd_deg=turns.std(axis=0),
        depth_range_mm=float(np.ptp(fit.used.pixels[:, 1]) * fit.mm_per_px[1]),
        independent=independent,
        parameter_sd=parameter_sd,
    )


def directions_deg(image_to_probe_: Matrix, points: PinPoints) -> Vector:
    """(N, 3): the rotation of each image from the mean one, about the mean image's x, y and z axes, in degrees."""
    axes = image_to_probe_[:3, :3] / np.linalg.norm(image_to_probe_[:3, :3], axis=0)
    rotations = Rotation.from_matrix(points.probe_to_reference[:, :3, :3] @ axes)
    turns: Vector = np.rad2deg((rotations.mean().inv() * rotations).as_rotvec())
    return turns


def _parameter_sd(fit: PinFit, centre_px: Vector) -> dict[str, list[float]]:
    """Rotations and shifts about and along the axes of the image, the latter of its centre (2,)."""
    matrix = fit.image_to_probe
    axes = matrix[:3, :3] / np.linalg.norm(matrix[:3, :3], axis=0)

    def seen(parameters: Vector) -> Vector:
        other = image_to_probe(parameters)
        turn = Rotation.from_matrix(axes.T @ (other[:3, :3] / np.linalg.norm(other[:3, :3], axis=0)))
        shift = axes.T @ ((other - matrix) @ [*centre_px, 0, 1])[:3]
        return np.concatenate(
            [turn.as_rotvec(degrees=True), shift, pixel_sizes_mm(parameters), parameters[8:11]]
        )

    jacobian = numeric_jacobian(seen, fit.parameters)
    if np.isfinite(fit.covariance).all():
        sd = np.sqrt(np.maximum(np.diag(jacobian @ fit.covariance @ jacobian.T), 0)).tolist()
    else:
        sd = [float("inf")] * len(jacobian)
    return {"rotation_deg": sd[:3], "centre_mm": sd[3:6], "mm_per_px": sd[6:8], "pin_mm": sd[8:]}


def _rms_length(vectors: Vector) -> float:
    return float(np.sqrt(np.mean(np.linalg.norm(vectors, axis=1) ** 2)))
