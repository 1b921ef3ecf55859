"""Distance from the image plane, judged by brightness that falls with its square."""

from __future__ import annotations

import numpy as np

from USGanSimLib.calibration.pinhead.elevation import fit_with_brightness
from USGanSimLib.calibration.pinhead.fit import fit_pinhead


def true_distances_mm(truth) -> np.ndarray:
    """The pin's distance from each image plane, from the true matrix and the pin's true place (their mean in
    Reference, of images exact but for that distance)."""
    points = truth.points
    pixels = np.column_stack([points.pixels, np.zeros(len(points)), np.ones(len(points))])
    in_reference = np.einsum("nij,nj->ni", points.probe_to_reference @ truth.image_to_probe, pixels)[:, :3]
    normals = (points.probe_to_reference @ truth.image_to_probe)[:, :3, 2]
    # p − q_i = z_i n_i for the true pin p: least squares for (p, z).
    count = len(points)
    system = np.zeros((3 * count, 3 + count))
    system[:, :3] = np.tile(np.eye(3), (count, 1))
    for index in range(count):
        system[3 * index : 3 * index + 3, 3 + index] = -normals[index]
    return np.linalg.lstsq(system, in_reference.ravel(), rcond=None)[0][3:]


def bright(truth, noise_grey: float, seed: int = 0) -> dict[int, float]:
    distance = true_distances_mm(truth)
    grey = 150 - 20 * distance**2 + noise_grey * np.random.default_rng(seed).standard_normal(len(distance))
    return dict(enumerate(np.maximum(grey, 1)))


def test_brightness_makes_a_calibration_far_better(pin_set):
    plain, with_brightness = [], []
    for seed in range(5):
        truth = pin_set(seed, count=60, click_px=0.3, elevation_mm=0.9)
        points = truth.points.with_strengths(bright(truth, 3))
        fit = fit_with_brightness(points)
        plain.append(truth.error_mm(fit_pinhead(truth.points).image_to_probe))
        with_brightness.append(truth.error_mm(fit.image_to_probe))
        assert np.corrcoef(fit.points.elevation_mm, true_distances_mm(truth))[0, 1] > 0.95
    assert np.mean(with_brightness) < 0.6 * np.mean(plain)


def test_brightness_that_means_nothing_changes_nothing(pin_set):
    truth = pin_set(3)
    strengths = dict(enumerate(np.random.default_rng(1).uniform(50, 150, 50)))
    fit = fit_with_brightness(truth.points.with_strengths(strengths))
    np.testing.assert_array_equal(fit.parameters, fit_pinhead(truth.points).parameters)
    assert np.array_equal(fit.points.elevation_mm, np.zeros(50))


def test_points_of_unknown_brightness_are_taken_to_lie_in_the_plane(pin_set):
    points = pin_set(3).points
    assert points.with_strengths({**dict.fromkeys(range(50), 80.0), 7: 0.0}).strengths is None


def test_the_distance_is_along_the_images_normal(pin_set):
    truth = pin_set(4, click_px=0, tracker_mm=0, tracker_deg=0)
    off_plane_mm = fit_pinhead(truth.points).residuals_mm[:, 2]
    np.testing.assert_allclose(off_plane_mm, true_distances_mm(truth), atol=0.7)
    assert np.corrcoef(off_plane_mm, true_distances_mm(truth))[0, 1] > 0.9
