"""Whole trainings of tiny networks: what a run leaves, learns, says, and how it ends."""

from __future__ import annotations

import dataclasses
import functools
import json

import numpy as np
import pytest
import torch

from USGanSimLib.errors import UserError
from USGanSimLib.geometry.field_of_view import FieldOfView
from USGanSimLib.ml.model_file import load_model
from USGanSimLib.ml.renderer import ModelRenderer
from USGanSimLib.ml.training import results
from USGanSimLib.ml.training import trainer as training
from USGanSimLib.ml.training.checkpoint import TrainingState, load_checkpoint
from USGanSimLib.ml.training.trainer import train
from USGanSimLib.model.recipes import RECIPES, Score, Stage
from USGanSimLib.recording.dataset import write_dataset

CPU = torch.device("cpu")


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_every_recipe_leaves_its_files_and_a_model_of_its_set(
    name, make_dataset, tiny, tmp_path, recorder, metrics
):
    dataset, run, progress = make_dataset(), tmp_path / "run", recorder()
    result = train(dataset, run, tiny(name), progress)
    assert {path.name for path in run.iterdir()} == {
        "config.json",
        "metrics.csv",
        "samples",
        "checkpoint.pt",
        "model.safetensors",
    }
    assert [line["step"] for line in metrics(run)] == ["1", "2", "3", "4"]
    generator, info = load_model(run / "model.safetensors")
    assert (info.recipe, info.iterations, info.training_set_sha256) == (name, 4, dataset.sha256)
    assert info.normalisation == dataset.normalisation
    assert np.allclose(
        sorted(info.pose_range.poses[:, 2, 3]), dataset.poses[dataset.train_indices, 2, 3], atol=1e-5
    )
    average = load_checkpoint(run / "checkpoint.pt").states["average"]
    for key, weight in generator.named_parameters():
        kept = average[key].half().float() if key.endswith(".features") else average[key]
        assert torch.equal(weight, kept)
    assert "Not for clinical use" in result["intended_use"]
    assert [event for event, _ in progress.events if event != "warning"] == ["step"] * 4 + [
        "sample",
        "checkpoint",
    ]
    assert all(fields["of"] == 4 and fields["step"] in range(5) for _, fields in progress.events)


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("paper", ["loss_d_real", "loss_d_fake", "accuracy_real", "accuracy_fake", "loss_g"]),
        ("paper-l2", ["loss_d_real", "loss_d_fake", "accuracy_real", "accuracy_fake", "loss_g", "loss_l2"]),
        ("regression", ["loss_l2"]),
        ("beams", ["loss_score", "texture_distance", "loss_critics", "loss_adversary"]),
    ],
)
def test_metrics_name_the_losses_of_the_recipe(name, columns, make_dataset, tiny, tmp_path, recorder):
    train(make_dataset(), tmp_path / "run", tiny(name, iterations=1), recorder())
    assert (tmp_path / "run" / "metrics.csv").read_text().splitlines()[0].split(",") == [
        "step",
        *columns,
        "seconds",
    ]


def test_the_configuration_is_written_whole(make_dataset, tiny, tmp_path, recorder):
    dataset, settings = make_dataset(), tiny(iterations=1, seed=5)
    train(dataset, tmp_path / "run", settings, recorder())
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert training.TrainSettings.from_dict(config["settings"]) == settings
    assert config["dataset"]["sha256"] == dataset.sha256


def test_the_model_is_the_moving_average_of_the_generators(make_dataset, tiny, tmp_path, recorder):
    settings = tiny(iterations=1)
    train(make_dataset(), tmp_path / "run", settings, recorder())
    initial = TrainingState.initial(
        settings.recipe, settings.recipe.network(40, 32), FieldOfView.whole((40, 32)), settings.seed, CPU
    ).generator
    trained = load_checkpoint(tmp_path / "run" / "checkpoint.pt").states["generator"]
    for name, weight in load_model(tmp_path / "run" / "model.safetensors")[0].named_parameters():
        before = dict(initial.named_parameters())[name]
        assert torch.allclose(weight, 0.1 * before + 0.9 * trained[name], atol=1e-6)
        assert not torch.equal(before, trained[name])


