"""Training, top to bottom: `train` sets up, `Trainer.fit` is the loop, `discriminator_step` and `generator_step`
are one update each."""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import functools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ... import __version__
from ...errors import UserError
from ...files import write_json
from ...model.run_folder import MetricsFile, RunFolder
from ...progress import Progress, Silent
from ...recording.dataset import Dataset
from ..devices import device_name
from ..recipes import Recipe
from ..settings import TrainSettings
from .augmentation import Augmentation, shown_pixels
from .batches import Batch, Batches
from .checkpoint import TrainingState, load_checkpoint, save_checkpoint
from .distributed import Workers, join_workers
from .ema import decay_at, update_average
from .health import DiscriminatorWatch, require_finite
from .interrupts import noted_interrupts
from .losses import (
    energy_score,
    fake_loss,
    fooling_loss,
    l2_loss,
    random_filters,
    real_loss,
    share_called_real,
)
from .results import finish_model, sample_panel

_FIRST_PANEL_STEP = 10
_LONGEST_WITHOUT_CHECKPOINT_S = 600.0


def train(
    dataset: Dataset, run: Path, settings: TrainSettings, progress: Progress, resume: bool = False
) -> dict[str, Any]:
    """Train a model of `dataset` into the folder `run` (model/run_folder.py) and return what `usgansim train` prints.

    With `resume` it goes on from the run's checkpoint, exactly as if it had never ended. Under `torchrun` every
    process calls this; one of them writes.

    Raises UserError where the run is there already, cannot go on with this set or these settings, diverges, or the
    disk is full; KeyboardInterrupt on Ctrl-C, after a checkpoint. In every case the last checkpoint is whole.
    """
    if settings.threads:
        torch.set_num_threads(settings.threads)
    with join_workers(settings.device) as workers:
        workers.require_shares(settings.recipe.batch)
        folder = RunFolder(run)
        with folder.training() if workers.leads else contextlib.nullcontext():
            return Trainer(
                dataset, folder, settings, progress if workers.leads else Silent(), workers, resume
            ).fit()


@dataclass(frozen=True)
class Networks:
    """The networks as training calls them: wrapped where several processes share the work.

    `discriminator` is called while it learns, `judge` (the same, never wrapped) while the generator does.
    """

    generate: Callable[[Tensor, Tensor], Tensor]
    discriminator: nn.Module | None
    judge: nn.Module | None
    autocast: Callable[[], contextlib.AbstractContextManager[Any]]


def discriminator_step(
    networks: Networks, optimiser: torch.optim.Optimizer, batch: Batch, fakes: Tensor, real_label: float
) -> dict[str, Tensor]:
    """One update of D on real and generated images, equation (1); no gradient reaches G."""
    assert networks.discriminator is not None
    # Real and fake pass separately, each with its own batch statistics; each graph is gone before the next grows.
    with networks.autocast():
        real_logits = networks.discriminator(batch.images, batch.affine)
    loss_real = real_loss(real_logits.float(), real_label)
    torch.autograd.backward(loss_real)
    with networks.autocast():
        fake_logits = networks.discriminator(fakes.detach(), batch.affine)
    loss_fake = fake_loss(fake_logits.float())
    torch.autograd.backward(loss_fake)
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)
    return {
        "loss_d_real": loss_real,
        "loss_d_fake": loss_fake,
        "accuracy_real": share_called_real(real_logits),
        "accuracy_fake": 1 - share_called_real(fake_logits),
    }


def generator_step(
    networks: Networks,
    optimiser: torch.optim.Optimizer,
    batch: Batch,
    fakes: Tensor,
    l2_weight: float,
    l2_square_px: int = 1,
) -> dict[str, Tensor]:
    """One update of G: equation (2) where there is a discriminator, the L2 term where it has a weight."""
    losses: dict[str, Tensor] = {}
    objective = fakes.new_zeros((), dtype=torch.float32)
    if networks.judge is not None:
        with frozen(networks.judge), networks.autocast():
            logits = networks.judge(fakes, batch.affine)
        losses["loss_g"] = fooling_loss(logits.float())
        objective = objective + losses["loss_g"]
    if l2_weight:
        losses["loss_l2"] = l2_loss(fakes.float(), batch.images, l2_square_px)
        objective = objective + l2_weight * losses["loss_l2"]
    torch.autograd.backward(objective)
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)
    return losses


def score_step(
    networks: Networks, optimiser: torch.optim.Optimizer, batch: Batch, filters: Tensor
) -> dict[str, Tensor]:
    """One update of G by the score of two samples a pose: that of its own noise, and that of its neighbour's."""
    noise = torch.cat([batch.noise, batch.noise.roll(1, 0)])
    with networks.autocast():
        images = networks.generate(noise, batch.affine).float()
    first, second = (batch.as_known(samples) for samples in images.chunk(2))
    score = energy_score(first, second, batch.images, filters)
    torch.autograd.backward(score)
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)
    return {"loss_score": score}


