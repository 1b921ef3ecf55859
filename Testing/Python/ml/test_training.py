from __future__ import annotations

import copy
import csv
import dataclasses
import functools
import json
import os
import signal

import numpy as np
import pytest
import torch

from USGanSimLib.errors import UserError
from USGanSimLib.ml.model_file import load_model
from USGanSimLib.ml.recipes import RECIPES
from USGanSimLib.ml.training import losses, results
from USGanSimLib.ml.training import trainer as training
from USGanSimLib.ml.training.batches import Batches
from USGanSimLib.ml.training.checkpoint import TrainingState, load_checkpoint
from USGanSimLib.ml.training.trainer import Networks, discriminator_step, generator_step, train

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def few_statistics(monkeypatch):
    """Batch-norm statistics over one batch for the models here; test_ema.py is about statistics."""
    monkeypatch.setattr(results, "_MODEL_STATISTICS_FRAMES", 36)
    monkeypatch.setattr(results, "_PANEL_STATISTICS_FRAMES", 36)


def metrics(run) -> list[dict[str, str]]:
    with (run / "metrics.csv").open() as stream:
        return [
            {name: value for name, value in line.items() if name != "seconds"}
            for line in csv.DictReader(stream)
        ]


def same_weights(first: dict, second: dict) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def require_same_runs(first, second) -> None:
    """Bit for bit: every loss, every weight, every moment of the optimisers."""
    assert metrics(first) == metrics(second)
    one, other = (load_checkpoint(run / "checkpoint.pt") for run in (first, second))
    assert one.step == other.step
    for name in ("generator", "discriminator", "average"):
        assert same_weights(one.states[name], other.states[name])
    for name in ("optimiser_g", "optimiser_d"):
        moments = [states[name]["state"] for states in (one.states, other.states)]
        assert all(same_weights(moments[0][index], moments[1][index]) for index in moments[0])


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_every_recipe_leaves_its_files_and_a_model_of_its_set(name, make_dataset, tiny, tmp_path, recorder):
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
        kept = average[key].half().float() if "volume" in key else average[key]
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
        ("scored", ["loss_l2", "loss_score"]),
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


@pytest.fixture
def begun(make_dataset, tiny):
    """A fresh state, its networks as training calls them, a batch, and the images of G for it."""
    dataset, recipe = make_dataset(), tiny().recipe
    state = TrainingState.initial(recipe, recipe.network(40, 32), 0, CPU)
    batch = Batches(dataset, 4, 100, 0, CPU).training(0)
    networks = Networks(
        state.generator, state.discriminator, state.discriminator, training._autocast("fp32", CPU)
    )
    return state, networks, batch, state.generator(batch.noise, batch.affine)


def sigmoid_loss(logits: torch.Tensor, target: float) -> torch.Tensor:
    d = torch.sigmoid(logits)
    return -(target * torch.log(d) + (1 - target) * torch.log(1 - d)).mean()


def test_the_discriminator_step_descends_equation_1_in_one_piece(begun):
    state, networks, batch, fakes = begun
    reference = copy.deepcopy(state.discriminator)
    total = sigmoid_loss(reference(batch.images, batch.affine), 0.9) + sigmoid_loss(
        reference(fakes.detach(), batch.affine), 0.0
    )
    total.backward()
    optimiser = torch.optim.Adam(reference.parameters(), 2e-4, (0.5, 0.999))
    optimiser.step()
    generator = copy.deepcopy(state.generator.state_dict())
    losses = discriminator_step(networks, state.optimiser_d, batch, fakes, 0.9)
    assert (losses["loss_d_real"] + losses["loss_d_fake"]).item() == pytest.approx(total.item(), rel=1e-5)
    for ours, theirs in zip(state.discriminator.parameters(), reference.parameters(), strict=True):
        assert torch.allclose(ours, theirs, atol=2e-5)
    assert same_weights(generator, state.generator.state_dict())
    assert all(p.grad is None for p in state.generator.parameters())


