"""Training, top to bottom: `train` sets up, `Trainer.fit` is the loop, and what an update does is the objective's
(objectives.py) that the recipe has at that iteration."""

from __future__ import annotations

import contextlib
import enum
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from ... import __version__
from ...files import write_json
from ...model.run_folder import MetricsFile, RunFolder
from ...model.settings import TrainSettings
from ...progress import Progress, Silent
from ...recording.dataset import Dataset
from ..beams.generator import BeamGenerator
from ..beams.priming import prime
from ..devices import device_name
from .batches import Batch, Batches, made_ahead
from .checkpoint import TrainingState, load_checkpoint, save_checkpoint
from .distributed import Workers, join_workers
from .ema import decay_at, update_average
from .health import DiscriminatorWatch, require_finite
from .interrupts import noted_interrupts
from .objectives import Networks, objective_of
from .readings import READ_EVERY, Reading, Readings
from .results import finish_model, sample_picture

_FIRST_PICTURE_STEP = 10
_PRIMING_FRAMES = 800
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
        workers.require_shares(settings.recipe.batch, settings.recipe.least_batch)
        folder = RunFolder(run)
        with folder.training() if workers.leads else contextlib.nullcontext():
            return Trainer(
                dataset, folder, settings, progress if workers.leads else Silent(), workers, resume
            ).fit()


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
        self.network = self.recipe.network(geometry.width_px, geometry.height_px, _pixel(dataset))
        self.state = self._begin(resume)
        for network in (self.state.generator, self.state.discriminator):
            if network is not None and workers.device.type == "cpu":
                # oneDNN convolves that about twice as fast, backwards too.
                network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.batches = Batches(
            dataset,
            self.recipe.batch,
            self.network.noise_size,
            settings.seed,
            workers.device,
            workers.rank,
            workers.size,
        )
        if not resume:
            self._prime()
        self.networks = Networks.of(self.state, workers, settings.precision)
        self.objectives = {
            stage.objective: objective_of(stage.objective, self.networks) for stage in self.recipe.stages
        }
        self.readings = Readings(READ_EVERY[workers.device.type])
        self.watch = DiscriminatorWatch()
        self.started_s = self.saved_s = time.monotonic()
        self.first_step = self.state.step

    def fit(self) -> dict[str, Any]:
        """The loop: one batch, one update of the networks, the average; now and then a panel or a checkpoint."""
        reason = Stop.NO if self.state.step < self.settings.iterations else Stop.ITERATIONS
        batches = made_ahead(self.batches.training, self.settings.iterations)
        metrics = contextlib.closing(self.metrics) if self.workers.leads else contextlib.nullcontext()
        with noted_interrupts() as interrupted, batches as batch_at, metrics:
            while reason == Stop.NO:
                self._iterate(batch_at)
                if self.readings.due:
                    self._report()
                reason = Stop(self.workers.largest(self._reason_to_stop(interrupted())))
                if self.workers.leads:
                    self._save_what_is_due(reason)
            self._report()  # Processes that save nothing have not looked yet.
        self.workers.wait()
        if reason == Stop.INTERRUPTED:
            raise KeyboardInterrupt
        return self._finish(reason) if self.workers.leads else {}

    def _iterate(self, batch_at: Callable[[int], Batch]) -> None:
        begun_s, state, stage = time.perf_counter(), self.state, self.recipe.stage_at(self.state.step)
        self.networks.set_rate(stage.learning_rate)
        losses = self.objectives[stage.objective].step(batch_at(state.step), state.step)
        update_average(state.average, state.generator, decay_at(state.step, self.settings.ema_decay))
        state.step += 1
        values = self.workers.mean(losses)
        self.readings.add(state.step, tuple(losses), values, time.perf_counter() - begun_s)

    def _report(self) -> None:
        """Write and tell all iterations that were not reported yet."""
        for reading in self.readings.read():
            require_finite(reading.losses, reading.step)
            if self.workers.leads:
                self._tell(reading)

    def _tell(self, reading: Reading) -> None:
        step, of = reading.step, self.settings.iterations
        self.metrics.append(step, {**reading.losses, "seconds": reading.seconds})
        mean_s = (time.monotonic() - self.started_s) / (step - self.first_step)
        self.progress.emit(
            "step",
            step=step,
            of=of,
            left_s=round(mean_s * (of - step)),
            seconds=round(reading.seconds, 3),
            **reading.losses,
        )
        fault = self.watch.after_step(reading.losses)
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
        first_picture = min(_FIRST_PICTURE_STEP, self.settings.sample_every)
        if reason != Stop.INTERRUPTED and (
            reason or step == first_picture or step % self.settings.sample_every == 0
        ):
            self._report()
            sample_picture(
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
            # No line of metrics is missing before a checkpoint, and no loss that is not finite is behind it.
            self._report()
            save_checkpoint(self.folder.checkpoint, self.state, self.settings, self.dataset.sha256)
            self.saved_s = time.monotonic()
            self.progress.emit(
                "checkpoint", step=step, of=self.settings.iterations, path=str(self.folder.checkpoint)
            )

    def _begin(self, resume: bool) -> TrainingState:
        # The leading process alone writes; the others wait until the folder is there.
        state = TrainingState.initial(
            self.recipe, self.network, self.dataset.field, self.settings.seed, self.workers.device
        )
        if resume:
            saved = load_checkpoint(self.folder.checkpoint)
            saved.require_same(self.settings, self.dataset.sha256)
            saved.restore(state)
        if self.workers.leads:
            if not resume:
                self.folder.require_new()
            self.folder.create()
            write_json(self.folder.config, self._configuration())
            names = [*self.recipe.loss_names, "seconds"]
            self.metrics = MetricsFile(self.folder.metrics, names, state.step)
        self.workers.wait()
        return state

    def _prime(self) -> None:
        """Let a tissue begin with what the training frames show."""
        generator, average = self.state.generator, self.state.average
        if isinstance(generator, BeamGenerator):
            prime(generator.tissue, self.batches.evenly(_PRIMING_FRAMES), generator.grid.inside)
            average.load_state_dict(generator.state_dict())

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


def _pixel(dataset: Dataset) -> tuple[float, float, float]:
    """A pixel's shorter side in normalised coordinates, whose axes have a unit of their own each."""
    side_mm = min(dataset.geometry.mm_per_px)
    x, y, z = dataset.normalisation.std_mm
    return side_mm / x, side_mm / y, side_mm / z
