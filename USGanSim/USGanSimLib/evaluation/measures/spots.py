"""Finds bright spots on a dark ground, to a fraction of a pixel.

The response is the scale-normalised Laplacian of Gaussian in millimetres (Lindeberg 1998), −σ²∇²(G_σ * image): for a
spot of about that size it has a peak at the middle of the spot, in grey levels. A spot is a local maximum of the
response above a threshold; a parabola through the peak and its neighbours on each axis gives the fraction of the pixel.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ...geometry.peaks import refined
from ...geometry.sampling import evenly
from ...recording.dataset import Dataset
from .points import Points, Truth, match_points

SCALES_MM = (0.3, 0.4, 0.5, 0.65, 0.8, 1.0, 1.3)
THRESHOLDS_GREY = (2.0, 3.0, 4.0, 6.0, 8.0, 11.0, 16.0, 23.0, 32.0, 45.0, 64.0)
MOST_FRAMES = 64
_SMALLEST_SIGMA_PX = 0.7


@dataclass(frozen=True)
class SpotDetector:
    """scale_mm is σ, threshold_grey the least response; mm_per_px (x, y) of the images it is meant for."""

    scale_mm: float
    threshold_grey: float
    mm_per_px: tuple[float, float]

    def find(self, image: NDArray[np.uint8]) -> Points:
        """(H, W) uint8 → (M, 2) pixels u, v of the spots."""
        places, strengths = self.candidates(image)
        return places[strengths >= self.threshold_grey]

    def candidates(self, image: NDArray[np.uint8]) -> tuple[Points, NDArray[np.float64]]:
        """All spots of the scale above the lowest threshold: (M, 2) pixels u, v, and their responses (M,)."""
        # Finer than this, a Gaussian sampled at whole pixels is no Gaussian any more.
        sigma_x, sigma_y = (max(self.scale_mm / mm, _SMALLEST_SIGMA_PX) for mm in self.mm_per_px)
        response = _response(image, sigma_x, sigma_y)
        window = (2 * math.ceil(sigma_y) + 1, 2 * math.ceil(sigma_x) + 1)
        peak = (response == ndimage.maximum_filter(response, window)) & (response >= THRESHOLDS_GREY[0])
        # A spot exactly between two pixels has two equal peaks side by side: one spot.
        labels, _ = ndimage.label(peak, np.ones((3, 3)))
        first = np.unique(labels, return_index=True)[1][1:] if peak.any() else np.zeros(0, int)
        rows, columns = np.unravel_index(first, response.shape)
        return refined(response, rows, columns), response[rows, columns]


def fit_detector(dataset: Dataset, truth: Truth, gate_mm: float) -> SpotDetector:
    """The scale and threshold that find the true points of real TRAINING frames best; all predictors share them.

    Best is the least mean cost, where a point costs its distance, and a missed point and an extra spot cost the gate
    (the OSPA distance of order 1, Schuhmacher et al. 2008, not divided by the number of points).
    """
    known = [int(index) for index in dataset.train_indices if int(index) in truth.by_frame]
    chosen = [known[k] for k in evenly(len(known), MOST_FRAMES)]
    images = dataset.read_images(chosen)
    mm_per_px = dataset.geometry.mm_per_px
    costs: dict[SpotDetector, float] = dict.fromkeys(
        (
            SpotDetector(scale, threshold, mm_per_px)
            for scale, threshold in itertools.product(SCALES_MM, THRESHOLDS_GREY)
        ),
        0.0,
    )
    for index, image in zip(chosen, images, strict=True):
        true_mm = truth.by_frame[index] * mm_per_px
        for scale_mm in SCALES_MM:
            places, strengths = SpotDetector(scale_mm, 0, mm_per_px).candidates(image)
            for threshold in THRESHOLDS_GREY:
                matching = match_points(true_mm, places[strengths >= threshold] * mm_per_px, gate_mm)
                costs[SpotDetector(scale_mm, threshold, mm_per_px)] += float(
                    matching.distance_mm.sum() + gate_mm * matching.extra
                )
    least = min(costs.values())
    # The middle of equally good thresholds is furthest from finding too little or too much.
    best = [detector for detector, cost in costs.items() if cost <= least * (1 + 1e-9)]
    return best[len(best) // 2]


def _response(image: NDArray[np.uint8], sigma_x: float, sigma_y: float) -> NDArray[np.float64]:
    grey, sigma = image.astype(np.float64), (sigma_y, sigma_x)
    along_y = ndimage.gaussian_filter(grey, sigma, order=(2, 0), mode="nearest")
    along_x = ndimage.gaussian_filter(grey, sigma, order=(0, 2), mode="nearest")
    result: NDArray[np.float64] = -(sigma_y**2 * along_y + sigma_x**2 * along_x)
    return result
