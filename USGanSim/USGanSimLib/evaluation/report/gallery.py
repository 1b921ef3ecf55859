"""All pictures of an evaluation, as Fig. 3 to 6 of Hu et al. 2017."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...recording.dataset import Dataset
from ..predictors.predictor import Predictor
from ..study.suite import Suite
from .pictures import RING_MM, frames_to_show, save_frames, save_samples

_POSES_SHOWN = 2


def save_pictures(
    folder: Path, dataset: Dataset, predictors: Sequence[Predictor], models: Sequence[Predictor], tests: Suite
) -> dict[str, Path]:
    """Write them into a folder; heading → file."""
    rings = f" (rings of {RING_MM:g} mm radius: the true points)" if tests.truth else ""
    # As Fig. 4 and 5; landmarks as Fig. 3, samples as Fig. 6.
    save_frames(folder / "panel.png", dataset, predictors, frames_to_show(dataset, tests.truth), tests.truth)
    pictures = {f"Held-out frames{rings}": folder / "panel.png"}
    if tests.observed.landmarks and tests.observed.landmarks.readable:
        # It needs the observer, and so torch.
        from .landmark_pictures import save_landmarks

        save_landmarks(
            folder / "landmarks.png", tests.observed.landmarks, [predictors[0], *(models or predictors[1:])]
        )
        pictures["Landmarks: arrows at the true places, crosses where the observer sees them"] = (
            folder / "landmarks.png"
        )
    poses = tests.same_pose.poses
    for place, index in enumerate(poses[:: max(1, -(-len(poses) // _POSES_SHOWN))], 1):
        path = folder / f"samples_{place}.png"
        save_samples(path, dataset, tests.same_pose.pictures(predictors, index))
        pictures[f"Samples at one pose, frame {dataset.source_frame[index]}"] = path
    return pictures
