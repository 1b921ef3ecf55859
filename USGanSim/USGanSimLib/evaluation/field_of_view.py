"""Where the ultrasound is in the images of a training set: the fan of the probe, without the black around it."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from ..recording.changing_field import changing_field
from ..recording.dataset import Dataset

MOST_FRAMES = 100


@functools.lru_cache(maxsize=8)
def field_of_view(dataset: Dataset) -> NDArray[np.bool_]:
    """(H, W) bool, read-only: pixels that change over the training frames, holes closed; everything where few do."""
    frames = dataset.train_indices
    images = dataset.read_images(
        frames[np.linspace(0, len(frames) - 1, min(MOST_FRAMES, len(frames))).astype(int)]
    )
    result = changing_field(images)
    result.flags.writeable = False
    return result
