"""Speckle in patches of even tissue: where they are, and their statistics, size and spectrum."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..recording.dataset import Dataset

PATCH_MM = 9.0
LEAST_PATCH_PX = 12
# Tissue: neither black nor saturated, and no structure, so that the four quarters of a patch have like means.
GREY_RANGE = (25.0, 230.0)
MOST_CLIPPED_SHARE = 0.02
MOST_QUARTER_SD = 0.5
_LEAST_SPECKLE_SD = 2.0
_FREQUENCIES = 12

Grey = NDArray[np.float64]
Corners = list[tuple[int, int]]


@dataclass(frozen=True)
class PatchFinder:
    """Finds square patches of even tissue. `size_px` is (height, width)."""

    field: NDArray[np.bool_]
    size_px: tuple[int, int]

    @classmethod
    def of_dataset(cls, dataset: Dataset) -> PatchFinder:
        """Patches of about PATCH_MM inside the field of view."""
        x_mm, y_mm = dataset.geometry.mm_per_px
        height, width = (max(LEAST_PATCH_PX, round(PATCH_MM / mm)) for mm in (y_mm, x_mm))
        return cls(dataset.field.mask(), (height, width))

    def find(self, image: NDArray[np.uint8]) -> Corners:
        """Rows and columns of the first pixels of the patches in an image (H, W); patches overlap by half."""
        height, width = self.size_px
        rows = range(0, image.shape[0] - height + 1, height // 2)
        columns = range(0, image.shape[1] - width + 1, width // 2)
        return [
            (row, column)
            for row in rows
            for column in columns
            if self.field[row : row + height, column : column + width].all()
            and is_even_tissue(image[row : row + height, column : column + width])
        ]

    def cut(self, image: NDArray[np.uint8], corners: Corners) -> Grey:
        """The patches at the corners, (K, height, width)."""
        height, width = self.size_px
        return np.array(
            [image[row : row + height, column : column + width] for row, column in corners], np.float64
        ).reshape(-1, height, width)


def is_even_tissue(patch: NDArray[np.uint8]) -> bool:
    """Whether a patch shows speckle and nothing else."""
    clipped_share = ((patch == 0) | (patch == 255)).mean()
    if not GREY_RANGE[0] <= patch.mean() <= GREY_RANGE[1] or clipped_share > MOST_CLIPPED_SHARE:
        return False
    sd = patch.std()
    if sd > patch.mean():  # Displayed speckle never varies so much: a bright spot on black.
        return False
    height, width = (size // 2 for size in patch.shape)
    halves = patch[:height], patch[-height:]
    quarters = [half[:, columns].mean() for half in halves for columns in (slice(width), slice(-width, None))]
    return bool(sd >= _LEAST_SPECKLE_SD and np.std(quarters) <= MOST_QUARTER_SD * sd)


def nakagami_m(amplitude: Grey) -> float:
    """The Nakagami shape by moments, E[A²]² / Var[A²]: 1 for fully developed speckle, A the echo amplitude."""
    power = amplitude**2
    return float(power.mean() ** 2 / power.var())


def decompressed(grey: Grey, dynamic_range_db: float) -> Grey:
    """Echo amplitude of a log-compressed display that shows `dynamic_range_db` in 255 grey levels."""
    return np.asarray(10 ** (grey * (dynamic_range_db / (255 * 20))))


def detrended(patches: Grey) -> Grey:
    """Patches (K, h, w) without their best-fitting planes."""
    height, width = patches.shape[1:]
    v, u = np.mgrid[:height, :width]
    plane = np.column_stack([np.ones(height * width), u.ravel(), v.ravel()])
    flat = patches.reshape(len(patches), height * width)
    fitted = flat @ plane @ np.linalg.inv(plane.T @ plane) @ plane.T
    return np.asarray((flat - fitted).reshape(patches.shape))


def autocovariance(patches: Grey) -> tuple[Grey, Grey]:
    """Mean autocovariance of detrended patches (K, h, w) at lags 0, 1, 2 … along x and along y, in grey levels²."""
    height, width = patches.shape[1:]
    along_x = [
        float((patches[:, :, : width - lag] * patches[:, :, lag:]).mean()) for lag in range(width // 2)
    ]
    along_y = [float((patches[:, : height - lag] * patches[:, lag:]).mean()) for lag in range(height // 2)]
    return np.array(along_x), np.array(along_y)


def full_width(covariance: Grey, mm_per_px: float) -> float | None:
    """Full width at half maximum of an autocovariance given at lags 0, 1, 2 …, in mm; None where it never falls."""
    relative = covariance / covariance[0] if covariance[0] > 0 else np.zeros(1)
    below = np.flatnonzero(relative < 0.5)
    if not below.size or covariance[0] <= 0:
        return None
    after = int(below[0])
    part = (relative[after - 1] - 0.5) / (relative[after - 1] - relative[after])
    return float(2 * (after - 1 + part) * mm_per_px)


def radial_spectrum(patches: Grey, mm_per_px: tuple[float, float]) -> Grey:
    """Mean power of detrended patches (K, h, w) in rings of spatial frequency up to that of the coarser axis (Nyquist),
    (_FREQUENCIES,) in grey levels²."""
    window = np.outer(np.hanning(patches.shape[1] + 2)[1:-1], np.hanning(patches.shape[2] + 2)[1:-1])
    power = (np.abs(np.fft.fft2(patches * (window / np.sqrt((window**2).mean())))) ** 2).mean(
        axis=0
    ) / patches[0].size
    x_mm, y_mm = mm_per_px
    frequency = np.hypot(
        *np.meshgrid(np.fft.fftfreq(patches.shape[2], x_mm), np.fft.fftfreq(patches.shape[1], y_mm))
    )
    edges = np.linspace(0, 0.5 / max(x_mm, y_mm), _FREQUENCIES + 1)
    ring = np.digitize(frequency, edges) - 1
    return np.array([power[ring == k].mean() if (ring == k).any() else np.nan for k in range(_FREQUENCIES)])


def spectrum_distance_db(first: Grey, second: Grey) -> float:
    """RMS difference of two radial spectra in dB; the lowest ring, which detrending empties, is left out."""
    apart = 10 * np.log10((first[1:] + 1e-9) / (second[1:] + 1e-9))
    return float(np.sqrt(np.nanmean(apart**2)))