class Stop(enum.IntEnum):
    """Why the loop ends; the process that knows the gravest reason decides for all."""

    NO = 0
    ITERATIONS = 1
    TIME = 2
    STOP_FILE = 3
    INTERRUPTED = 4


class Trainer:
    """One run: its state, its files, and the loop."""

    def __init__(
        self,
        dataset: Dataset,
        folder: RunFolder,
        settings: TrainSettings,
        progress: Progress,
        workers: Workers,
        resume: bool,
    ) -> None:
        self.dataset, self.folder, self.settings, self.workers = dataset, folder, settings, workers
        self.progress, self.recipe = progress, settings.recipe
        geometry = dataset.geometry
        self.network = self.recipe.network(geometry.width_px, geometry.height_px, _pixel_size(dataset))
        self.state = self._begin(resume)
        for network in (self.state.generator, self.state.discriminator):
            if network is not None and workers.device.type == "cpu":
                # oneDNN convolves that about twice as fast, backwards too.
                network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.batches = Batches(
            dataset,
            self.recipe.batch,
            self.recipe.noise_size,
            settings.seed,
            workers.device,
            workers.rank,
            workers.size,
            _augmentation(dataset, self.recipe),
        )
        generator = workers.share(self.state.generator)
        self.networks = Networks(
            _generate(generator, workers, self.recipe),
            workers.share(self.state.discriminator) if self.state.discriminator else None,
            self.state.discriminator,
            _autocast(settings.precision, workers.device),
        )
        self.alone = dataclasses.replace(self.networks, generate=generator, discriminator=None, judge=None)
        self.watch = DiscriminatorWatch()
        self.started_s = self.saved_s = time.monotonic()
        self.first_step = self.state.step

    def fit(self) -> dict[str, Any]:
        """The loop: one batch, one update of D, one of G, the average; now and then a panel or a checkpoint."""
        reason = Stop.NO if self.state.step < self.settings.iterations else Stop.ITERATIONS
        with noted_interrupts() as interrupted:
            while reason == Stop.NO:
                begun_s = time.perf_counter()
                losses = self._iterate(self.batches.training(self.state.step))
                self._report(losses, time.perf_counter() - begun_s)
                reason = Stop(self.workers.largest(self._reason_to_stop(interrupted())))
                if self.workers.leads:
                    self._save_what_is_due(reason)
        self.workers.wait()
        if reason == Stop.INTERRUPTED:
            raise KeyboardInterrupt
        return self._finish(reason) if self.workers.leads else {}

    def _iterate(self, batch: Batch) -> dict[str, float]:
        state, recipe = self.state, self.recipe
        alone = recipe.alone_at(state.step)
        networks = self.alone if alone else self.networks
        _set_rate(state.optimiser_g, recipe.alone_learning_rate if alone else recipe.learning_rate)
        losses = (
            score_step(networks, state.optimiser_g, batch, random_filters(state.step))
            if recipe.scored and not alone
            else self._update(networks, batch, alone)
        )
        update_average(state.average, state.generator, decay_at(state.step, self.settings.ema_decay))
        state.step += 1
        return self.workers.mean(losses)

    def _update(self, networks: Networks, batch: Batch, alone: bool) -> dict[str, Tensor]:
        """One update of each network by one image a pose."""
        state, recipe = self.state, self.recipe
        with networks.autocast():
            fakes = batch.as_known(networks.generate(batch.noise, batch.affine))
        if alone:
            return generator_step(networks, state.optimiser_g, batch, fakes, l2_weight=1.0)
        losses: dict[str, Tensor] = {}
        if state.optimiser_d is not None:
            losses |= discriminator_step(networks, state.optimiser_d, batch, fakes, recipe.real_label)
        return losses | generator_step(
            networks, state.optimiser_g, batch, fakes, recipe.l2_weight, recipe.l2_square_px
        )

    def _report(self, losses: dict[str, float], seconds: float) -> None:
        step, of = self.state.step, self.settings.iterations
        require_finite(losses, step)
        if not self.workers.leads:
            return
        self.metrics.append(step, {**losses, "seconds": seconds})
        mean_s = (time.monotonic() - self.started_s) / (step - self.first_step)
        self.progress.emit(
            "step", step=step, of=of, left_s=round(mean_s * (of - step)), seconds=round(seconds, 3), **losses
        )
        fault = self.watch.after_step(losses)
        if fault:
            self.progress.emit("warning", step=step, of=of, message=fault)

    def _reason_to_stop(self, interrupted: bool) -> Stop:
        minutes = self.settings.minutes
        if interrupted:
            return Stop.INTERRUPTED
        if self.workers.leads and self.folder.stop_file.requested:
            return Stop.STOP_FILE
        if minutes is not None and time.monotonic() - self.started_s > 60 * minutes:
            return Stop.TIME
        return Stop.ITERATIONS if self.state.step >= self.settings.iterations else Stop.NO

    def _save_what_is_due(self, reason: Stop) -> None:
        step = self.state.step
        first_panel = min(_FIRST_PANEL_STEP, self.settings.sample_every)
        if reason != Stop.INTERRUPTED and (
            reason or step == first_panel or step % self.settings.sample_every == 0
        ):
            sample_panel(
                self.dataset,
                self.batches,
                self.state,
                self.recipe,
                self.folder,
                self.settings.iterations,
                self.progress,
            )
        overdue = time.monotonic() - self.saved_s > _LONGEST_WITHOUT_CHECKPOINT_S
        if reason or overdue or step % self.settings.checkpoint_every == 0:
            save_checkpoint(self.folder.checkpoint, self.state, self.settings, self.dataset.sha256)
            self.saved_s = time.monotonic()
            self.progress.emit(
                "checkpoint", step=step, of=self.settings.iterations, path=str(self.folder.checkpoint)
            )

    def _begin(self, resume: bool) -> TrainingState:
        # The leading process alone writes; the others wait until the folder is there.
        state = TrainingState.initial(self.recipe, self.network, self.settings.seed, self.workers.device)
        if self.network.fan and not resume:
            shown = torch.from_numpy(shown_pixels(self.dataset))
            for generator in (state.generator, state.average):
                generator.fan.copy_(shown)
        if resume:
            saved = load_checkpoint(self.folder.checkpoint)
            saved.require_same(self.settings, self.dataset.sha256)
            saved.restore(state)
        if self.workers.leads:
            if not resume:
                self.folder.require_new()
            self.folder.create()
            write_json(self.folder.config, self._configuration())
            self.metrics = MetricsFile(self.folder.metrics, [*loss_names(self.recipe), "seconds"], state.step)
        self.workers.wait()
        return state

    def _configuration(self) -> dict[str, Any]:
        return {
            "software_version": __version__,
            "torch_version": torch.__version__,
            "device": device_name(self.workers.device),
            "processes": self.workers.size,
            "dataset": {
                "folder": str(self.dataset.folder.absolute()),
                "sha256": self.dataset.sha256,
                "training_frames": len(self.dataset.train_indices),
                "heldout_frames": len(self.dataset.heldout_indices),
            },
            "network": self.network.as_dict(),
            "settings": self.settings.as_dict(),
        }

    def _finish(self, reason: Stop) -> dict[str, Any]:
        info = finish_model(self.dataset, self.batches, self.state, self.settings, self.folder)
        return {
            "step": self.state.step,
            "of": self.settings.iterations,
            "ended_by": reason.name.lower(),
            "run": str(self.folder.path),
            "model": str(self.folder.model),
            "recipe": self.recipe.name,
            "parameters": sum(p.numel() for p in self.state.generator.parameters()),
            "seconds": round(time.monotonic() - self.started_s, 1),
            "metrics": info.metrics,
            "intended_use": info.intended_use,
        }


