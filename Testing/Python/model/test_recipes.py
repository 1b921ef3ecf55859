"""The recipes, against the facts of the paper as Resources/Docs/method.md states them, and what help says of them."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import pytest

from USGanSimLib.errors import UserError
from USGanSimLib.model.beam_settings import BeamShape
from USGanSimLib.model.network_settings import NetworkShape
from USGanSimLib.model.recipes import (
    L2,
    RECIPES,
    Anchored,
    Gan,
    Recipe,
    Score,
    Stage,
    choose_recipe,
    of_recipes,
    recipe_names,
)
from USGanSimLib.model.settings import TrainSettings

OF_THE_PAPER = ["paper", "paper-fig1", "paper-l2", "regression"]


def objectives(recipe: Recipe) -> list[type]:
    return [type(stage.objective) for stage in recipe.stages]


def test_the_recipes_are_one_of_our_own_which_is_the_default_and_the_four_of_the_method():
    assert list(RECIPES) == ["beams", *OF_THE_PAPER]
    assert TrainSettings().recipe is RECIPES["beams"]


@pytest.mark.parametrize("name", OF_THE_PAPER)
def test_nothing_that_the_paper_has_not_is_in_its_recipes(name):
    recipe = RECIPES[name]
    assert type(recipe.shape) is NetworkShape
    assert objectives(recipe) == ([L2] if name == "regression" else [Gan])


@pytest.mark.parametrize(
    ("name", "up", "down", "seed_height_width", "objective"),
    [
        ("paper", 5, 4, (4, 5), Gan(0.0)),
        ("paper-fig1", 4, 5, (8, 10), Gan(0.0)),
        ("paper-l2", 5, 4, (4, 5), Gan(1.0)),
        ("regression", 5, 4, (4, 5), L2()),
    ],
)
def test_depths_seed_and_losses(name, up, down, seed_height_width, objective):
    network = RECIPES[name].network(160, 120)
    assert (network.up_layers, network.down_layers, network.level_sizes[0]) == (up, down, seed_height_width)
    assert RECIPES[name].stage_at(0).objective == objective
    assert (network.generator_channels, network.discriminator_channels, network.noise_size) == (512, 32, 100)


@pytest.mark.parametrize("name", OF_THE_PAPER)
def test_rate_batch_and_smoothing_are_the_same_in_all(name):
    recipe, last = RECIPES[name], RECIPES[name].stages[-1]
    assert (recipe.batch, last.learning_rate, recipe.betas) == (36, 2e-4, (0.5, 0.999))
    assert getattr(last.objective, "real_label", 0.9) == 0.9


def test_our_own_recipe_begins_with_the_score_which_stays_beside_the_critics():
    assert objectives(RECIPES["beams"]) == [Score, Anchored, Anchored]
    assert [stage.iterations for stage in RECIPES["beams"].stages] == [1000, 2000, None]


def test_each_iteration_is_of_the_stage_that_has_it():
    recipe = Recipe("three", (Stage(L2(), 1e-3, 2), Stage(Score(), 1e-4, 3), Stage(Gan())))
    found = [type(recipe.stage_at(step).objective) for step in range(7)]
    assert found == [L2, L2, Score, Score, Score, Gan, Gan]


@pytest.mark.parametrize(
    "stages", [(Stage(L2(), 1e-3, 2),), (Stage(L2()), Stage(Gan())), (Stage(L2(), 1e-3, 0), Stage(Gan()))]
)
def test_stages_that_leave_an_iteration_without_an_objective_or_are_never_reached_are_refused(stages):
    with pytest.raises(ValueError, match="every stage but the last"):
        Recipe("holes", stages)


@pytest.mark.parametrize(
    ("stages", "columns"),
    [
        ((Stage(Gan()),), "loss_d_real loss_d_fake accuracy_real accuracy_fake loss_g"),
        (
            (Stage(L2(), iterations=5), Stage(Gan())),
            "loss_d_real loss_d_fake accuracy_real accuracy_fake loss_g loss_l2",
        ),
        ((Stage(L2()),), "loss_l2"),
        ((Stage(L2(), iterations=5), Stage(Score())), "loss_l2 loss_score"),
        (RECIPES["beams"].stages, "loss_score texture_distance loss_critics loss_adversary"),
    ],
)
def test_the_columns_of_metrics_keep_their_order(stages, columns):
    assert Recipe("made-up", stages).loss_names == tuple(columns.split())


def test_only_given_numbers_are_changed():
    changed = choose_recipe("beams", batch=4, generator_channels=48, discriminator_channels=None)
    shape = changed.shape
    assert (changed.batch, shape.generator_channels, shape.discriminator_channels) == (4, 48, 20)
    assert dataclasses.replace(changed, batch=6, shape=RECIPES["beams"].shape) == RECIPES["beams"]


def test_an_unknown_recipe_is_refused_with_the_known_ones():
    with pytest.raises(UserError, match="no recipe 'papre'.*paper, paper-fig1"):
        choose_recipe("papre")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("paper", "batch of 1 is too small for batch normalisation"),
        ("regression", "batch of 1 is too small for batch normalisation"),
        ("beams", "batch of 1 is too small for a score.*noise of its neighbour"),
    ],
)
def test_a_batch_of_one_is_refused_for_its_true_reason(name, reason):
    with pytest.raises(UserError, match=reason):
        choose_recipe(name, batch=1)


def test_a_regression_without_batch_norm_can_do_with_one_image_and_not_with_none():
    lone = Recipe("lone", (Stage(L2()),), BeamShape(), batch=1)
    assert lone.least_batch == 1
    with pytest.raises(UserError, match="batch of 0 is too small"):
        lone.changed(batch=0)


def test_help_tells_the_usual_number_and_who_has_another():
    assert of_recipes(lambda recipe: recipe.batch) == "36; beams 6"
    assert of_recipes(lambda recipe: recipe.shape.channel_step) == "32; beams 2; paper-fig1 16"
    assert recipe_names() == "beams, paper, paper-fig1, paper-l2 or regression"


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_has_words_for_people(name):
    recipe = RECIPES[name]
    assert recipe.words
    assert recipe.about.endswith(".")
    assert not {"\n", "%"} & set(recipe.words + recipe.about)


def test_recipes_and_settings_are_known_without_torch(repository):
    program = (
        "import sys, USGanSimLib.model.recipes, USGanSimLib.model.settings; print('torch' in sys.modules)"
    )
    outcome = subprocess.run(
        [sys.executable, "-c", program],
        cwd=repository / "USGanSim",
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert outcome.stdout.strip() == "False", outcome.stderr


@pytest.mark.parametrize("changes", [{"depths": 121}, {"lines": 33}])
def test_a_grid_of_beams_that_has_no_half_is_refused(changes) -> None:
    with pytest.raises(UserError, match="has no half. Use even numbers"):
        BeamShape(**changes)
