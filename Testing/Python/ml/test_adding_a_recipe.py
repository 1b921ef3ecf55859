"""A recipe is one entry: commands, panel and training know a new one, and nothing else is touched."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from USGanSimLib import cli
from USGanSimLib.gui.training import command_words
from USGanSimLib.ml.training.checkpoint import load_checkpoint
from USGanSimLib.model.network_settings import NetworkShape
from USGanSimLib.model.recipes import L2, RECIPES, Gan, Recipe, Stage

MADE_UP = Recipe(
    "made-up",
    (Stage(L2(), 1e-3, 1), Stage(Gan(l2_weight=3.0))),
    NetworkShape(generator_channels=32, discriminator_channels=4),
    batch=6,
    words="made up for a test",
    about="It is in no list but the one.",
)


@pytest.fixture(autouse=True)
def made_up(monkeypatch):
    """The recipe is there for the time of a test."""
    monkeypatch.setitem(RECIPES, MADE_UP.name, MADE_UP)


def help_of(command: str, capsys) -> str:
    with pytest.raises(SystemExit):
        cli.main([command, "--help"])
    # A line may end after a hyphen.
    return " ".join(capsys.readouterr().out.split()).replace("made- up", "made-up")


def test_help_of_training_has_its_name_its_words_and_its_numbers(capsys):
    told = help_of("train", capsys)
    assert "regression or made-up (default beams)" in told
    assert "made-up: made up for a test." in told
    assert "(default 36; beams 6; made-up 6)" in told
    assert "(default 512; beams 32; made-up 32)" in told
    assert "(default 32; beams 20; made-up 4)" in told


@pytest.mark.parametrize("command", ["crossval", "bench"])
def test_help_of_cross_validation_and_bench_has_its_name(command, capsys):
    assert "regression or made-up" in help_of(command, capsys)


def test_the_panel_runs_it_and_offers_no_width_to_so_narrow_a_recipe():
    chosen = SimpleNamespace(
        trainDataset=Path("/set"),
        trainRun=Path("/run"),
        trainRecipe="made-up",
        trainIterations=2,
        trainMinutes=0.0,
        trainDevice="cpu",
        trainWidth="small",
        trainBatch=0,
    )
    words = command_words.train_words(chosen)
    assert words[-2:] == ["--recipe", "made-up"]
    assert not command_words.can_be_narrower("made-up")
    assert [name for name in RECIPES if not command_words.can_be_narrower(name)] == ["beams", "made-up"]


def test_the_panel_lists_the_recipes_there_are(repository):
    script = (repository / "USGanTraining" / "USGanTraining.py").read_text(encoding="utf-8")
    assert "trainRecipe: Annotated[str, Choice(tuple(RECIPES)), Default(next(iter(RECIPES)))]" in script
    assert not [name for name in RECIPES if f'"{name}"' in script]


def test_bench_measures_it(capsys):
    words = [
        "bench",
        "--recipe",
        "made-up",
        "--size",
        "32x32",
        "--rounds",
        "1",
        "--device",
        "cpu",
        "--threads",
        "1",
    ]
    assert cli.main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["recipe"] == "made-up"


def test_it_is_trained_and_gone_on_with(make_dataset, tmp_path, metrics):
    words = ["train", str(make_dataset().folder), "--out", str(tmp_path / "run"), "--device", "cpu"]
    assert cli.main([*words, "--recipe", "made-up", "--iterations", "2", "--threads", "1"]) == 0
    assert cli.main([*words, "--resume", "--iterations", "3"]) == 0
    assert [(bool(line["loss_g"]), bool(line["loss_l2"])) for line in metrics(tmp_path / "run")] == [
        (False, True),
        (True, True),
        (True, True),
    ]
    assert load_checkpoint(tmp_path / "run" / "checkpoint.pt").settings.recipe == MADE_UP
