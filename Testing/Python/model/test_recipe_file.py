"""A recipe in the files of a run: it comes back as it was, and so do those of the paper that older versions wrote."""

from __future__ import annotations

import copy
import json

import pytest

from USGanSimLib.errors import UserError
from USGanSimLib.model.network_settings import NetworkSettings
from USGanSimLib.model.recipe_file import recipe_as_dict, recipe_from_dict
from USGanSimLib.model.recipes import RECIPES, choose_recipe
from USGanSimLib.model.settings import TrainSettings

# As a version wrote `paper-l2` that had other recipes beside those of the paper.
OLD = {
    "name": "paper-l2",
    "network": {
        "noise_size": 100,
        "up_layers": 5,
        "generator_channels": 512,
        "down_layers": 4,
        "discriminator_channels": 32,
        "octaves": 0,
        "volume": 0,
        "volume_cells": 0,
        "speckle": False,
        "least_channels": 1,
        "batch_norm": True,
        "fan": False,
    },
    "stages": [
        {
            "objective": "gan",
            "l2_weight": 1.0,
            "l2_square_px": 1,
            "real_label": 0.9,
            "learning_rate": 0.0002,
            "iterations": None,
        }
    ],
    "moves": None,
    "batch": 36,
    "betas": [0.5, 0.999],
}
OLD_NETWORK = {**OLD["network"], "width_px": 160, "height_px": 120, "speckle_cell": 0.013}
# What networks of the recipes had that are no more.
OF_NO_MORE = [
    ("octaves", 6),
    ("volume", 8),
    ("volume_cells", 80),
    ("speckle", True),
    ("least_channels", 16),
    ("batch_norm", False),
    ("fan", True),
]


def test_a_recipe_of_the_paper_that_an_older_version_wrote_is_the_one_of_that_name():
    assert recipe_from_dict(OLD) == RECIPES["paper-l2"]


def test_the_network_of_an_older_model_of_the_paper_is_the_one_of_its_recipe():
    assert NetworkSettings.from_dict(OLD_NETWORK) == RECIPES["paper-l2"].network(160, 120)


def test_an_older_run_keeps_its_own_numbers():
    old = {**OLD, "batch": 4, "network": {**OLD["network"], "generator_channels": 64}}
    assert recipe_from_dict(old) == choose_recipe("paper-l2", batch=4, generator_channels=64)


@pytest.mark.parametrize(("name", "value"), OF_NO_MORE)
def test_a_network_of_a_recipe_that_is_no_more_is_refused_in_a_sentence(name, value):
    with pytest.raises(UserError, match="made by a recipe that is no more.*Train again") as caught:
        NetworkSettings.from_dict({**OLD_NETWORK, name: value})
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="made by a recipe that is no more"):
        recipe_from_dict({**OLD, "network": {**OLD["network"], name: value}})


def test_frames_that_were_moved_and_squares_of_pixels_are_no_more_either():
    squares = copy.deepcopy(OLD)
    squares["stages"][0]["l2_square_px"] = 4
    moved = {**OLD, "moves": {"turn_deg": 8.0, "scale": 0.08, "shift": 0.06}}
    for old in (squares, moved):
        with pytest.raises(UserError, match="made by a recipe that is no more"):
            recipe_from_dict(old)


@pytest.mark.parametrize("name", RECIPES)
def test_every_number_survives_json(name):
    recipe = choose_recipe(name, batch=6)
    assert recipe_from_dict(json.loads(json.dumps(recipe_as_dict(recipe)))) == recipe


@pytest.mark.parametrize(
    "values",
    [
        {key: OLD[key] for key in OLD if key != "betas"},
        {key: OLD[key] for key in OLD if key != "stages"},
        {**OLD, "network": {"dreams": 3}},
        {**OLD, "network": {"kind": "dreams"}},
        {**OLD, "stages": [{"objective": "gan"}]},
        {**OLD, "stages": [{**OLD["stages"][0], "dreams": 3}]},
        {**OLD, "stages": []},
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
    assert TrainSettings.from_dict(old) == TrainSettings(RECIPES["paper-l2"])