@contextlib.contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """Within it, gradients pass through the module to its input but are not computed for its weights."""
    module.requires_grad_(False)
    try:
        yield
    finally:
        module.requires_grad_(True)


def _generate(generator: nn.Module, workers: Workers, recipe: Recipe) -> Callable[[Tensor, Tensor], Tensor]:
    if workers.size > 1 or workers.device.type != "cpu" or not recipe.adversarial:
        return generator
    # G's maps are computed anew in its backward pass rather than kept while D is evaluated: 0.45 GB
    # less with `paper`, for two per cent of the time.
    return functools.partial(checkpoint, generator, use_reentrant=False, preserve_rng_state=False)


def _augmentation(dataset: Dataset, recipe: Recipe) -> Augmentation | None:
    return Augmentation.of(dataset, recipe.turn_deg, recipe.scale, recipe.shift) if recipe.augments else None


def _pixel_size(dataset: Dataset) -> float:
    """A pixel's shorter side in normalised coordinates, whose axes have a unit of their own each: on average."""
    return min(dataset.geometry.mm_per_px) / (sum(dataset.normalisation.std_mm) / 3)


def _set_rate(optimiser: torch.optim.Optimizer, learning_rate: float) -> None:
    for group in optimiser.param_groups:
        group["lr"] = learning_rate


def loss_names(recipe: Recipe) -> list[str]:
    """The columns of metrics.csv between step and seconds."""
    of_gan = (
        ["loss_d_real", "loss_d_fake", "accuracy_real", "accuracy_fake", "loss_g"]
        if recipe.adversarial
        else []
    )
    l2 = ["loss_l2"] if recipe.l2_weight or recipe.alone_iterations else []
    return of_gan + l2 + (["loss_score"] if recipe.scored else [])


def _autocast(precision: str, device: torch.device) -> Callable[[], contextlib.AbstractContextManager[Any]]:
    # From compute capability 8 on; older GPUs emulate it slowly, and so do most CPUs.
    able = device.type == "cuda" and torch.cuda.get_device_capability(device)[0] >= 8
    if precision == "bf16" and device.type == "cuda" and not able:
        raise UserError(f"{device_name(device)} has no bf16.", "Use --precision fp32.")
    if precision == "bf16" or (precision == "auto" and able):
        return lambda: torch.autocast(device.type, torch.bfloat16)
    return contextlib.nullcontext
