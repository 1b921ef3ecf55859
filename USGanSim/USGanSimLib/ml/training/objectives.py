"""What an iteration does with the networks: one small class for each objective of a recipe (model/recipes.py).

A new one is a class with `step` here, its settings in model/recipes.py, and a line in OBJECTIVES below.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ...errors import UserError
from ...model.recipes import L2, Anchored, Gan, ObjectiveSettings, Score
from ..beams.critics import Critics
from ..devices import device_name
from .batches import Batch
from .checkpoint import TrainingState
from .distributed import Workers
from .losses import (
    energy_score,
    fake_loss,
    fooling_loss,
    l2_loss,
    random_filters,
    real_loss,
    relativistic_loss,
    share_called_real,
    slope_penalty,
)

Autocast = Callable[[], contextlib.AbstractContextManager[Any]]


class Objective(Protocol):
    """One update of the networks by a batch."""

    def step(self, batch: Batch, step: int) -> dict[str, Tensor]:
        """Update by the batch of iteration `step`, counted from 0; gives the scalars of the settings' `loss_names`."""
        ...


@dataclass(frozen=True)
class Learner:
    """A network that learns: as it is, and as it is called, wrapped where several processes share the work."""

    network: nn.Module
    called: nn.Module
    optimiser: torch.optim.Optimizer

    def descend(self, loss: Tensor) -> None:
        """One step of the optimiser down a loss."""
        torch.autograd.backward(loss)
        self.update()

    def update(self) -> None:
        """One step of the optimiser down the gradients that are there."""
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)

    def set_rate(self, learning_rate: float) -> None:
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate


@dataclass(frozen=True)
class Networks:
    """Both networks as objectives use them.

    discriminator    None where the recipe has none
    keeps_maps       whether the generator's maps are kept while the discriminator is evaluated
    averaged         the mean of a tensor over all processes
    """

    generator: Learner
    discriminator: Learner | None
    autocast: Autocast
    keeps_maps: bool = True
    averaged: Callable[[Tensor], Tensor] = lambda values: values

    @classmethod
    def of(cls, state: TrainingState, workers: Workers, precision: str) -> Networks:
        """Those of a run. Raises UserError for a precision that the device has not."""
        discriminator = None
        if state.discriminator is not None and state.optimiser_d is not None:
            called = workers.share(state.discriminator)
            discriminator = Learner(state.discriminator, called, state.optimiser_d)
        return cls(
            Learner(state.generator, workers.share(state.generator), state.optimiser_g),
            discriminator,
            autocast_of(precision, workers.device),
            keeps_maps=workers.size > 1 or workers.device.type != "cpu",
            averaged=workers.averaged,
        )

    def set_rate(self, learning_rate: float) -> None:
        """Let all of them learn at this rate from now on."""
        for learner in filter(None, (self.generator, self.discriminator)):
            learner.set_rate(learning_rate)


class L2Objective:
    """The generator down the L2 term."""

    def __init__(self, settings: L2, networks: Networks) -> None:
        self._generator, self._autocast = networks.generator, networks.autocast

    def step(self, batch: Batch, step: int) -> dict[str, Tensor]:
        with self._autocast():
            images = self._generator.called(batch.noise, batch.affine)
        loss = l2_loss(images.float(), batch.images)
        self._generator.descend(loss)
        return {"loss_l2": loss}


class GanObjective:
    """The discriminator down equation (1), then the generator down equation (2), both by the same images of G."""

    def __init__(self, settings: Gan, networks: Networks) -> None:
        assert networks.discriminator is not None
        self._settings, self._autocast = settings, networks.autocast
        self._generator, self._discriminator = networks.generator, networks.discriminator
        # G's maps are computed anew in its backward pass rather than kept while D is evaluated: 0.45 GB
        # less with `paper`, for two per cent of the time.
        self._generate: Callable[[Tensor, Tensor], Tensor] = (
            networks.generator.called
            if networks.keeps_maps
            else functools.partial(
                checkpoint, networks.generator.called, use_reentrant=False, preserve_rng_state=False
            )
        )

    def step(self, batch: Batch, step: int) -> dict[str, Tensor]:
        with self._autocast():
            fakes = self._generate(batch.noise, batch.affine)
        return {**self.discriminator_step(batch, fakes), **self.generator_step(batch, fakes)}

    def discriminator_step(self, batch: Batch, fakes: Tensor) -> dict[str, Tensor]:
        """One update of D on real and generated images; no gradient reaches G."""
        judge = self._discriminator
        # Real and fake pass separately, each with its own batch statistics; each graph is gone before the next grows.
        with self._autocast():
            real_logits = judge.called(batch.images, batch.affine)
        loss_real = real_loss(real_logits.float(), self._settings.real_label)
        torch.autograd.backward(loss_real)
        with self._autocast():
            fake_logits = judge.called(fakes.detach(), batch.affine)
        loss_fake = fake_loss(fake_logits.float())
        judge.descend(loss_fake)
        return {
            "loss_d_real": loss_real,
            "loss_d_fake": loss_fake,
            "accuracy_real": share_called_real(real_logits),
            "accuracy_fake": 1 - share_called_real(fake_logits),
        }

    def generator_step(self, batch: Batch, fakes: Tensor) -> dict[str, Tensor]:
        """One update of G, by its own images; no weight of D learns."""
        # Not as it is wrapped: that would wait for gradients of its weights.
        with frozen(self._discriminator.network), self._autocast():
            logits = self._discriminator.network(fakes, batch.affine)
        loss = fooling_loss(logits.float())
        losses, objective = {"loss_g": loss}, loss
        if self._settings.l2_weight:
            losses["loss_l2"] = l2_loss(fakes.float(), batch.images)
            objective = objective + self._settings.l2_weight * losses["loss_l2"]
        self._generator.descend(objective)
        return losses


