"""Controls that every predictor must pass: it follows the pose and nothing else, and how long it takes."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from ...geometry.sampling import evenly
from ...recording.dataset import Dataset
from ..predictors.predictor import PosePredictor, Predictor, frame_seed
from .floor import RealImageElsewhere
from .metrics import Column
from .similarity import correlation

MOST_FRAMES = 120
TIMED_FRAMES, WARM_UP_FRAMES = 60, 3


class ShuffledPoses:
    """The image of the right pose and that of a wrong one against the real image: the score must collapse."""

    title = "Control: shuffled poses"
    note = (
        "Correlation with the real image inside the field of view, of the image predicted at its pose, and of "
        "that predicted at another held-out pose, half of them away. What is left at wrong poses is what all "
        "images have in common; a predictor that loses nothing does not look at the pose."
    )
    columns = (
        Column("ncc_field", "at the right pose", 3),
        Column("ncc_field_shuffled", "at a wrong pose", 3),
        Column("ncc_field_lost", "lost", 3),
    )

    def __init__(self, dataset: Dataset) -> None:
        self.dataset, self.field = dataset, dataset.field.mask()
        self.frames = spread(dataset.heldout_indices, MOST_FRAMES)

    def values(self, predictor: Predictor) -> dict[str, float | None]:
        if isinstance(
            predictor, RealImageElsewhere
        ):  # Shuffled already: a second time would put some right again.
            return {column.key: None for column in self.columns}
        images = {int(index): predictor.images(int(index)) for index in self.frames}
        frames = [index for index in images if len(images[index])]
        wrong = np.roll(frames, len(frames) // 2)
        right_scores = [self._score(images[index][0], index) for index in frames]
        wrong_scores = [
            self._score(images[int(other)][0], index) for index, other in zip(frames, wrong, strict=True)
        ]
        if len(frames) < 2:
            return {column.key: None for column in self.columns}
        right, shuffled = float(np.mean(right_scores)), float(np.mean(wrong_scores))
        return {"ncc_field": right, "ncc_field_shuffled": shuffled, "ncc_field_lost": right - shuffled}

    def _score(self, image: NDArray[np.uint8], index: int) -> float:
        real = self.dataset.read_images([index])[0]
        return correlation(image[self.field].astype(np.float64), real[self.field].astype(np.float64))


class Speed:
    """How long one image takes, for predictors that answer at any pose."""

    title = "Speed"
    note = (
        f"One image a call, as an evaluation asks for it, over {TIMED_FRAMES} held-out poses after "
        f"{WARM_UP_FRAMES} to warm up, on the machine and device of this report; `usgansim bench` measures the "
        "live path."
    )
    columns = (Column("render_median_ms", "median, ms"), Column("render_p95_ms", "95th percentile, ms"))

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset

    def values(self, predictor: Predictor) -> dict[str, float | None]:
        if not isinstance(predictor, PosePredictor):
            return {column.key: None for column in self.columns}
        frames = np.resize(spread(self.dataset.heldout_indices, TIMED_FRAMES), TIMED_FRAMES + WARM_UP_FRAMES)
        taken_ms = []
        for index in frames:
            began = time.perf_counter()
            predictor.at(self.dataset.poses[index], 1, frame_seed(0, int(index)))
            taken_ms.append(1000 * (time.perf_counter() - began))
        median, p95 = np.percentile(taken_ms[WARM_UP_FRAMES:], [50, 95])
        return {"render_median_ms": float(median), "render_p95_ms": float(p95)}


def spread(indices: NDArray[np.int_], most: int) -> NDArray[np.int_]:
    """At most `most` of the indices, evenly spread."""
    chosen: NDArray[np.int_] = indices[evenly(len(indices), most)]
    return chosen
