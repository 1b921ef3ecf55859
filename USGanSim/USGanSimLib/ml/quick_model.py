"""A model trained for two minutes, so that the live path can be seen before there is a real one."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..calibration.result import Calibration
from ..files import replacing_file
from ..progress import Progress
from ..recording.dataset import open_dataset
from ..recording.prepare import PrepareOptions, prepare
from .recipes import choose_recipe
from .run_folder import RunFolder
from .settings import TrainSettings
from .training import train

# A sixteenth of the arithmetic of the paper's generator: on a slow CPU 512 channels would see a few dozen batches.
QUICK_RECIPE = "regression"
QUICK_CHANNELS = 128
QUICK_MINUTES = 2.0


@dataclass(frozen=True)
class QuickModel:
    """The file, how long it was trained, its held-out figures, and the frames of the recording that were held out."""

    path: Path
    iterations: int
    metrics: dict[str, float]
    heldout_frames: frozenset[int]

    def __str__(self) -> str:
        error = self.metrics.get("heldout_mean_abs_difference_grey")
        wrong = "" if error is None else f"; {error:.0f} of 255 grey levels off on held-out frames, on average"
        return (f"a stand-in ({QUICK_RECIPE}, {QUICK_CHANNELS} channels, {self.iterations} iterations): it shows the "
                f"live path, not what the method can do{wrong}")


class _Steps:
    """Progress of a run whose folder does not stay: its panels and checkpoints are nobody's."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def emit(self, event: str, **fields: Any) -> None:
        if event not in ("sample", "checkpoint"):
            self._progress.emit(event, **fields)


def train_quick_model(recording: Path, calibration: Calibration, path: Path, options: PrepareOptions,
                      iterations: int, progress: Progress) -> QuickModel:
    """Train on one recording for at most `iterations` or QUICK_MINUTES and write the model file `path`.

    Raises UserError for what `prepare` and `train` refuse.
    """
    with tempfile.TemporaryDirectory(prefix="usgansim-") as scratch:
        folder, run = Path(scratch) / "training_set", RunFolder(Path(scratch) / "run")
        prepare([recording], calibration, folder, options, progress)
        dataset = open_dataset(folder)
        recipe = choose_recipe(QUICK_RECIPE, generator_channels=QUICK_CHANNELS)
        # The average generator must forget its beginning within so short a run.
        settings = TrainSettings(recipe, iterations, ema_decay=0.98, minutes=QUICK_MINUTES,
                                 checkpoint_every=iterations, sample_every=iterations)
        result = train(dataset, run.path, settings, _Steps(progress))
        with replacing_file(path) as part:
            shutil.copyfile(run.model, part)
        held_out = frozenset(dataset.source_frame[dataset.heldout_indices].tolist())
        return QuickModel(path, int(result["step"]), dict(result["metrics"]), held_out)
