"""Where the ultrasound is in a recording's image: the bounding box of the fan or sector, found from the frames.

A pixel of the ultrasound changes while the probe moves; texts, logos and rulers around it stand still, and a running
clock is small. So pixels that differ from the background are joined to regions, and a region counts when the part of
it that changes is not tiny beside that of the others. A saturated near field, which stands still, belongs to the fan
that it touches, and dots on black (wires in water) count like speckle does.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..errors import UserError
from ..geometry.image_geometry import Crop
from .paging import release_pages
from .sweep import Frames, TrackedSweep

# Grey levels: above the noise of a frame grabber, below the faintest speckle worth keeping.
LEAST_CHANGE = 6
# Of the largest region's changing pixels. The shortest trace of a wire has 10 % of the longest one's (PLUS fCal 2.0).
LEAST_RELATIVE_SIZE = 0.02
# Pixels closer than this share of the image belong together, so that a shadow does not cut a fan.
JOINING_SHARE = 0.005
MOST_FRAMES = 500
# Room on every side of what was found, as a share of its size: another pose may show something further out.
MARGIN_SHARE = 0.03


def pixel_extremes(sweeps: Sequence[TrackedSweep], most_frames: int = MOST_FRAMES) -> tuple[Frames, Frames]:
    """The darkest and the brightest value (H, W) of every pixel over evenly spread valid frames of all sweeps."""
    shape = sweeps[0].frames.shape[1:]
    darkest, brightest = np.full(shape, 255, np.uint8), np.zeros(shape, np.uint8)
    for sweep in sweeps:
        valid = np.flatnonzero(sweep.image_valid)
        count = min(len(valid), max(most_frames // len(sweeps), 2))
        for index in valid[np.linspace(0, len(valid) - 1, count).round().astype(int)] if count else valid:
            np.minimum(darkest, sweep.frames[index], out=darkest)
            np.maximum(brightest, sweep.frames[index], out=brightest)
            release_pages(sweep.frames)
    return darkest, brightest


def image_area(darkest: Frames, brightest: Frames) -> Crop:
    """The bounding box of what changes. `darkest` and `brightest` (H, W) are those of `pixel_extremes`.

    Where nothing changes at all (one frame, a probe at rest) everything that differs from the background counts.
    Raises UserError for an image of one grey level.
    """
    changing = brightest.astype(np.int16) - darkest >= LEAST_CHANGE
    lit = changing | _differs_from_background(darkest, brightest, changing)
    if not changing.any():
        changing = lit
    if not lit.any():
        raise UserError(
            "The frames show nothing: no pixel changes or differs from the background.",
            "Check the recording, or give the crop as --crop x,y,width,height.",
        )
    reach_px = max(1, round(JOINING_SHARE * max(lit.shape)))
    regions, count = ndimage.label(ndimage.binary_dilation(lit, iterations=reach_px))
    labels = np.arange(1, count + 1)
    changing_px = ndimage.sum_labels(changing, regions, labels)
    kept = changing_px >= LEAST_RELATIVE_SIZE * changing_px.max()
    rows, columns = np.nonzero(lit & np.concatenate([[False], kept])[regions])
    x, y = int(columns.min()), int(rows.min())
    return Crop(x, y, int(columns.max()) + 1 - x, int(rows.max()) + 1 - y)


def grown_to_aspect(
    box: Crop, image_size_px: tuple[int, int], mm_per_px: tuple[float, float], size_px: tuple[int, int]
) -> Crop:
    """The box with a margin, made wider or higher so that pixels of `size_px` (width, height) are square in mm.

    It grows on both sides alike and moves inwards at the image's border. Near the border the margin gives way; where
    the image is too small even so, the pixels stay oblong (which the geometry carries exactly).
    """
    width_per_height = size_px[0] / size_px[1] * mm_per_px[1] / mm_per_px[0]
    roomy = 1 + 2 * MARGIN_SHARE
    width = min(roomy * max(box.width_px, box.height_px * width_per_height), image_size_px[0])
    height = min(roomy * max(box.height_px, box.width_px / width_per_height), image_size_px[1])
    width_px = max(box.width_px, round(min(width, height * width_per_height)))
    height_px = max(box.height_px, round(min(height, width / width_per_height)))
    return Crop(
        _moved_inside(box.x_px, box.width_px, width_px, image_size_px[0]),
        _moved_inside(box.y_px, box.height_px, height_px, image_size_px[1]),
        width_px,
        height_px,
    )


def _differs_from_background(
    darkest: Frames, brightest: Frames, changing: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    # A frame grabber's black need not be 0; it is the commonest level of what stands still.
    still = darkest[~changing]
    background = int(np.bincount(still).argmax()) if still.size else 0
    result: NDArray[np.bool_] = np.abs(brightest.astype(np.int16) - background) >= LEAST_CHANGE
    return result


def _moved_inside(first_px: int, length_px: int, grown_px: int, limit_px: int) -> int:
    return min(max(first_px - (grown_px - length_px) // 2, 0), limit_px - grown_px)
