"""The speckle layer: its width and strength are what was asked for, and dark stays dark."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from USGanSimLib.evaluation.predictors.baselines import baselines
from USGanSimLib.evaluation.predictors.speckle_layer import FWHM_PER_SD, SpeckleModel, WithSpeckle
from USGanSimLib.evaluation.predictors.volume import VolumeReslice
from USGanSimLib.evaluation.speckle import autocovariance, full_width
from USGanSimLib.geometry.image_geometry import ImageGeometry
from USGanSimLib.recording.dataset import Dataset, write_dataset

SIZE = 64


def log_speckle(blur_px: tuple[float, float], sd_grey: float, seed: int) -> np.ndarray:
    """Fully developed speckle of a log display, blur along (y, x), made the long way round."""
    random = np.random.default_rng(seed)
    field = random.standard_normal((SIZE, SIZE)) + 1j * random.standard_normal((SIZE, SIZE))
    field = ndimage.gaussian_filter(field.real, blur_px) + 1j * ndimage.gaussian_filter(field.imag, blur_px)
    level = 20 * np.log10(np.abs(field))
    return sd_grey * (level - level.mean()) / level.std()


def a_set(folder: Path, seeds: Iterable[int]) -> Dataset:
    """Frames of speckle on even tissue, 0.2 mm apart; a black bar stands on the right."""
    images = np.stack([np.clip(np.rint(120 + log_speckle((1.2, 2.0), 18.0, seed)), 0, 255) for seed in seeds])
    images[:, :, 54:] = 0
    poses = np.tile(np.diag([0.5, 0.5, 1, 1.0]), (len(images), 1, 1))
    poses[:, 2, 3] = 0.2 * np.arange(len(images))
    return write_dataset(
        folder,
        images.astype(np.uint8),
        poses,
        ImageGeometry(SIZE, SIZE, np.diag([0.5, 0.5, 1, 1.0])),
        heldout=np.arange(len(images)) % 10 == 5,
    )


@pytest.fixture
def tissue(tmp_path) -> Dataset:
    """40 frames of independent speckle."""
    return a_set(tmp_path / "set", range(40))


@pytest.mark.parametrize("blur_px", [(2.0, 2.0), (3.0, 1.5)])
def test_the_layer_is_as_wide_as_its_closed_form_says(blur_px) -> None:
    layer = SpeckleModel(blur_px, 10.0).layer((1024, 1024), np.random.default_rng(0))
    for covariance, blur in zip(autocovariance(layer[None]), blur_px, strict=True):
        assert full_width(covariance, 1.0) == pytest.approx(FWHM_PER_SD * blur, rel=0.06)
    assert (layer.mean(), layer.std()) == (pytest.approx(0, abs=1e-9), pytest.approx(10))
    # log-Rayleigh is skewed to the dark: −1.14.
    assert ((layer / 10) ** 3).mean() == pytest.approx(-1.14, abs=0.1)


def test_width_and_strength_of_the_training_images_are_found(tissue) -> None:
    model = WithSpeckle("speckled", VolumeReslice(tissue)).model
    assert model.blur_px == (pytest.approx(2.0, rel=0.15), pytest.approx(1.2, rel=0.15))
    # What compounding left of the speckle need not be added.
    assert 0.75 * 18 < model.strength_grey < 18


def test_speckle_that_compounding_keeps_is_not_added_again(tmp_path) -> None:
    still = a_set(tmp_path / "still", [7] * 40)
    assert WithSpeckle("speckled", VolumeReslice(still)).model.strength_grey < 3


def test_fluid_stays_dark(tissue, monkeypatch) -> None:
    reslice = VolumeReslice(tissue)
    predictor = WithSpeckle("speckled", reslice)
    monkeypatch.setattr(reslice, "grey", lambda pose: np.full((SIZE, SIZE), 5.0))
    assert predictor.at(tissue.poses[0], 20, seed=0).mean() == pytest.approx(5.0, abs=0.6)


def test_samples_differ_by_seed_and_have_the_real_images_spread(tissue) -> None:
    predictor = WithSpeckle("speckled", VolumeReslice(tissue))
    first, second = predictor.at(tissue.poses[5], 2, seed=1)
    np.testing.assert_array_equal(predictor.at(tissue.poses[5], 1, seed=1)[0], first)
    assert (predictor.at(tissue.poses[5], 1, seed=2)[0] != first).any()
    inside = (slice(4, -4), slice(4, 48))
    assert first[inside].std() == pytest.approx(18, rel=0.15)
    assert np.corrcoef(first[inside].ravel(), second[inside].ravel())[0, 1] < 0.4
    assert not first[:, 56:].any()


def test_the_mean_of_the_samples_is_the_resliced_level_also_where_the_display_cuts() -> None:
    model, random = SpeckleModel((1.5, 1.5), 30.0), np.random.default_rng(0)
    for wanted in (3.0, 20.0, 120.0, 240.0):
        shown = np.clip(model.level_of(np.array([wanted])) + model.layer((600, 600), random), 0, 255)
        assert shown.mean() == pytest.approx(wanted, abs=1.5)


def test_images_without_tissue_get_no_such_row(dotted_set, tissue) -> None:
    names = [[predictor.name for predictor in baselines(dataset)] for dataset in (dotted_set.dataset, tissue)]
    assert ["reconstructed volume with speckle" in row for row in names] == [False, True]
