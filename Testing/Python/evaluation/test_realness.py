"""The classifiers tell what can be told, and nothing where there is nothing to tell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

pytest.importorskip("torch")

from USGanSimLib.evaluation.measures.floor import RealImageElsewhere
from USGanSimLib.evaluation.observer.realness import network
from USGanSimLib.evaluation.observer.realness.control import EachObserver, RealnessControl
from USGanSimLib.evaluation.observer.realness.discriminant import LinearObserver
from USGanSimLib.evaluation.observer.realness.network import NetworkObserver
from USGanSimLib.evaluation.observer.realness.observers import Judge, parts, separation, verdicts
from USGanSimLib.evaluation.observer.realness.texture import RandomTexture
from USGanSimLib.evaluation.predictors.predictor import RealImage, SecondScan
from USGanSimLib.geometry.image_geometry import ImageGeometry
from USGanSimLib.recording.dataset import Dataset, write_dataset

SIZE = (32, 40)
STRETCHES = np.arange(40) // 5


@pytest.fixture(autouse=True)
def quick_networks(monkeypatch) -> None:
    monkeypatch.setattr(network, "STEPS", 50)
    monkeypatch.setattr(network, "RESTARTS", 1)


def speckle(count: int, seed: int, smooth_px: float = 1.0) -> np.ndarray:
    noise = gaussian_filter(
        np.random.default_rng(seed).normal(size=(count, *SIZE)), (0, smooth_px, smooth_px)
    )
    return np.clip(110 + 40 * noise / noise.std(), 0, 255).astype(np.uint8)


def texture() -> LinearObserver:
    return LinearObserver("texture", "texture", RandomTexture(np.ones(SIZE, bool)).features)


def judged(observer, real: np.ndarray, simulated: np.ndarray, groups: np.ndarray):
    looks = [[observer.look(images)[None]] for images in (real, simulated)]
    return verdicts([observer], *looks, groups, 0)


@pytest.mark.parametrize("observer", [texture(), NetworkObserver()], ids=lambda each: each.key)
def test_coarser_speckle_is_told_on_frames_that_were_not_trained_on(observer) -> None:
    assert judged(observer, speckle(40, 0), speckle(40, 1, 1.6), STRETCHES).best.mean() > 0.9


@pytest.mark.parametrize("observer", [texture(), NetworkObserver()], ids=lambda each: each.key)
def test_images_of_one_kind_cannot_be_told_apart(observer) -> None:
    right = judged(observer, speckle(60, 0), speckle(60, 1), np.arange(60) // 6).best
    # 120 answers; guessing has an SD of 0.046.
    assert abs(right.mean() - 0.5) < 0.16


@pytest.mark.parametrize("observer", [texture(), NetworkObserver()], ids=lambda each: each.key)
def test_frames_in_another_order_are_judged_the_same(observer) -> None:
    real, simulated, order = speckle(40, 0), speckle(40, 1, 1.1), np.random.default_rng(0).permutation(40)
    there = judged(observer, real, simulated, STRETCHES).best
    back = judged(observer, real[order], simulated[order], STRETCHES[order]).best
    assert np.array_equal(there[:, order], back)


def test_parts_are_whole_groups_taken_in_turn() -> None:
    assert parts(np.array([3, 3, 5, 5, 5, 9, 12]), 2).tolist() == [0, 0, 1, 1, 1, 0, 1]
    assert parts(np.array([3, 3, 5]), 4).tolist() == [0, 0, 1]
    assert parts(np.array([7, 7, 7, 7]), 2).tolist() == [0, 0, 1, 1]  # Of one group, runs of neighbours.


def test_separation_is_the_share_of_pairs_in_the_right_order() -> None:
    # Of the six pairs, 3 > 1, 3 > 2, 4 > 1, 4 > 2, 4 > 3 and a tie.
    assert separation(np.array([1.0, 2.0, 3.0]), np.array([3.0, 4.0])) == pytest.approx(5.5 / 6)
    assert separation(np.zeros(4), np.zeros(5)) == 0.5


class Known:
    """An observer that says what it is told to, and how sure it was of itself before."""

    def __init__(self, key: str, scores, separated: float) -> None:
        self.key, self.name, self.say, self.separated = key, key, scores, separated

    def look(self, images: np.ndarray) -> np.ndarray:
        return images.mean(axis=(1, 2))

    def fit(self, real, simulated, groups, seed) -> Judge:
        return Judge(lambda looks: self.say(looks), np.full(len(real), self.separated))


RIGHT = Known("right", lambda looks: looks - 0.5, 0.6)
WRONG = Known("wrong", lambda looks: 0.5 - looks, 0.9)
DEAD = Known("dead", lambda looks: np.full(looks.shape, 0.1), 1.0)


def on_zeros_and_ones(*observers: Known):
    looks = [[np.full((1, 12), kind)] * len(observers) for kind in (0.0, 1.0)]
    return verdicts(observers, *looks, np.arange(12) // 3, 0)


def test_the_best_is_chosen_by_what_it_did_before_it_was_asked() -> None:
    found = on_zeros_and_ones(RIGHT, WRONG)
    assert found.each["right"].mean() == 1
    assert found.best.mean() == found.each["wrong"].mean() == 0


def test_an_observer_that_answers_the_same_to_all_has_no_number_and_is_never_the_best() -> None:
    found = on_zeros_and_ones(DEAD, RIGHT)
    assert found.constant == (("dead", 0),)
    assert np.isnan(found.each["dead"]).all()
    assert found.best.mean() == 1


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


def test_a_dead_observer_alone_is_warned_of_and_gives_no_number(speckled: Dataset) -> None:
    warnings: list[str] = []
    control = RealnessControl(speckled, observers=[DEAD], warn=warnings.append)
    values = control.values(Fixed("noisy", 255 - speckle(108, 3)))
    assert set(values.values()) == {None}
    assert len(warnings) == 1
    assert "dead answered the same to every image of 'noisy'" in warnings[0]


def test_accuracy_falls_with_the_blur_that_hides_the_difference(speckled: Dataset) -> None:
    real, control = speckle(108, 0), RealnessControl(speckled)
    # Noise from pixel to pixel, which a blur of 2 mm, 4 px, wipes out.
    noisy = np.clip(real + np.random.default_rng(5).normal(0, 12, real.shape), 0, 255).astype(np.uint8)
    values = control.values(Fixed("noisy", noisy))
    assert values["classifier_accuracy_0mm"] > 0.9
    assert values["classifier_accuracy_2mm"] < 0.75
    assert values["classifier_accuracy_0mm_ci_low"] > 0.6
    for observer in ("texture", "beams", "network"):
        assert values[f"classifier_{observer}_accuracy_0mm"] is not None
    itself = control.values(Fixed("real", real))
    assert all(itself[column.key] == 0.5 for column in control.columns)


def test_real_images_are_told_from_real_images_of_other_frames_by_guessing(speckled: Dataset) -> None:
    values = RealnessControl(speckled).values(RealImage(speckled))
    # 72 answers at each blur; guessing has an SD of 0.06. Equal images would give 0.5 whatever is said.
    shares = [values[f"classifier_accuracy_{sigma}mm"] for sigma in ("0", "0.5", "1", "1.5", "2")]
    assert all(0.25 < share < 0.75 for share in shares)
    assert any(share != 0.5 for share in shares)


def test_a_second_scan_is_told_by_what_it_differs_in_though_each_scan_is_the_second_of_the_other(
    tmp_path: Path,
) -> None:
    images = speckle(144, 0)
    images[1::2] = speckle(72, 1, 1.6)
    twice = write_dataset(
        tmp_path / "twice",
        images,
        np.tile(np.eye(4), (144, 1, 1)),
        ImageGeometry(40, 32, np.diag([0.5, 0.5, 1.0, 1.0])),
        heldout=np.arange(144) % 36 >= 9,
        hold=np.arange(144) // 2,
    )
    values = RealnessControl(twice, sigmas_mm=(0.0,), observers=[texture()]).values(SecondScan(twice))
    assert values["classifier_accuracy_0mm"] > 0.9


def test_shuffled_real_images_are_not_asked_about(speckled: Dataset) -> None:
    assert set(RealnessControl(speckled).values(RealImageElsewhere(speckled)).values()) == {None}


def test_the_table_of_each_observer_has_a_column_for_each_at_every_blur(speckled: Dataset) -> None:
    control = RealnessControl(speckled, observers=[RIGHT, WRONG])
    assert len(EachObserver(control).columns) == 2 * len(control.columns) == 10
    assert {column.key for column in EachObserver(control).columns} >= {"classifier_wrong_accuracy_0.5mm"}