@pytest.mark.parametrize("l2_weight", [0.0, 1.0])
def test_the_generator_step_descends_equation_2_and_leaves_the_discriminator(begun, l2_weight):
    state, networks, batch, fakes = begun
    reference = copy.deepcopy(state.generator)
    images = reference(batch.noise, batch.affine)
    objective = sigmoid_loss(copy.deepcopy(state.discriminator)(images, batch.affine), 1.0)
    (objective + l2_weight * ((images - batch.images) ** 2).mean()).backward()
    torch.optim.Adam(reference.parameters(), 2e-4, (0.5, 0.999)).step()
    judge = copy.deepcopy(dict(state.discriminator.named_parameters()))
    losses = generator_step(networks, state.optimiser_g, batch, fakes, l2_weight)
    assert losses["loss_g"].item() == pytest.approx(objective.item(), rel=1e-5)
    for ours, theirs in zip(state.generator.parameters(), reference.parameters(), strict=True):
        assert torch.allclose(ours, theirs, atol=2e-5)
    assert same_weights(judge, dict(state.discriminator.named_parameters()))
    assert all(p.requires_grad and p.grad is None for p in state.discriminator.parameters())


def test_the_model_is_the_moving_average_of_the_generators(make_dataset, tiny, tmp_path, recorder):
    settings = tiny(iterations=1)
    train(make_dataset(), tmp_path / "run", settings, recorder())
    initial = TrainingState.initial(
        settings.recipe, settings.recipe.network(40, 32), settings.seed, CPU
    ).generator
    trained = load_checkpoint(tmp_path / "run" / "checkpoint.pt").states["generator"]
    for name, weight in load_model(tmp_path / "run" / "model.safetensors")[0].named_parameters():
        before = dict(initial.named_parameters())[name]
        assert torch.allclose(weight, 0.1 * before + 0.9 * trained[name], atol=1e-6)
        assert not torch.equal(before, trained[name])


def test_a_regression_learns_the_images(make_dataset, tiny, tmp_path, recorder):
    settings = tiny("regression", iterations=80)
    quick = dataclasses.replace(settings, recipe=dataclasses.replace(settings.recipe, learning_rate=5e-3))
    train(make_dataset(), tmp_path / "run", quick, recorder())
    losses = [float(line["loss_l2"]) for line in metrics(tmp_path / "run")]
    assert np.mean(losses[-10:]) < 0.2 * np.mean(losses[:10])


def test_the_same_seed_gives_the_same_run_and_another_seed_another(make_dataset, tiny, tmp_path, recorder):
    dataset = make_dataset()
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        train(dataset, tmp_path / name, tiny(seed=seed), recorder())
    require_same_runs(tmp_path / "a", tmp_path / "b")
    assert metrics(tmp_path / "a") != metrics(tmp_path / "c")


def test_more_iterations_on_resume_equal_one_long_run(make_dataset, tiny, tmp_path, recorder):
    dataset = make_dataset()
    train(dataset, tmp_path / "whole", tiny(iterations=7, sample_every=2), recorder())
    train(dataset, tmp_path / "parts", tiny(iterations=3), recorder())
    train(dataset, tmp_path / "parts", tiny(iterations=7), recorder(), resume=True)
    require_same_runs(tmp_path / "whole", tmp_path / "parts")
    models = [load_model(tmp_path / run / "model.safetensors")[0].state_dict() for run in ("whole", "parts")]
    assert same_weights(*models)


@pytest.mark.parametrize("alone", [2, 5])
def test_an_encoded_run_goes_on_exactly_before_and_after_the_discriminator_joins(
    alone, make_dataset, tiny, tmp_path, recorder
):
    dataset = make_dataset()
    settings = tiny("encoded", iterations=7)
    settings = dataclasses.replace(
        settings, recipe=dataclasses.replace(settings.recipe, alone_iterations=alone)
    )
    train(dataset, tmp_path / "whole", settings, recorder())
    train(dataset, tmp_path / "parts", dataclasses.replace(settings, iterations=3), recorder())
    train(dataset, tmp_path / "parts", settings, recorder(), resume=True)
    require_same_runs(tmp_path / "whole", tmp_path / "parts")
    assert [bool(line["loss_g"]) for line in metrics(tmp_path / "whole")] == [
        step >= alone for step in range(7)
    ]


def scored(settings, **changes):
    """Scored from the first iteration on, unless `changes` say otherwise."""
    return dataclasses.replace(
        settings, recipe=dataclasses.replace(settings.recipe, **{"alone_iterations": 0, **changes})
    )


