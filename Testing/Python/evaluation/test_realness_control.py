"""The classifier tells what can be told, and nothing where there is nothing to tell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

pytest.importorskip("torch")

from USGanSimLib.evaluation import realness_control
from USGanSimLib.evaluation.realness_control import RealnessControl, halves, right_answers
from USGanSimLib.geometry.image_geometry import ImageGeometry
from USGanSimLib.recording.dataset import Dataset, write_dataset

SIZE = (32, 40)


def speckle(count: int, seed: int, smooth_px: float = 1.0) -> np.ndarray:
    noise = gaussian_filter(np.random.default_rng(seed).normal(size=(count, *SIZE)), (0, smooth_px, smooth_px))
    return np.clip(110 + 40 * noise / noise.std(), 0, 255).astype(np.uint8)


def shown(real: np.ndarray, simulated: np.ndarray) -> np.ndarray:
    return np.stack([real, simulated])[None]


def test_coarser_speckle_is_told_on_frames_that_were_not_trained_on() -> None:
    right = right_answers(shown(speckle(40, 0), speckle(40, 1, 1.6)), np.arange(40) % 2 == 1, 0)
    assert right.mean() > 0.9


def test_images_of_one_kind_cannot_be_told_apart() -> None:
    right = right_answers(shown(speckle(60, 0), speckle(60, 1)), np.arange(60) % 2 == 1, 0)
    # 120 answers; guessing has an SD of 0.046.
    assert abs(right.mean() - 0.5) < 0.16


def test_halves_are_whole_groups_taken_in_turn() -> None:
    assert halves(np.array([3, 3, 5, 5, 5, 9, 12])).tolist() == [False, False, True, True, True, False, True]


class Fixed:
    def __init__(self, name: str, images: np.ndarray) -> None:
        self.name, self._images = name, images

    def images(self, index: int) -> np.ndarray:
        return self._images[index][None]


def test_accuracy_falls_with_the_blur_that_hides_the_difference(tmp_path: Path,
                                                                monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(realness_control, "STEPS", 150)
    real = speckle(108, 0)
    geometry = ImageGeometry(SIZE[1], SIZE[0], np.diag([0.5, 0.5, 1.0, 1.0]))
    dataset: Dataset = write_dataset(tmp_path / "set", real, np.tile(np.eye(4), (108, 1, 1)), geometry,
                                     heldout=np.arange(108) // 6 % 3 != 0)
    control = RealnessControl(dataset)
    # Noise from pixel to pixel, which a blur of 2 mm, 4 px, wipes out.
    noisy = np.clip(real + np.random.default_rng(5).normal(0, 12, real.shape), 0, 255).astype(np.uint8)
    values = control.values(Fixed("noisy", noisy))
    assert values["classifier_accuracy_0mm"] > 0.9
    assert values["classifier_accuracy_2mm"] < 0.75
    assert values["classifier_accuracy_0mm_ci_low"] > 0.6
    itself = control.values(Fixed("real", real))
    assert all(itself[column.key] == 0.5 for column in control.columns)
