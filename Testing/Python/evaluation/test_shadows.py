"""Shadows planted by their closed form: a box blurred by a Gaussian, straight along the beams or bent off them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.special import ndtr

from USGanSimLib import cli
from USGanSimLib.evaluation.measures.shadow_measure import ShadowMeasure
from USGanSimLib.evaluation.predictors.predictor import RealImage
from USGanSimLib.evaluation.shadows import ShadowFinder
from USGanSimLib.evaluation.study.comparison import compare
from USGanSimLib.evaluation.study.suite import SuiteOptions, suite
from USGanSimLib.geometry.field_of_view import FieldOfView
from USGanSimLib.geometry.image_geometry import Crop, ImageGeometry
from USGanSimLib.progress import Silent
from USGanSimLib.recording.dataset import Dataset, write_dataset
from USGanSimLib.recording.field.find import find_field
from USGanSimLib.recording.sequence_file import read_sweep

SIZE_PX, MM_PER_PX = (200, 160), (0.5, 0.5)
APEX_PX, RADII_PX, ANGLES_DEG = (99.5, -60.0), (70.0, 200.0), (-35.0, 35.0)
FAN = FieldOfView.fan(SIZE_PX, APEX_PX, RADII_PX, ANGLES_DEG)
LINEAR = FieldOfView.rectangle(SIZE_PX, Crop(10, 5, 180, 150))
GREY, DROP = 130.0, 60.0
# 10 to 90 % of a Gaussian step: twice the 90th percentile of the normal distribution, 1.2816.
EDGE_PER_SD = 2 * 1.2816
V, U = np.mgrid[: SIZE_PX[1], : SIZE_PX[0]].astype(float)
RADIUS_PX = np.hypot(U - APEX_PX[0], V - APEX_PX[1])
ANGLE_DEG = np.degrees(np.arctan2(U - APEX_PX[0], V - APEX_PX[1]))


def shadowed(place: np.ndarray, middle: float | np.ndarray, half_width: float, sd: float) -> np.ndarray:
    """Grey levels with a dip about `middle`, all three in the units of `place` (H, W)."""
    dark = ndtr((place - middle + half_width) / sd) - ndtr((place - middle - half_width) / sd)
    return np.asarray(GREY - DROP * dark)


def shown(grey: np.ndarray, field: FieldOfView, speckle_sd: float = 0.0, seed: int = 0) -> np.ndarray:
    """As 8 bits, black outside the field, with speckle of about two pixels in every direction."""
    noise = gaussian_filter(np.random.default_rng(seed).normal(size=grey.shape), 0.8)
    speckled = grey + speckle_sd * noise / noise.std()
    return np.where(field.mask(), np.clip(np.rint(speckled), 0, 255), 0).astype(np.uint8)


@pytest.mark.parametrize("sd_mm", [1.0, 1.5, 2.5])
@pytest.mark.parametrize("speckle_sd", [0.0, 20.0])
def test_the_edge_of_a_straight_shadow_of_a_linear_probe_has_its_width(sd_mm, speckle_sd) -> None:
    image = shown(shadowed(U * 0.5, 45.0, 5.0, sd_mm), LINEAR, speckle_sd)
    (shadow,) = ShadowFinder(LINEAR, MM_PER_PX).find(image)
    # Without speckle what is left is the pixel, 0.5 mm wide.
    tolerance = {"rel": 0.1} if not speckle_sd else {"rel": 0.3}
    assert shadow.edge_mm == pytest.approx(EDGE_PER_SD * sd_mm, **tolerance)
    assert shadow.across == pytest.approx((45.0 - 5.0) / 90, abs=0.01)
    assert shadow.wander_mm < (0.5 if speckle_sd else 0.05)


@pytest.mark.parametrize("sd_deg", [1.0, 2.0])
def test_the_edge_in_a_fan_is_told_in_millimetres_at_the_middle_of_the_shadow(sd_deg) -> None:
    image = shown(shadowed(ANGLE_DEG, -10.0, 4.0, sd_deg), FAN)
    (shadow,) = ShadowFinder(FAN, MM_PER_PX).find(image)
    # Followed over the first third of the depth: its middle is a sixth of the depth below the face.
    middle_mm = 0.5 * (RADII_PX[0] + (RADII_PX[1] - RADII_PX[0]) / 6)
    assert shadow.length_mm == pytest.approx(0.5 * 130 / 3, abs=1)
    assert shadow.edge_mm == pytest.approx(EDGE_PER_SD * np.radians(sd_deg) * middle_mm, rel=0.1)
    assert shadow.wander_mm < 0.05


def test_a_shadow_bent_off_the_beams_wanders_by_its_bend_and_stays_as_sharp() -> None:
    """Its middle turns by 8° from the face to a third of the depth, evenly with depth."""
    down = (RADIUS_PX - RADII_PX[0]) / (RADII_PX[1] - RADII_PX[0])
    straight, bent = (
        shown(shadowed(ANGLE_DEG, -4.0 + turn * 3 * np.clip(down, 0, 1), 4.0, 1.0), FAN)
        for turn in (0.0, 8.0)
    )
    finder = ShadowFinder(FAN, MM_PER_PX)
    (of_straight,), (of_bent,) = finder.find(straight), finder.find(bent)
    share = np.linspace(0, 1 / 3, 1001)
    radius_mm = 0.5 * (RADII_PX[0] + share * (RADII_PX[1] - RADII_PX[0]))
    away_mm = np.radians(8.0 * 3 * (share - share.mean())) * radius_mm
    assert of_bent.wander_mm == pytest.approx(np.sqrt((away_mm**2).mean()), rel=0.15)
    assert of_straight.wander_mm < 0.05 * of_bent.wander_mm
    assert of_bent.edge_mm == pytest.approx(of_straight.edge_mm, rel=0.25)


def test_even_speckle_has_no_shadow() -> None:
    finder = ShadowFinder(FAN, MM_PER_PX)
    found = [finder.find(shown(np.full(U.shape, GREY), FAN, 30.0, seed)) for seed in range(30)]
    assert found == [[]] * 30


@pytest.mark.parametrize(
    ("what", "grey"),
    [
        ("wider than a fifth of the beams", shadowed(ANGLE_DEG, 0.0, 12.0, 1.0)),
        ("with one bright side alone", shadowed(ANGLE_DEG, -35.0, 6.0, 1.0)),
        ("too faint", GREY - 0.25 * (GREY - shadowed(ANGLE_DEG, 0.0, 4.0, 1.0))),
        ("too deep", np.where(RADIUS_PX > 110, shadowed(ANGLE_DEG, 0.0, 4.0, 1.0), GREY)),
        ("too short", np.where(RADIUS_PX < 80, shadowed(ANGLE_DEG, 0.0, 4.0, 1.0), GREY)),
        ("darker with depth", GREY - 100 * (RADIUS_PX - 70) / 130),
    ],
)
def test_what_is_dark_in_another_way_is_no_shadow(what, grey) -> None:
    assert ShadowFinder(FAN, MM_PER_PX).find(shown(grey, FAN)) == [], what


def test_two_shadows_are_two() -> None:
    grey = shadowed(ANGLE_DEG, -15.0, 3.0, 1.0) + shadowed(ANGLE_DEG, 12.0, 3.0, 1.0) - GREY
    found = ShadowFinder(FAN, MM_PER_PX).find(shown(grey, FAN, 15.0))
    assert [shadow.across for shadow in found] == pytest.approx([20 / 70, 47 / 70], abs=0.02)


def a_set(folder: Path, field: FieldOfView) -> Dataset:
    """Twelve frames of speckle, all held out in three stretches but for the two between; every third has a shadow."""
    images = [
        shown(shadowed(ANGLE_DEG, 5.0, 4.0, 1.5) if k % 3 == 0 else np.full(U.shape, GREY), field, 20.0, k)
        for k in range(12)
    ]
    poses = np.tile(np.diag([*MM_PER_PX, 0.5, 1.0]), (12, 1, 1))
    poses[:, 2, 3] = np.arange(12)
    heldout = ~np.isin(np.arange(12), [4, 8])
    geometry = ImageGeometry(*SIZE_PX, np.diag([*MM_PER_PX, 0.5, 1.0]))
    return write_dataset(folder, images, poses, geometry, heldout=heldout, field=field)


def test_the_real_row_tells_the_share_of_frames_and_the_planted_edge(tmp_path) -> None:
    dataset = a_set(tmp_path / "set", FAN)
    measure = ShadowMeasure(dataset, dynamic_range_db=51.0)
    (row,) = compare(dataset, [RealImage(dataset)], [measure], Silent())
    # Frames 0, 3, 6 and 9 of the ten that are held out.
    assert row.values["shadow_frames_share"] == pytest.approx(0.4)
    assert row.values["shadow_frames_share_ci_low"] < 0.4 < row.values["shadow_frames_share_ci_high"]
    assert row.values["shadows"] == 4
    edge_mm = EDGE_PER_SD * np.radians(1.5) * 0.5 * (70 + 130 / 6)
    assert row.values["shadow_edge_mm"] == pytest.approx(edge_mm, rel=0.25)
    assert row.values["shadow_wander_mm"] < 0.5
    # 20 of 255 grey levels of 51 dB; a sixth and a third of 65 mm.
    assert "20 grey levels (4.0 dB)" in measure.note
    assert "from 11 to 22 mm" in measure.note


def test_images_without_a_known_field_of_view_have_no_beams_to_measure_along(tmp_path) -> None:
    dataset = a_set(tmp_path / "set", FieldOfView.whole(SIZE_PX))
    (measure,) = [one for one in suite(dataset, SuiteOptions()).measures if isinstance(one, ShadowMeasure)]
    (row,) = compare(dataset, [RealImage(dataset)], [measure], Silent())
    assert set(row.values.values()) == {None}
    assert "no beams" in measure.note


def test_the_virtual_phantom_has_shadows_where_contact_is_lost_and_none_where_it_never_is(tmp_path) -> None:
    shares = []
    for losses in ("0", "1.2"):
        path = tmp_path / f"losses{losses[0]}.igs.mha"
        words = ["phantom", "--frames", "60", "--seed", "9", "--set", f"contact_losses={losses}"]
        assert cli.main([*words, "--size", "160x120", "--out", str(path)]) == 0
        sweep = read_sweep(path)
        # 160 pixels of 1.18 mm, as the phantom's calibration file has it.
        finder = ShadowFinder(find_field(sweep.frames[::2]), (1.18, 1.18))
        shares.append(np.mean([bool(finder.find(image)) for image in sweep.frames]))
    assert shares[0] == 0
    assert shares[1] > 0.1
