"""A model trained for two minutes, so that the live path can be seen before there is a real one."""

from __future__ import annotations

import math
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...files import replacing_file
from ...model.recipes import choose_recipe
from ...model.run_folder import RunFolder
from ...model.settings import TrainSettings
from ...progress import Progress
from ...recording.calibration_file import Calibration
from ...recording.dataset import open_dataset
from ...recording.prepare import PrepareOptions, prepare
from .trainer import train

# Two minutes of one slow CPU core end within its first stage, whose score alone shows anatomy and speckle by then.
QUICK_RECIPE = choose_recipe("beams")
QUICK_MINUTES = 2.0


@dataclass(frozen=True)
class QuickModel:
    """The file, how long it was trained, and the frames of the recording that were held out, with how far the model
    and an all-black image are from them: the mean absolute difference in grey levels, NaN where none are held out."""

    path: Path
    iterations: int
    heldout_frames: frozenset[int]
    difference_grey: float
    black_difference_grey: float

    def __str__(self) -> str:
        wrong = (
            f" (on held-out frames {self.difference_grey:.1f} grey levels off, where an all-black image is "
            f"{self.black_difference_grey:.1f} off)"
            if self.heldout_frames
            else ""
        )
        return (
            f"a stand-in ({QUICK_RECIPE.name}, {self.iterations} iterations): it shows the live path, not what "
            f"longer training can do{wrong}"
        )


class _Steps:
    """Progress of a run whose folder does not stay: its panels and checkpoints are nobody's."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def emit(self, event: str, **fields: Any) -> None:
        if event not in ("sample", "checkpoint"):
            self._progress.emit(event, **fields)


def train_quick_model(
    recording: Path,
    calibration: Calibration,
    path: Path,
    options: PrepareOptions,
    iterations: int,
    progress: Progress,
) -> QuickModel:
    """Train on one recording for at most `iterations` or QUICK_MINUTES and write the model file `path`.

    Raises UserError for what `prepare` and `train` refuse.
    """
    with tempfile.TemporaryDirectory(prefix="usgansim-") as scratch:
        folder, run = Path(scratch) / "training_set", RunFolder(Path(scratch) / "run")
        prepare([recording], calibration, folder, options, progress)
        dataset = open_dataset(folder)
        # The average generator must forget its beginning within so short a run.
        settings = TrainSettings(
            QUICK_RECIPE,
            iterations,
            ema_decay=0.98,
            minutes=QUICK_MINUTES,
            checkpoint_every=iterations,
            sample_every=iterations,
        )
        result = train(dataset, run.path, settings, _Steps(progress))
        with replacing_file(path) as part:
            shutil.copyfile(run.model, part)
        held_out = dataset.heldout_indices
        black = float(dataset.read_images(held_out).mean()) if len(held_out) else math.nan
        return QuickModel(
            path,
            int(result["step"]),
            frozenset(dataset.source_frame[held_out].tolist()),
            result["metrics"].get("heldout_mean_abs_difference_grey", math.nan),
            black,
        )
