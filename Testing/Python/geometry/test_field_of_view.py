"""geometry/field_of_view.py: a field's numbers, pixels and face, what resizing does to it, nonsense refused."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from USGanSimLib.errors import UserError
from USGanSimLib.geometry.field_of_view import FieldOfView
from USGanSimLib.geometry.image_geometry import Crop

FAN = FieldOfView.fan((200, 150), (99.5, -20.0), (40.0, 150.0), (-30.0, 30.0))


def test_a_fan_holds_the_pixels_between_its_radii_and_angles() -> None:
    v, u = np.indices((150, 200))
    radius = np.hypot(u - 99.5, v + 20.0)
    angle = np.degrees(np.arctan2(u - 99.5, v + 20.0))
    np.testing.assert_array_equal(FAN.mask(), (radius >= 40) & (radius <= 150) & (np.abs(angle) <= 30))


def test_the_face_is_the_middle_of_the_first_arc_and_the_corners_end_its_beams() -> None:
    assert FAN.face_px == pytest.approx((99.5, 20.0))
    sine, cosine = math.sin(math.radians(30)), math.cos(math.radians(30))
    expected = [(-40, 40), (40, 40), (150, 150), (-150, 150)]
    for corner, (across, radius) in zip(FAN.corners_px, expected, strict=True):
        assert corner == pytest.approx((99.5 + across * sine, -20 + radius * cosine))


def test_the_outline_is_closed_and_lies_on_the_border() -> None:
    outline = FAN.outline_px
    assert outline[0].tolist() == pytest.approx(outline[-1].tolist())
    assert np.abs(FAN.inside_at(outline[:, 0], outline[:, 1])).max() < 1e-9


def test_oblong_pixels_make_circles_in_millimetres_ellipses_in_pixels() -> None:
    squeezed = FieldOfView.fan((200, 75), (99.5, -10.25), (40.0, 150.0), (-30.0, 30.0), aspect=2.0)
    v, u = np.indices((75, 200))
    radius = np.hypot(u - 99.5, 2 * (v + 10.25))
    angle = np.degrees(np.arctan2(u - 99.5, 2 * (v + 10.25)))
    np.testing.assert_array_equal(squeezed.mask(), (radius >= 40) & (radius <= 150) & (np.abs(angle) <= 30))


@pytest.mark.parametrize(
    "field",
    [
        FAN,
        FieldOfView.trapezoid((200, 150), ((60.0, 5.0), (140.0, 5.0), (190.0, 140.0), (10.0, 140.0))),
        FieldOfView.rectangle((200, 150), Crop(20, 10, 120, 130)),
        FieldOfView.whole((200, 150)),
    ],
    ids=lambda field: field.shape,
)
def test_resizing_moves_the_field_with_its_pixels(field: FieldOfView) -> None:
    crop, size_px = Crop(10, 6, 180, 140), (90, 35)
    resized = field.resized(crop, *size_px)
    v, u = np.indices((35, 90)).astype(float)
    # A resized pixel's centre is the middle of the 2 × 4 pixels that it covers.
    inside = field.inside_at(10 + 2 * u + 0.5, 6 + 4 * v + 1.5) >= 0
    if field.shape == "whole":
        inside[:] = True
    np.testing.assert_array_equal(resized.mask(), inside)
    assert resized.shape == field.shape


@pytest.mark.parametrize("aspect", [1.0, 1.25])
def test_a_field_comes_back_from_its_json(aspect: float) -> None:
    for field in (
        FieldOfView.fan((200, 150), (99.5, -20.0), (40.0, 150.0), (-30.0, 28.0), aspect, "Clear.", True),
        FieldOfView.rectangle((200, 150), Crop(20, 10, 120, 130), "Not certain.", False),
        FieldOfView.whole((200, 150)),
    ):
        again = FieldOfView.from_dict(json.loads(json.dumps(field.as_dict())))
        assert again == field


def test_json_has_the_keys_of_the_contract() -> None:
    told = FAN.as_dict()
    assert told["shape"] == "fan"
    assert told["radii_px"] == [40.0, 150.0]
    assert told["angles_deg"] == [-30.0, 30.0]
    assert told["apex_px"] == [99.5, -20.0]
    assert {"outline_px", "verdict"} <= set(told)


@pytest.mark.parametrize(
    ("numbers", "match"),
    [
        (((99.5, -20.0), (150.0, 40.0), (-30.0, 30.0)), "radii 150 to 40"),
        (((99.5, -20.0), (40.0, 150.0), (30.0, -30.0)), "angles 30 to -30"),
        (((99.5, math.nan), (40.0, 150.0), (-30.0, 30.0)), "is none"),
        (((99.5, -20.0), (40.0, 150.0), (-95.0, 30.0)), "angles -95"),
        (((9999.5, -20.0), (40.0, 150.0), (-30.0, 30.0)), "outside the image"),
    ],
)
def test_a_fan_that_is_none_is_refused_with_its_numbers(numbers, match: str) -> None:
    with pytest.raises(UserError, match=match):
        FieldOfView.fan((200, 150), *numbers)


def test_corners_that_enclose_nothing_are_refused() -> None:
    with pytest.raises(UserError, match="enclose nothing"):
        FieldOfView.trapezoid((200, 150), ((60.0, 5.0), (10.0, 140.0), (190.0, 140.0), (140.0, 5.0)))
