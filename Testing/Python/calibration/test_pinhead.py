"""The pinhead fit against sets of points whose calibration is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import least_squares

from USGanSimLib.calibration.pinhead.fit import fit_pinhead
from USGanSimLib.calibration.pinhead.uncertainty import alikeness, predicted_error_mm, rhythm
from USGanSimLib.errors import UserError

EXACT = {"click_px": 0, "elevation_mm": 0, "tracker_mm": 0, "tracker_deg": 0}


def plain_least_squares(points) -> np.ndarray:
    """ImageToProbe by minimising the pin's distances in Reference, every point alike: written from the equation
    p = T·(a·u + b·v + t), with a and b made square to each other by their own unknowns."""
    u, v = points.pixels.T
    rotations, shifts = points.probe_to_reference[:, :3, :3], points.probe_to_reference[:, :3, 3]
    eye = np.tile(np.eye(3), (len(u), 1, 1))
    system = np.concatenate(
        [u[:, None, None] * rotations, v[:, None, None] * rotations, rotations, -eye], axis=2
    )
    start = np.linalg.lstsq(system.reshape(-1, 12), -shifts.ravel(), rcond=None)[0]

    def misfit(x):
        places_ = np.outer(u, x[:3]) + np.outer(v, square(x)) + x[6:9]
        return (np.einsum("nij,nj->ni", rotations, places_) + shifts - x[9:12]).ravel()

    def square(x):
        return x[3:6] - x[:3] * (x[:3] @ x[3:6]) / (x[:3] @ x[:3])

    x = least_squares(misfit, start, x_scale="jac").x
    matrix = np.eye(4)
    matrix[:3, 0], matrix[:3, 1], matrix[:3, 3] = x[:3], square(x), x[6:9]
    return matrix


def test_exact_points_give_the_exact_calibration_without_a_guess(pin_set):
    for seed in range(3):
        truth = pin_set(seed, count=12, **EXACT)
        fit = fit_pinhead(truth.points)
        np.testing.assert_allclose(fit.image_to_probe, truth.image_to_probe, atol=1e-5)
        assert fit.mm_per_px == pytest.approx((0.08, 0.084), rel=1e-6)
        assert fit.inliers.all()


def test_the_image_axes_are_right_handed_and_square(pin_set):
    matrix = fit_pinhead(pin_set(4).points).image_to_probe[:3, :3]
    directions = matrix / np.linalg.norm(matrix, axis=0)
    np.testing.assert_allclose(directions.T @ directions, np.eye(3), atol=1e-12)
    assert np.linalg.det(directions) == pytest.approx(1)
    assert np.linalg.norm(matrix[:, 2]) == pytest.approx(1)


def test_a_known_pixel_size_is_held(pin_set):
    truth = pin_set(5)
    fit = fit_pinhead(truth.points, (0.08, 0.084))
    assert fit.mm_per_px == pytest.approx((0.08, 0.084), rel=1e-12)
    assert np.array_equal(fit.covariance[6:8], np.zeros((2, 11)))
    assert truth.error_mm(fit.image_to_probe) < 1.0


def test_misplaced_points_are_named_and_do_no_harm(pin_set):
    for seed in range(4):
        truth = pin_set(seed, outlier_share=0.1)
        fit = fit_pinhead(truth.points)
        assert not (truth.outliers & fit.inliers).any()
        assert (~fit.inliers & ~truth.outliers).sum() <= 3
        assert truth.error_mm(fit.image_to_probe) < 1.0


def test_a_point_that_was_left_out_is_told_by_how_far_it_was_misplaced(pin_set):
    points = pin_set(6, count=20, **EXACT).points
    pixels = points.pixels.copy()
    step_px = np.where(pixels[7] < 300, 50, -50)
    pixels[7] += step_px
    fit = fit_pinhead(replace(points, pixels=pixels))
    assert np.flatnonzero(~fit.inliers).tolist() == [7]
    moved_mm = step_px * [0.08, 0.084]
    expected = np.zeros((20, 3))
    expected[7, :2] = -moved_mm
    np.testing.assert_allclose(fit.residuals_mm, expected, atol=1e-4)
    np.testing.assert_allclose(
        np.linalg.norm(fit.offsets_mm, axis=1), np.linalg.norm(expected, axis=1), atol=1e-4
    )
    np.testing.assert_allclose(fit.point_residuals_mm[7], [np.linalg.norm(moved_mm), 0], atol=1e-4)


def test_too_few_points_are_refused_with_their_number(pin_set):
    points = pin_set(0).points.chosen(np.arange(7))
    with pytest.raises(UserError, match="7 points are too few to calibrate; 8 are the least"):
        fit_pinhead(points)


def test_the_predicted_error_is_that_of_many_fits(pin_set):
    """Against the truth: the mean over 25 sets of other noise, at the corners and the centre."""
    true, predicted = [], []
    for seed in range(25):
        truth = pin_set(100 + seed, tilt_deg=20)
        fit = fit_pinhead(truth.points)
        true.append(truth.error_mm(fit.image_to_probe))
        predicted.append(predicted_error_mm(fit.parameters, fit.covariance, truth.points.places).mean())
    assert np.median(predicted) == pytest.approx(np.median(true), rel=0.3)
    assert np.mean(predicted) == pytest.approx(np.mean(true), rel=0.25)


def test_alike_neighbours_count_as_few():
    """An autoregressive course of coefficient ρ has 1 + 2 Σ ρ^k = (1 + ρ) / (1 − ρ) values for one."""
    rng = np.random.default_rng(3)
    noise, course = rng.standard_normal((4000, 1)), np.zeros((4000, 1))
    for index in range(1, 4000):
        course[index] = 0.8 * course[index - 1] + noise[index]
    assert alikeness(course) == pytest.approx(9, rel=0.3)
    assert alikeness(noise) == pytest.approx(1, abs=0.15)


def test_courses_in_a_rhythm_are_correlated_by_chance_as_few_independent_values_are():
    """The variance of the correlation of two courses that have nothing to do with each other is that of N / rhythm
    independent values; of independent ones it is 1 / N."""
    rng = np.random.default_rng(4)
    noise = rng.standard_normal((400, 2))
    assert rhythm(noise[:, :1] - noise[:, :1].mean()) == pytest.approx(1, abs=0.2)

    def course() -> np.ndarray:
        periods = np.array([20.0, 45, 70]) * rng.uniform(0.95, 1.05, 3)
        values = np.sin(2 * np.pi * (np.arange(400)[:, None] / periods + rng.random(3))).sum(axis=1)
        return values - values.mean()

    found, counted = [], []
    for _ in range(300):
        first, second = course(), course()
        found.append(first @ second / np.linalg.norm(first) / np.linalg.norm(second))
        counted.append(rhythm(first[:, None]))
    assert np.mean(counted) == pytest.approx(400 * np.var(found), rel=0.3)
    assert np.mean(counted) > 3 * alikeness(course()[:, None])


@pytest.mark.parametrize(("tilt_deg", "allowed_mm"), [(15, 0.65), (30, 0.35)])
@pytest.mark.parametrize("trials", [24, pytest.param(60, marks=pytest.mark.slow)])
def test_errors_stay_within_the_promise_and_below_those_of_plain_least_squares(
    pin_set, tilt_deg, allowed_mm, trials
):
    own, plain, with_outliers = [], [], []
    for seed in range(trials):
        truth = pin_set(1000 + seed, tilt_deg=tilt_deg)
        own.append(truth.error_mm(fit_pinhead(truth.points).image_to_probe))
        plain.append(truth.error_mm(plain_least_squares(truth.points)))
        spoilt = pin_set(1000 + seed, tilt_deg=tilt_deg, outlier_share=0.1)
        with_outliers.append(spoilt.error_mm(fit_pinhead(spoilt.points).image_to_probe))
    print(
        f"±{tilt_deg}°, {trials} trials: {np.mean(own):.3f} mm, plain least squares {np.mean(plain):.3f} mm, "
        f"with 10 % outliers {np.mean(with_outliers):.3f} mm"
    )
    # The mean of 24 trials scatters by 5 %.
    assert np.mean(own) <= allowed_mm * (1 if trials >= 60 else 1.1)
    assert np.mean(own) <= 1.1 * np.mean(plain)
    assert np.mean(own) <= 0.9 * np.mean(plain)  # what weighing elevation apart is for
    assert np.mean(with_outliers) <= 1.25 * np.mean(own)
