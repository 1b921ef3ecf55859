"""The fit against the least error that any could have: the Cramér-Rao bound of the same points.

Clicks are off by pixels, so that an error in millimetres depends on the size of a pixel: for 820×616 px of
0.08×0.084 mm (a field of 66×52 mm) the bound at ±30° is 0.32 mm, for pixels of 0.2 mm it is 0.41 mm.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from USGanSimLib.calibration.pinhead.fit import fit_pinhead
from USGanSimLib.calibration.pinhead.uncertainty import predicted_error_mm

CLICK_PX, ELEVATION_MM, TRACKER_MM, TRACKER_DEG = 1.5, 0.7, 0.15, 0.1  # of the fixture


def bound_mm(truth, mm_per_px) -> float:
    """The least mean distance at corners and centre of an unbiased estimate whose errors are normal: written from the
    likelihood of the true model, with the true spreads.

    A point tells the pin's place in its image (u, v, and 0 across) with the error of click, beam and tracker. Unknown
    are a small turn and shift of the image in the probe, the logarithms of both pixel sizes, and the pin.
    """
    axes = truth.image_to_probe[:3, :3] / np.linalg.norm(truth.image_to_probe[:3, :3], axis=0)
    origin = truth.image_to_probe[:3, 3]
    information = np.zeros((11, 11))
    for pose, (u, v) in zip(truth.points.probe_to_reference, truth.points.pixels, strict=True):
        to_image = (pose[:3, :3] @ axes).T
        in_image = np.array([u * mm_per_px[0], v * mm_per_px[1], 0.0])
        lever = axes @ in_image + origin  # from the probe's origin, about which the tracker errs
        # How far the model's place of the point moves, along the image's axes: a turn w about the image's origin moves
        # it by w × p, and the pin moves the other way.
        jacobian = np.column_stack([-cross(in_image), np.eye(3), np.diag(in_image)[:, :2], -to_image])
        turned = axes.T @ cross(lever) * np.deg2rad(TRACKER_DEG) / np.sqrt(3)
        noise = (
            np.diag(np.square([CLICK_PX * mm_per_px[0], CLICK_PX * mm_per_px[1], ELEVATION_MM]))
            + np.eye(3) * TRACKER_MM**2 / 3
            + turned @ turned.T
        )
        information += jacobian.T @ np.linalg.solve(noise, jacobian)
    covariance = np.linalg.inv(information)
    distances = []
    rng = np.random.default_rng(0)
    for place in truth.places * [*mm_per_px, 1, 1]:
        at_place = np.column_stack(
            [-cross(place[:3]), np.eye(3), np.diag(place[:3])[:, :2], np.zeros((3, 3))]
        )
        samples = rng.multivariate_normal(np.zeros(3), at_place @ covariance @ at_place.T, 4000)
        distances.append(np.linalg.norm(samples, axis=1).mean())
    return float(np.mean(distances))


def cross(vector) -> np.ndarray:
    """The matrix of vector × …"""
    x, y, z = vector
    return np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])


def test_a_small_turn_moves_a_point_by_the_cross_product():
    turn, point = np.array([1e-6, -2e-6, 3e-6]), np.array([3.0, 40, 5])
    np.testing.assert_allclose(
        Rotation.from_rotvec(turn).apply(point) - point, -cross(point) @ turn, atol=1e-9
    )


@pytest.mark.parametrize(
    ("tilt_deg", "mm_per_px"), [(15, (0.08, 0.084)), (30, (0.08, 0.084)), (30, (0.1, 0.1)), (30, (0.2, 0.2))]
)
@pytest.mark.parametrize("trials", [12, pytest.param(60, marks=pytest.mark.slow)])
def test_errors_are_near_the_least_that_any_fit_could_have(pin_set, tilt_deg, mm_per_px, trials):
    true, bound, predicted = [], [], []
    for seed in range(trials):
        truth = pin_set(2000 + seed, tilt_deg=tilt_deg, mm_per_px=mm_per_px)
        fit = fit_pinhead(truth.points)
        true.append(truth.error_mm(fit.image_to_probe))
        bound.append(bound_mm(truth, mm_per_px))
        predicted.append(predicted_error_mm(fit.parameters, fit.covariance, truth.points.places).mean())
    print(
        f"±{tilt_deg}°, {mm_per_px[0]:g}×{mm_per_px[1]:g} mm a pixel, {trials} trials: error {np.mean(true):.3f} mm "
        f"(median {np.median(true):.3f}), bound {np.mean(bound):.3f} mm, predicted median {np.median(predicted):.3f}"
    )
    # A mean of 60 errors scatters by 5 % (SD), one of 12 by 12 %.
    assert np.mean(true) == pytest.approx(np.mean(bound), rel=0.15 if trials >= 60 else 0.35)
    assert np.mean(predicted) == pytest.approx(np.mean(bound), rel=0.15)
    if trials >= 60:
        assert np.median(predicted) == pytest.approx(np.median(true), rel=0.3)
