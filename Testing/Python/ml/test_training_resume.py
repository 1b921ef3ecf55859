"""A run that goes on is, bit for bit, the run that never ended; and one that cannot go on says why."""

from __future__ import annotations

import dataclasses
import os
import signal

import pytest
import torch

from USGanSimLib.errors import UserError
from USGanSimLib.ml.model_file import load_model
from USGanSimLib.ml.training.checkpoint import load_checkpoint
from USGanSimLib.ml.training.trainer import train
from USGanSimLib.model.recipes import L2, RECIPES, Score, Stage


def test_the_same_seed_gives_the_same_run_and_another_seed_another(
    make_dataset, tiny, tmp_path, recorder, metrics, require_same_runs
):
    dataset = make_dataset()
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        train(dataset, tmp_path / name, tiny(seed=seed), recorder())
    require_same_runs(tmp_path / "a", tmp_path / "b")
    assert metrics(tmp_path / "a") != metrics(tmp_path / "c")


def test_more_iterations_on_resume_equal_one_long_run(
    make_dataset, tiny, tmp_path, recorder, same_weights, require_same_runs
):
    dataset = make_dataset()
    train(dataset, tmp_path / "whole", tiny(iterations=7, sample_every=2), recorder())
    train(dataset, tmp_path / "parts", tiny(iterations=3), recorder())
    train(dataset, tmp_path / "parts", tiny(iterations=7), recorder(), resume=True)
    require_same_runs(tmp_path / "whole", tmp_path / "parts")
    models = [load_model(tmp_path / run / "model.safetensors")[0].state_dict() for run in ("whole", "parts")]
    assert same_weights(*models)


def test_a_run_on_beams_goes_on_exactly_before_and_after_the_critics_join(
    make_dataset, tiny, tmp_path, recorder, metrics, require_same_runs
):
    dataset, settings = make_dataset(), tiny("beams", iterations=7)
    first, second, last = settings.recipe.stages
    for number, iterations in enumerate((2, 5)):
        stages = (
            dataclasses.replace(first, iterations=iterations),
            dataclasses.replace(second, iterations=1),
            last,
        )
        begun = dataclasses.replace(settings, recipe=dataclasses.replace(settings.recipe, stages=stages))
        whole, parts = tmp_path / f"whole{number}", tmp_path / f"parts{number}"
        train(dataset, whole, begun, recorder())
        train(dataset, parts, dataclasses.replace(begun, iterations=3), recorder())
        train(dataset, parts, begun, recorder(), resume=True)
        require_same_runs(whole, parts)
        assert [bool(line["loss_critics"]) for line in metrics(whole)] == [
            step >= iterations for step in range(7)
        ]


@pytest.mark.parametrize("alone", [2, 5])
def test_a_run_goes_on_exactly_before_and_after_the_discriminator_joins(
    alone, make_dataset, tiny, tmp_path, recorder, metrics, require_same_runs
):
    dataset, settings = make_dataset(), tiny("paper-l2", iterations=7)
    stages = (Stage(L2(), 1e-3, alone), *settings.recipe.stages)
    settings = dataclasses.replace(settings, recipe=dataclasses.replace(settings.recipe, stages=stages))
    train(dataset, tmp_path / "whole", settings, recorder())
    train(dataset, tmp_path / "parts", dataclasses.replace(settings, iterations=3), recorder())
    train(dataset, tmp_path / "parts", settings, recorder(), resume=True)
    require_same_runs(tmp_path / "whole", tmp_path / "parts")
    assert [bool(line["loss_g"]) for line in metrics(tmp_path / "whole")] == [
        step >= alone for step in range(7)
    ]


# What a version named beside this one's, that had other recipes too.
OLDER = {
    "octaves": 0,
    "volume": 0,
    "volume_cells": 0,
    "speckle": False,
    "least_channels": 1,
    "batch_norm": True,
    "fan": False,
}


@pytest.mark.parametrize("name", [name for name in RECIPES if name != "beams"])
def test_a_checkpoint_of_an_older_version_goes_on_exactly(
    name, make_dataset, tiny, tmp_path, recorder, require_same_runs
):
    dataset, settings = make_dataset(), tiny(name, iterations=5)
    train(dataset, tmp_path / "whole", settings, recorder())
    train(dataset, tmp_path / "parts", dataclasses.replace(settings, iterations=3), recorder())
    rewrite_recipe(tmp_path / "parts", **OLDER)
    train(dataset, tmp_path / "parts", settings, recorder(), resume=True)
    require_same_runs(tmp_path / "whole", tmp_path / "parts")


def test_a_checkpoint_of_a_recipe_that_is_no_more_is_refused(make_dataset, tiny, tmp_path, recorder):
    train(make_dataset(), tmp_path / "run", tiny(), recorder())
    rewrite_recipe(tmp_path / "run", **{**OLDER, "octaves": 6})
    with pytest.raises(UserError, match="made by a recipe that is no more"):
        train(make_dataset("same"), tmp_path / "run", tiny(iterations=9), recorder(), resume=True)


def rewrite_recipe(run, **of_network) -> None:
    """Let the run's checkpoint name more settings of its network, and no moved frames."""
    path = run / "checkpoint.pt"
    content = torch.load(path, weights_only=True)
    content["settings"]["recipe"]["network"].update(of_network)
    content["settings"]["recipe"]["moves"] = None
    torch.save(content, path)


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


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"batch": 6}, "began with batch 4, now batch is 6"),
        ({"discriminator_channels": 5}, "discriminator_channels 4, now network discriminator_channels is 5"),
    ],
)
def test_resuming_with_another_number_of_the_recipe_is_refused_with_both(
    changes, words, make_dataset, tiny, tmp_path, recorder
):
    dataset, settings = make_dataset(), tiny("beams", iterations=1)
    train(dataset, tmp_path / "run", settings, recorder())
    other = dataclasses.replace(settings, recipe=settings.recipe.changed(**changes))
    with pytest.raises(UserError, match=words):
        train(dataset, tmp_path / "run", other, recorder(), resume=True)


@pytest.mark.parametrize(
    ("first", "words"),
    [
        (Stage(Score(), 2e-3, 7), "stage 1 iterations 1000, now stage 1 iterations is 7"),
        (Stage(L2(), 2e-3, 1000), "stage 1 objective score, now stage 1 objective is l2"),
    ],
)
def test_resuming_with_another_stage_is_refused_with_both(
    first, words, make_dataset, tiny, tmp_path, recorder
):
    dataset, settings = make_dataset(), tiny("beams", iterations=1)
    train(dataset, tmp_path / "run", settings, recorder())
    recipe = dataclasses.replace(settings.recipe, stages=(first, *settings.recipe.stages[1:]))
    with pytest.raises(UserError, match=words):
        train(
            dataset, tmp_path / "run", dataclasses.replace(settings, recipe=recipe), recorder(), resume=True
        )


def test_control_c_ends_the_step_saves_a_checkpoint_and_interrupts(
    make_dataset, tiny, tmp_path, recorder, require_same_runs
):
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
