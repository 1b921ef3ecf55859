"""The picture panel: true proportions, and rings where the points are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFont
from scipy import ndimage

from USGanSimLib.evaluation.measures.points import Truth
from USGanSimLib.evaluation.predictors.predictor import RealImage, SecondScan
from USGanSimLib.evaluation.report.pictures import frames_to_show, save_frames, save_samples, wrapped


class Plain:
    """A predictor of one grey level."""

    def __init__(self, grey: int, name: str = "plain") -> None:
        self.name, self.grey = name, grey

    def images(self, index: int) -> np.ndarray:
        return np.full((1, 60, 80), self.grey, np.uint8)


def boxes(panel: np.ndarray, grey: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the panel where it has exactly that grey, which must be brighter than text."""
    return np.nonzero((panel == grey).all(axis=2))


def test_an_image_is_drawn_in_true_proportions(dotted_set, tmp_path: Path) -> None:
    save_frames(tmp_path / "panel.png", dotted_set.dataset, [Plain(251)], [8])
    rows, columns = boxes(np.asarray(Image.open(tmp_path / "panel.png")), 251)
    shape = (np.ptp(rows) + 1) / (np.ptp(columns) + 1)
    assert shape == pytest.approx((60 * 0.5) / (80 * 0.4), rel=0.01)
    assert np.ptp(columns) + 1 >= 320


def test_rings_of_one_millimetre_stand_around_the_dots(dotted_set, tmp_path: Path) -> None:
    dataset, points = dotted_set
    save_frames(tmp_path / "rings.png", dataset, [Plain(0)], [8], Truth({8: points[8]}))
    save_frames(tmp_path / "dots.png", dataset, [RealImage(dataset)], [8])
    rings, dots = (np.asarray(Image.open(tmp_path / name)).astype(int) for name in ("rings.png", "dots.png"))
    ring_labels, ring_count = ndimage.label(rings[:, :, 0] - rings[:, :, 2] > 150, np.ones((3, 3)))
    # Left of the images and above them there is text.
    dot_labels, dot_count = ndimage.label((dots[:, :, 0] > 100)[40:, 64:])
    assert (ring_count, dot_count) == (3, 3)
    grey = dots[40:, 64:, 0]
    dot_middles = np.add(ndimage.center_of_mass(grey, dot_labels, [1, 2, 3]), (40, 64))
    ring_middles = np.array(ndimage.center_of_mass(ring_labels > 0, ring_labels, [1, 2, 3]))
    np.testing.assert_allclose(ring_middles, dot_middles, atol=1.0)
    px_per_mm = 320 / (80 * 0.4)
    for place in ndimage.find_objects(ring_labels):
        assert [part.stop - part.start for part in place] == pytest.approx([2 * px_per_mm] * 2, abs=2)


def test_every_pose_is_a_row_and_every_predictor_a_column(dotted_set, tmp_path: Path) -> None:
    greys = (240, 245, 250)
    save_frames(tmp_path / "panel.png", dotted_set.dataset, [Plain(grey) for grey in greys], [8, 12])
    panel = np.asarray(Image.open(tmp_path / "panel.png"))
    places = [boxes(panel, grey) for grey in greys]
    lefts = [columns.min() for _, columns in places]
    assert lefts == sorted(lefts)
    assert len(set(lefts)) == 3
    for rows, columns in places:
        assert len(rows) == 2 * 320 * round(320 * 30 / 32)
        assert np.ptp(columns) + 1 == 320


def test_a_long_name_does_not_run_into_the_next_column(dotted_set, tmp_path: Path) -> None:
    long = "paper-fig1 (a-very-long-run-name-with-date/model.safetensors) with many more words in it"
    heights = []
    for name in ("short", long):
        save_frames(tmp_path / "panel.png", dotted_set.dataset, [Plain(200, name)], [8])
        heights.append(Image.open(tmp_path / "panel.png").height)
    assert heights[1] > heights[0]


def test_a_word_longer_than_a_line_is_broken_and_none_is_lost() -> None:
    font = ImageFont.load_default(14)
    text = wrapped("beams (Models/virtual_phantom.safetensors) here", 100, font)
    assert all(font.getlength(line) <= 100 for line in text.split("\n"))
    assert text.replace("\n", "").replace(" ", "") == "beams(Models/virtual_phantom.safetensors)here"


def test_the_shown_frames_are_held_out_spread_and_have_points(dotted_set) -> None:
    dataset, points = dotted_set
    assert frames_to_show(dataset, None, most=4) == [9, 11, 13, 15]
    assert frames_to_show(dataset, None, most=20) == list(range(8, 16))
    assert frames_to_show(dataset, Truth({k: points[k] for k in (3, 9, 10)}), most=4) == [9, 10]


def test_a_predictor_without_an_image_leaves_a_gap_and_samples_stand_in_rows(
    dotted_set, tmp_path: Path
) -> None:
    dataset = dotted_set.dataset
    save_frames(tmp_path / "panel.png", dataset, [RealImage(dataset), SecondScan(dataset)], [9])
    panel = np.asarray(Image.open(tmp_path / "panel.png").convert("L"))
    tile = slice(-200, -10)
    assert panel[tile, 64:384].max() > 140
    assert np.ptp(panel[tile, 392:]) == 0
    dark, bright = (np.full((n, 60, 80), level, np.uint8) for n, level in ((3, 60), (2, 200)))
    save_samples(tmp_path / "samples.png", dataset, {"dark ones": dark, "bright": bright})
    samples = np.asarray(Image.open(tmp_path / "samples.png").convert("L"))
    assert [(samples == level).mean() > 0.1 for level in (60, 200)] == [True, True]
    assert (samples == 60).sum() == pytest.approx(1.5 * (samples == 200).sum(), rel=0.02)
