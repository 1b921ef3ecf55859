"""Some iterations of every stage of a training, timed on this computer, before anyone waits for all of them."""

from __future__ import annotations

import contextlib
import statistics
import tempfile
import time
from pathlib import Path

import torch

from ...model.pace import Pace
from ...model.recipes import Stage
from ...model.run_folder import RunFolder
from ...model.settings import TrainSettings
from ...progress import Silent
from ...recording.dataset import Dataset
from .distributed import join_workers
from .ema import decay_at, update_average
from .trainer import Trainer

# Enough for some iterations on one slow core, and short enough to wait for.
SECONDS_A_STAGE = 5.0
_LEAST_TIMED = 2
_DECAY = TrainSettings.ema_decay


def measure_pace(dataset: Dataset, settings: TrainSettings, seconds_a_stage: float = SECONDS_A_STAGE) -> Pace:
    """Train a little in each stage, with networks that nobody keeps. Raises UserError for what `train` refuses."""
    if settings.threads:
        torch.set_num_threads(settings.threads)
    with (
        tempfile.TemporaryDirectory(prefix="usgansim-") as scratch,
        join_workers(settings.device) as workers,
    ):
        trainer = Trainer(
            dataset, RunFolder(Path(scratch) / "run"), settings, Silent(), workers, resume=False
        )
        with contextlib.closing(trainer.metrics):
            first, stages = 0, []
            for stage in trainer.recipe.stages:
                stages.append((first, _seconds(trainer, stage, first, seconds_a_stage)))
                first += stage.iterations or 0
    return Pace(tuple(stages))


def _seconds(trainer: Trainer, stage: Stage, first: int, budget_s: float) -> float:
    """Of one iteration: the mean, since what else the computer does counts too; without the first, which sets up."""
    objective = trainer.objectives[stage.objective]
    trainer.networks.set_rate(stage.learning_rate)
    timed: list[float] = []
    end_s = time.perf_counter() + budget_s
    while len(timed) <= _LEAST_TIMED or time.perf_counter() < end_s:
        begun_s = time.perf_counter()
        step = first + len(timed)
        losses = trainer.workers.mean(objective.step(trainer.batches.training(step), step))
        update_average(trainer.state.average, trainer.state.generator, decay_at(step, _DECAY))
        losses.tolist()  # A GPU has computed them when they are read.
        timed.append(time.perf_counter() - begun_s)
    return statistics.fmean(timed[1:])
