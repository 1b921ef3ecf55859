"""A mean image with a layer of speckle on it: the cheap way to make a reconstruction look real, which a GAN must beat.

Speckle of fully developed scattering is the modulus of a complex Gaussian field that the point-spread function has
blurred; log compression makes it an additive layer, and the display cuts off what is below black or above white. The
grey level of a resliced volume, or of any other mean image, is the mean of what the display showed, so the level before
the layer is the one that gives this mean after cutting: fluid stays dark. Point-spread function (a Gaussian, one for
the whole image) and strength are estimated from patches of even tissue in real training images: the layer gets the
width of their autocorrelation, and the variance that the mean images lack there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ...geometry.sampling import evenly
from ...geometry.transforms import Matrix
from ...recording.dataset import Dataset
from ...recording.sweep import Frames
from ..speckle import PatchFinder, autocovariance, detrended, full_width
from .predictor import PosePredictor

MOST_FRAMES = 60
# FWHM of the autocovariance of log |Gaussian-blurred complex noise|, in SDs of the blur: it is Li₂(exp(−d²/2σ²)),
# which falls to half of Li₂(1) = π²/6 at d = 0.9115 σ.
FWHM_PER_SD = 1.8229
_ADJUSTMENTS = 4
_QUANTILES = 500


@dataclass(frozen=True)
class SpeckleModel:
    """SDs of the blur in pixels, (x, y), and the SD of the layer in grey levels."""

    blur_px: tuple[float, float]
    strength_grey: float

    def layer(self, shape: tuple[int, int], random: np.random.Generator) -> NDArray[np.float64]:
        """One draw (H, W) of the layer, mean 0."""
        x_px, y_px = self.blur_px
        field = sum(
            part * ndimage.gaussian_filter(random.standard_normal(shape), (y_px, x_px), mode="wrap")
            for part in (1, 1j)
        )
        level = np.log(np.abs(field))
        return np.asarray(self.strength_grey * (level - level.mean()) / level.std())

    def level_of(self, mean_grey: NDArray[np.float64]) -> NDArray[np.float64]:
        """The level whose mean, with the layer added and cut to 0 … 255, is the given grey level."""
        shares = (np.arange(_QUANTILES) + 0.5) / _QUANTILES
        deviates = np.log(-np.log(shares))  # twice the logarithm of a Rayleigh variable, up to a constant
        deviates = self.strength_grey * (deviates - deviates.mean()) / deviates.std()
        levels = np.arange(-4 * self.strength_grey, 255 + 4 * self.strength_grey + 1)
        means = np.clip(levels[:, None] + deviates, 0, 255).mean(axis=1)
        return np.asarray(np.interp(mean_grey, means, levels))


class Even(Protocol):
    """What makes mean images, such as a resliced volume."""

    dataset: Dataset

    def grey(self, pose: Matrix) -> NDArray[np.float64]:
        """Grey levels (H, W) at ImageToReference (4, 4)."""
        ...


class WithSpeckle(PosePredictor):
    """Mean images with a new draw of speckle in every sample."""

    def __init__(self, name: str, even: Even, samples: int = 1, seed: int = 0) -> None:
        super().__init__(name, even.dataset, samples, seed)
        self._even = even
        self.model = fit_speckle(even)

    def at(self, pose: Matrix, count: int, seed: int) -> Frames:
        grey, random = self._even.grey(pose), np.random.default_rng(seed)
        layers = np.stack([self.model.layer((grey.shape[0], grey.shape[1]), random) for _ in range(count)])
        # Where nothing was ever scanned, or never an echo, there is nothing to interfere.
        shown = np.where(grey > 0, self.model.level_of(grey) + layers, 0.0)
        return np.asarray(np.rint(np.clip(shown, 0, 255)), np.uint8)


def fit_speckle(even: Even) -> SpeckleModel:
    """The layer that gives mean images of training poses the variance and the widths of real training images."""
    real, means = _patches(even)
    if not len(real):
        return SpeckleModel((1.0, 1.0), 0.0)
    (real_x, real_y), (own_x, own_y) = autocovariance(real), autocovariance(means)
    missing = max(float(real_x[0] - own_x[0]), 0.0)
    wanted = [full_width(lacking, 1.0) or 1.0 for lacking in (real_x - own_x, real_y - own_y)]
    return SpeckleModel(_blur_for(wanted, real.shape), float(np.sqrt(missing)))


def _patches(even: Even) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    dataset = even.dataset
    finder, frames = PatchFinder.of_dataset(dataset), dataset.train_indices
    real, means = [], []
    for index in frames[evenly(len(frames), MOST_FRAMES)]:
        image = dataset.read_images([index])[0]
        corners = finder.find(image)
        real.append(finder.cut(image, corners))
        means.append(finder.cut(np.rint(even.grey(dataset.poses[index])).astype(np.uint8), corners))
    return detrended(np.concatenate(real)), detrended(np.concatenate(means))


def _blur_for(wanted_px: list[float], shape: tuple[int, ...]) -> tuple[float, float]:
    """The blur whose layer, cut into patches of `shape` like the real ones, has these widths along x and y."""
    blur = [width / FWHM_PER_SD for width in wanted_px]
    random = np.random.default_rng(0)
    for _ in range(_ADJUSTMENTS):
        layer = SpeckleModel((blur[0], blur[1]), 1.0).layer((16 * shape[1], 16 * shape[2]), random)
        tiles = layer.reshape(16, shape[1], 16, shape[2]).transpose(0, 2, 1, 3).reshape(-1, *shape[1:])
        found = [full_width(covariance, 1.0) for covariance in autocovariance(detrended(tiles))]
        blur = [
            sd * wanted / width if width else sd
            for sd, wanted, width in zip(blur, wanted_px, found, strict=True)
        ]
    return blur[0], blur[1]
