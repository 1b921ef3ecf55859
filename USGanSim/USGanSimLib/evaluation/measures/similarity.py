"""How alike two images are: correlation, PSNR, SSIM (Wang et al. 2004) and its multi-scale form (Wang et al. 2003)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Grey = NDArray[np.float64]

# The published constants: a Gaussian window of SD 1.5 pixels, 11 wide, and grey levels up to 255.
_WINDOW_SD, _WINDOW_RADIUS = 1.5, 5
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
# Exponents of the finest scales. The published five need images of 161 pixels; of small ones the first few are used.
_EXPONENTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)


def correlation(first: Grey, second: Grey) -> float:
    """Normalised cross-correlation of two images, −1 to 1. An image of one grey level correlates with nothing: 0."""
    first, second = first - first.mean(), second - second.mean()
    size = np.sqrt((first**2).sum() * (second**2).sum())
    return float((first * second).sum() / size) if size > 0 else 0.0


def psnr_db(first: Grey, second: Grey) -> float:
    """The peak signal-to-noise ratio of two images, the peak being 255: infinite for equal ones."""
    squared = float(((first - second) ** 2).mean())
    return 10 * math.log10(255**2 / squared) if squared > 0 else math.inf


def ssim(first: Grey, second: Grey) -> float:
    """The structural similarity of two images (H, W), at most 1."""
    luminance, structure = _components(first, second)
    return float((luminance * structure).mean())


def ms_ssim(first: Grey, second: Grey) -> float:
    """The multi-scale structural similarity over as many scales as the images have room for, 0 to 1."""
    scales = min(len(_EXPONENTS), int(np.log2(min(first.shape) / (2 * _WINDOW_RADIUS + 1))) + 1)
    exponents = np.array(_EXPONENTS[:scales]) / sum(_EXPONENTS[:scales])
    result = 1.0
    for scale, exponent in enumerate(exponents, 1):
        luminance, structure = _components(first, second)
        value = (luminance * structure).mean() if scale == scales else structure.mean()
        result *= max(float(value), 0.0) ** exponent
        first, second = _halved(first), _halved(second)
    return result


def _components(first: Grey, second: Grey) -> tuple[Grey, Grey]:
    """Luminance term, and contrast times structure term, wherever the whole window is inside."""
    mean_1, mean_2 = _local_mean(first), _local_mean(second)
    variance_1, variance_2 = _local_mean(first**2) - mean_1**2, _local_mean(second**2) - mean_2**2
    covariance = _local_mean(first * second) - mean_1 * mean_2
    return (
        (2 * mean_1 * mean_2 + _C1) / (mean_1**2 + mean_2**2 + _C1),
        (2 * covariance + _C2) / (variance_1 + variance_2 + _C2),
    )


def _local_mean(image: Grey) -> Grey:
    smooth = ndimage.gaussian_filter(image, _WINDOW_SD, truncate=_WINDOW_RADIUS / _WINDOW_SD)
    inside: Grey = smooth[_WINDOW_RADIUS:-_WINDOW_RADIUS, _WINDOW_RADIUS:-_WINDOW_RADIUS]
    return inside


def _halved(image: Grey) -> Grey:
    height, width = (size // 2 for size in image.shape)
    return np.asarray(image[: 2 * height, : 2 * width].reshape(height, 2, width, 2).mean(axis=(1, 3)))
