"""Speckle statistics of fields whose shape, width and spectrum are known in closed form."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from USGanSimLib.evaluation.measures.speckle_measure import SpeckleMeasure
from USGanSimLib.evaluation.speckle import (
    PatchFinder,
    autocovariance,
    decompressed,
    detrended,
    full_width,
    is_even_tissue,
    nakagami_m,
    radial_spectrum,
    spectrum_distance_db,
)
from USGanSimLib.geometry.image_geometry import ImageGeometry
from USGanSimLib.recording.dataset import Dataset, write_dataset

RANDOM = np.random.default_rng


def smooth_noise(sd_px: tuple[float, float], size: int = 512, seed: int = 0) -> np.ndarray:
    """White noise blurred by a Gaussian (y, x): its autocorrelation is a Gaussian of √2 the SD."""
    return ndimage.gaussian_filter(RANDOM(seed).standard_normal((size, size)), sd_px, mode="wrap")


@pytest.mark.parametrize("shape", [0.5, 1.0, 2.5])
def test_the_nakagami_shape_of_a_nakagami_variable_is_found(shape: float) -> None:
    """The square of a Nakagami variable is a gamma variable of the same shape."""
    amplitude = np.sqrt(RANDOM(1).gamma(shape, 1 / shape, (400, 400)))
    assert nakagami_m(amplitude) == pytest.approx(shape, rel=0.03)


def test_a_known_display_is_undone_before_the_shape_is_taken() -> None:
    """Fully developed speckle is Rayleigh, m = 1, whatever the display makes of it."""
    amplitude = RANDOM(2).rayleigh(1.0, (400, 400))
    grey = 120 + 20 * np.log10(amplitude) * 255 / 60
    assert nakagami_m(decompressed(grey, 60.0)) == pytest.approx(1.0, rel=0.02)
    assert nakagami_m(grey) > 2


@pytest.mark.parametrize(("sd_y", "sd_x"), [(2.0, 3.5), (4.0, 1.5)])
def test_the_width_of_the_autocorrelation_is_that_of_the_blur(sd_y: float, sd_x: float) -> None:
    along_x, along_y = autocovariance(smooth_noise((sd_y, sd_x), 1024)[None])
    # exp(−d² / 4σ²) is one half at d = 2σ √ln 2.
    for covariance, sd, mm in ((along_x, sd_x, 0.3), (along_y, sd_y, 0.5)):
        assert full_width(covariance, mm) == pytest.approx(4 * sd * np.sqrt(np.log(2)) * mm, rel=0.05)


def test_an_even_patch_has_no_width() -> None:
    along_x, _ = autocovariance(np.zeros((1, 12, 12)))
    assert full_width(along_x, 1.0) is None


def test_planes_are_taken_out_and_nothing_else() -> None:
    v, u = np.mgrid[:12, :14]
    texture = RANDOM(3).standard_normal((12, 14))
    flat, sloped = detrended(np.stack([texture, texture + 40 + 3 * u - 2 * v]))
    np.testing.assert_allclose(flat, sloped, atol=1e-9)
    assert detrended((40 + 3 * u - 2 * v)[None].astype(float)) == pytest.approx(0, abs=1e-9)


def test_white_noise_has_an_even_spectrum_of_its_variance() -> None:
    spectrum = radial_spectrum(RANDOM(4).normal(0, 7, (300, 24, 24)), (0.4, 0.4))
    np.testing.assert_allclose(spectrum[1:], 49, rtol=0.1)


def test_twice_the_contrast_is_six_decibels() -> None:
    patches = RANDOM(5).normal(0, 7, (50, 24, 24))
    single, double = (radial_spectrum(factor * patches, (0.4, 0.4)) for factor in (1, 2))
    assert spectrum_distance_db(double, single) == pytest.approx(20 * np.log10(2), abs=1e-6)
    assert spectrum_distance_db(single, single) == 0


def speckle_image(mean: float, sd: float = 20.0, seed: int = 0) -> np.ndarray:
    noise = smooth_noise((1.0, 1.5), 64, seed)
    return np.clip(mean + sd * noise / noise.std(), 0, 255).astype(np.uint8)


def test_tissue_is_neither_black_nor_saturated_nor_an_edge() -> None:
    tissue = speckle_image(110)[:24, :24]
    edge = tissue.copy()
    edge[:, 12:] = tissue[:, 12:] // 3
    assert is_even_tissue(tissue)
    assert not is_even_tissue(edge)
    assert not is_even_tissue(speckle_image(12)[:24, :24])
    assert not is_even_tissue(speckle_image(248)[:24, :24])
    assert not is_even_tissue(np.full((24, 24), 110, np.uint8))


def test_patches_lie_in_the_field_of_view_and_overlap_by_half() -> None:
    field = np.zeros((64, 64), bool)
    field[:, 20:56] = True
    corners = PatchFinder(field, (24, 24)).find(speckle_image(110))
    assert corners == [(row, column) for row in (0, 12, 24, 36) for column in (24,)]


@pytest.fixture
def speckled_set(tmp_path) -> Dataset:
    images = np.stack([speckle_image(110, seed=k) for k in range(12)])
    poses = np.tile(np.diag([0.5, 0.5, 1, 1.0]), (12, 1, 1))
    poses[:, 2, 3] = np.arange(12)
    return write_dataset(
        tmp_path / "set",
        images,
        poses,
        ImageGeometry(64, 64, np.diag([0.5, 0.5, 1, 1.0])),
        heldout=np.arange(12) >= 6,
    )


def values_of(measure: SpeckleMeasure, make) -> dict[str, float | None]:
    tally = measure.tally()
    for index in measure.dataset.heldout_indices:
        tally.add(int(index), make(int(index)))
    return tally.values()


def test_the_same_kind_of_speckle_is_near_the_real_one_and_a_blurred_one_is_not(speckled_set) -> None:
    measure = SpeckleMeasure(speckled_set)
    real = values_of(measure, lambda k: speckled_set.read_images([k]))
    other = values_of(measure, lambda k: speckle_image(110, seed=100 + k)[None])
    blurred = values_of(
        measure, lambda k: ndimage.gaussian_filter(speckled_set.read_images([k]), (0, 1.5, 1.5))
    )
    assert real["spectrum_distance_db"] == 0
    assert other["spectrum_distance_db"] < 1.5 < 6 < blurred["spectrum_distance_db"]
    assert 0 < measure.halves_db < 2
    assert other["speckle_width_x_mm"] == pytest.approx(real["speckle_width_x_mm"], rel=0.1)
    # Twice the variance of blur, √2 the width, of which detrending takes some.
    assert blurred["speckle_width_x_mm"] > 1.2 * real["speckle_width_x_mm"]
    # The field is wider along x, by 1.5 to 1.
    assert real["speckle_width_x_mm"] > 1.2 * real["speckle_width_y_mm"]
    assert other["nakagami_m"] == pytest.approx(real["nakagami_m"], rel=0.1)


def test_without_tissue_nothing_is_said(dotted_set) -> None:
    measure = SpeckleMeasure(dotted_set.dataset)
    values = values_of(measure, lambda k: dotted_set.dataset.read_images([k]))
    assert set(values.values()) == {None}
    assert measure.note.startswith("0 patches")


def test_a_wire_in_water_is_no_even_tissue() -> None:
    """A spot in the middle of a patch has quarters of one mean."""
    v, u = np.mgrid[:13, :13]
    spot = np.clip(3 + 250 * np.exp(-((u - 6) ** 2 + (v - 6) ** 2) / 8), 0, 255).astype(np.uint8)
    assert spot.mean() > 25
    assert not is_even_tissue(spot)
    # Rayleigh speckle of dark tissue, compressed from 58 dB: nearly as varied as anything on a display.
    dark = 45 + 20 * np.log10(RANDOM(4).rayleigh(1.0, (13, 13))) * 255 / 58
    assert is_even_tissue(np.clip(np.rint(dark), 1, 255).astype(np.uint8))
