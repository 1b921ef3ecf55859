"""Whether a model was trained on the recordings of a training set, told from the training poses that its file keeps.

A pose that was read from a recording lies on the recording's path, whatever the lag, crop or calibration: interpolated
poses lie between two that were read. Two hands never hold a probe in the same way to a hundredth of a millimetre, let
alone two readings of a tracker, so a pose on the path is one of this recording.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...geometry.pose_distance import PoseDistance
from ...model.info import ModelInfo
from ...recording.dataset import Dataset

# Poses in a model's header are rounded to 1e-6; those between two readings are a little off the straight line.
ON_PATH_MM = 0.01


def poses_of_these_recordings(info: ModelInfo, dataset: Dataset) -> int:
    """How many of the training poses in a model's header lie on the path of a training set's recordings."""
    distance = PoseDistance(dataset.geometry.width_px, dataset.geometry.height_px)
    # Back to the probe, so that models of another crop or calibration can be compared.
    probe_to_reference = info.pose_range.poses @ np.linalg.inv(info.geometry.image_to_probe)
    known = distance.embed(probe_to_reference @ dataset.geometry.image_to_probe)
    path = distance.embed(dataset.poses)
    follows = dataset.sweep[1:] == dataset.sweep[:-1]
    # Every frame stands as a piece of no length too, so that a sweep of one frame has a path as well.
    begins, ends = (np.concatenate([path, part[follows]]) for part in (path[:-1], path[1:]))
    return sum(bool(_distance_mm(point, begins, ends).min() <= ON_PATH_MM) for point in known)


def _distance_mm(
    point: NDArray[np.float64], begins: NDArray[np.float64], ends: NDArray[np.float64]
) -> NDArray[np.float64]:
    """From a point (d,) to straight pieces between (M, d) and (M, d), (M,)."""
    along, offset = ends - begins, point - begins
    length = np.einsum("ij,ij->i", along, along)
    share = np.clip(np.einsum("ij,ij->i", along, offset) / np.maximum(length, 1e-12), 0, 1)
    return np.asarray(np.linalg.norm(offset - share[:, None] * along, axis=1))
