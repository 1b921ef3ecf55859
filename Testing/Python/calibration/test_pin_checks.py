"""Marks in the wrong place and mirrored images, recognised by the pictures and by an earlier calibration."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from USGanSimLib.calibration.pinhead.checks import require_marks_on_spots, require_same_side
from USGanSimLib.calibration.pinhead.fit import fit_pinhead
from USGanSimLib.errors import UserError
from USGanSimLib.recording.calibration_file import Calibration


def picture_of(points, frame: int) -> np.ndarray:
    """Noise with a bright spot at the point of a frame."""
    image = np.random.default_rng(frame).integers(0, 30, (points.height_px, points.width_px)).astype(np.uint8)
    u, v = points.pixels[frame].round().astype(int)
    image[v - 3 : v + 4, u - 3 : u + 4] = 200
    return image


def test_marks_on_the_spots_pass_and_an_empty_picture_says_nothing(pin_set):
    points = pin_set(0).points
    require_marks_on_spots(points, lambda frame: picture_of(points, frame))
    require_marks_on_spots(points, lambda frame: np.zeros((616, 820), np.uint8))


@pytest.mark.parametrize(
    ("moved", "said"),
    [
        (lambda p: np.column_stack([p[:, 1], p[:, 0]]), "with u_px and v_px exchanged"),
        (lambda p: np.column_stack([819 - p[:, 0], p[:, 1]]), "mirrored left to right"),
        (lambda p: np.column_stack([p[:, 0], 615 - p[:, 1]]), "mirrored top to bottom"),
        (lambda p: np.column_stack([819 - p[:, 0], 615 - p[:, 1]]), "turned upside down"),
    ],
)
def test_marks_of_another_orientation_are_recognised(pin_set, moved, said):
    points = pin_set(0).points
    inside = points.chosen((points.pixels < 600).all(axis=1))
    wrong = replace(inside, pixels=moved(inside.pixels))
    with pytest.raises(
        UserError, match=rf"no bright spot at the marked places .* but there is {said} \(\d+\)"
    ):
        require_marks_on_spots(wrong, lambda frame: picture_of(points, frame))


def test_a_mirrored_image_fits_as_well_and_only_an_earlier_calibration_tells(pin_set):
    truth = pin_set(2)
    mirrored = replace(
        truth.points, pixels=np.column_stack([819 - truth.points.pixels[:, 0], truth.points.pixels[:, 1]])
    )
    right, wrong = fit_pinhead(truth.points), fit_pinhead(mirrored)
    assert wrong.elevation_mm == pytest.approx(right.elevation_mm, rel=0.01)
    earlier = Calibration(truth.image_to_probe, (820, 616), "old.json")
    assert require_same_side(right, earlier) < 2
    with pytest.raises(
        UserError, match=r"mirrored .* against old.json: corners lie 6\d\.\d mm .* [01]\.\d mm"
    ):
        require_same_side(wrong, earlier)
