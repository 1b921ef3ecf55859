"""Where the ultrasound is, pixel by pixel, in images that were cropped: what changes from image to image."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .cropping import LEAST_CHANGE
from .sweep import Frames

# Pixels that stay black in all frames but lie among others that do not.
CLOSING_PX = 2
# Below this share of the image there is no fan but dots on black (wires in water), and the black belongs to it.
LEAST_SHARE = 0.25


def changing_field(images: Frames) -> NDArray[np.bool_]:
    """(H, W) bool: pixels that change over the images (N, H, W), holes closed; everything where few do."""
    # The median of a neighbourhood keeps edges and leaves nothing of the noise of a frame grabber.
    calm = ndimage.median_filter(images, (1, 3, 3))
    changing = calm.max(axis=0).astype(np.int16) - calm.min(axis=0) >= LEAST_CHANGE
    padded = ndimage.binary_closing(np.pad(changing, 2 * CLOSING_PX), iterations=CLOSING_PX)
    field = ndimage.binary_fill_holes(padded)[
        2 * CLOSING_PX : -2 * CLOSING_PX, 2 * CLOSING_PX : -2 * CLOSING_PX
    ]
    return field.copy() if field.mean() >= LEAST_SHARE else np.ones_like(field)
