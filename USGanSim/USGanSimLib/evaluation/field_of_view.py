"""Where the ultrasound is in the images of a training set: the fan of the probe, without the black around it."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..recording.cropping import LEAST_CHANGE
from ..recording.dataset import Dataset

MOST_FRAMES = 100
# Pixels that stay black in all frames but lie among others that do not.
CLOSING_PX = 2
# Below this share of the image there is no fan but dots on black (wires in water), and the black belongs to it.
LEAST_SHARE = 0.25


@functools.lru_cache(maxsize=8)
def field_of_view(dataset: Dataset) -> NDArray[np.bool_]:
    """(H, W) bool, read-only: pixels that change over the training frames, holes closed; everything where few do."""
    frames = dataset.train_indices
    images = dataset.read_images(frames[np.linspace(0, len(frames) - 1, min(MOST_FRAMES, len(frames))).astype(int)])
    # The median of a neighbourhood keeps edges and leaves nothing of the noise of a frame grabber.
    calm = ndimage.median_filter(images, (1, 3, 3))
    changing = calm.max(axis=0).astype(np.int16) - calm.min(axis=0) >= LEAST_CHANGE
    padded = ndimage.binary_closing(np.pad(changing, 2 * CLOSING_PX), iterations=CLOSING_PX)
    field = ndimage.binary_fill_holes(padded)[2 * CLOSING_PX : -2 * CLOSING_PX, 2 * CLOSING_PX : -2 * CLOSING_PX]
    result: NDArray[np.bool_] = field.copy() if field.mean() >= LEAST_SHARE else np.ones_like(field)
    result.flags.writeable = False
    return result
