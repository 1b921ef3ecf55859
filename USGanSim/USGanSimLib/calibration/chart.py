"""Small charts as PNG pictures with Pillow alone: points, lines and bands over labelled axes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Values = NDArray[Any]
Colour = tuple[int, int, int]

GROUND: Colour = (255, 255, 255)
INK: Colour = (40, 40, 44)
GRID: Colour = (225, 225, 228)
BLUE: Colour = (31, 95, 168)
ORANGE: Colour = (209, 103, 12)
CYAN: Colour = (60, 210, 235)
RED: Colour = (192, 25, 40)
BAND: Colour = (214, 228, 243)
_TEXT_PX, _LEFT_PX, _TOP_PX, _RIGHT_PX, _BOTTOM_PX = 13, 58, 30, 14, 42
# Drawn larger and averaged down, for smooth lines.
_FINE = 2


@dataclass
class Chart:
    """Axes over x and y ranges of data; `downward` lets y grow downwards, as in an image."""

    title: str
    x_label: str
    y_label: str
    x_range: tuple[float, float]
    y_range: tuple[float, float]
    size_px: tuple[int, int] = (460, 360)
    downward: bool = False
    _picture: Image.Image = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._picture = Image.new("RGB", tuple(_FINE * side for side in self.size_px), GROUND)  # type: ignore[arg-type]
        self._draw = ImageDraw.Draw(self._picture)
        self._font = ImageFont.load_default(_FINE * _TEXT_PX)
        self._axes()

    def picture(self) -> Image.Image:
        return self._picture.resize(self.size_px, Image.Resampling.LANCZOS)

    def line(self, x: Values, y: Values, colour: Colour = BLUE) -> None:
        self._draw.line([self._place(*point) for point in zip(x, y, strict=True)], colour, 2 * _FINE)

    def dots(self, x: Values, y: Values, colour: Colour = BLUE, radius_px: float = 2.5) -> None:
        for point in zip(x, y, strict=True):
            column, row = self._place(*point)
            radius = _FINE * radius_px
            self._draw.ellipse((column - radius, row - radius, column + radius, row + radius), fill=colour)

    def crosses(self, x: Values, y: Values, labels: Sequence[str], colour: Colour = RED) -> None:
        """Crosses with a label beside each; beyond the axes they stand on the edge."""
        for x_value, y_value, label in zip(x, y, labels, strict=True):
            column, row = self._place(*np.clip((x_value, y_value), *self._limits()))
            reach = 4 * _FINE
            for direction in (-1, 1):
                self._draw.line(
                    (column - reach, row - direction * reach, column + reach, row + direction * reach),
                    colour,
                    2 * _FINE,
                )
            self._draw.text((column + reach + 2, row - reach), label, colour, self._font)

    def band(self, x_low: float, x_high: float) -> None:
        """A shaded range of x; drawn before the rest."""
        left, top = self._place(x_low, self.y_range[1])
        right, bottom = self._place(x_high, self.y_range[0])
        self._draw.rectangle((left, min(top, bottom), right, max(top, bottom)), fill=BAND)

    def _limits(self) -> tuple[tuple[float, float], tuple[float, float]]:
        return ((self.x_range[0], self.y_range[0]), (self.x_range[1], self.y_range[1]))

    def _place(self, x: float, y: float) -> tuple[float, float]:
        width, height = self.size_px
        across = (x - self.x_range[0]) / (self.x_range[1] - self.x_range[0])
        up = (y - self.y_range[0]) / (self.y_range[1] - self.y_range[0])
        down = up if self.downward else 1 - up
        return (
            _FINE * (_LEFT_PX + across * (width - _LEFT_PX - _RIGHT_PX)),
            _FINE * (_TOP_PX + down * (height - _TOP_PX - _BOTTOM_PX)),
        )

    def _axes(self) -> None:
        for x in ticks(*self.x_range):
            column, bottom = self._place(x, self.y_range[1] if self.downward else self.y_range[0])
            _, top = self._place(x, self.y_range[0] if self.downward else self.y_range[1])
            self._draw.line((column, top, column, bottom), GRID, _FINE)
            self._draw.text((column, bottom + 4 * _FINE), f"{x:g}", INK, self._font, anchor="ma")
        for y in ticks(*self.y_range):
            left, row = self._place(self.x_range[0], y)
            right, _ = self._place(self.x_range[1], y)
            self._draw.line((left, row, right, row), GRID, _FINE)
            self._draw.text((left - 4 * _FINE, row), f"{y:g}", INK, self._font, anchor="rm")
        width, height = (_FINE * side for side in self.size_px)
        self._draw.text((_FINE * 8, _FINE * 6), f"{self.title}: {self.y_label}", INK, self._font)
        self._draw.text(
            (width - _FINE * _RIGHT_PX, height - _FINE * 4), self.x_label, INK, self._font, anchor="rd"
        )


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers between low and high, 1, 2 or 5 times a power of ten apart."""
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(index * step, 12) for index in range(first, last + 1)]


def side_by_side(charts: Sequence[Chart]) -> Image.Image:
    """The charts in one picture, from left to right."""
    pictures = [chart.picture() for chart in charts]
    panel = Image.new("RGB", (sum(p.width for p in pictures), max(p.height for p in pictures)), GROUND)
    left = 0
    for picture in pictures:
        panel.paste(picture, (left, 0))
        left += picture.width
    return panel
