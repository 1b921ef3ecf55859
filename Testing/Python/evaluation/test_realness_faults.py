"""Planted faults are of the size that they are called, and the classifiers see them."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")

from USGanSimLib.evaluation.measures.metrics import ImageMeasure
from USGanSimLib.evaluation.observer.realness.beams import BeamStatistics
from USGanSimLib.evaluation.observer.realness.control import RealnessControl
from USGanSimLib.evaluation.observer.realness.discriminant import LinearObserver
from USGanSimLib.evaluation.observer.realness.faults import (
    blurred,
    darkest_beam,
    planted_faults,
    weaker_speckle,
    with_shadow,
    without_shadow,
)
from USGanSimLib.evaluation.observer.realness.texture import RandomTexture
from USGanSimLib.evaluation.predictors.predictor import RealImage
from USGanSimLib.evaluation.study.sensitivity import Sensitivity, sensitivity
from USGanSimLib.geometry.beams import Beams
from USGanSimLib.geometry.field_of_view import FieldOfView
from USGanSimLib.geometry.image_geometry import ImageGeometry
from USGanSimLib.progress import Silent
from USGanSimLib.recording.dataset import Dataset, write_dataset

FAN = FieldOfView.fan((80, 60), (39.5, -10.0), (16.0, 66.0), (-35.0, 35.0))


def wave(frequency: float) -> np.ndarray:
    """cos(2πfu) about grey 100; f a multiple of 1/96, since borders are mirrored after 8 pixels."""
    return np.tile(100 + 40 * np.cos(2 * np.pi * frequency * np.arange(80)), (60, 1))


@pytest.mark.parametrize("sigma_px", [0.2, 0.4, 2.0])
def test_a_blur_weakens_a_wave_as_a_gaussian_does(sigma_px: float) -> None:
    left = blurred(wave(0.25), sigma_px)[:, 20:60]
    wanted = 40 * np.exp(-2 * np.pi**2 * sigma_px**2 * 0.25**2)
    assert (left.max() - left.min()) / 2 == pytest.approx(wanted, abs=0.05)


def test_speckle_is_weaker_by_the_share_and_large_structure_stays() -> None:
    fine, coarse = (weaker_speckle(wave(frequency), 0.1)[:, 20:60] for frequency in (0.5, 0.01))
    assert (fine.max() - fine.min()) / 2 == pytest.approx(36, abs=0.1)
    assert np.allclose(coarse, wave(0.01)[:, 20:60], atol=0.2)


def test_a_shadow_is_found_where_it_was_planted_and_filled_with_what_is_beside_it() -> None:
    beams = Beams(FAN)
    across, down = beams.coordinates()
    for seed in range(5):
        even = np.where(FAN.mask(), 100.0, 0.0)
        dark = with_shadow(even, across, down, np.random.default_rng(seed))
        middle = np.random.default_rng(seed).uniform(0.15, 0.85)
        assert (dark < even).any()
        assert darkest_beam(dark, across, down) == pytest.approx(middle, abs=0.02)
        inside = FAN.depth_inside_px() > 1.5
        filled = without_shadow(dark, beams, across, down)
        assert (dark[inside] < 100).any()
        assert (filled[inside] == 100).all()


@pytest.fixture(scope="module")
def fan_shaped(tmp_path_factory) -> Dataset:
    """320 images of speckle in a fan, their brightness differing, 240 held out in stretches of 20."""
    random = np.random.default_rng(0)
    noise = np.stack([blurred(random.normal(size=(60, 80)), 0.7) for _ in range(320)])
    level = random.uniform(80, 120, (320, 1, 1))
    grey = np.where(FAN.mask(), level + 35 * noise / noise.std(), 0)
    geometry = ImageGeometry(80, 60, np.diag([0.5, 0.5, 1.0, 1.0]))
    return write_dataset(
        tmp_path_factory.mktemp("realness") / "set",
        np.clip(np.rint(grey), 0, 255).astype(np.uint8),
        np.tile(np.eye(4), (320, 1, 1)),
        geometry,
        heldout=np.arange(320) % 80 >= 20,
        field=FAN,
    )


def linear_ones(dataset: Dataset) -> list[LinearObserver]:
    field = dataset.field
    return [
        LinearObserver("texture", "texture", RandomTexture(field.mask()).features),
        LinearObserver("beams", "beams", BeamStatistics(field).features),
    ]


def test_no_fault_of_texture_gives_itself_away_by_black_pixels_that_are_grey() -> None:
    image = np.clip(np.random.default_rng(0).normal(40, 60, (60, 80)), 0, 255)
    for fault in planted_faults(FAN)[1:6]:
        changed = fault.plant(image, np.random.default_rng(1))
        assert np.array_equal(changed[image == 0], image[image == 0])
        assert not np.allclose(changed[image > 0], image[image > 0])


@pytest.fixture(scope="module")
def table(fan_shaped: Dataset) -> Sensitivity:
    observers = linear_ones(fan_shaped)
    return sensitivity(fan_shaped, [ImageMeasure(fan_shaped)], pytest.fail, Silent(), observers=observers)


@pytest.fixture(scope="module")
def told(table: Sensitivity) -> dict[str, dict[str, float | None]]:
    return {row.name: row.values for row in table.rows}


@pytest.mark.parametrize(
    "fault", ["speckle 10 % weaker", "blurred by 0.2 px", "blurred by 0.4 px", "one shadow more"]
)
def test_a_fault_that_must_be_seen_is_seen(told, fault: str) -> None:
    assert told[fault]["classifier_accuracy_0mm"] >= 0.9


def test_a_change_of_gain_within_that_of_the_real_images_is_not_told_by_brightness(told) -> None:
    # Speckle does not follow brightness here, so that a gain of 5 % strengthens it by as much: that may be told.
    assert told["another scan's gain, ×1.05"]["classifier_accuracy_0mm"] > 0.6


def test_nothing_planted_is_the_real_images_own_row(fan_shaped: Dataset, told) -> None:
    control = RealnessControl(fan_shaped, sigmas_mm=(0.0,), observers=linear_ones(fan_shaped))
    assert control.values(RealImage(fan_shaped)).items() <= told["real images, nothing planted"].items()
    # 240 answers: guessing has an SD of 0.032.
    assert abs(told["real images, nothing planted"]["classifier_accuracy_0mm"] - 0.5) < 0.1


def test_every_fault_is_a_row_of_the_classifiers_and_of_the_measures_of_realism(
    table: Sensitivity, told
) -> None:
    assert list(told) == [fault.name for fault in planted_faults(FAN)]
    assert [column.key for column in table.columns] == [
        "classifier_accuracy_0mm",
        "classifier_texture_accuracy_0mm",
        "classifier_beams_accuracy_0mm",
        "ssim",
    ]
    assert told["real images, nothing planted"]["ssim"] == pytest.approx(1)
    assert told["blurred by 0.4 px"]["ssim"] < told["blurred by 0.2 px"]["ssim"] < 1
