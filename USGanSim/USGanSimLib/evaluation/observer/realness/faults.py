"""Faults of known size planted in real images: what a measure does not see of them, it cannot vouch for.

Most are smaller than a simulation's usual ones. Blurs are exact in the frequency domain, since a Gaussian of 0.2 px
sampled at pixels is none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates, uniform_filter1d

from ....geometry.beams import Beams
from ....geometry.field_of_view import FieldOfView
from ....recording.dataset import Dataset
from ....recording.sweep import Frames
from ...predictors.predictor import RealImage, frame_seed

Grey = NDArray[np.float64]
SPECKLE_SIGMA_PX = 2.0
GAIN = 1.05
_PADDING_PX = 8
# Of the field's width; a shadow begins below the face, and is looked for from a third of the depth.
_SHADOW_WIDTH, _SHADOW_TOP, _SHADOW_GREY = 0.08, 0.15, 0.35
_FILLED_WIDTH = 0.12  # Wider than the shadow, whose middle is known to a bin and whose edges may be soft.
_LOOKED_AT_FROM, _BINS = 0.33, 96


@dataclass(frozen=True)
class Fault:
    """`plant` turns an image (H, W) in grey levels, 0 to 255, into one with the fault; it may leave the range."""

    name: str
    plant: Callable[[Grey, np.random.Generator], Grey]


class PlantedFault(RealImage):
    """A real image of the frame with a fault in it."""

    def __init__(self, dataset: Dataset, fault: Fault, seed: int = 0) -> None:
        super().__init__(dataset)
        self.name, self._fault, self._seed = fault.name, fault, seed

    def images(self, index: int) -> Frames:
        (image,) = super().images(index).astype(np.float64)
        found = self._fault.plant(image, np.random.default_rng(frame_seed(self._seed, index)))
        return np.rint(np.clip(found, 0, 255)).astype(np.uint8)[None]


def planted_faults(field: FieldOfView) -> list[Fault]:
    """Nothing, then faults of texture, sharpness, noise, shadows and gain, for images with this field of view."""
    beams = Beams(field)
    across, down = beams.coordinates()
    return [
        Fault("real images, nothing planted", lambda image, _: image),
        Fault("speckle 5 % weaker", lambda image, _: within_range(image, weaker_speckle(image, 0.05))),
        Fault("speckle 10 % weaker", lambda image, _: within_range(image, weaker_speckle(image, 0.10))),
        Fault("blurred by 0.2 px", lambda image, _: within_range(image, blurred(image, 0.2))),
        Fault("blurred by 0.4 px", lambda image, _: within_range(image, blurred(image, 0.4))),
        Fault(
            "noise of 1 grey",
            lambda image, random: within_range(image, image + random.normal(size=image.shape)),
        ),
        Fault("darkest shadow removed", lambda image, _: without_shadow(image, beams, across, down)),
        Fault("one shadow more", lambda image, random: with_shadow(image, across, down, random)),
        Fault(f"another scan's gain, ×{GAIN:g}", lambda image, _: image * GAIN),
    ]


def within_range(image: Grey, changed: Grey) -> Grey:
    """The changed image, black and white pixels as they were: a scanner clips there, and a fault that made them grey
    would be told by their number alone, however small it is."""
    return np.where((image > 0) & (image < 255), changed, image)


def blurred(image: Grey, sigma_px: float) -> Grey:
    """A Gaussian blur by its transfer function, exp(−2π²σ²f²), the image mirrored at its borders."""
    padded = np.pad(image, _PADDING_PX, mode="reflect")
    squared = np.fft.fftfreq(padded.shape[0])[:, None] ** 2 + np.fft.rfftfreq(padded.shape[1]) ** 2
    transfer = np.exp(-2 * np.pi**2 * sigma_px**2 * squared)
    found = np.fft.irfft2(np.fft.rfft2(padded) * transfer, s=padded.shape)
    return np.asarray(found[_PADDING_PX:-_PADDING_PX, _PADDING_PX:-_PADDING_PX])


def weaker_speckle(image: Grey, share: float) -> Grey:
    """What is finer than a blur of SPECKLE_SIGMA_PX, less by a share."""
    smooth = blurred(image, SPECKLE_SIGMA_PX)
    return smooth + (1 - share) * (image - smooth)


def darkest_beam(image: Grey, across: Grey, down: Grey) -> float:
    """Where (0 to 1 across) the deeper part of an image is darkest beside its two neighbours of a shadow's width."""
    chosen = (down >= _LOOKED_AT_FROM) & (down <= 1) & (across >= 0) & (across < 1)
    place = (across[chosen] * _BINS).astype(int)
    sums, counts = (np.bincount(place, weights, _BINS) for weights in (image[chosen], np.ones(len(place))))
    width = round(_SHADOW_WIDTH * _BINS)
    level = uniform_filter1d(sums / np.maximum(counts, 1), width)
    middles = np.arange(2 * width, _BINS - 2 * width)
    contrast = np.minimum(level[middles - width], level[middles + width]) - level[middles]
    return float((middles[contrast.argmax()] + 0.5) / _BINS)


def without_shadow(image: Grey, beams: Beams, across: Grey, down: Grey) -> Grey:
    """Its darkest sector filled from either side: each half with the mirror image of its neighbour, at equal depth."""
    middle = darkest_beam(image, across, down)
    inside = (np.abs(across - middle) < _FILLED_WIDTH / 2) & (down >= 0) & (down <= 1)
    from_middle = across[inside] - middle
    mirrored = middle + np.where(from_middle < 0, -1, 1) * _FILLED_WIDTH - from_middle
    u, v = beams.points(mirrored, down[inside])
    filled = image.copy()
    filled[inside] = map_coordinates(image, [v, u], order=0, mode="nearest")
    return filled


def with_shadow(image: Grey, across: Grey, down: Grey, random: np.random.Generator) -> Grey:
    """A sector with straight edges along the beams at a random place, at _SHADOW_GREY of its grey."""
    middle = random.uniform(0.15, 0.85)
    inside = (np.abs(across - middle) < _SHADOW_WIDTH / 2) & (down >= _SHADOW_TOP) & (down <= 1)
    return np.where(inside, _SHADOW_GREY * image, image)
