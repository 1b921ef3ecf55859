"""Sheets of pictures: images in rows and columns, in true proportions, with words beside and above them, as a PNG."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ..files import replacing_file

GROUND, INK = (32, 32, 36), (235, 235, 235)
GAP_PX, TEXT_PX = 6, 14
_SMALLEST_WIDTH_PX = 320
_INSET_PX = 4

Colour = tuple[int, int, int]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


class Sheet:
    """Tiles of `tile_px` (width, height) in `columns` and `rows`, room for words of `left_px` and `top_px`."""

    def __init__(
        self,
        columns: int,
        rows: int,
        tile_px: tuple[int, int],
        left_px: int = 0,
        top_px: int = 0,
        gap_px: int = GAP_PX,
        ground: Colour = GROUND,
    ) -> None:
        self._tile, self._left, self._top, self._gap = tile_px, left_px, top_px, gap_px
        size = left_px + columns * (tile_px[0] + gap_px), top_px + rows * (tile_px[1] + gap_px)
        self.image = Image.new("RGB", size, ground)
        self._draw = ImageDraw.Draw(self.image)
        self._font = ImageFont.load_default(TEXT_PX)

    def put(self, column: int, row: int, picture: Image.Image) -> None:
        """A picture of the tile's size into its place."""
        self.image.paste(picture, self._corner(column, row))

    def name_column(self, column: int, words: str, ink: Colour = INK) -> None:
        """Words above a column."""
        self._draw.text((self._corner(column, 0)[0], _INSET_PX), words, ink, self._font)

    def name_row(self, row: int, words: str, ink: Colour = INK) -> None:
        """Words left of a row."""
        self._draw.text((GAP_PX, self._corner(0, row)[1] + _INSET_PX), words, ink, self._font)

    def save(self, path: Path) -> None:
        """Write a PNG, whole or not at all. Raises UserError where that cannot be done."""
        with replacing_file(path) as part:
            self.image.save(part, format="PNG")

    def _corner(self, column: int, row: int) -> tuple[int, int]:
        width, height = self._tile
        return self._left + column * (width + self._gap), self._top + row * (height + self._gap)


def shown_size(width_px: int, height_px: int, mm_per_px: tuple[float, float]) -> tuple[int, int]:
    """(width, height) on the screen: at least twice the pixels and 320 wide, with square millimetres."""
    x_mm, y_mm = mm_per_px
    shown_px_per_mm = max(2 / min(x_mm, y_mm), _SMALLEST_WIDTH_PX / (width_px * x_mm))
    return round(width_px * x_mm * shown_px_per_mm), round(height_px * y_mm * shown_px_per_mm)


def shown(
    image: NDArray[np.uint8],
    size_px: tuple[int, int],
    how: Image.Resampling = Image.Resampling.BICUBIC,
) -> Image.Image:
    """An image (H, W) at the size (width, height) of a tile, in colours."""
    return Image.fromarray(image).resize(size_px, how).convert("RGB")


def in_tile(place_px: NDArray[np.float64], scale: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pixels u, v of an image in those of its enlargement by `scale` (x, y): centres are whole numbers in the data,
    half numbers where pixels are areas of a picture."""
    return np.asarray((place_px + 0.5) * scale - 0.5)


def wrapped(text: str, width_px: int, font: Font | None = None) -> str:
    """The text in lines of at most that width; a longer word is broken."""
    font = font or ImageFont.load_default(TEXT_PX)
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= width_px:
            lines[-1] = longer
            continue
        if lines[-1]:
            lines.append("")
        for letter in word:
            if lines[-1] and font.getlength(lines[-1] + letter) > width_px:
                lines.append("")
            lines[-1] += letter
    return "\n".join(lines)
