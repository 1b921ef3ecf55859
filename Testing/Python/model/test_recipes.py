"""The recipes, against the facts of the paper as Resources/Docs/method.md states them, and what help says of them."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import pytest

from USGanSimLib.errors import UserError
from USGanSimLib.model.network_settings import NetworkShape
from USGanSimLib.model.recipes import (
    L2,
    RECIPES,
    Gan,
    Recipe,
    Score,
    Stage,
    choose_recipe,
    of_recipes,
    recipe_names,
)

OF_THE_PAPER = ["paper", "paper-fig1", "paper-l2", "regression"]


def objectives(recipe: Recipe) -> list[type]:
    return [type(stage.objective) for stage in recipe.stages]


def test_the_recipes_are_the_four_of_the_method_and_three_of_our_own():
    assert sorted(RECIPES) == sorted([*OF_THE_PAPER, "encoded", "scored", "beams"])


@pytest.mark.parametrize("name", OF_THE_PAPER)
def test_nothing_that_the_paper_has_not_is_in_its_recipes(name):
    recipe, shape = RECIPES[name], RECIPES[name].shape
    assert (shape.octaves, recipe.moves, recipe.alone_iterations, len(recipe.stages)) == (0, None, 0, 1)
    assert getattr(recipe.stages[0].objective, "l2_square_px", 1) == 1
    assert (shape.volume, shape.batch_norm, shape.speckle, shape.fan) == (0, True, False, False)
    assert Score not in objectives(recipe)


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


@pytest.mark.parametrize("name", [*OF_THE_PAPER, "encoded"])
def test_rate_batch_and_smoothing_are_the_same_in_all(name):
    recipe, last = RECIPES[name], RECIPES[name].stages[-1]
    assert (recipe.batch, last.learning_rate, recipe.betas) == (36, 2e-4, (0.5, 0.999))
    assert getattr(last.objective, "real_label", 0.9) == 0.9


def test_our_own_recipes_begin_with_the_l2_term_alone():
    assert objectives(RECIPES["encoded"]) == [L2, Gan]
    assert objectives(RECIPES["scored"]) == [L2, Score]
    assert (RECIPES["encoded"].alone_iterations, RECIPES["scored"].alone_iterations) == (1000, 300)


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
    ("name", "alone", "expected"),
    [
        ("scored", 0, [Score]),
        ("scored", 7, [L2, Score]),
        ("paper", 7, [L2, Gan]),
        ("paper", 0, [Gan]),
        ("regression", 7, [L2]),
    ],
)
def test_the_iterations_alone_come_before_another_objective(name, alone, expected):
    recipe = choose_recipe(name, alone_iterations=alone)
    assert objectives(recipe) == expected
    assert recipe.alone_iterations == (alone if len(expected) == 2 else 0)


@pytest.mark.parametrize(
    ("name", "alone", "columns"),
    [
        ("paper", 0, "loss_d_real loss_d_fake accuracy_real accuracy_fake loss_g"),
        ("paper", 5, "loss_d_real loss_d_fake accuracy_real accuracy_fake loss_g loss_l2"),
        ("encoded", 5, "loss_d_real loss_d_fake accuracy_real accuracy_fake loss_g loss_l2"),
        ("regression", 0, "loss_l2"),
        ("scored", 5, "loss_l2 loss_score"),
        ("scored", 0, "loss_score"),
        ("beams", 0, "loss_score texture_distance loss_critics loss_adversary"),
    ],
)
def test_the_columns_of_metrics_keep_their_order(name, alone, columns):
    assert choose_recipe(name, alone_iterations=alone).loss_names == tuple(columns.split())


def test_only_given_numbers_are_changed():
    changed = choose_recipe("scored", batch=4, generator_channels=32, discriminator_channels=None)
    assert (changed.batch, changed.shape.generator_channels, changed.shape.discriminator_channels) == (
        4,
        32,
        32,
    )
    assert dataclasses.replace(changed, batch=8, shape=RECIPES["scored"].shape) == RECIPES["scored"]


def test_an_unknown_recipe_is_refused_with_the_known_ones():
    with pytest.raises(UserError, match="no recipe 'papre'.*paper, paper-fig1"):
        choose_recipe("papre")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("paper", "batch of 1 is too small for batch normalisation"),
        ("regression", "batch of 1 is too small for batch normalisation"),
        ("scored", "batch of 1 is too small for a score.*noise of its neighbour"),
    ],
)
def test_a_batch_of_one_is_refused_for_its_true_reason(name, reason):
    with pytest.raises(UserError, match=reason):
        choose_recipe(name, batch=1)


def test_a_regression_without_batch_norm_can_do_with_one_image_and_not_with_none():
    lone = Recipe("lone", (Stage(L2()),), NetworkShape(batch_norm=False), batch=1)
    assert lone.least_batch == 1
    with pytest.raises(UserError, match="batch of 0 is too small"):
        lone.changed(batch=0)


def test_iterations_alone_below_nothing_are_refused():
    with pytest.raises(UserError, match="--alone-iterations is -5"):
        choose_recipe("encoded", alone_iterations=-5)


def test_help_tells_the_usual_number_and_who_has_another():
    assert of_recipes(lambda recipe: recipe.batch) == "36; scored 8; beams 6"
    assert of_recipes(lambda recipe: recipe.alone_iterations) == "0; encoded 1000; scored 300"
    assert recipe_names() == "paper, paper-fig1, paper-l2, regression, encoded, scored or beams"


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
