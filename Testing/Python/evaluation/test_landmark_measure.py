"""The landmark table with an observer whose answers can be worked out by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

pytest.importorskip("torch")

from USGanSimLib.errors import UserError
from USGanSimLib.evaluation.measures.floor import RealImageElsewhere
from USGanSimLib.evaluation.observer.distribution_measure import DistributionMeasure
from USGanSimLib.evaluation.observer.landmark_measure import LandmarkMeasure
from USGanSimLib.evaluation.observer.landmark_observer import Look, ObserverInfo, Thresholds
from USGanSimLib.evaluation.predictors.predictor import RealImage
from USGanSimLib.evaluation.report.landmark_pictures import READING, landmark_frames, save_landmarks
from USGanSimLib.evaluation.report.pictures import LABEL_PX, RING, TEXT_PX
from USGanSimLib.evaluation.study.comparison import compare
from USGanSimLib.geometry.image_geometry import ImageGeometry
from USGanSimLib.progress import Silent
from USGanSimLib.recording.dataset import Dataset, write_dataset
from USGanSimLib.recording.pictures import shown_size

COUNT, WIDTH_PX, HEIGHT_PX = 60, 48, 32
MM_PER_PX = (1.0, 2.0)
LANDMARK_MM = np.array([20.0, 30.0, 0.0])
HELD_OUT = [range(10, 16), range(30, 36), range(50, 56)]


class BrightestPixel:
    """Region: brighter than 25 on average. Clear: the highest grey level above 150. Place: where that is."""

    info = ObserverInfo(("spot",), 1.0, 2, (1001,), 0, 1, Thresholds((0.0,), (0.0,)), "0")

    asked_for_grey = 150.0

    def look(self, images: NDArray[np.uint8], mm_per_px: tuple[float, float]) -> Look:
        flat = images.reshape(len(images), -1).astype(np.float32)
        v, u = np.unravel_index(flat.argmax(axis=1), images.shape[1:])
        features = np.stack([flat.mean(axis=1), flat.std(axis=1)], axis=1)
        return Look(
            flat.mean(axis=1, keepdims=True) - 25,
            flat.max(axis=1, keepdims=True) - self.asked_for_grey,
            np.stack([u, v], axis=1).astype(np.float32)[:, None],
            features,
        )


def spot_px(frame: int) -> tuple[int, int]:
    return 20 - frame % 5, 15


def an_image(
    spot: tuple[int, int] | None, grey: int = 200, ground: int = 40, seed: int = 0
) -> NDArray[np.uint8]:
    image = np.random.default_rng(seed).integers(ground - 5, ground + 6, (HEIGHT_PX, WIDTH_PX), np.uint8)
    if spot:
        image[spot[1], spot[0]] = grey
    return image


@pytest.fixture
def spotted(tmp_path: Path) -> Dataset:
    """The landmark is in the plane of every frame, whose origin moves along x."""
    poses = np.tile(np.diag([*MM_PER_PX, 1.0, 1.0]), (COUNT, 1, 1))
    poses[:, 0, 3] = np.arange(COUNT) % 5
    heldout = np.isin(np.arange(COUNT), np.concatenate([*map(list, HELD_OUT)]))
    images = (an_image(spot_px(k), seed=k) for k in range(COUNT))
    geometry = ImageGeometry(WIDTH_PX, HEIGHT_PX, np.diag([*MM_PER_PX, 1.0, 1.0]))
    return write_dataset(tmp_path / "spotted", images, poses, geometry, heldout=heldout)


class Drawn:
    """A predictor whose images a function of the frame draws."""

    name = "drawn"

    def __init__(self, draw: Callable[[int], NDArray[np.uint8]]) -> None:
        self._draw = draw

    def images(self, index: int) -> NDArray[np.uint8]:
        return self._draw(index)[None]


def values(dataset: Dataset, predictor: object, landmark_mm: NDArray[np.float64] = LANDMARK_MM) -> dict:
    measure = LandmarkMeasure(dataset, BrightestPixel(), {"spot": landmark_mm})
    return compare(dataset, [predictor], [measure], Silent())[0].values


def test_the_real_image_is_measured_at_the_truth(spotted: Dataset) -> None:
    found = values(spotted, RealImage(spotted))
    assert found["landmark_readings"] == 18
    assert found["landmark_measured_share"] == 1
    assert found["landmark_mean_mm"] == pytest.approx(0, abs=1e-5)
    assert found["landmark_to_real_mean_mm"] == 0


def test_three_rates_and_distances_are_those_of_the_drawn_images(spotted: Dataset) -> None:
    """Of each stretch of six: two shifted by 3 px (3 mm), one by 4 px down (8 mm), two faint, one dark."""

    def draw(index: int) -> NDArray[np.uint8]:
        u, v = spot_px(index)
        kind = index % 10 % 6
        if kind in (0, 1):
            return an_image((u + 3, v))
        if kind == 2:
            return an_image((u, v + 4))
        return an_image((u, v), grey=80) if kind in (3, 4) else an_image(None, ground=10)

    found = values(spotted, Drawn(draw))
    assert found["landmark_measured_share"] == pytest.approx(1 / 2)
    assert found["landmark_unclear_share"] == pytest.approx(1 / 3)
    assert found["landmark_wrong_region_share"] == pytest.approx(1 / 6)
    assert found["landmark_mean_mm"] == pytest.approx((3 + 3 + 8) / 3)
    assert found["landmark_to_real_mean_mm"] == pytest.approx((3 + 3 + 8) / 3)
    assert found["landmark_within_5mm_share"] == pytest.approx(1 / 3)
    assert found["landmark_mean_mm_ci_low"] == pytest.approx(found["landmark_mean_mm_ci_high"])


def coloured(
    panel: NDArray[np.uint8], colour: tuple[int, int, int]
) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    return np.nonzero((panel == colour).all(axis=2))


def test_the_picture_points_at_the_truth_and_crosses_what_the_observer_sees(
    spotted: Dataset, tmp_path: Path
) -> None:
    measure = LandmarkMeasure(spotted, BrightestPixel(), {"spot": LANDMARK_MM})
    (frame,) = landmark_frames(measure).values()
    assert frame == np.concatenate([*map(list, HELD_OUT)])[9], "the middle one of 18 that show it"
    u, v = spot_px(frame)
    shifted, dark = (Drawn(lambda _, image=image: image) for image in (an_image((u + 12, v)), an_image(None)))
    save_landmarks(tmp_path / "l.png", measure, [shifted, dark])
    panel = np.asarray(Image.open(tmp_path / "l.png"))
    per_px = np.array(shown_size(WIDTH_PX, HEIGHT_PX, MM_PER_PX)) / (WIDTH_PX, HEIGHT_PX)
    left, top = LABEL_PX, TEXT_PX + 12
    upper = panel[: (len(panel) + top) // 2]
    tip = [places.min() for places in coloured(upper, RING)][::-1]
    np.testing.assert_allclose(tip, np.array([left, top]) + (np.array([u, v]) + 0.5) * per_px, atol=8)
    # Above the distance in words there is the cross alone.
    rows, columns = coloured(upper[:-40], READING)
    middle = [(columns.min() + columns.max()) / 2, (rows.min() + rows.max()) / 2]
    np.testing.assert_allclose(
        middle, np.array([left, top]) + (np.array([u + 12, v]) + 0.5) * per_px, atol=1.5
    )
    lower = panel[len(upper) :]
    assert coloured(lower, RING)[0].size
    assert not coloured(lower[:-40], READING)[0].size, "what is not measured has no cross"


def test_a_landmark_off_the_plane_is_not_read(spotted: Dataset) -> None:
    assert values(spotted, RealImage(spotted), LANDMARK_MM + np.array([0, 0, 1.9]))["landmark_readings"] == 18
    with pytest.raises(UserError, match="None of 60 frames passes"):
        values(spotted, RealImage(spotted), LANDMARK_MM + np.array([0, 0, 2.1]))


def test_the_thresholds_are_those_of_the_training_frames(spotted: Dataset) -> None:
    """Spots of 200 score 50 above 150; to an observer that asks for 250 they score 50 below, and pass all the same."""
    measure = LandmarkMeasure(spotted, BrightestPixel(), {"spot": LANDMARK_MM})
    assert measure.thresholds == Thresholds((0.0,), (0.0,))
    doubtful = BrightestPixel()
    doubtful.asked_for_grey = 250.0
    assert LandmarkMeasure(spotted, doubtful, {"spot": LANDMARK_MM}).thresholds.clear == (-50.0,)
    assert measure.about()["heldout_landmarks"] == {"spot": 18}
    assert measure.about()["groups"] == 3


def test_a_landmark_that_too_few_training_frames_show_is_told_and_not_read(spotted: Dataset) -> None:
    few = replace(spotted, heldout=np.arange(COUNT) >= 19)
    measure = LandmarkMeasure(few, BrightestPixel(), {"spot": LANDMARK_MM})
    assert measure.left_out == ["spot"]
    assert "spot" in measure.note
    assert "judges no landmark" in measure.warnings[0]
    assert compare(few, [RealImage(few)], [measure], Silent())[0].values["landmark_readings"] is None


def test_landmarks_of_other_names_are_refused(spotted: Dataset) -> None:
    with pytest.raises(UserError, match="have no spot; known are nose"):
        LandmarkMeasure(spotted, BrightestPixel(), {"nose": LANDMARK_MM})


def test_the_floor_shows_every_held_out_image_once_and_none_at_its_own_pose(spotted: Dataset) -> None:
    floor = RealImageElsewhere(spotted)
    shown = [floor.images(int(index))[0] for index in spotted.heldout_indices]
    own = spotted.read_images(spotted.heldout_indices)
    assert sorted(image.tobytes() for image in shown) == sorted(image.tobytes() for image in own)
    assert not any(np.array_equal(*pair) for pair in zip(shown, own, strict=True))


def test_the_distribution_of_real_images_is_nearer_to_itself_than_that_of_darker_ones(
    spotted: Dataset,
) -> None:
    measure = DistributionMeasure(spotted, BrightestPixel())
    rows = compare(
        spotted,
        [
            RealImage(spotted),
            RealImageElsewhere(spotted),
            Drawn(lambda index: an_image(spot_px(index), ground=20, seed=100 + index)),
        ],
        [measure],
        Silent(),
    )
    real, elsewhere, dark = (row.values for row in rows)
    assert real["kid"] == 0
    assert real["kid_ci_low"] < 0 < real["kid_ci_high"]
    # The same images at other poses are the same distribution.
    assert abs(elsewhere["kid"]) < real["kid_ci_high"]
    assert dark["kid"] > 10 * real["kid_ci_high"]
    assert dark["kid_ci_low"] > 0
