"""Video: do simulated images change from frame to frame as much as real ones, and with the pose?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...geometry.pose_distance import PoseDistance
from ...recording.dataset import Dataset
from ..predictors.predictor import PosePredictor, Predictor
from .metrics import Column

MOST_PAIRS = 300
FEWEST_PAIRS = 10


class VideoControl:
    """Mean absolute change between successive held-out frames against the step of the pose."""

    title = "Video"
    columns = (
        Column("video_change_grey", "change a frame, grey levels"),
        Column("video_change_ratio", "change, of the real one"),
        Column("video_ratio_small_steps", "the same, smallest third of the steps"),
        Column("video_ratio_large_steps", "the same, largest third"),
        Column("video_step_correlation", "correlation of change and step"),
    )

    def __init__(self, dataset: Dataset) -> None:
        self.dataset, self.field = dataset, dataset.field.mask()
        self.pairs = successive_pairs(dataset)[:MOST_PAIRS]
        embedded = PoseDistance(dataset.geometry.width_px, dataset.geometry.height_px).embed(dataset.poses)
        self.steps_mm = np.array(
            [np.linalg.norm(embedded[after] - embedded[before]) for before, after in self.pairs]
        )
        self.real_change = np.array([self._change(dataset.read_images(pair)) for pair in self.pairs])

    @property
    def note(self) -> str:
        if len(self.pairs) < FEWEST_PAIRS:
            return f"Too few successive held-out frames: {len(self.pairs)}."
        return (
            f"Mean absolute change inside the field of view between {len(self.pairs)} pairs of successive held-out "
            f"frames, at steps of {self.steps_mm.min():.2f} to {self.steps_mm.max():.2f} mm (RMS displacement of "
            "the pixels). Models keep their noise from frame to frame, as they do live. A picture that stands "
            "still where the real one moves has a ratio near 0; one that flickers is above 1 at small steps."
        )

    def values(self, predictor: Predictor) -> dict[str, float | None]:
        if len(self.pairs) < FEWEST_PAIRS:
            return {column.key: None for column in self.columns}
        change = self.changes(predictor)
        if change is None:
            return {column.key: None for column in self.columns}
        order = np.argsort(self.steps_mm, kind="stable")
        third = max(1, len(order) // 3)
        parts = {
            "video_change_ratio": order,
            "video_ratio_small_steps": order[:third],
            "video_ratio_large_steps": order[-third:],
        }
        moves = change.std() > 0 and self.steps_mm.std() > 0
        return {
            "video_change_grey": float(change.mean()),
            **{
                key: float(change[part].sum() / max(self.real_change[part].sum(), 1e-9))
                for key, part in parts.items()
            },
            "video_step_correlation": float(np.corrcoef(change, self.steps_mm)[0, 1]) if moves else None,
        }

    def changes(self, predictor: Predictor) -> NDArray[np.float64] | None:
        """The change of a predictor's picture in every pair; None where it has no image for one."""
        changes = []
        for pair in self.pairs:
            images = [self._image(predictor, int(index)) for index in pair]
            if not all(map(len, images)):
                return None
            changes.append(self._change(np.stack([image[0] for image in images])))
        return np.array(changes)

    def _image(self, predictor: Predictor, index: int) -> NDArray[np.uint8]:
        if isinstance(predictor, PosePredictor):
            return predictor.at(self.dataset.poses[index], 1, 0)
        return predictor.images(index)

    def _change(self, images: NDArray[np.uint8]) -> float:
        return float(np.abs(np.diff(images[:, self.field].astype(np.float64), axis=0)).mean())


def successive_pairs(dataset: Dataset) -> NDArray[np.int_]:
    """(K, 2) indices of held-out frames that follow one another in a recording and show no held pose, evenly spread
    when cut short."""
    frames = dataset.heldout_indices
    before, after = frames[:-1], frames[1:]
    follows = (
        (dataset.sweep[before] == dataset.sweep[after])
        & (dataset.source_frame[after] - dataset.source_frame[before] == 1)
        & (dataset.hold[after] < 0)
    )
    pairs = np.column_stack([before, after])[follows]
    chosen: NDArray[np.int_] = pairs[:: max(1, -(-len(pairs) // MOST_PAIRS))]
    return chosen
