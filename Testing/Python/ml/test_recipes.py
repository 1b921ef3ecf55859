"""The networks and optimisers that recipes make, against the paper's facts as Resources/Docs/method.md has them."""

from __future__ import annotations

import pytest
import torch

from USGanSimLib.geometry.field_of_view import FieldOfView
from USGanSimLib.ml.benchmark import untrained_model
from USGanSimLib.ml.networks import Discriminator, Generator
from USGanSimLib.ml.training.checkpoint import TrainingState
from USGanSimLib.ml.training.objectives import OBJECTIVES
from USGanSimLib.model import recipes
from USGanSimLib.model.recipes import RECIPES, choose_recipe


@pytest.mark.parametrize("name", ["paper", "paper-fig1", "paper-l2", "regression"])
def test_the_optimisers_are_adam_with_the_numbers_of_the_paper(name):
    recipe = choose_recipe(name, generator_channels=32, discriminator_channels=2)
    state = TrainingState.initial(
        recipe, recipe.network(32, 32), FieldOfView.whole((32, 32)), 0, torch.device("cpu")
    )
    assert (state.optimiser_d is None) == (name == "regression")
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


def test_samples_of_some_poses_are_those_of_each_pose_alone():
    generator, _ = untrained_model(choose_recipe("paper", generator_channels=32), 40, 32)
    noise, affine = torch.randn(4, 100), 0.03 * torch.randn(2, 3, 3)
    together = generator(noise, affine)
    assert torch.allclose(together, generator(noise, affine.repeat(2, 1, 1)), atol=1e-5)
    assert not torch.allclose(together[:2], together[2:], atol=1e-3)


def test_every_objective_of_a_recipe_can_be_trained():
    assert set(OBJECTIVES) == set(recipes.OBJECTIVES)
