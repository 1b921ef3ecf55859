"""The distribution table of a report: do the images of a predictor, taken together, look like the real ones?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...geometry.sampling import evenly
from ...recording.dataset import Dataset
from ...recording.sweep import Frames
from ..intervals import heldout_groups
from ..measures.kernel_distance import halves_interval, paired_distance
from ..measures.metrics import Column
from ..presentation import Presentation
from .landmark_observer import Observer

MOST_FRAMES = 1000
# The same image gives features that differ by rounding with the images that it is looked at with.
_SAME_SD = 1e-3


class DistributionMeasure:
    """KID on the features of the observer's encoder, of one sample a held-out frame, at most MOST_FRAMES."""

    title = "Distribution of the images"
    columns = (Column("kid", "KID", 3),)

    def __init__(self, dataset: Dataset, observer: Observer) -> None:
        self.dataset, self.observer = dataset, observer
        heldout = dataset.heldout_indices
        chosen = heldout[evenly(len(heldout), MOST_FRAMES)]
        self._presentation = Presentation(dataset.field.mask(), dataset.geometry.mm_per_px)
        real = self.features(dataset.read_images(chosen))
        self._mean, self._sd = real.mean(axis=0), real.std(axis=0) + 1e-6
        self.real = dict(zip(map(int, chosen), self.standardised(real), strict=True))
        self.groups = heldout_groups(dataset)

    @property
    def note(self) -> str:
        return (
            "Kernel distance (unbiased) between one image a frame and the real images of the same "
            f"{len(self.real)} held-out frames, on the features of the observer's encoder, each scaled to the real "
            "images' SD; 0 is equal. Not to be compared with KIDs on other features. The real image's row compares "
            "random halves of the real images: what equal distributions come to at this number. In brackets: 95 % "
            "interval, by leaving out whole held-out stretches. Real images at wrong poses score well too: this "
            "table does not look at the pose."
        )

    def features(self, images: Frames) -> NDArray[np.float64]:
        """(N, H, W) uint8 → (N, d), outside the field of view all black."""
        shown = self._presentation.present(images, 0.0)
        return self.observer.look(shown, self.dataset.geometry.mm_per_px).features.astype(np.float64)

    def standardised(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Features with the real images' mean and SD taken out."""
        result: NDArray[np.float64] = (features - self._mean) / self._sd
        return result

    def tally(self) -> _DistributionTally:
        return _DistributionTally(self)


class _DistributionTally:
    def __init__(self, measure: DistributionMeasure) -> None:
        self._measure = measure
        self._features: dict[int, NDArray[np.float64]] = {}

    def add(self, index: int, images: Frames) -> None:
        if len(images) and index in self._measure.real:
            self._features[index] = self._measure.standardised(self._measure.features(images[:1]))[0]

    def values(self) -> dict[str, float | None]:
        measure, known = self._measure, sorted(self._features)
        if len(known) < 8:
            return {column.key: None for column in measure.columns}
        mine, real = (
            np.stack([features[index] for index in known]) for features in (self._features, measure.real)
        )
        if np.allclose(mine, real, atol=_SAME_SD):
            value, (low, high) = 0.0, halves_interval(real)
        else:
            value, low, high = paired_distance(mine, real, measure.groups[known])
        column = measure.columns[0]
        known_interval = np.isfinite(low)
        return {
            column.key: value,
            column.low_key: low if known_interval else None,
            column.high_key: high if known_interval else None,
        }