def test_a_regression_learns_the_images(make_dataset, tiny, tmp_path, recorder, metrics, with_stages):
    quick = with_stages(tiny("regression", iterations=80), learning_rate=5e-3)
    train(make_dataset(), tmp_path / "run", quick, recorder())
    losses = [float(line["loss_l2"]) for line in metrics(tmp_path / "run")]
    assert np.mean(losses[-10:]) < 0.2 * np.mean(losses[:10])


def test_the_score_teaches_how_much_images_of_a_pose_differ(make_dataset, tiny, tmp_path, recorder):
    dataset, progress = make_dataset(), recorder()
    settings = tiny("beams", iterations=400, sample_every=400)
    recipe = dataclasses.replace(settings.recipe, stages=(Stage(Score(), 5e-3),))
    train(dataset, tmp_path / "run", dataclasses.replace(settings, recipe=recipe), progress)
    # The images have noise of 10 grey levels, which a regression would lose.
    assert 4 < progress.of("sample")[-1]["spread_grey"] < 20


def test_what_no_training_image_shows_stays_black(make_dataset, tiny, tmp_path, recorder):
    whole = make_dataset()
    images = np.array(whole.images)
    images[:, :, :7] = 0
    dataset = write_dataset(tmp_path / "fan", images, whole.poses, whole.geometry, heldout=whole.heldout)
    train(dataset, tmp_path / "run", tiny("beams", iterations=2), recorder())
    renderer = ModelRenderer.load(tmp_path / "run" / "model.safetensors", "cpu", 1)
    samples = renderer.sample(renderer.pose_range.poses[3], 20)
    assert not samples[:, :, :7].any()
    assert samples[:, :, 7:].any(axis=0).all()


def test_a_run_that_is_there_is_not_overwritten(make_dataset, tiny, tmp_path, recorder, metrics):
    dataset = make_dataset()
    train(dataset, tmp_path / "run", tiny(), recorder())
    with pytest.raises(UserError, match="already holds a run.*--resume"):
        train(dataset, tmp_path / "run", tiny(), recorder())
    assert len(metrics(tmp_path / "run")) == 4


def test_a_stop_file_ends_with_a_checkpoint_and_a_model(make_dataset, tiny, tmp_path, recorder):
    run = tmp_path / "run"
    progress = recorder(lambda event, fields: (run / "STOP").touch() if fields["step"] == 3 else None)
    result = train(make_dataset(), run, tiny(iterations=20), progress)
    assert (result["step"], result["ended_by"]) == (3, "stop_file")
    assert load_checkpoint(run / "checkpoint.pt").step == 3
    assert load_model(run / "model.safetensors")[1].iterations == 3


def test_a_limit_of_time_ends_with_a_model(make_dataset, tiny, tmp_path, recorder):
    result = train(make_dataset(), tmp_path / "run", tiny(iterations=10**6, minutes=0.5 / 60), recorder())
    assert result["ended_by"] == "time"
    assert 1 <= result["step"] < 10**6
    assert (tmp_path / "run" / "model.safetensors").is_file()


def test_a_diverging_run_is_said_and_the_last_good_checkpoint_stays(
    make_dataset, tiny, tmp_path, recorder, with_stages
):
    run = tmp_path / "run"
    with pytest.raises(UserError, match=r"(nan|inf) at step 2: training has diverged"):
        train(
            make_dataset(),
            run,
            with_stages(tiny("regression", checkpoint_every=1, iterations=50), learning_rate=1e37),
            recorder(),
        )
    assert load_checkpoint(run / "checkpoint.pt").step == 1
    assert not (run / "model.safetensors").exists()


