"""The three rates and distances of constructed readings."""

from __future__ import annotations

import math

import pytest

from USGanSimLib.evaluation.measures.landmark_readings import (
    COLUMNS,
    MEASURED,
    UNCLEAR,
    WRONG_REGION,
    Reading,
    summarised,
)


def test_rates_distances_and_shares_of_all_are_those_of_ten_readings() -> None:
    distances_mm = [1.0, 2.0, 3.0, 4.0, 5.0, 9.0]
    readings = [Reading(k, MEASURED, distance, distance + 1) for k, distance in enumerate(distances_mm)]
    readings += [Reading(7, UNCLEAR)] * 3 + [Reading(8, WRONG_REGION)]
    values = summarised(readings)
    assert values["landmark_readings"] == 10
    assert values["landmark_measured_share"] == pytest.approx(0.6)
    assert values["landmark_unclear_share"] == pytest.approx(0.3)
    assert values["landmark_wrong_region_share"] == pytest.approx(0.1)
    assert values["landmark_mean_mm"] == pytest.approx(4.0)
    assert values["landmark_sd_mm"] == pytest.approx(math.sqrt(40 / 5))
    # Of all ten, five are within 5 mm, and the sixth smallest is 9 mm.
    assert values["landmark_within_5mm_share"] == pytest.approx(0.5)
    assert values["landmark_median_of_all_mm"] == 9.0
    assert values["landmark_to_real_mean_mm"] == pytest.approx(5.0)
    assert values["landmark_to_real_within_5mm_share"] == pytest.approx(0.4)
    assert {column.key for column in COLUMNS} <= values.keys()


def test_the_median_of_all_is_undefined_where_half_are_not_measured() -> None:
    values = summarised([Reading(0, MEASURED, 1.0), Reading(1, UNCLEAR)])
    assert values["landmark_median_of_all_mm"] is None
    assert values["landmark_mean_mm"] == 1.0


def test_where_nothing_is_measured_there_is_no_distance() -> None:
    values = summarised([Reading(k, WRONG_REGION) for k in range(5)])
    assert values["landmark_mean_mm"] is None
    assert values["landmark_within_5mm_share"] == 0
    assert values["landmark_wrong_region_share"] == 1


def test_groups_widen_the_interval_as_far_as_they_are_alike() -> None:
    """40 readings in 4 groups that agree within themselves say as much as 4 readings."""
    alike = [Reading(k // 10, MEASURED, 1.0 if k < 20 else 9.0) for k in range(40)]
    alone = [Reading(k, MEASURED, 1.0 if k < 20 else 9.0) for k in range(40)]
    low, high = (summarised(alike)[f"landmark_within_5mm_share_ci_{end}"] for end in ("low", "high"))
    assert (low, high) == (0, 1)
    low, high = (summarised(alone)[f"landmark_within_5mm_share_ci_{end}"] for end in ("low", "high"))
    # 20 of 40, Clopper-Pearson: 0.338 to 0.662.
    assert (low, high) == pytest.approx((0.338, 0.662), abs=0.04)


def test_without_readings_every_number_is_undefined() -> None:
    assert set(summarised([]).values()) == {None}
