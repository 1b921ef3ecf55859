"""What the measures can see: real images with planted faults, measured as predictors are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ...progress import Progress
from ...recording.dataset import Dataset
from ..measures.metrics import Column, Measure
from ..observer.realness.control import RealnessControl
from ..observer.realness.faults import PlantedFault, planted_faults
from ..observer.realness.observers import RealnessObserver
from .comparison import Row, compare

# Measures of realism beside the classifiers: all that claim to see whether an image looks real.
_BESIDE = ("kid", "spectrum_distance_db", "speckle_sd_grey", "nakagami_m", "shadow_frames_share", "ssim")


@dataclass(frozen=True)
class Sensitivity:
    """A table of the report whose rows are faults, not predictors."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]

    title = "What can be seen: real images with planted faults"
    note = (
        "The classifiers learn to tell real images with a fault from other real images at full sharpness, half of the "
        "held-out frames on either side, half of what a predictor is asked on. Where accuracy stays near 0.5, nothing "
        "is vouched for about such a fault. The other columns are the measures of the same name on the same images. "
        "The row with nothing planted shows what chance comes to."
    )


def sensitivity(
    dataset: Dataset,
    measures: Sequence[Measure],
    warn: Callable[[str], None],
    progress: Progress,
    seed: int = 0,
    observers: Sequence[RealnessObserver] | None = None,
) -> Sensitivity:
    """Plants every fault in the real images of the held-out frames, one row each; asks the classifiers, and those of
    the measures that judge realism. `warn` and `observers` as of RealnessControl."""
    control = RealnessControl(dataset, seed, (0.0,), observers, warn)
    asked = [measure for measure in measures if any(column.key in _BESIDE for column in measure.columns)]
    beside = [column for measure in asked for column in measure.columns if column.key in _BESIDE]
    faults = [PlantedFault(dataset, fault, seed) for fault in planted_faults(dataset.field)]
    rows = compare(dataset, faults, asked, progress, [control])
    return Sensitivity((*control.columns, *control.each_columns, *beside), tuple(rows))
