"""Options that several commands share, and how their words are read."""

from __future__ import annotations

from ..errors import UserError


def size_px(text: str) -> tuple[int, int]:
    """`160x120` → (160, 120), width and height in pixels."""
    try:
        width_px, height_px = (int(number) for number in text.lower().replace("×", "x").split("x"))
    except ValueError as error:
        raise UserError(f"'{text}' is no image size.", "Give width x height, for example 160x120.") from error
    return width_px, height_px
