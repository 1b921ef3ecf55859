"""The presets, against the facts of the paper as METHOD.md states them."""

from __future__ import annotations

import dataclasses
import json

import pytest
import torch

from USGanSimLib.errors import UserError
from USGanSimLib.ml.networks import Discriminator, Generator
from USGanSimLib.ml.training.checkpoint import TrainingState
from USGanSimLib.model.recipes import RECIPES, Recipe, choose_recipe

OF_THE_PAPER = ["paper", "paper-fig1", "paper-l2", "regression"]


def test_the_recipes_are_the_four_of_the_method_and_two_of_our_own():
    assert sorted(RECIPES) == sorted([*OF_THE_PAPER, "encoded", "scored"])


@pytest.mark.parametrize("name", OF_THE_PAPER)
def test_nothing_that_the_paper_has_not_is_in_its_recipes(name):
    recipe = RECIPES[name]
    assert (recipe.octaves, recipe.augments, recipe.alone_at(0), recipe.l2_square_px) == (0, False, False, 1)
    assert (recipe.volume, recipe.batch_norm) == (0, True)
    assert (recipe.speckle, recipe.scored, recipe.fan) == (False, False, False)


def test_a_run_from_before_a_setting_was_known_has_it_as_the_paper_does():
    old = {
        key: value
        for key, value in dataclasses.asdict(RECIPES["paper"]).items()
        if key
        not in (
            "octaves",
            "volume",
            "volume_cells",
            "speckle",
            "least_channels",
            "batch_norm",
            "fan",
            "scored",
            "l2_square_px",
            "alone_iterations",
            "turn_deg",
            "scale",
            "shift",
        )
    }
    assert Recipe.from_dict(old) == RECIPES["paper"]


@pytest.mark.parametrize(
    ("name", "up", "down", "seed_height_width", "adversarial", "l2"),
    [
        ("paper", 5, 4, (4, 5), True, 0),
        ("paper-fig1", 4, 5, (8, 10), True, 0),
        ("paper-l2", 5, 4, (4, 5), True, 1),
        ("regression", 5, 4, (4, 5), False, 1),
    ],
)
def test_depths_seed_and_losses(name, up, down, seed_height_width, adversarial, l2):
    recipe = RECIPES[name]
    network = recipe.network(160, 120)
    assert (network.up_layers, network.down_layers, network.level_sizes[0]) == (up, down, seed_height_width)
    assert (recipe.adversarial, recipe.l2_weight) == (adversarial, l2)
    assert (network.generator_channels, network.discriminator_channels, network.noise_size) == (512, 32, 100)


@pytest.mark.parametrize("name", [*OF_THE_PAPER, "encoded"])
def test_optimiser_batch_and_smoothing_are_the_same_in_all(name):
    recipe = RECIPES[name]
    assert (recipe.batch, recipe.real_label) == (36, 0.9)
    network = choose_recipe(name, generator_channels=32, discriminator_channels=2).network(32, 32)
    state = TrainingState.initial(recipe, network, 0, torch.device("cpu"))
    for optimiser in filter(None, (state.optimiser_g, state.optimiser_d)):
        group = optimiser.param_groups[0]
        assert (group["lr"], group["betas"], group["weight_decay"], group["amsgrad"]) == (
            2e-4,
            (0.5, 0.999),
            0,
            False,
        )


def test_the_networks_of_paper_have_the_published_sizes():
    network = RECIPES["paper"].network(160, 120)
    sizes = [sum(p.numel() for p in kind(network).parameters()) / 1e6 for kind in (Generator, Discriminator)]
    assert sizes == pytest.approx([3.41, 7.87], abs=0.005)


def test_every_number_survives_json():
    recipe = choose_recipe("paper-l2", batch=8)
    assert Recipe.from_dict(json.loads(json.dumps(dataclasses.asdict(recipe)))) == recipe


def test_an_unknown_recipe_is_refused_with_the_known_ones():
    with pytest.raises(UserError, match="no recipe 'papre'.*paper, paper-fig1"):
        choose_recipe("papre")


@pytest.mark.parametrize("other", [{"adversarial": True}, {"l2_weight": 1.0}])
def test_a_score_beside_another_loss_is_refused(other):
    with pytest.raises(UserError, match="no other loss"):
        dataclasses.replace(RECIPES["scored"], **other)


def test_a_batch_of_one_is_refused():
    with pytest.raises(UserError, match="batch of 1 is too small"):
        choose_recipe("paper", batch=1)


def test_the_names_that_need_no_torch_are_those_of_the_recipes():
    from USGanSimLib.recipe_names import RECIPE_NAMES

    assert list(RECIPE_NAMES) == list(RECIPES)
