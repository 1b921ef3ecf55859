"""The picture panel of a report: one row a held-out pose, one column a predictor, in true proportions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ..ml.panels import shown_size
from ..recording.dataset import Dataset
from ..recording.sweep import Frames
from .points import Points, Truth
from .predictors import Predictor

# A true point is marked by a ring of this radius: a spot inside it is within the report's 1 mm.
RING_MM = 1.0
_GAP_PX, _TEXT_PX, _LEFT_PX = 6, 14, 64
_GROUND, _INK, _RING = (32, 32, 36), (235, 235, 235), (255, 170, 0)


def save_panel(path: Path, dataset: Dataset, predictors: Sequence[Predictor], indices: Sequence[int],
               truth: Truth | None = None) -> None:
    """Write the first image of every predictor at the frames `indices` as a PNG, true points ringed; a predictor that
    has no image of a frame leaves a gap."""
    size = shown_size(dataset.geometry.width_px, dataset.geometry.height_px, dataset.geometry.mm_per_px)
    font = ImageFont.load_default(_TEXT_PX)
    titles = [_wrapped(predictor.name, size[0], font) for predictor in predictors]
    top = max(title.count("\n") for title in titles) * (_TEXT_PX + 5) + _TEXT_PX + 12
    panel_size = (_LEFT_PX + len(predictors) * (size[0] + _GAP_PX), top + len(indices) * (size[1] + _GAP_PX))
    panel = Image.new("RGB", panel_size, _GROUND)
    draw = ImageDraw.Draw(panel)
    for column, (predictor, title) in enumerate(zip(predictors, titles, strict=True)):
        left = _LEFT_PX + column * (size[0] + _GAP_PX)
        draw.text((left, 4), title, _INK, font)
        for row, index in enumerate(indices):
            true_px = truth.by_frame.get(index) if truth else None
            for image in predictor.images(index)[:1]:
                panel.paste(_shown(image, size, dataset.geometry.mm_per_px, true_px),
                            (left, top + row * (size[1] + _GAP_PX)))
    for row, index in enumerate(indices):
        label = f"frame\n{dataset.source_frame[index]}"
        draw.text((6, top + row * (size[1] + _GAP_PX) + 4), label, _INK, font)
    panel.save(path, format="PNG")


def save_samples(path: Path, dataset: Dataset, rows: Mapping[str, Frames]) -> None:
    """Write a PNG of a row of images (n, H, W) for each name: samples at one pose."""
    size = shown_size(dataset.geometry.width_px, dataset.geometry.height_px, dataset.geometry.mm_per_px)
    font = ImageFont.load_default(_TEXT_PX)
    columns, height = max(map(len, rows.values())), size[1] + _GAP_PX
    panel = Image.new("RGB", (2 * _LEFT_PX + columns * (size[0] + _GAP_PX), len(rows) * height), _GROUND)
    draw = ImageDraw.Draw(panel)
    for row, (name, images) in enumerate(rows.items()):
        draw.text((6, row * height + 4), _wrapped(name, 2 * _LEFT_PX - 12, font), _INK, font)
        for column, image in enumerate(images):
            panel.paste(_shown(image, size, dataset.geometry.mm_per_px, None),
                        (2 * _LEFT_PX + column * (size[0] + _GAP_PX), row * height))
    panel.save(path, format="PNG")


def panel_frames(dataset: Dataset, truth: Truth | None, most: int = 6) -> list[int]:
    """Held-out frames to show: spread evenly, among those with true points where there are any."""
    known = [int(index) for index in dataset.heldout_indices if truth is None or int(index) in truth.by_frame]
    middles = (np.arange(min(most, len(known))) + 0.5) * len(known) / min(most, len(known))
    return [known[int(middle)] for middle in middles]


def _shown(image: NDArray[np.uint8], size: tuple[int, int], mm_per_px: tuple[float, float],
           true_px: Points | None) -> Image.Image:
    shown = Image.fromarray(image).resize(size, Image.Resampling.BICUBIC).convert("RGB")
    draw = ImageDraw.Draw(shown)
    scale = np.array(size) / np.array(image.shape[::-1])
    radius = RING_MM / np.array(mm_per_px) * scale
    # Pixel centres are whole numbers in the data, half numbers when pixels are areas of a picture.
    for middle in [] if true_px is None else (true_px + 0.5) * scale - 0.5:
        draw.ellipse([*(middle - radius), *(middle + radius)], outline=_RING)
    return shown


def _wrapped(text: str, width_px: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and font.getlength(longer) > width_px:
            lines.append(word)
        else:
            lines[-1] = longer
    return "\n".join(lines)
