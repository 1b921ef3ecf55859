"""Images that another program simulated, in a folder: 000123.png is that of frame 123 of the training set.

`export DATASET` writes what such a program needs: training images with poses, and the poses that are held out.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...errors import UserError
from ...recording.dataset import Dataset
from ...recording.exchange.handing_out import image_name
from ...recording.exchange.image_folder import read_image
from ...recording.sweep import Frames


class ForeignImages:
    """A row of those images; frames without one are left out of it."""

    def __init__(self, folder: Path, dataset: Dataset) -> None:
        """Raises UserError where no held-out frame has an image, and where one is none of the set's size."""
        if not folder.is_dir():
            raise UserError(f"{folder} is no folder.", "Give the folder of the simulated images.")
        self.name = f"images of {folder.name}"
        self._folder, self._shape = folder, dataset.images.shape[1:]
        frames = [int(frame) for frame in dataset.heldout_indices]
        self.missing = sum(not self._path(frame).is_file() for frame in frames)
        if self.missing == len(frames):
            raise UserError(
                f"{folder} has none of the {len(frames)} held-out frames, {image_name(frames[0])} being the first.",
                "Name the images as heldout.csv of 'usgansim export' does.",
            )

    def images(self, index: int) -> Frames:
        path = self._path(index)
        if not path.is_file():
            return np.zeros((0, *self._shape), np.uint8)
        image = read_image(path)
        if image.shape != self._shape:
            raise UserError(
                f"{path.name} has {image.shape[1]}×{image.shape[0]} pixels, the training set's images have "
                f"{self._shape[1]}×{self._shape[0]}.",
                "Simulate images of the set's size.",
            )
        return image[None]

    def _path(self, frame: int) -> Path:
        return self._folder / image_name(frame)
