"""A field of view given by hand, as `prepare --field` takes it."""

from __future__ import annotations

from ...errors import UserError
from ...geometry.field_of_view import FieldOfView
from ...geometry.image_geometry import Crop

FORMS = (
    "whole, rectangle:X,Y,WIDTH,HEIGHT, trapezoid:X,Y,… (near left, near right, far right, far left) or "
    "fan:APEX_X,APEX_Y,FACE,DEPTH,LEFT,RIGHT (radii in pixels, angles in degrees from straight down)"
)
_NUMBERS = {"whole": 0, "rectangle": 4, "trapezoid": 8, "fan": 6}


def field_by_hand(text: str, size_px: tuple[int, int], aspect: float) -> FieldOfView:
    """The field that a text of FORMS tells, in MF pixels of an image of `size_px` whose pixels are `aspect` times as
    high as wide in millimetres. Raises UserError for anything else."""
    shape, _, rest = text.partition(":")
    if shape not in _NUMBERS:
        raise UserError(f"'{text}' is no field of view.", f"Give {FORMS}.")
    try:
        numbers = [float(number) for number in rest.split(",")] if rest else []
    except ValueError:
        numbers = []
    if len(numbers) != _NUMBERS[shape]:
        raise UserError(
            f"'{text}' does not hold the {_NUMBERS[shape]} numbers of a {shape}.", f"Give {FORMS}."
        )
    if shape == "whole":
        return FieldOfView.whole(size_px)
    if shape == "rectangle":
        if not all(number.is_integer() for number in numbers):
            raise UserError(f"'{text}' is not of whole pixels.", f"Give {FORMS}.")
        x, y, width, height = (int(number) for number in numbers)
        return FieldOfView.rectangle(size_px, Crop(x, y, width, height))
    if shape == "fan":
        apex_u, apex_v, face, depth, left, right = numbers
        return FieldOfView.fan(size_px, (apex_u, apex_v), (face, depth), (left, right), aspect)
    first, second, third, fourth = zip(numbers[::2], numbers[1::2], strict=True)
    return FieldOfView.trapezoid(size_px, (first, second, third, fourth))
