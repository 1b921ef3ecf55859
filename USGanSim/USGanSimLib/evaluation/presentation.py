"""How images are shown to whoever is to tell real from simulated, so that they differ in their content alone.

Both kinds take the same way: a Gaussian blur in millimetres, black outside the field of view, whole grey levels. A
generator's faint grey where a scanner shows none would otherwise give it away, and say nothing of its images.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from ..recording.dataset import Dataset
from ..recording.sweep import Frames


@dataclass(frozen=True, eq=False)
class Presentation:
    """The field of view (H, W) and the pixel size (x, y) of a training set's images."""

    area: NDArray[np.bool_]
    mm_per_px: tuple[float, float]

    @classmethod
    def of(cls, dataset: Dataset) -> Presentation:
        """That of a training set's real training frames."""
        return cls(dataset.field.mask(), dataset.geometry.mm_per_px)

    def present(self, images: Frames, sigma_mm: float) -> Frames:
        """(N, H, W) uint8 → the same, blurred with an SD of `sigma_mm`, masked, and rounded to whole grey levels."""
        x_mm, y_mm = self.mm_per_px
        masked = np.where(self.area, images, 0).astype(np.float64)
        blurred = gaussian_filter(masked, (0, sigma_mm / y_mm, sigma_mm / x_mm), mode="constant")
        return np.where(self.area, np.rint(blurred), 0).astype(np.uint8)
