"""The newest samples of a training: one row a pose, real | simulated with z 1 | z 2 …, in true proportions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...recording.pictures import Sheet, shown, shown_size

Pictures = NDArray[np.uint8]
_GROUND, _TITLE_PX, _GAP_PX = (64, 64, 64), 24, 4


def save_samples(
    path: Path, real: Pictures, samples: Pictures, mm_per_px: tuple[float, float], title: str
) -> None:
    """Write `real` (P, H, W) beside `samples` (P, Z, H, W), whole or not at all.

    A pixel of `mm_per_px` (x, y) is drawn so that a millimetre is as long down as across.
    """
    size = shown_size(real.shape[2], real.shape[1], mm_per_px)
    names = [f"real   {title}", *(f"z {index + 1}" for index in range(samples.shape[1]))]
    sheet = Sheet(len(names), len(real), size, top_px=_TITLE_PX, gap_px=_GAP_PX, ground=_GROUND)
    for column, name in enumerate(names):
        sheet.name_column(column, name)
        for row, picture in enumerate(real if column == 0 else samples[:, column - 1]):
            sheet.put(column, row, shown(picture, size, Image.Resampling.BILINEAR))
    sheet.save(path)
