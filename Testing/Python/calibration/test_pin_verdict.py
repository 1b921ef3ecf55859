"""Verdicts: good sets are accepted, narrow ones are not, and what gives no calibration is refused with the reason."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from USGanSimLib.calibration.pinhead import model
from USGanSimLib.calibration.pinhead import verdict as pin_verdict
from USGanSimLib.calibration.pinhead.fit import PinFit, fit_pinhead
from USGanSimLib.calibration.pinhead.quality import assess
from USGanSimLib.calibration.pinhead.verdict import calibrate_pinhead
from USGanSimLib.errors import UserError


def verdict(points) -> str:
    try:
        return calibrate_pinhead(points).verdict
    except UserError:
        return "refused"


@pytest.mark.parametrize("trials", [6, pytest.param(60, marks=pytest.mark.slow)])
def test_narrow_sets_are_weak_or_refused_and_wide_ones_good(pin_set, trials):
    narrow = [verdict(pin_set(seed, tilt_deg=5).points) for seed in range(trials)]
    wide = [verdict(pin_set(seed, count=40, tilt_deg=30).points) for seed in range(trials)]
    print(
        f"narrow: {sum(v != 'good' for v in narrow)} of {trials} weak or refused; wide: {wide.count('good')} good"
    )
    assert sum(v != "good" for v in narrow) >= 0.95 * trials
    assert wide.count("good") >= 0.95 * trials


def test_the_fit_residual_is_the_same_where_the_error_is_not(pin_set):
    """Why the verdict does not look at it."""
    narrow, wide = (calibrate_pinhead(pin_set(3, tilt_deg=tilt).points).quality for tilt in (4, 30))
    assert narrow.rms_mm == pytest.approx(wide.rms_mm, rel=0.25)
    assert narrow.corner_error_mm > 2.5 * wide.corner_error_mm
    assert narrow.condition > 2.5 * wide.condition


def test_advice_names_the_axis_that_was_not_tilted(pin_set):
    calibration = calibrate_pinhead(pin_set(2, tilt_deg=(2.0, 30, 3)).points)
    assert calibration.verdict == "weak"
    assert (
        "Tilt at least ±15° about the image's x axis (±2° so far) and z axis (±3° so far)."
        in calibration.advice
    )
    np.testing.assert_allclose(calibration.quality.tilt_deg, (2, 30, 3), rtol=0.25)


def test_quality_has_the_spreads_of_the_truth(pin_set):
    truth = pin_set(6, count=80, elevation_mm=0.9)
    result = calibrate_pinhead(truth.points)
    assert result.fit.elevation_mm == pytest.approx(0.9, rel=0.25)
    assert result.quality.heldout_mm > result.quality.rms_mm
    assert result.quality.depth_range_mm == pytest.approx(np.ptp(truth.points.pixels[:, 1]) * 0.084, rel=0.01)
    x_sd, y_sd = result.quality.parameter_sd["mm_per_px"]
    assert abs(result.fit.mm_per_px[0] - 0.08) < 4 * x_sd
    assert abs(result.fit.mm_per_px[1] - 0.084) < 4 * y_sd


@pytest.mark.parametrize(
    "without_effect", ["a pixel size at the end of its range", "turns about one axis alone, exactly"]
)
def test_an_undetermined_parameter_means_an_infinite_error_and_a_refusal(
    pin_set, monkeypatch, without_effect
):
    """The first column of the Jacobian is zero, or the columns are not independent: neither may end in NaN, nor in the
    small error that a pseudo-inverse would give to what it leaves out."""
    exact = {"click_px": 0, "elevation_mm": 0, "tracker_mm": 0, "tracker_deg": 0}
    one_axis = "one axis" in without_effect
    points = pin_set(3, tilt_deg=(40.0, 0.0, 0.0), **exact).points if one_axis else pin_set(3).points
    good = fit_pinhead(pin_set(3).points)
    parameters = good.parameters.copy()
    if not one_axis:
        parameters[6] = np.log(1e-4)
    undetermined = PinFit.at(parameters, points, good.inliers, good.spreads, None)
    quality = assess(undetermined)
    assert quality.condition == quality.corner_error_mm == np.inf
    assert np.isinf(quality.place_errors_mm).all()
    assert all(np.isinf(sd).all() for sd in quality.parameter_sd.values())
    assert np.isfinite(assess(good).condition)
    monkeypatch.setattr(pin_verdict, "fit_with_brightness", lambda *_: undetermined)
    with pytest.raises(
        UserError, match="The 48 points do not determine the calibration: many fit them alike"
    ):
        calibrate_pinhead(pin_set(3).points)


@pytest.mark.parametrize("smallest_mm", [0.002, 0.0021, 0.0023])
def test_pixels_at_the_end_of_their_range_are_recognised_whatever_the_rounding(
    pin_set, monkeypatch, smallest_mm
):
    """exp(log x) is x for some numbers and not for others, and that differs from machine to machine."""
    monkeypatch.setattr(model, "PIXEL_LIMITS_MM", (smallest_mm, 20.0))
    points = pin_set(2).points
    poses = points.probe_to_reference.copy()
    poses[:, :3, 3] *= 1e-3  # metres taken for millimetres: the pixels are smaller than any image has
    with pytest.raises(UserError, match="pixels of no size or without end"):
        fit_pinhead(replace(points, probe_to_reference=poses))


@pytest.mark.parametrize("seed", range(5))
def test_points_of_other_poses_give_no_good_calibration(pin_set, seed):
    points = pin_set(seed).points
    shuffled = np.random.default_rng(seed).permutation(points.pixels)
    assert verdict(replace(points, pixels=shuffled)) != "good"


def test_images_of_a_short_sweep_count_as_few(pin_set):
    """The same number of images, once of independent places and once of a hand that goes through the pin slowly."""
    truth = pin_set(5, count=150)
    assert calibrate_pinhead(truth.points).quality.independent > 100
    order = np.argsort(np.arctan2(*(truth.points.pixels - truth.points.pixels.mean(axis=0)).T))
    slow = replace(truth.points.chosen(order), frames=np.arange(150))
    calibration = calibrate_pinhead(slow)
    assert calibration.verdict == "weak"
    assert calibration.quality.independent < 20
    assert any("follow each other so closely that they count as" in reason for reason in calibration.reasons)
    assert calibration.advice[-1].startswith("Record longer")


@pytest.mark.parametrize("count", [0, 1, 3, 7])
def test_too_few_points_are_refused_with_their_number_however_few(pin_set, count):
    with pytest.raises(UserError, match=f"{count} points are too few to calibrate; 8 are the least"):
        calibrate_pinhead(pin_set(0).points.chosen(np.arange(count)))


def test_parallel_poses_are_refused_with_the_angle(pin_set):
    with pytest.raises(UserError, match=r"All 50 poses are parallel within 0\.\d°"):
        calibrate_pinhead(pin_set(0, tilt_deg=0).points)


def test_a_pin_on_one_line_of_the_image_is_refused(pin_set):
    points = pin_set(0).points
    flat = replace(points, pixels=np.column_stack([points.pixels[:, 0], np.full(50, 200.0)]))
    with pytest.raises(
        UserError, match="The 50 points do not determine the calibration: the pin stays in one line"
    ):
        calibrate_pinhead(flat)


def test_turning_about_one_axis_alone_is_no_calibration(pin_set):
    """The place along that axis is not determined."""
    truth = pin_set(0, tilt_deg=(40.0, 0.0, 0.0))
    with pytest.raises(UserError, match=r"would be off by [\d.]+ mm .* y axis \(±0° so far\) and z axis"):
        calibrate_pinhead(truth.points)


@pytest.mark.parametrize("tilt_deg", [10, 30])
def test_poses_of_the_wrong_direction_are_recognised(pin_set, tilt_deg):
    points = pin_set(1, tilt_deg=tilt_deg).points
    with pytest.raises(
        UserError,
        match=r"wrong direction: as given the pin wanders by [\d.]+ mm .*, with their "
        r"inverses by 0\.\d mm.*these are ReferenceToProbe",
    ):
        calibrate_pinhead(replace(points, probe_to_reference=np.linalg.inv(points.probe_to_reference)))


@pytest.mark.parametrize("from_point", [12, 25, 40])
def test_a_pin_that_was_knocked_is_recognised_with_distance_and_frame(pin_set, from_point):
    points = pin_set(7, outlier_share=0.04).points
    poses = points.probe_to_reference.copy()
    poses[from_point:, :3, 3] += (3.0, -3.0, 2.6)  # 5 mm
    with pytest.raises(UserError, match=r"The pin moved by [45]\.\d mm at about frame (\d+)") as caught:
        calibrate_pinhead(replace(points, probe_to_reference=poses))
    frame = int(caught.value.message.split("frame ")[1].rstrip("."))
    assert abs(frame - from_point) <= 3


def test_a_pin_that_drifts_is_recognised(pin_set):
    points = pin_set(8, count=80).points
    poses = points.probe_to_reference.copy()
    poses[:, 0, 3] += np.linspace(0, 6, 80)
    with pytest.raises(UserError, match=r"The pin moved by [567]\.\d mm"):
        calibrate_pinhead(replace(points, probe_to_reference=poses))


def test_a_fixed_pin_is_not_called_moving(pin_set):
    for seed in range(3):
        assert calibrate_pinhead(pin_set(20 + seed, outlier_share=0.1).points).motion is None


def test_a_turned_reference_changes_nothing(pin_set):
    """The same set seen from another Reference gives the same ImageToProbe."""
    truth = pin_set(9)
    other = np.eye(4)
    other[:3, :3], other[:3, 3] = Rotation.from_rotvec((1.0, 2, -0.5)).as_matrix(), (300, -20, 70)
    moved = replace(truth.points, probe_to_reference=other @ truth.points.probe_to_reference)
    first, second = (calibrate_pinhead(points).fit.image_to_probe for points in (truth.points, moved))
    np.testing.assert_allclose(first, second, atol=0.01)
