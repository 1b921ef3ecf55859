"""The tri-plane baseline: a field of grey levels that is fitted to the training frames in stated minutes."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from ...geometry.conditioning import pixel_affine
from ...geometry.transforms import Matrix
from ...progress import Progress, Silent
from ...recording.dataset import Dataset
from ...recording.sweep import Frames
from .predictor import PosePredictor

_BATCH = 4


class TriPlaneField(PosePredictor):
    """ml/tri_planes.py, fitted for so many seconds of one core; the mean of what was seen, without speckle."""

    def __init__(
        self, dataset: Dataset, seconds: float, seed: int = 0, progress: Progress | None = None
    ) -> None:
        import torch  # It takes seconds, and a report without this row needs none of it.

        from ...ml.tri_planes import Fit, TriPlanes

        super().__init__(f"tri-planes, {seconds / 60:g} min", dataset, seed=seed)
        self.field = dataset.field.mask()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self._planes = TriPlanes()
        fit, random = Fit(self._planes, torch.from_numpy(self.field)), np.random.default_rng(seed)
        self.steps, begun_s = 0, time.process_time()
        while (spent_s := time.process_time() - begun_s) < seconds:
            frames = np.sort(random.choice(dataset.train_indices, _BATCH))
            images = torch.from_numpy(dataset.read_images(frames))[:, None].float() / 127.5 - 1
            loss = fit.step(images, torch.from_numpy(self._coefficients(dataset.poses[frames])))
            self.steps += 1
            (progress or Silent()).emit(
                "step", tri_planes=self.steps, left_s=round(seconds - spent_s), loss=round(loss, 4)
            )
        self._planes.requires_grad_(False)

    def at(self, pose: Matrix, count: int, seed: int) -> Frames:
        return np.repeat(np.rint(self.grey(pose)).astype(np.uint8)[None], count, axis=0)

    def grey(self, pose: Matrix) -> NDArray[np.float64]:
        """Grey levels (H, W), black outside the field of view."""
        import torch

        height, width = self.field.shape
        image = self._planes(torch.from_numpy(self._coefficients(pose[None])), height, width)[0, 0]
        return np.where(self.field, (image.double().numpy() + 1) * 127.5, 0.0)

    def _coefficients(self, poses: Matrix) -> NDArray[np.float32]:
        return self.dataset.normalisation.fold(pixel_affine(poses)).astype(np.float32)
