"""What a run shows and leaves behind: sample panels, held-out numbers, the model. All with the average generator."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from ... import __version__
from ...geometry.pose_distance import PoseRange
from ...model.info import ModelInfo
from ...model.recipes import Recipe
from ...model.run_folder import RunFolder
from ...model.settings import TrainSettings
from ...progress import Progress
from ...recording.dataset import Dataset
from ..generators import AnyGenerator
from ..model_file import save_model
from .batches import Batches, to_grey
from .checkpoint import TrainingState
from .ema import recompute_statistics
from .health import sample_faults, spread_grey
from .pictures import save_samples

_PANEL_POSES, _PANEL_SAMPLES = 6, 3
_PANEL_STATISTICS_FRAMES = 144
_MODEL_STATISTICS_FRAMES = 1000
_MEASURED_FRAMES = 200
_FRAMES_AT_ONCE = 20
_JUDGED_FROM_STEP = 100  # Before that every network makes an even grey.


def sample_picture(
    dataset: Dataset,
    batches: Batches,
    state: TrainingState,
    recipe: Recipe,
    folder: RunFolder,
    iterations: int,
    progress: Progress,
) -> None:
    """Write the panel of this step, and say where it is and what is wrong with it."""
    recompute_statistics(state.average, batches.statistics(_PANEL_STATISTICS_FRAMES))
    frames = shown_frames(dataset, _PANEL_POSES)
    real = dataset.read_images(frames)
    noise = batches.sample_noise(_PANEL_SAMPLES)
    samples = np.stack(
        [
            _render(state.average, batches, frames, noise[[index] * len(frames)])
            for index in range(_PANEL_SAMPLES)
        ],
        axis=1,
    )
    path = folder.samples / f"step_{state.step:06d}.png"
    save_samples(path, real, samples, dataset.geometry.mm_per_px, f"{recipe.name} step {state.step}")
    difference = samples.astype(np.float32) - real[:, None]
    progress.emit(
        "sample",
        step=state.step,
        of=iterations,
        path=str(path),
        held_out=bool(dataset.heldout.any()),
        mean_abs_difference_grey=round(float(np.abs(difference).mean()), 3),
        spread_grey=round(spread_grey(samples), 3),
    )
    many_valued = recipe.stage_at(state.step - 1).objective.many_valued
    faults = sample_faults(samples, real, many_valued) if state.step >= _JUDGED_FROM_STEP else []
    for fault in faults:
        progress.emit("warning", step=state.step, of=iterations, message=fault)


def finish_model(
    dataset: Dataset, batches: Batches, state: TrainingState, settings: TrainSettings, folder: RunFolder
) -> ModelInfo:
    """Write the model of the average generator, with batch-norm statistics of its own."""
    recompute_statistics(state.average, batches.statistics(_MODEL_STATISTICS_FRAMES))
    geometry = dataset.geometry
    info = ModelInfo(
        recipe=settings.recipe.name,
        network=dict(state.average.settings.as_dict()),
        geometry=geometry,
        source_size_px=dataset.source_size_px,
        crop=dataset.crop,
        reference_frame=dataset.reference_frame,
        normalisation=dataset.normalisation,
        training_set_sha256=dataset.sha256,
        split_sha256=dataset.split_sha256,
        exclusion_mm=dataset.exclusion.rms_mm,
        seed=settings.seed,
        pose_range=PoseRange.of_training_poses(
            dataset.poses[dataset.train_indices], geometry.width_px, geometry.height_px
        ),
        iterations=state.step,
        software_version=__version__,
        metrics=heldout_metrics(dataset, batches, state.average),
        field=dataset.field,
    )
    save_model(folder.model, state.average.state_dict(), info)
    return info


def heldout_metrics(dataset: Dataset, batches: Batches, generator: AnyGenerator) -> dict[str, float]:
    """Plain pixel differences between one sample a pose and the real image, over (some) held-out frames.

    For watching a run, no measure of realism: mostly black images score well when all is black, and two real scans
    of one pose differ too. Empty where nothing is held out.
    """
    if not dataset.heldout.any():
        return {}
    frames = shown_frames(dataset, _MEASURED_FRAMES)
    simulated = _render(generator, batches, frames, batches.sample_noise(len(frames)))
    difference = simulated.astype(np.float32) - dataset.read_images(frames)
    return {
        "heldout_mean_abs_difference_grey": float(np.abs(difference).mean()),
        "heldout_rms_difference_grey": float(np.sqrt((difference**2).mean())),
        "heldout_frames_measured": float(len(frames)),
    }


def shown_frames(dataset: Dataset, most: int) -> NDArray[np.int_]:
    """At most `most` held-out frames, evenly spread; training frames where none is held out."""
    frames = dataset.heldout_indices if dataset.heldout.any() else dataset.train_indices
    count = min(most, len(frames))
    chosen: NDArray[np.int_] = frames[(np.arange(count) * 2 + 1) * len(frames) // (2 * count)]
    return chosen


@torch.no_grad()
def _render(
    generator: AnyGenerator, batches: Batches, frames: NDArray[np.int_], noise: torch.Tensor
) -> NDArray[np.uint8]:
    affine = batches.poses(frames)
    return np.concatenate(
        [
            to_grey(
                generator(noise[start : start + _FRAMES_AT_ONCE], affine[start : start + _FRAMES_AT_ONCE])
            )
            for start in range(0, len(frames), _FRAMES_AT_ONCE)
        ]
    )
