"""Sample panels: a PNG with one row a pose, real | simulated with z 1 | z 2 …, in true proportions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ...files import replacing_file

Pictures = NDArray[np.uint8]
_GAP_PX = 4
_TITLE_PX = 16
_SMALLEST_WIDTH_PX = 320


def save_panel(
    path: Path, real: Pictures, samples: Pictures, mm_per_px: tuple[float, float], title: str
) -> None:
    """Write `real` (P, H, W) beside `samples` (P, Z, H, W), whole or not at all.

    A pixel of `mm_per_px` (x, y) is drawn so that a millimetre is as long down as across.
    """
    width, height = shown_size(real.shape[2], real.shape[1], mm_per_px)
    columns = samples.shape[1] + 1
    panel = Image.new(
        "L", (columns * (width + _GAP_PX) - _GAP_PX, _TITLE_PX + len(real) * (height + _GAP_PX)), 64
    )
    names = ["real", *(f"z {index + 1}" for index in range(samples.shape[1]))]
    for column, name in enumerate(names):
        left = column * (width + _GAP_PX)
        ImageDraw.Draw(panel).text((left + 2, 2), f"{name}   {title}" if column == 0 else name, fill=255)
        pictures = real if column == 0 else samples[:, column - 1]
        for row, picture in enumerate(pictures):
            shown = Image.fromarray(picture).resize((width, height), Image.Resampling.BILINEAR)
            panel.paste(shown, (left, _TITLE_PX + row * (height + _GAP_PX)))
    with replacing_file(path) as part:
        panel.save(part, format="PNG")


def shown_size(width_px: int, height_px: int, mm_per_px: tuple[float, float]) -> tuple[int, int]:
    """(width, height) on the screen: at least twice the pixels and 320 wide, with square millimetres."""
    x_mm, y_mm = mm_per_px
    shown_px_per_mm = max(2 / min(x_mm, y_mm), _SMALLEST_WIDTH_PX / (width_px * x_mm))
    return round(width_px * x_mm * shown_px_per_mm), round(height_px * y_mm * shown_px_per_mm)
