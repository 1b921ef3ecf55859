"""The numbers of a report against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from USGanSimLib.evaluation.measures.metrics import ImageMeasure, PointMeasure, correlation
from USGanSimLib.evaluation.measures.points import Truth
from USGanSimLib.evaluation.measures.spots import SpotDetector

DETECTOR = SpotDetector(0.65, 20.0, (0.4, 0.5))


def test_correlation_ignores_gain_and_offset_and_is_minus_one_for_the_negative() -> None:
    image = np.random.default_rng(0).uniform(0, 255, (12, 16))
    assert correlation(image, 0.5 * image + 20) == pytest.approx(1)
    assert correlation(image, 255 - image) == pytest.approx(-1)
    assert correlation(np.array([[0.0, 1], [0, 1]]), np.array([[0.0, 0], [1, 1]])) == 0


def test_a_black_image_correlates_with_nothing() -> None:
    assert correlation(np.zeros((4, 4)), np.eye(4)) == 0
    assert correlation(np.zeros((4, 4)), np.zeros((4, 4))) == 0


def test_differences_are_averaged_over_frames_and_samples(dotted_set) -> None:
    dataset = dotted_set.dataset
    tally = ImageMeasure(dataset).tally()
    real = np.array(dataset.images).astype(int)
    for index, offset in ((8, 4), (9, 10)):
        above, below = real[index] + offset, real[index] + 3 * offset
        assert below.max() <= 255
        tally.add(index, np.stack([above, below]).astype(np.uint8))
    values = tally.values()
    assert values["mae_grey"] == pytest.approx((4 + 12 + 10 + 30) / 4)
    assert values["ncc"] == pytest.approx(1)
    # Two values d apart have the sample SD d / √2.
    assert values["sample_sd_grey"] == pytest.approx((8 + 20) / 2 / np.sqrt(2))


def test_one_sample_has_no_spread(dotted_set) -> None:
    tally = ImageMeasure(dotted_set.dataset).tally()
    tally.add(8, np.array(dotted_set.dataset.images[8:9]))
    values = tally.values()
    assert (values["mae_grey"], values["sample_sd_grey"]) == (0.0, None)
    assert values["ncc"] == pytest.approx(1.0)


def test_shifted_missing_and_extra_dots_are_counted_as_what_they_are(draw_dots) -> None:
    true_px = np.array([[20.0, 15], [60, 15], [20, 45], [60, 45]])
    # 2 px right = 0.8 mm; 4 px down = 2 mm; one missing; one in place; and one where none should be.
    drawn_px = np.array([[22.0, 15], [60, 19], [60, 45], [40, 30]])
    tally = PointMeasure(Truth({3: true_px}), DETECTOR, 5.0).tally()
    tally.add(3, draw_dots(drawn_px)[None])
    values = tally.values()
    assert values["points_mean_mm"] == pytest.approx((0.8 + 2 + 5 + 0) / 4, abs=0.02)
    assert values["points_median_mm"] == pytest.approx((0.8 + 2) / 2, abs=0.02)
    assert values["points_matched_mean_mm"] == pytest.approx((0.8 + 2 + 0) / 3, abs=0.02)
    assert values["points_within_1mm_share"] == 0.5
    assert values["points_missed_share"] == 0.25
    assert values["points_extra_per_frame"] == 1.0


def test_a_black_image_scores_the_gate_and_nothing_matched() -> None:
    tally = PointMeasure(Truth({0: np.array([[20.0, 15], [60, 15]])}), DETECTOR, 4.0).tally()
    tally.add(0, np.zeros((2, 60, 80), np.uint8))
    assert tally.values() == {
        "points_mean_mm": 4.0,
        "points_median_mm": 4.0,
        "points_within_1mm_share": 0.0,
        "points_missed_share": 1.0,
        "points_matched_mean_mm": None,
        "points_extra_per_frame": 0.0,
    }


def test_frames_without_true_points_do_not_count(draw_dots) -> None:
    true_px = np.array([[20.0, 15]])
    tally = PointMeasure(Truth({0: true_px}), DETECTOR, 5.0).tally()
    tally.add(0, draw_dots(true_px)[None])
    tally.add(1, draw_dots(np.array([[50.0, 40], [10, 50]]))[None])
    assert tally.values()["points_extra_per_frame"] == 0


def test_the_note_says_what_a_missing_point_counts(draw_dots) -> None:
    note = PointMeasure(Truth({}), DETECTOR, 3.5).note
    assert "missed and counts as 3.5 mm" in note
    assert "σ 0.65 mm" in note
