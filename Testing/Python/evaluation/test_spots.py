"""The spot detector on dots drawn at known fractions of a pixel."""

from __future__ import annotations

import numpy as np
import pytest

from USGanSimLib.evaluation.measures.points import match_points, truth_of_dataset
from USGanSimLib.evaluation.measures.spots import THRESHOLDS_GREY, SpotDetector, fit_detector
from USGanSimLib.recording.dataset import write_dataset

MM_PER_PX = (0.4, 0.5)
DETECTOR = SpotDetector(scale_mm=0.65, threshold_grey=20.0, mm_per_px=MM_PER_PX)


def test_dots_are_found_to_a_twentieth_of_a_pixel(draw_dots) -> None:
    random = np.random.default_rng(1)
    errors_px = []
    for seed in range(10):
        true_px = np.array([[12, 10], [40, 15], [66, 12], [20, 40], [60, 45.0]]) + random.uniform(
            -0.5, 0.5, (5, 2)
        )
        found_px = DETECTOR.find(draw_dots(true_px, noise=2.0, seed=seed))
        assert len(found_px) == 5
        errors_px.append(match_points(true_px, found_px, 3.0).distance_mm)
    assert np.sqrt(np.mean(np.square(errors_px))) < 0.05


@pytest.mark.parametrize("fraction", [0.0, 0.25, 0.5])
def test_a_dot_between_pixels_is_one_dot_in_the_right_place(draw_dots, fraction: float) -> None:
    true_px = np.array([[30 + fraction, 20 + fraction]])
    np.testing.assert_allclose(DETECTOR.find(draw_dots(true_px)), true_px, atol=0.03)


def test_a_flat_square_has_its_middle_whatever_its_size() -> None:
    image = np.zeros((60, 80), np.uint8)
    image[20:22, 40:43] = 255
    np.testing.assert_allclose(DETECTOR.find(image), [[41, 20.5]], atol=1e-6)


@pytest.mark.parametrize("grey", [0, 128, 255])
def test_an_image_of_one_grey_level_has_no_spot(grey: int) -> None:
    assert DETECTOR.find(np.full((60, 80), grey, np.uint8)).shape == (0, 2)


def test_noise_and_faint_clutter_are_below_the_threshold(draw_dots) -> None:
    clutter = np.array([[10.0, 10], [60, 50]])
    assert len(DETECTOR.find(draw_dots(clutter, peak=20, noise=5.0))) == 0
    assert len(DETECTOR.find(draw_dots(clutter, peak=120, noise=5.0))) == 2


def test_a_dot_cut_by_the_edge_is_still_found(draw_dots) -> None:
    found = DETECTOR.find(draw_dots(np.array([[0.0, 30.0]])))
    assert len(found) == 1
    np.testing.assert_allclose(found, [[0, 30]], atol=0.05)


def test_the_response_at_a_dot_is_the_closed_form() -> None:
    # A Gaussian of height A and width s answers a scale σ with 2 A s² σ² / (s² + σ²)² at its middle.
    v, u = np.mgrid[:60, :80]
    image = np.round(200 * np.exp(-((u - 40) ** 2 + (v - 30) ** 2) / (2 * 3.0**2))).astype(np.uint8)
    _, strengths = SpotDetector(2.0, 0, (1.0, 1.0)).candidates(image)
    assert strengths.max() == pytest.approx(2 * 200 * 9 * 4 / (9 + 4) ** 2, rel=0.02)


def test_the_detector_is_set_so_that_the_dots_are_found_and_the_clutter_is_not(
    dotted_set, draw_dots, tmp_path
) -> None:
    dataset, points = dotted_set
    clutter = np.array([[70.0, 50.0], [8.0, 52.0], [72.0, 6.0]])
    faint = draw_dots(clutter, sigma_mm=0.9, peak=45)
    images = [np.maximum(draw_dots(points[k], noise=3, seed=k), faint) for k in points]
    cluttered = write_dataset(
        tmp_path / "cluttered",
        images,
        dataset.poses,
        dataset.geometry,
        heldout=dataset.heldout,
        sources=dataset.sources,
    )
    detector = fit_detector(cluttered, truth_of_dataset(cluttered, [points]), 5.0)
    for k in cluttered.heldout_indices:
        matching = match_points(points[k] * MM_PER_PX, detector.find(images[k]) * MM_PER_PX, 5.0)
        assert matching.extra == 0
        assert matching.distance_mm.max() < 0.1


def test_of_equally_good_thresholds_the_middle_one_is_taken(dotted_set) -> None:
    dataset, points = dotted_set
    detector = fit_detector(dataset, truth_of_dataset(dataset, [points]), 5.0)
    place = THRESHOLDS_GREY.index(detector.threshold_grey)
    assert 2 <= place <= len(THRESHOLDS_GREY) - 3
    for threshold in THRESHOLDS_GREY[place - 2 : place + 3]:
        other = SpotDetector(detector.scale_mm, threshold, MM_PER_PX)
        assert [len(other.find(image)) for image in np.array(dataset.images)] == [3] * len(dataset)


def test_held_out_images_have_no_say_in_the_detector(dotted_set, tmp_path) -> None:
    dataset, points = dotted_set
    fitted = fit_detector(dataset, truth_of_dataset(dataset, [points]), 5.0)
    images = np.array(dataset.images)
    images[dataset.heldout] = np.random.default_rng(0).integers(0, 255, images[dataset.heldout].shape)
    spoiled = write_dataset(
        tmp_path / "spoiled",
        images,
        dataset.poses,
        dataset.geometry,
        heldout=dataset.heldout,
        sources=dataset.sources,
    )
    assert fit_detector(spoiled, truth_of_dataset(spoiled, [points]), 5.0) == fitted
