"""How far an image can be trusted, pixel by pixel, as images: how much samples differ (spread), and how near the
frames that a model was trained on pass (coverage). Without torch: a renderer is handed in."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .geometry.field_of_view import FieldOfView
from .geometry.pose_distance import PoseRange
from .geometry.swept import swept_distance_mm
from .geometry.transforms import Matrix
from .live import SamplingRenderer
from .model.info import ModelInfo

# What one grey level of the images stands for.
SPREAD_STEP_GREY, COVERAGE_STEP_MM = 0.5, 0.1
OUTSIDE = 255
PIXEL_MEANINGS = {
    "spread": f"SD between samples of a pose; a grey level is {SPREAD_STEP_GREY:g} grey levels of SD (255: that or "
    "more); 0 outside the field of view",
    "coverage": f"distance to the nearest training frame; a grey level is {COVERAGE_STEP_MM:g} mm (254: that or more); "
    f"{OUTSIDE}: outside the swept region; 0 outside the field of view",
}


def spread_grey(renderer: SamplingRenderer, image_to_reference: Matrix, samples: int) -> NDArray[np.float64]:
    """(H, W) the SD in grey levels between `samples` images, two at least, of one pose (4, 4); the same each time, and
    the noise that stands is left alone."""
    images = renderer.sample(image_to_reference, samples)
    return np.asarray(images.std(axis=0, ddof=1))


def coverage_mm(
    pose_range: PoseRange, image_to_reference: Matrix, area: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """(H, W) how near the nearest of the kept training frames passes to each pixel at one pose (4, 4); infinite outside
    the swept region. `area` (H, W) is the field of view. As for whole poses, what lies further from the kept frames
    than a training frame does, and the margin, is outside."""
    found = swept_distance_mm(image_to_reference, pose_range.poses, area)
    return np.where(found <= pose_range.coverage_mm + pose_range.margin_mm, found, np.inf)


def spread_image(spread: NDArray[np.float64], area: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """`spread_grey` (H, W) as PIXEL_MEANINGS say."""
    steps = np.clip(np.rint(spread / SPREAD_STEP_GREY), 0, 255)
    return np.where(area, steps, 0).astype(np.uint8)


def coverage_image(covered_mm: NDArray[np.float64], area: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """`coverage_mm` (H, W) as PIXEL_MEANINGS say."""
    steps = np.clip(np.rint(covered_mm / COVERAGE_STEP_MM), 0, OUTSIDE - 1)
    return np.where(area, np.where(np.isfinite(covered_mm), steps, OUTSIDE), 0).astype(np.uint8)


class Uncertainty:
    """The images of spread and coverage at the poses asked about, and what they come to inside the field of view."""

    def __init__(self, samples: int, info: ModelInfo) -> None:
        size_px = info.geometry.width_px, info.geometry.height_px
        self.samples, self._range = samples, info.pose_range
        # Models of before the field was stored show all of their image.
        self._area = (info.field or FieldOfView.whole(size_px)).mask()
        self._spreads_grey: list[float] = []
        self._outside: list[float] = []

    def images(self, pose: Matrix, renderer: SamplingRenderer) -> dict[str, NDArray[np.uint8]]:
        """Of one pose (4, 4), by name."""
        spread = spread_grey(renderer, pose, self.samples)
        covered_mm = coverage_mm(self._range, pose, self._area)
        self._spreads_grey.append(float(spread[self._area].mean()))
        self._outside.append(float(np.isinf(covered_mm[self._area]).mean()))
        return {
            "spread": spread_image(spread, self._area),
            "coverage": coverage_image(covered_mm, self._area),
        }

    @property
    def spread_mean_grey(self) -> float:
        return float(np.mean(self._spreads_grey))

    @property
    def outside_share(self) -> float:
        """Of the field of view at all poses: what lies outside the swept region."""
        return float(np.mean(self._outside))