class ScoreObjective:
    """The generator by the score of two samples a pose: that of its own noise, and that of its neighbour's."""

    def __init__(self, settings: Score, networks: Networks) -> None:
        self._generator, self._autocast = networks.generator, networks.autocast

    def step(self, batch: Batch, step: int) -> dict[str, Tensor]:
        noise = torch.cat([batch.noise, batch.noise.roll(1, 0)])
        with self._autocast():
            images = self._generator.called(noise, batch.affine).float()
        first, second = images.chunk(2)
        score = energy_score(first, second, batch.images, random_filters(step))
        self._generator.descend(score)
        return {"loss_score": score}


class AnchoredObjective:
    """The critics down their own loss, then the generator by its score and against them."""

    def __init__(self, settings: Anchored, networks: Networks) -> None:
        assert networks.discriminator is not None
        self._settings, self._autocast = settings, networks.autocast
        self._generator, self._critics = networks.generator, networks.discriminator
        critics = networks.discriminator.network
        assert isinstance(critics, Critics)
        self._texture, self._corners = critics.texture, critics.corners
        self._averaged = networks.averaged

    def step(self, batch: Batch, step: int) -> dict[str, Tensor]:
        noise = torch.cat([batch.noise, batch.noise.roll(1, 0)])
        with self._autocast():
            images = self._generator.called(noise, batch.affine).float()
        first, second = images.chunk(2)
        corners = self._corners(len(first), step)
        loss_critics = self.critics_step(batch, first.detach(), corners, step)
        score = energy_score(first, second, batch.images, random_filters(step))
        self._texture.see_real(batch.images, step, self._averaged)
        texture, distance = self._texture.distance(first, step, self._averaged)
        with frozen(self._critics.network), self._autocast():
            # Both by the critics as they are now: a difference of logits of two states says nothing.
            real = self._critics.network(batch.images, batch.affine, corners)
            fake = self._critics.network(first, batch.affine, corners)
        adversary = relativistic_loss(fake.float(), real.float())
        self._generator.descend(
            self._settings.score_weight * score + self._settings.texture_weight * texture + adversary
        )
        return {
            "loss_score": score,
            "texture_distance": distance,
            "loss_critics": loss_critics,
            "loss_adversary": adversary,
        }

    def critics_step(self, batch: Batch, fakes: Tensor, corners: list[tuple[int, int]], step: int) -> Tensor:
        """One update of the critics; no gradient reaches G."""
        penalised = step % self._settings.penalty_every == 0
        pair = [images.detach().requires_grad_(penalised) for images in (batch.images, fakes)]
        with self._autocast():
            real, fake = (self._critics.called(images, batch.affine, corners) for images in pair)
        loss = relativistic_loss(real.float(), fake.float())
        total = loss
        if penalised:
            weight = self._settings.penalty_weight * self._settings.penalty_every / 2
            total = loss + weight * sum(
                slope_penalty(logits, images) for logits, images in zip((real, fake), pair, strict=True)
            )
        self._critics.descend(total)
        return loss


OBJECTIVES: dict[type[ObjectiveSettings], Callable[[Any, Networks], Objective]] = {
    Gan: GanObjective,
    L2: L2Objective,
    Score: ScoreObjective,
    Anchored: AnchoredObjective,
}


def objective_of(settings: ObjectiveSettings, networks: Networks) -> Objective:
    """What the settings of an objective do with these networks."""
    return OBJECTIVES[type(settings)](settings, networks)


@contextlib.contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """Within it, gradients pass through the module to its input but are not computed for its weights."""
    module.requires_grad_(False)
    try:
        yield
    finally:
        module.requires_grad_(True)


def autocast_of(precision: str, device: torch.device) -> Autocast:
    """The context of a forward pass. Raises UserError for a precision that the device has not."""
    # From compute capability 8 on; older GPUs emulate it slowly, and so do most CPUs.
    able = device.type == "cuda" and torch.cuda.get_device_capability(device)[0] >= 8
    if precision == "bf16" and device.type == "cuda" and not able:
        raise UserError(f"{device_name(device)} has no bf16.", "Use --precision fp32.")
    if precision == "bf16" or (precision == "auto" and able):
        return lambda: torch.autocast(device.type, torch.bfloat16)
    return contextlib.nullcontext
