"""What the frames tell of where the ultrasound is: pixels that change from frame to frame by more than noise does.

Texts, logos and rulers around the ultrasound stand still. A frame grabber's noise changes every pixel alike, so what
counts is variance beyond that of the quietest pixels, whatever the black level. A saturated near field, which stands
still, belongs to the ultrasound that it touches; a running clock is small. A probe at rest (or a single frame) changes
nothing: then what differs from the background counts.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

# Grey levels: what changes by less is the rounding and compression of an image that stands still.
LEAST_SD = 0.7
# Above noise and black level, what stands still and touches what changes.
LEAST_LEVEL = 6.0
# Of the variance of the quietest pixels, which lie outside the ultrasound where there is an outside.
_QUIET_SHARE, _QUIET_LOOKED_AT = 0.01, 0.05
# Of their variance.
_WHITE_SHARE = 0.7
# What is saturated is quiet for another reason.
_SATURATED = 250
_NOISE_SDS = 6.0
# What changes by more everywhere is no noise of a frame grabber: the image is full of ultrasound.
_MOST_NOISE_SD = 6.0
# Of the largest region's pixels: smaller ones that change are clocks, pointers and traces.
_LEAST_REGION = 0.02
_JOINING_SHARE = 0.01
# Of the ultrasound's width: letters are smaller, a saturated near field spans the probe's face.
_SPANNED_SHARE = 0.5
# A neighbourhood of nine pixels has an SD of its median variance of about 1 / 2.4 of one pixel's.
_MEDIAN_OF_NINE = 2.4


@dataclass(frozen=True, eq=False)
class Evidence:
    """lit (H, W) bool: pixels that show ultrasound; `moving` tells whether by changing, or only by being bright;
    `noise_sd` in grey levels; `frames` looked at."""

    lit: NDArray[np.bool_]
    moving: bool
    noise_sd: float
    frames: int


class Moments:
    """Mean and variance of every pixel over frames, one frame at a time."""

    def __init__(self) -> None:
        self.count = 0

    def add(self, values: NDArray[np.float32]) -> None:
        """Another frame (H, W)."""
        if self.count == 0:
            self._first, self._sum, self._squares = values, np.zeros_like(values), np.zeros_like(values)
        self.count += 1
        # From the first frame on, so that small variances of bright pixels are not lost in rounding.
        change = values - self._first
        self._sum += change
        self._squares += change * change

    @property
    def mean(self) -> NDArray[np.float64]:
        return np.asarray(self._first + self._sum / self.count, np.float64)

    @property
    def variance(self) -> NDArray[np.float64]:
        mean = self._sum / self.count
        return np.maximum(self._squares / self.count - mean * mean, 0).astype(np.float64)


def evidence_of(frames: Iterable[NDArray[np.uint8]]) -> Evidence:
    """Looks at frames (H, W), all of one size. Raises ValueError for none."""
    moments = Moments()
    blurred = Moments()
    for frame in frames:
        values = frame.astype(np.float32)
        moments.add(values)
        blurred.add(ndimage.uniform_filter(values, 3))
    if moments.count == 0:
        raise ValueError("no frame to look at")
    variance = ndimage.median_filter(moments.variance, 3)
    # A variance of N frames has the relative SD √(2 / N); the median of nine is steadier.
    spread = math.sqrt(2 / max(moments.count, 2)) / _MEDIAN_OF_NINE
    noise = _noise_variance(variance, blurred.variance, moments.mean < _SATURATED, spread)
    changing = variance > noise * (1 + _NOISE_SDS * spread) + LEAST_SD**2
    changing = _large_regions(changing)
    noise_sd = math.sqrt(noise)
    if changing.any():
        lit = changing | _near_field(_bright(moments.mean, ~changing, noise_sd), changing)
        return Evidence(lit, True, noise_sd, moments.count)
    mean = ndimage.median_filter(moments.mean, 3)
    return Evidence(
        _large_regions(_bright(mean, np.ones_like(changing), noise_sd)), False, noise_sd, moments.count
    )


def _noise_variance(
    variance: NDArray[np.float64], of_means: NDArray[np.float64], usable: NDArray[np.bool_], spread: float
) -> float:
    """The variance of a frame grabber's noise, from the quietest pixels; 0 where they are quiet for another reason.

    Noise is white: the mean of nine pixels has a ninth of its variance, and all of the variance that they share.
    """
    if not usable.any():
        return 0.0
    # The quiet pixels lie at the low end of the spread.
    quiet = float(np.quantile(variance[usable], _QUIET_SHARE)) / max(1 - 2 * spread, 0.3)
    quietest = usable & (variance <= np.quantile(variance[usable], _QUIET_LOOKED_AT))
    # Medians, since a few of them have tissue among their neighbours.
    own, shared = float(np.median(variance[quietest])), float(np.median(of_means[quietest]))
    is_noise = quiet <= _MOST_NOISE_SD**2 and (own - shared) * 9 / 8 >= _WHITE_SHARE * own
    return quiet if is_noise else 0.0


def _bright(mean: NDArray[np.float64], still: NDArray[np.bool_], noise_sd: float) -> NDArray[np.bool_]:
    """Pixels above the commonest level of what stands still, a frame grabber's black."""
    levels = np.bincount(np.rint(mean[still]).astype(np.int64)) if still.any() else np.array([1])
    brighter: NDArray[np.bool_] = mean > levels.argmax() + LEAST_LEVEL + 2 * noise_sd
    return brighter


def _large_regions(pixels: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Without regions that are tiny beside the largest one. Pixels near each other belong together, so that a shadow
    does not cut the ultrasound."""
    reach_px = max(1, round(_JOINING_SHARE * max(pixels.shape)))
    regions, count = ndimage.label(ndimage.binary_dilation(pixels, iterations=reach_px))
    if count < 2:
        return pixels
    sizes = ndimage.sum_labels(pixels, regions, np.arange(count + 1))
    kept = sizes >= _LEAST_REGION * sizes[1:].max()
    kept[0] = False
    return np.asarray(pixels & kept[regions])


def _near_field(bright: NDArray[np.bool_], changing: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Regions of bright still pixels that lie along the upper border of what changes, over half of its width."""
    # Joined as the large regions are, since a saturated near field is sprinkled with pixels that do change.
    regions, count = ndimage.label(ndimage.binary_closing(bright & ~changing, iterations=2) & ~changing)
    accepted = np.zeros(count + 1, np.bool_)
    rows = np.flatnonzero(changing.any(axis=1))
    upper = rows[0] + (rows[-1] - rows[0]) / 3
    reached = ndimage.binary_dilation(changing, iterations=2)
    for number, place in enumerate(ndimage.find_objects(regions), start=1):
        own = regions[place] == number
        own_rows = np.flatnonzero(own.any(axis=1)) + place[0].start
        below = changing[min(place[0].stop + 1, len(changing) - 1)]
        width = np.ptp(np.flatnonzero(below)) + 1 if below.any() else len(below)
        spans = np.ptp(np.flatnonzero(own.any(axis=0))) + 1 >= _SPANNED_SHARE * width
        accepted[number] = spans and np.median(own_rows) <= upper and bool((reached[place] & own).any())
    return np.asarray(accepted[regions])
