"""The floor of a report: real images at poses that are not theirs."""

from __future__ import annotations

from ...recording.dataset import Dataset
from ...recording.sweep import Frames


class RealImageElsewhere:
    """The real image of another held-out frame, half of them away: perfectly realistic, and of the wrong place."""

    name = "real image, poses shuffled"

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        frames = [int(index) for index in dataset.heldout_indices]
        half = len(frames) // 2
        self._other = dict(zip(frames, frames[half:] + frames[:half], strict=True))

    def images(self, index: int) -> Frames:
        return self._dataset.read_images([self._other[index]])