def test_a_step_that_breaks_the_weights_is_never_saved(make_dataset, tiny, tmp_path, recorder, with_stages):
    settings = with_stages(tiny("regression", checkpoint_every=1), learning_rate=float("inf"))
    with pytest.raises(UserError, match="not finite after step 1"):
        train(make_dataset(), tmp_path / "run", settings, recorder())
    assert not (tmp_path / "run" / "checkpoint.pt").exists()


@pytest.fixture
def grey_generator(monkeypatch):
    """Training that begins with a generator of images that are 128 everywhere, whatever pose and noise."""

    def initial(*arguments):
        state = ordinary(*arguments)
        for network in (state.generator, state.average):
            torch.nn.init.zeros_(network.to_image.weight)
        return state

    ordinary = TrainingState.initial
    monkeypatch.setattr(TrainingState, "initial", initial)


def test_a_generator_that_learns_nothing_is_said_once_it_had_time(
    make_dataset, tiny, tmp_path, recorder, grey_generator, monkeypatch, with_stages
):
    monkeypatch.setattr(results, "_JUDGED_FROM_STEP", 4)
    progress = recorder()
    train(
        make_dataset(),
        tmp_path / "run",
        with_stages(tiny(iterations=4, sample_every=2), learning_rate=0.0),
        progress,
    )
    words = [(fields["step"], fields["message"].split(":")[0]) for fields in progress.of("warning")]
    assert words == [(4, "The simulated images are nearly one grey"), (4, "Mode collapse")]
    assert "SD 0.00 grey levels" in progress.of("warning")[0]["message"]


def test_a_discriminator_that_wins_is_said(make_dataset, tiny, tmp_path, recorder, monkeypatch):
    monkeypatch.setattr(training, "DiscriminatorWatch", functools.partial(training.DiscriminatorWatch, 20))
    progress = recorder()
    train(make_dataset(), tmp_path / "run", tiny(iterations=30), progress)
    assert "The discriminator has won" in progress.of("warning")[0]["message"]


def test_panels_come_early_often_and_at_the_end(make_dataset, tiny, tmp_path, recorder):
    progress = recorder()
    train(make_dataset(), tmp_path / "run", tiny(iterations=45, sample_every=20), progress)
    assert [fields["step"] for fields in progress.of("sample")] == [10, 20, 40, 45]
    assert sorted(path.name for path in (tmp_path / "run" / "samples").iterdir()) == [
        f"step_{step:06d}.png" for step in (10, 20, 40, 45)
    ]


def test_held_out_differences_are_measured_on_the_held_out_frames(
    make_dataset, tiny, tmp_path, recorder, grey_generator, with_stages
):
    dataset = make_dataset()
    result = train(dataset, tmp_path / "run", with_stages(tiny(iterations=1), learning_rate=0.0), recorder())
    real = dataset.read_images(dataset.heldout_indices).astype(float)
    assert result["metrics"] == pytest.approx(
        {
            "heldout_mean_abs_difference_grey": np.abs(real - 128).mean(),
            "heldout_rms_difference_grey": np.sqrt(((real - 128) ** 2).mean()),
            "heldout_frames_measured": 4,
        },
        rel=1e-5,
    )


def test_bf16_trains_with_32_bit_weights(make_dataset, tiny, tmp_path, recorder, metrics):
    train(make_dataset(), tmp_path / "run", tiny(precision="bf16"), recorder())
    train(make_dataset("again"), tmp_path / "fp32", tiny(precision="fp32"), recorder())
    states = load_checkpoint(tmp_path / "run" / "checkpoint.pt").states
    assert {value.dtype for value in states["generator"].values()} == {torch.float32, torch.int64}
    rounded, exact = ([float(line["loss_g"]) for line in metrics(tmp_path / run)] for run in ("run", "fp32"))
    assert rounded != exact
    assert rounded == pytest.approx(exact, rel=0.05)


def test_images_too_small_are_refused_before_anything_is_written(make_dataset, tiny, tmp_path, recorder):
    with pytest.raises(UserError, match="16×16 px is too small"):
        train(make_dataset(width_px=16, height_px=16), tmp_path / "run", tiny(), recorder())
    assert not (tmp_path / "run").exists()
