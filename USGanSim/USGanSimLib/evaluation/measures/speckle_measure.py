"""The measure of speckle: its statistics, its size, its spectrum, against those of the real images.

Patches are chosen on the REAL image, and every predictor is judged at the same places.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...recording.dataset import Dataset
from ...recording.sweep import Frames
from ..speckle import (
    Grey,
    PatchFinder,
    autocovariance,
    decompressed,
    detrended,
    full_width,
    nakagami_m,
    radial_spectrum,
    spectrum_distance_db,
)
from .metrics import Column


class SpeckleMeasure:
    """Speckle of every predictor at the places where the real image shows even tissue."""

    title = "Speckle and spectrum"
    columns = (
        Column("nakagami_m", "Nakagami m"),
        Column("speckle_sd_grey", "SD of speckle, grey levels", 1),
        Column("speckle_width_x_mm", "width along x, mm"),
        Column("speckle_width_y_mm", "width along y, mm"),
        Column("spectrum_distance_db", "spectrum from real, dB"),
    )

    def __init__(self, dataset: Dataset, dynamic_range_db: float | None = None) -> None:
        self.dataset, self.dynamic_range_db = dataset, dynamic_range_db
        self.finder = PatchFinder.of_dataset(dataset)
        self.corners = {
            int(index): self.finder.find(dataset.read_images([index])[0]) for index in dataset.heldout_indices
        }
        self.patches = sum(map(len, self.corners.values()))
        halves = [self._real_spectrum(dataset.heldout_indices[start::2]) for start in (0, 1)]
        self.halves_db = (
            None if halves[0] is None or halves[1] is None else spectrum_distance_db(halves[0], halves[1])
        )

    @property
    def note(self) -> str:
        levels = (
            f"echo amplitudes, grey levels decompressed from {self.dynamic_range_db:g} dB"
            if self.dynamic_range_db
            else "grey levels as displayed, since the scanner's compression is not known: compare it between rows, "
            "and with no theory"
        )
        ceiling = (
            ""
            if self.halves_db is None
            else (f" Every other real frame against the rest: {self.halves_db:.2f} dB.")
        )
        return (
            f"{self.patches} patches of {self.finder.size_px[1]}×{self.finder.size_px[0]} px where the real images "
            f"show even tissue, the same for every row. Nakagami m by moments, median of the patches, of "
            f"{levels}. "
            "Widths: full width at half maximum of the autocorrelation. Spectrum: RMS difference of the radial "
            f"power spectrum.{ceiling} What matters is how near a row comes to the real image."
        )

    def tally(self) -> _SpeckleTally:
        return _SpeckleTally(self)

    def amplitude(self, grey: Grey) -> Grey:
        """What the Nakagami shape is taken of."""
        return decompressed(grey, self.dynamic_range_db) if self.dynamic_range_db else grey

    def real_patches(self, index: int) -> Grey:
        """The patches (K, h, w) of the real image of a frame."""
        return self.finder.cut(self.dataset.read_images([index])[0], self.corners[index])

    def spectrum(self, even: Grey) -> Grey:
        """The radial spectrum of detrended patches."""
        return radial_spectrum(even, self.dataset.geometry.mm_per_px)

    def _real_spectrum(self, indices: NDArray[np.int_]) -> Grey | None:
        chosen = [self.real_patches(int(index)) for index in indices if self.corners[int(index)]]
        return self.spectrum(detrended(np.concatenate(chosen))) if chosen else None


class _SpeckleTally:
    """Sums over patches, so that memory does not grow with the frames."""

    def __init__(self, measure: SpeckleMeasure) -> None:
        self._measure = measure
        self._shapes: list[float] = []
        self._sums: dict[str, Any] = {}

    def add(self, index: int, images: Frames) -> None:
        corners = self._measure.corners.get(index)
        if not corners:
            return
        real = detrended(self._measure.real_patches(index))
        for image in images:
            grey = self._measure.finder.cut(image, corners)
            self._shapes.extend(
                nakagami_m(self._measure.amplitude(patch)) for patch in grey if patch.std() > 0
            )
            even = detrended(grey)
            along_x, along_y = autocovariance(even)
            found = {
                "x": along_x,
                "y": along_y,
                "own": self._measure.spectrum(even),
                "real": self._measure.spectrum(real),
                "count": np.ones(1),
            }
            self._sums = {
                name: self._sums.get(name, 0.0) + len(corners) * value for name, value in found.items()
            }

    def values(self) -> dict[str, float | None]:
        if not self._sums:
            return {column.key: None for column in self._measure.columns}
        mean = {name: value / self._sums["count"] for name, value in self._sums.items()}
        x_mm, y_mm = self._measure.dataset.geometry.mm_per_px
        return {
            "nakagami_m": float(np.median(self._shapes)) if self._shapes else None,
            "speckle_sd_grey": float(np.sqrt(mean["x"][0])),
            "speckle_width_x_mm": full_width(mean["x"], x_mm),
            "speckle_width_y_mm": full_width(mean["y"], y_mm),
            "spectrum_distance_db": spectrum_distance_db(mean["own"], mean["real"]),
        }
