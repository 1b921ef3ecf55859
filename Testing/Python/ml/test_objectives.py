"""One update of each objective, against the same step written plainly with PyTorch's own Adam."""

from __future__ import annotations

import copy
import dataclasses

import pytest
import torch

from USGanSimLib.geometry.field_of_view import FieldOfView
from USGanSimLib.ml.training import losses
from USGanSimLib.ml.training.batches import Batches
from USGanSimLib.ml.training.checkpoint import TrainingState, load_checkpoint
from USGanSimLib.ml.training.distributed import Workers
from USGanSimLib.ml.training.objectives import GanObjective, Networks, ScoreObjective
from USGanSimLib.ml.training.trainer import train
from USGanSimLib.model.recipes import L2, Gan, Score, Stage

CPU = torch.device("cpu")


@pytest.fixture
def begun(make_dataset, tiny):
    """A fresh state, its networks as training calls them, a batch, and the images of G for it."""
    dataset, recipe = make_dataset(), tiny().recipe
    state = TrainingState.initial(recipe, recipe.network(40, 32), FieldOfView.whole((40, 32)), 0, CPU)
    batch = Batches(dataset, 4, 100, 0, CPU).training(0)
    networks = Networks.of(state, Workers(0, 1, CPU), "fp32")
    networks.set_rate(2e-4)
    return state, networks, batch, state.generator(batch.noise, batch.affine)


def sigmoid_loss(logits: torch.Tensor, target: float) -> torch.Tensor:
    d = torch.sigmoid(logits)
    return -(target * torch.log(d) + (1 - target) * torch.log(1 - d)).mean()


def test_the_discriminator_step_descends_equation_1_in_one_piece(begun, same_weights):
    state, networks, batch, fakes = begun
    reference = copy.deepcopy(state.discriminator)
    total = sigmoid_loss(reference(batch.images, batch.affine), 0.9) + sigmoid_loss(
        reference(fakes.detach(), batch.affine), 0.0
    )
    total.backward()
    optimiser = torch.optim.Adam(reference.parameters(), 2e-4, (0.5, 0.999))
    optimiser.step()
    generator = copy.deepcopy(state.generator.state_dict())
    losses = GanObjective(Gan(real_label=0.9), networks).discriminator_step(batch, fakes)
    assert (losses["loss_d_real"] + losses["loss_d_fake"]).item() == pytest.approx(total.item(), rel=1e-5)
    for ours, theirs in zip(state.discriminator.parameters(), reference.parameters(), strict=True):
        assert torch.allclose(ours, theirs, atol=2e-5)
    assert same_weights(generator, state.generator.state_dict())
    assert all(p.grad is None for p in state.generator.parameters())


@pytest.mark.parametrize("l2_weight", [0.0, 1.0])
def test_the_generator_step_descends_equation_2_and_leaves_the_discriminator(begun, l2_weight, same_weights):
    state, networks, batch, fakes = begun
    reference = copy.deepcopy(state.generator)
    images = reference(batch.noise, batch.affine)
    objective = sigmoid_loss(copy.deepcopy(state.discriminator)(images, batch.affine), 1.0)
    (objective + l2_weight * ((images - batch.images) ** 2).mean()).backward()
    torch.optim.Adam(reference.parameters(), 2e-4, (0.5, 0.999)).step()
    judge = copy.deepcopy(dict(state.discriminator.named_parameters()))
    losses = GanObjective(Gan(l2_weight), networks).generator_step(batch, fakes)
    assert losses["loss_g"].item() == pytest.approx(objective.item(), rel=1e-5)
    for ours, theirs in zip(state.generator.parameters(), reference.parameters(), strict=True):
        assert torch.allclose(ours, theirs, atol=2e-5)
    assert same_weights(judge, dict(state.discriminator.named_parameters()))
    assert all(p.requires_grad and p.grad is None for p in state.discriminator.parameters())


def test_the_score_step_descends_the_score_of_two_samples_a_pose(make_dataset, tiny):
    recipe = dataclasses.replace(tiny("beams").recipe, stages=(Stage(Score()),))
    network = recipe.network(40, 32)
    state = TrainingState.initial(recipe, network, FieldOfView.whole((40, 32)), 0, CPU)
    batch = Batches(make_dataset(), 4, network.noise_size, 0, CPU).training(0)
    reference = copy.deepcopy(state.generator)
    images = reference(
        torch.cat([batch.noise, batch.noise[[3, 0, 1, 2]]]), torch.cat([batch.affine, batch.affine])
    )
    losses.energy_score(images[:4], images[4:], batch.images, losses.random_filters(7)).backward()
    torch.optim.Adam(reference.parameters(), 1e-3, (0.5, 0.99)).step()
    networks = Networks.of(state, Workers(0, 1, CPU), "fp32")
    networks.set_rate(1e-3)
    ScoreObjective(Score(), networks).step(batch, 7)
    assert state.discriminator is None
    # Adam's first step is the sign of a gradient, which rounding may turn where it is next to nothing.
    off = [
        ((ours - theirs).abs() > 1e-6).float().mean()
        for ours, theirs in zip(state.generator.parameters(), reference.parameters(), strict=True)
    ]
    assert max(off) < 0.01


def test_before_the_discriminator_joins_pixels_alone_teach_at_their_own_rate(
    make_dataset, tiny, tmp_path, recorder
):
    settings = tiny("paper-l2", iterations=1)
    recipe = dataclasses.replace(settings.recipe, stages=(Stage(L2(), 1e-3, 5), *settings.recipe.stages))
    train(make_dataset("other"), tmp_path / "run", dataclasses.replace(settings, recipe=recipe), recorder())
    state = TrainingState.initial(
        recipe, recipe.network(40, 32), FieldOfView.whole((40, 32)), settings.seed, CPU
    )
    batch = Batches(make_dataset("same"), 4, 100, settings.seed, CPU).training(0)
    images = state.generator(batch.noise, batch.affine)
    ((images - batch.images) ** 2).mean().backward()
    torch.optim.Adam(state.generator.parameters(), 1e-3, (0.5, 0.999)).step()
    trained = load_checkpoint(tmp_path / "run" / "checkpoint.pt").states
    for name, weight in state.generator.named_parameters():
        assert torch.allclose(trained["generator"][name], weight, atol=1e-6)
    assert all(
        torch.equal(trained["discriminator"][name], weight)
        for name, weight in state.discriminator.named_parameters()
    )