@pytest.mark.parametrize("alone", [0, 2])
def test_a_scored_run_goes_on_exactly(alone, make_dataset, tiny, tmp_path, recorder):
    dataset, settings = make_dataset(), scored(tiny("scored", iterations=5), alone_iterations=alone)
    train(dataset, tmp_path / "whole", settings, recorder())
    train(dataset, tmp_path / "parts", dataclasses.replace(settings, iterations=3), recorder())
    train(dataset, tmp_path / "parts", settings, recorder(), resume=True)
    assert metrics(tmp_path / "whole") == metrics(tmp_path / "parts")
    assert [bool(line.get("loss_l2")) for line in metrics(tmp_path / "whole")] == [
        step < alone for step in range(5)
    ]
    assert [bool(line["loss_score"]) for line in metrics(tmp_path / "whole")] == [
        step >= alone for step in range(5)
    ]
    models = [load_model(tmp_path / run / "model.safetensors")[0].state_dict() for run in ("whole", "parts")]
    assert same_weights(*models)


def test_the_score_step_descends_the_score_of_two_samples_a_pose(make_dataset, tiny):
    recipe = tiny("scored").recipe
    state = TrainingState.initial(recipe, recipe.network(40, 32), 0, CPU)
    batch = Batches(make_dataset(), 4, 100, 0, CPU).training(0)
    reference = copy.deepcopy(state.generator)
    images = reference(
        torch.cat([batch.noise, batch.noise[[3, 0, 1, 2]]]), torch.cat([batch.affine, batch.affine])
    )
    losses.energy_score(images[:4], images[4:], batch.images, losses.random_filters(7)).backward()
    torch.optim.Adam(reference.parameters(), 1e-3, (0.5, 0.99)).step()
    networks = Networks(state.generator, None, None, training._autocast("fp32", CPU))
    training.score_step(networks, state.optimiser_g, batch, losses.random_filters(7))
    assert state.discriminator is None
    for ours, theirs in zip(state.generator.parameters(), reference.parameters(), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-6)


def test_a_scored_run_learns_how_much_images_of_a_pose_differ(make_dataset, tiny, tmp_path, recorder):
    dataset, progress = make_dataset(), recorder()
    settings = scored(
        tiny("scored", iterations=150, sample_every=150),
        turn_deg=0.0,
        scale=0.0,
        shift=0.0,
        learning_rate=5e-3,
    )
    train(dataset, tmp_path / "run", settings, progress)
    # The images have noise of 10 grey levels, which a regression would lose.
    assert 4 < progress.of("sample")[-1]["spread_grey"] < 20


def test_before_the_discriminator_joins_pixels_alone_teach_at_their_own_rate(
    make_dataset, tiny, tmp_path, recorder
):
    settings = tiny("encoded", iterations=1)
    train(make_dataset("other"), tmp_path / "run", settings, recorder())
    state = TrainingState.initial(settings.recipe, settings.recipe.network(40, 32), settings.seed, CPU)
    batch = training.Batches(
        make_dataset("same"),
        4,
        100,
        settings.seed,
        CPU,
        augmentation=training._augmentation(make_dataset("again"), settings.recipe),
    ).training(0)
    images = state.generator(batch.noise, batch.affine)
    ((torch.where(batch.known, images, -1.0) - batch.images) ** 2).mean().backward()
    torch.optim.Adam(state.generator.parameters(), 1e-3, (0.5, 0.999)).step()
    trained = load_checkpoint(tmp_path / "run" / "checkpoint.pt").states
    for name, weight in state.generator.named_parameters():
        assert torch.allclose(trained["generator"][name], weight, atol=1e-6)
    assert all(
        torch.equal(trained["discriminator"][name], weight)
        for name, weight in state.discriminator.named_parameters()
    )


def test_resuming_with_another_set_is_refused_with_both_hashes(make_dataset, tiny, tmp_path, recorder):
    first, second = make_dataset("first"), make_dataset("second", seed=1)
    train(first, tmp_path / "run", tiny(), recorder())
    with pytest.raises(UserError, match=f"{first.sha256[:12]}.*{second.sha256[:12]}"):
        train(second, tmp_path / "run", tiny(iterations=9), recorder(), resume=True)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"recipe": "paper-l2"}, "began with name paper, now name is paper-l2"),
        ({"seed": 3}, "began with seed 0, now seed is 3"),
    ],
)
def test_resuming_with_another_recipe_or_seed_is_refused_with_both(
    changes, words, make_dataset, tiny, tmp_path, recorder
):
    dataset, run = make_dataset(), tmp_path / "run"
    train(dataset, run, tiny(), recorder())
    before = {path: path.read_bytes() for path in run.iterdir() if path.is_file()}
    with pytest.raises(UserError, match=words):
        train(dataset, run, tiny(**{"iterations": 9, **changes}), recorder(), resume=True)
    assert before == {path: path.read_bytes() for path in run.iterdir() if path.is_file()}


