"""The classifier tells what can be told, and nothing where there is nothing to tell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

pytest.importorskip("torch")

from USGanSimLib.evaluation.measures.floor import RealImageElsewhere
from USGanSimLib.evaluation.observer import realness as realness_control
from USGanSimLib.evaluation.observer.realness import RealnessControl, halves, right_answers
from USGanSimLib.evaluation.predictors.predictor import RealImage
from USGanSimLib.geometry.image_geometry import ImageGeometry
from USGanSimLib.recording.dataset import Dataset, write_dataset

SIZE = (32, 40)


def speckle(count: int, seed: int, smooth_px: float = 1.0) -> np.ndarray:
    noise = gaussian_filter(
        np.random.default_rng(seed).normal(size=(count, *SIZE)), (0, smooth_px, smooth_px)
    )
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


@pytest.fixture
def speckled(tmp_path: Path) -> Dataset:
    """108 images of speckle, 72 of them held out in stretches of twelve."""
    geometry = ImageGeometry(SIZE[1], SIZE[0], np.diag([0.5, 0.5, 1.0, 1.0]))
    return write_dataset(
        tmp_path / "set",
        speckle(108, 0),
        np.tile(np.eye(4), (108, 1, 1)),
        geometry,
        heldout=np.arange(108) // 6 % 3 != 0,
    )


def test_accuracy_falls_with_the_blur_that_hides_the_difference(
    speckled: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(realness_control, "STEPS", 150)
    real, control = speckle(108, 0), RealnessControl(speckled)
    # Noise from pixel to pixel, which a blur of 2 mm, 4 px, wipes out.
    noisy = np.clip(real + np.random.default_rng(5).normal(0, 12, real.shape), 0, 255).astype(np.uint8)
    values = control.values(Fixed("noisy", noisy))
    assert values["classifier_accuracy_0mm"] > 0.9
    assert values["classifier_accuracy_2mm"] < 0.75
    assert values["classifier_accuracy_0mm_ci_low"] > 0.6
    itself = control.values(Fixed("real", real))
    assert all(itself[column.key] == 0.5 for column in control.columns)


def test_real_images_are_told_from_real_images_of_other_frames_by_guessing(speckled: Dataset) -> None:
    values = RealnessControl(speckled).values(RealImage(speckled))
    # 72 answers at each blur; guessing has an SD of 0.06. Equal images would give 0.5 whatever the network says.
    shares = [values[f"classifier_accuracy_{sigma}mm"] for sigma in ("0", "0.5", "1", "1.5", "2")]
    assert all(0.25 < share < 0.75 for share in shares)
    assert any(share != 0.5 for share in shares)


def test_shuffled_real_images_are_not_asked_about(speckled: Dataset) -> None:
    assert set(RealnessControl(speckled).values(RealImageElsewhere(speckled)).values()) == {None}
