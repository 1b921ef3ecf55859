"""A recipe in the files of a run: it comes back as it was, and so do those that older versions wrote."""

from __future__ import annotations

import json

import pytest

from USGanSimLib.errors import UserError
from USGanSimLib.model.recipe_file import recipe_as_dict, recipe_from_dict
from USGanSimLib.model.recipes import RECIPES, choose_recipe
from USGanSimLib.model.settings import TrainSettings

# As the first version with every setting wrote `paper`; the others are told by what they have else.
OLD = {
    "name": "paper",
    "adversarial": True,
    "l2_weight": 0.0,
    "up_layers": 5,
    "down_layers": 4,
    "generator_channels": 512,
    "discriminator_channels": 32,
    "noise_size": 100,
    "octaves": 0,
    "volume": 0,
    "volume_cells": 0,
    "speckle": False,
    "least_channels": 1,
    "batch_norm": True,
    "fan": False,
    "scored": False,
    "l2_square_px": 1,
    "alone_iterations": 0,
    "alone_learning_rate": 0.0002,
    "turn_deg": 0.0,
    "scale": 0.0,
    "shift": 0.0,
    "batch": 36,
    "learning_rate": 0.0002,
    "betas": [0.5, 0.999],
    "real_label": 0.9,
}
MOVED = {"turn_deg": 8.0, "scale": 0.08, "shift": 0.06}
DIFFERENT = {
    "paper": {},
    "paper-fig1": {"up_layers": 4, "down_layers": 5},
    "paper-l2": {"l2_weight": 1.0},
    "regression": {"adversarial": False, "l2_weight": 1.0},
    "encoded": {
        **MOVED,
        "l2_weight": 50.0,
        "l2_square_px": 4,
        "alone_iterations": 1000,
        "alone_learning_rate": 0.001,
        "octaves": 6,
    },
    "scored": {
        **MOVED,
        "adversarial": False,
        "scored": True,
        "up_layers": 4,
        "generator_channels": 96,
        "least_channels": 16,
        "batch_norm": False,
        "fan": True,
        "volume": 8,
        "volume_cells": 80,
        "speckle": True,
        "alone_iterations": 300,
        "alone_learning_rate": 0.001,
        "batch": 8,
        "learning_rate": 0.001,
        "betas": [0.5, 0.99],
    },
}
# What the very first version did not know.
LATER = [
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
    "alone_learning_rate",
    "turn_deg",
    "scale",
    "shift",
]


@pytest.mark.parametrize("name", DIFFERENT)
def test_a_recipe_that_an_older_version_wrote_is_the_one_of_that_name(name):
    assert recipe_from_dict({**OLD, **DIFFERENT[name], "name": name}) == RECIPES[name]


def test_a_run_from_before_a_setting_was_known_has_it_as_the_paper_does():
    assert recipe_from_dict({key: OLD[key] for key in OLD if key not in LATER}) == RECIPES["paper"]


def test_an_older_run_keeps_its_own_numbers():
    old = {
        **OLD,
        **DIFFERENT["scored"],
        "name": "scored",
        "alone_iterations": 0,
        "batch": 4,
        "volume_cells": 16,
    }
    assert recipe_from_dict(old) == choose_recipe("scored", alone_iterations=0, batch=4, volume_cells=16)
    old = {**OLD, "alone_iterations": 20, "generator_channels": 32}
    assert recipe_from_dict(old) == choose_recipe("paper", alone_iterations=20, generator_channels=32)


@pytest.mark.parametrize("alone", [-5, 20])
def test_iterations_alone_that_an_older_version_took_and_never_used_change_nothing(alone):
    old = {**OLD, **DIFFERENT["regression"], "name": "regression", "alone_iterations": alone}
    assert recipe_from_dict(old) == RECIPES["regression"]


@pytest.mark.parametrize("name", RECIPES)
def test_every_number_survives_json(name):
    recipe = choose_recipe(name, batch=6)
    assert recipe_from_dict(json.loads(json.dumps(recipe_as_dict(recipe)))) == recipe


@pytest.mark.parametrize(
    "values",
    [
        {**OLD, "dreams": 3},
        {key: OLD[key] for key in OLD if key != "betas"},
        {**OLD, **DIFFERENT["regression"], "l2_square_px": 4},
        {**recipe_as_dict(RECIPES["paper"]), "network": {"dreams": 3}},
        {**recipe_as_dict(RECIPES["paper"]), "stages": [{"objective": "gan"}]},
        {**recipe_as_dict(RECIPES["paper"]), "stages": []},
        {**recipe_as_dict(RECIPES["paper"]), "moves": {"turn_deg": 3.0}},
    ],
)
def test_what_is_no_recipe_is_an_error(values):
    with pytest.raises((KeyError, TypeError, ValueError)):
        recipe_from_dict(values)


def test_a_recipe_that_cannot_be_is_refused_in_words():
    with pytest.raises(UserError, match="batch of 1"):
        recipe_from_dict({**OLD, "batch": 1})


@pytest.mark.parametrize(("name", "nonsense"), [("minutes", -1.0), ("minutes", float("nan")), ("threads", 0)])
def test_a_limit_of_one_sitting_that_an_older_version_took_does_not_hinder_the_next(name, nonsense):
    old = {**TrainSettings().as_dict(), "recipe": OLD, name: nonsense}
    assert TrainSettings.from_dict(old) == TrainSettings()