def test_a_run_that_is_there_is_not_overwritten(make_dataset, tiny, tmp_path, recorder):
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


def test_control_c_ends_the_step_saves_a_checkpoint_and_interrupts(make_dataset, tiny, tmp_path, recorder):
    def press(event, fields):
        if (event, fields["step"]) == ("step", 3):
            os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        train(make_dataset(), tmp_path / "run", tiny(iterations=20), recorder(press))
    assert load_checkpoint(tmp_path / "run" / "checkpoint.pt").step == 3
    assert signal.getsignal(signal.SIGINT) is before
    train(make_dataset("again"), tmp_path / "run", tiny(iterations=4), recorder(), resume=True)
    train(make_dataset("again2"), tmp_path / "whole", tiny(iterations=4), recorder())
    require_same_runs(tmp_path / "run", tmp_path / "whole")


def with_rate(settings, learning_rate: float):
    return dataclasses.replace(
        settings, recipe=dataclasses.replace(settings.recipe, learning_rate=learning_rate)
    )


def test_a_diverging_run_is_said_and_the_last_good_checkpoint_stays(make_dataset, tiny, tmp_path, recorder):
    run = tmp_path / "run"
    with pytest.raises(UserError, match=r"(nan|inf) at step 2: training has diverged"):
        train(
            make_dataset(),
            run,
            with_rate(tiny("regression", checkpoint_every=1, iterations=50), 1e37),
            recorder(),
        )
    assert load_checkpoint(run / "checkpoint.pt").step == 1
    assert not (run / "model.safetensors").exists()


def test_a_step_that_breaks_the_weights_is_never_saved(make_dataset, tiny, tmp_path, recorder):
    settings = with_rate(tiny("regression", checkpoint_every=1), float("inf"))
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
    make_dataset, tiny, tmp_path, recorder, grey_generator, monkeypatch
):
    monkeypatch.setattr(results, "_JUDGED_FROM_STEP", 4)
    progress = recorder()
    train(make_dataset(), tmp_path / "run", with_rate(tiny(iterations=4, sample_every=2), 0.0), progress)
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
    make_dataset, tiny, tmp_path, recorder, grey_generator
):
    dataset = make_dataset()
    result = train(dataset, tmp_path / "run", with_rate(tiny(iterations=1), 0.0), recorder())
    real = dataset.read_images(dataset.heldout_indices).astype(float)
    assert result["metrics"] == pytest.approx(
        {
            "heldout_mean_abs_difference_grey": np.abs(real - 128).mean(),
            "heldout_rms_difference_grey": np.sqrt(((real - 128) ** 2).mean()),
            "heldout_frames_measured": 4,
        },
        rel=1e-5,
    )


def test_bf16_trains_with_32_bit_weights(make_dataset, tiny, tmp_path, recorder):
    train(make_dataset(), tmp_path / "run", tiny(precision="bf16"), recorder())
    train(make_dataset("again"), tmp_path / "fp32", tiny(precision="fp32"), recorder())
    states = load_checkpoint(tmp_path / "run" / "checkpoint.pt").states
    assert {value.dtype for value in states["generator"].values()} == {torch.float32, torch.int64}
    rounded, exact = ([float(line["loss_g"]) for line in metrics(tmp_path / run)] for run in ("run", "fp32"))
    assert rounded != exact
    assert rounded == pytest.approx(exact, rel=0.05)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"iterations": 0}, "--iterations is 0"),
        ({"seed": -1}, "seed is -1"),
        ({"ema_decay": 1.0}, "EMA decay is 1.0"),
        ({"precision": "fp8"}, "no precision 'fp8'"),
        ({"checkpoint_every": 0}, "--checkpoint-every is 0"),
    ],
)
def test_settings_out_of_range_are_refused_with_the_number(changes, words, tiny):
    with pytest.raises(UserError, match=words):
        tiny(**changes)


def test_images_too_small_are_refused_before_anything_is_written(make_dataset, tiny, tmp_path, recorder):
    with pytest.raises(UserError, match="16×16 px is too small"):
        train(make_dataset(width_px=16, height_px=16), tmp_path / "run", tiny(), recorder())
    assert not (tmp_path / "run").exists()
