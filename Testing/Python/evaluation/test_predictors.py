"""Baselines and models as predictors."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from USGanSimLib.errors import UserError
from USGanSimLib.evaluation.measures.metrics import ImageMeasure, PointMeasure
from USGanSimLib.evaluation.measures.points import truth_of_dataset
from USGanSimLib.evaluation.measures.spots import fit_detector
from USGanSimLib.evaluation.predictors.baselines import baselines
from USGanSimLib.evaluation.predictors.predictor import (
    AverageTrainingImage,
    MeanOfSamples,
    ModelImages,
    NearestTrainingFrame,
    RealImage,
    require_comparable,
)
from USGanSimLib.evaluation.study.comparison import compare
from USGanSimLib.geometry.image_geometry import ImageGeometry
from USGanSimLib.geometry.pose_distance import PoseRange
from USGanSimLib.model.info import ModelInfo
from USGanSimLib.progress import Silent


class NoiseRenderer:
    """Stands in for a model: images that depend on pose and seed alone."""

    def sample(self, image_to_reference: np.ndarray, n: int, seed: int) -> np.ndarray:
        random = np.random.default_rng([seed, int(image_to_reference[0, 3] * 1000)])
        return random.integers(0, 255, (n, 60, 80)).astype(np.uint8)


def an_info(dataset, **changes) -> ModelInfo:
    info = ModelInfo(
        recipe="paper",
        network={},
        geometry=dataset.geometry,
        source_size_px=dataset.source_size_px,
        crop=dataset.crop,
        reference_frame="Reference",
        normalisation=dataset.normalisation,
        pose_range=PoseRange.of_training_poses(dataset.poses[dataset.train_indices], 80, 60),
        training_set_sha256=dataset.sha256,
        seed=0,
        iterations=1,
        software_version="0",
    )
    return dataclasses.replace(info, **changes)


def test_the_real_image_is_the_held_out_image(dotted_set) -> None:
    dataset = dotted_set.dataset
    np.testing.assert_array_equal(RealImage(dataset).images(9), np.array(dataset.images[9:10]))


@pytest.mark.parametrize(("heldout", "nearest"), [(8, 7), (11, 7), (12, 16), (15, 16)])
def test_the_nearest_frame_is_a_training_frame_and_the_nearest_one(
    dotted_set, heldout: int, nearest: int
) -> None:
    dataset = dotted_set.dataset
    np.testing.assert_array_equal(
        NearestTrainingFrame(dataset).images(heldout)[0], np.array(dataset.images[nearest])
    )


def test_the_distance_to_the_nearest_training_pose_is_the_known_shift(dotted_set) -> None:
    found_mm = NearestTrainingFrame(dotted_set.dataset).distances_mm()
    np.testing.assert_allclose(found_mm, [0.5, 1, 1.5, 2, 2, 1.5, 1, 0.5], atol=1e-9)


def test_the_average_image_leaves_the_held_out_frames_out(dotted_set) -> None:
    dataset = dotted_set.dataset
    average = AverageTrainingImage(dataset)
    expected = np.array(dataset.images)[~dataset.heldout].mean(axis=0)
    assert np.abs(average.images(8)[0] - expected).max() <= 0.5
    np.testing.assert_array_equal(average.images(8), average.images(15))


def test_a_models_samples_differ_by_frame_sample_and_seed_and_come_again(dotted_set) -> None:
    dataset = dotted_set.dataset
    twin = dataclasses.replace(dataset, poses=np.tile(dataset.poses[:1], (24, 1, 1)))
    first, again, other = (ModelImages("m", NoiseRenderer(), twin, 2, seed) for seed in (1, 1, 2))
    assert first.images(8).shape == (2, 60, 80)
    np.testing.assert_array_equal(first.images(8), again.images(8))
    assert not np.array_equal(first.images(8)[0], first.images(8)[1])
    assert not np.array_equal(first.images(8), first.images(9)), (
        "one pose, two frames: two draws of the noise"
    )
    assert not np.array_equal(first.images(8), other.images(8))


def test_the_baselines_come_in_the_order_that_they_must(dotted_set) -> None:
    dataset, points = dotted_set
    truth = truth_of_dataset(dataset, [points])
    measures = [PointMeasure(truth, fit_detector(dataset, truth, 5.0), 5.0), ImageMeasure(dataset)]
    rows = {row.name: row for row in compare(dataset, baselines(dataset), measures, Silent())}
    assert list(rows) == [
        "real image",
        "nearest training frame",
        "one of 5 nearest training frames",
        "reconstructed volume, resliced",
        "average training image",
    ]
    real, nearest, _, resliced, average = rows.values()
    assert real.values["points_mean_mm"] < 0.1
    # The held-out frames are 0.5, 1, 1.5, 2, 2, 1.5, 1 and 0.5 mm from the nearest training frame.
    assert nearest.values["points_mean_mm"] == pytest.approx(1.25, abs=0.05)
    assert average.values["points_mean_mm"] > nearest.values["points_mean_mm"]
    # Resliced, the dots stand where they are: all frames lie in one plane.
    assert resliced.values["points_mean_mm"] < 0.15
    assert real.values["ncc"] == pytest.approx(1)
    assert real.values["ncc"] > nearest.values["ncc"] > average.values["ncc"]
    assert (real.frames, real.samples) == (8, 1)


class NoisyScene:
    """Stands in for a model: the real image of the pose and noise of an SD of 32 grey levels."""

    def __init__(self, dataset) -> None:
        self._by_x = {
            round(float(pose[0, 3]), 6): image
            for pose, image in zip(dataset.poses, np.array(dataset.images), strict=True)
        }

    def sample(self, image_to_reference: np.ndarray, n: int, seed: int) -> np.ndarray:
        image = 0.5 * self._by_x[round(float(image_to_reference[0, 3]), 6)] + 100.0
        noise = np.random.default_rng(seed).normal(0, 32, (n, *image.shape))
        return np.clip(np.rint(image + noise), 0, 255).astype(np.uint8)


def test_a_mean_of_samples_has_the_noise_of_one_by_the_root_of_their_number(dotted_set) -> None:
    dataset = dotted_set.dataset
    model = ModelImages("m", NoisyScene(dataset), dataset)
    mean = MeanOfSamples(model, 16)
    assert mean.name == "m, mean of 16 samples"
    scene = 0.5 * dataset.read_images([9])[0] + 100.0
    # 32 / √16, and the rounding to whole grey levels (SD 1/√12).
    assert (mean.images(9)[0] - scene).std() == pytest.approx(np.hypot(8, 12**-0.5), rel=0.05)
    assert mean.images(9).shape == (1, 60, 80)
    np.testing.assert_array_equal(mean.images(9), MeanOfSamples(model, 16).images(9))


def test_the_mean_comes_nearer_to_the_real_image_and_has_no_spread(dotted_set) -> None:
    dataset = dotted_set.dataset
    model = ModelImages("m", NoisyScene(dataset), dataset, samples=2)
    one, mean, real = compare(
        dataset,
        [model, MeanOfSamples(model, 16), RealImage(dataset)],
        [ImageMeasure(dataset)],
        Silent(),
    )
    assert mean.values["psnr_db"] > one.values["psnr_db"]
    assert mean.values["ncc"] > 2 * one.values["ncc"]
    # The SD of two draws is 32·√(2/π) on the mean.
    assert one.values["sample_sd_grey"] == pytest.approx(32 * np.sqrt(2 / np.pi), rel=0.05)
    assert mean.values["sample_sd_grey"] is None
    assert real.values["psnr_db"] is None
    assert real.values["ssim"] == pytest.approx(1)


def test_a_model_of_this_set_is_comparable(dotted_set) -> None:
    require_comparable(an_info(dotted_set.dataset), dotted_set.dataset, Path("m.safetensors"))


def test_a_model_of_another_image_is_refused_with_the_numbers(dotted_set) -> None:
    dataset = dotted_set.dataset
    moved = dataset.geometry.image_to_probe.copy()
    moved[:3, 3] += (2, 1, 2)
    small = ImageGeometry(40, 30, dataset.geometry.image_to_probe)
    for changes, reason in (
        ({"geometry": small}, "40×30 px, those of .* have 80×60 px"),
        ({"geometry": ImageGeometry(80, 60, moved)}, r"3\.0 mm apart at a corner"),
        ({"reference_frame": "Tracker"}, "in the frame Tracker, .* in Reference"),
    ):
        with pytest.raises(UserError, match=reason):
            require_comparable(an_info(dataset, **changes), dataset, Path("m.safetensors"))
