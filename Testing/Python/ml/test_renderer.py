"""The renderer: images of poses, and the noise that they start from."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from USGanSimLib.errors import UserError
from USGanSimLib.ml.benchmark import untrained_model
from USGanSimLib.ml.model_file import save_model
from USGanSimLib.ml.renderer import SAMPLE_BATCH, ModelRenderer
from USGanSimLib.model.recipes import choose_recipe

CPU = torch.device("cpu")
CORRELATION = 0.8


@pytest.fixture(scope="module")
def model():
    return untrained_model(choose_recipe("paper", generator_channels=32), 40, 32)


@pytest.fixture
def renderer(model):
    return ModelRenderer(*model, CPU)


@pytest.fixture
def pose(renderer):
    return renderer.pose_range.poses[1]


@pytest.fixture
def threads_kept():
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def test_the_image_is_the_networks_at_the_pose_and_the_noise(renderer, model, pose):
    generator, info = model
    in_mm = pose[:3, [0, 1, 3]]
    mean, std = np.array(info.normalisation.mean_mm), np.array(info.normalisation.std_mm)
    affine = in_mm / std[:, None]
    affine[:, 2] -= mean / std
    with torch.no_grad():
        image = (
            copy.deepcopy(generator)
            .double()(torch.from_numpy(renderer.noise).double()[None], torch.from_numpy(affine)[None])[0, 0]
            .numpy()
        )
    ours = renderer.render(pose)
    assert ours.shape == (renderer.height_px, renderer.width_px) == (32, 40)
    assert np.abs(ours - np.rint((image + 1) * 127.5)).max() <= 1


def test_the_renderer_has_the_models_geometry(renderer, model):
    info = model[1]
    assert np.array_equal(renderer.image_to_probe, info.geometry.image_to_probe)
    assert renderer.pose_range is info.pose_range


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_a_pose_that_is_not_finite_is_refused(renderer, pose, number):
    pose = pose.copy()
    pose[0, 3] = number
    with pytest.raises(UserError, match="not finite"):
        renderer.render(pose)
    with pytest.raises(UserError, match="not finite"):
        renderer.sample(pose, 2)


def test_a_pose_of_another_shape_is_refused(renderer):
    with pytest.raises(UserError, match="4×4"):
        renderer.render(np.eye(3))


def test_the_image_stands_while_the_noise_does(renderer, pose):
    first = renderer.render(pose)
    renderer.render(renderer.pose_range.poses[2])
    assert np.array_equal(renderer.render(pose), first)
    renderer.resample()
    assert not np.array_equal(renderer.render(pose), first)


def test_the_noise_is_projected_once_while_it_stands(renderer, pose, monkeypatch):
    projections = []
    project = renderer._folded.noise_part
    monkeypatch.setattr(renderer._folded, "noise_part", lambda noise: projections.append(0) or project(noise))
    renderer.render(pose)
    renderer.render(pose)
    assert len(projections) == 1
    renderer.drift(0.1)
    renderer.render(pose)
    assert len(projections) == 2


def test_a_returned_image_is_not_overwritten_by_the_next(renderer, pose):
    first = renderer.render(pose)
    kept = first.copy()
    renderer.resample()
    renderer.render(pose)
    assert np.array_equal(first, kept)


def test_a_seed_fixes_the_noise_and_what_follows(renderer):
    drawn = []
    for _ in range(2):
        renderer.resample(7)
        renderer.resample()
        drawn.append(renderer.noise)
    assert np.array_equal(*drawn)
    renderer.resample(8)
    assert not np.array_equal(renderer.noise, drawn[0])


def test_given_noise_is_used(renderer, pose):
    renderer.resample(3)
    noise, image = renderer.noise, renderer.render(pose)
    renderer.resample(4)
    renderer.set_noise(noise)
    assert np.array_equal(renderer.noise, noise)
    assert np.array_equal(renderer.render(pose), image)


@pytest.mark.parametrize("noise", [np.zeros(99), np.zeros((100, 1)), np.full(100, np.nan)])
def test_noise_of_another_size_or_not_finite_is_refused(renderer, noise):
    with pytest.raises(UserError, match="100 finite numbers"):
        renderer.set_noise(noise)


def test_samples_do_not_depend_on_how_many_are_drawn(renderer, pose):
    many = renderer.sample(pose, SAMPLE_BATCH["cpu"] + 3, seed=5).astype(int)
    few = renderer.sample(pose, 2, seed=5)
    assert many.shape == (SAMPLE_BATCH["cpu"] + 3, 32, 40)
    assert np.abs(many[:2] - few).max() <= 1
    assert len({image.tobytes() for image in many}) == len(many)


def test_samples_leave_the_standing_noise_alone_and_begin_as_resample_does(renderer, pose):
    renderer.resample(5)
    renderer.resample()
    following = renderer.noise
    renderer.resample(5)
    image = renderer.render(pose)
    samples = renderer.sample(pose, 3, seed=5)
    assert np.array_equal(renderer.render(pose), image)
    assert np.abs(samples[0].astype(int) - image).max() <= 1
    renderer.resample()
    assert np.array_equal(renderer.noise, following)


def test_samples_come_in_batches_of_bounded_size(renderer, pose):
    sizes = [len(batch) for batch in renderer.sample_batches(pose, 2 * SAMPLE_BATCH["cpu"] + 1)]
    assert sizes == [SAMPLE_BATCH["cpu"], SAMPLE_BATCH["cpu"], 1]


def test_no_samples_are_refused(renderer, pose):
    with pytest.raises(UserError, match="0 samples"):
        renderer.sample(pose, 0)


def test_drift_keeps_the_noise_standard_normal_and_correlated_as_said(renderer):
    # 100 independent walks of 2000 steps: the variance of z is known to about 1 %.
    step = np.sqrt(1 - CORRELATION**2)
    walk = []
    for _ in range(2000):
        renderer.drift(step)
        walk.append(renderer.noise)
    walk = np.array(walk)
    assert abs(walk.mean()) < 0.02
    assert walk.std() == pytest.approx(1, abs=0.02)
    for lag in (1, 3):
        assert (walk[lag:] * walk[:-lag]).mean() == pytest.approx(CORRELATION**lag, abs=0.03)
    # N(0, 1) beyond its variance: 4.55 % lie outside two standard deviations.
    assert (np.abs(walk) > 2).mean() == pytest.approx(0.0455, abs=0.005)


def test_drift_by_nothing_stays_and_by_one_forgets(renderer):
    start = renderer.noise
    renderer.drift(0)
    assert np.array_equal(renderer.noise, start)
    renderer.drift(1)
    assert abs(np.corrcoef(renderer.noise, start)[0, 1]) < 0.4


@pytest.mark.parametrize("step", [-0.1, 1.1, np.nan])
def test_an_impossible_drift_is_refused(renderer, step):
    with pytest.raises(UserError, match="drift"):
        renderer.drift(step)


def test_a_loaded_model_renders_as_the_saved_one(model, renderer, pose, tmp_path, threads_kept):
    path = tmp_path / "model.safetensors"
    save_model(path, model[0].state_dict(), model[1])
    loaded = ModelRenderer.load(path, "cpu", threads=1)
    assert torch.get_num_threads() == 1
    assert np.array_equal(loaded.render(pose), renderer.render(pose))


def test_less_than_one_thread_is_refused(tmp_path):
    with pytest.raises(UserError, match="0 threads"):
        ModelRenderer.load(tmp_path / "model.safetensors", "cpu", threads=0)
