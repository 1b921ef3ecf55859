"""The picture panel of a report: one row a held-out pose, one column a predictor, in true proportions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ...ml.training.pictures import shown_size
from ...recording.dataset import Dataset
from ...recording.sweep import Frames
from ..measures.points import Points, Truth
from ..predictors.predictor import Predictor

# A true point is marked by a ring of this radius: a spot inside it is within the report's 1 mm.
RING_MM = 1.0
GAP_PX, TEXT_PX, LABEL_PX = 6, 14, 128
_LEFT_PX = 64
GROUND, INK, RING = (32, 32, 36), (235, 235, 235), (255, 170, 0)


def save_panel(
    path: Path,
    dataset: Dataset,
    predictors: Sequence[Predictor],
    indices: Sequence[int],
    truth: Truth | None = None,
) -> None:
    """Write the first image of every predictor at the frames `indices` as a PNG, true points ringed; a predictor that
    has no image of a frame leaves a gap."""
    size = shown_size(dataset.geometry.width_px, dataset.geometry.height_px, dataset.geometry.mm_per_px)
    font = ImageFont.load_default(TEXT_PX)
    titles = [wrapped(predictor.name, size[0], font) for predictor in predictors]
    top = max(title.count("\n") for title in titles) * (TEXT_PX + 5) + TEXT_PX + 12
    panel_size = (_LEFT_PX + len(predictors) * (size[0] + GAP_PX), top + len(indices) * (size[1] + GAP_PX))
    panel = Image.new("RGB", panel_size, GROUND)
    draw = ImageDraw.Draw(panel)
    for column, (predictor, title) in enumerate(zip(predictors, titles, strict=True)):
        left = _LEFT_PX + column * (size[0] + GAP_PX)
        draw.text((left, 4), title, INK, font)
        for row, index in enumerate(indices):
            true_px = truth.by_frame.get(index) if truth else None
            for image in predictor.images(index)[:1]:
                picture = shown(image, size)
                if true_px is not None:
                    _ring(
                        picture,
                        true_px,
                        np.array(size) / np.array(image.shape[::-1]),
                        dataset.geometry.mm_per_px,
                    )
                panel.paste(picture, (left, top + row * (size[1] + GAP_PX)))
    for row, index in enumerate(indices):
        label = f"frame\n{dataset.source_frame[index]}"
        draw.text((6, top + row * (size[1] + GAP_PX) + 4), label, INK, font)
    panel.save(path, format="PNG")


def save_samples(path: Path, dataset: Dataset, rows: Mapping[str, Frames]) -> None:
    """Write a PNG of a row of images (n, H, W) for each name: samples at one pose."""
    size = shown_size(dataset.geometry.width_px, dataset.geometry.height_px, dataset.geometry.mm_per_px)
    font = ImageFont.load_default(TEXT_PX)
    columns, height = max(map(len, rows.values())), size[1] + GAP_PX
    panel = Image.new("RGB", (LABEL_PX + columns * (size[0] + GAP_PX), len(rows) * height), GROUND)
    draw = ImageDraw.Draw(panel)
    for row, (name, images) in enumerate(rows.items()):
        draw.text((6, row * height + 4), wrapped(name, LABEL_PX - 12, font), INK, font)
        for column, image in enumerate(images):
            panel.paste(shown(image, size), (LABEL_PX + column * (size[0] + GAP_PX), row * height))
    panel.save(path, format="PNG")


def panel_frames(dataset: Dataset, truth: Truth | None, most: int = 6) -> list[int]:
    """Held-out frames to show: spread evenly, among those with true points where there are any."""
    known = [int(index) for index in dataset.heldout_indices if truth is None or int(index) in truth.by_frame]
    middles = (np.arange(min(most, len(known))) + 0.5) * len(known) / min(most, len(known))
    return [known[int(middle)] for middle in middles]


def shown(image: NDArray[np.uint8], size: tuple[int, int]) -> Image.Image:
    """An image (H, W) at the size (width, height) of a panel, in colours."""
    return Image.fromarray(image).resize(size, Image.Resampling.BICUBIC).convert("RGB")


def in_box(place_px: Points, scale: Points) -> Points:
    """Pixels u, v of an image in those of its enlargement by `scale` (x, y): centres are whole numbers in the data,
    half numbers where pixels are areas of a picture."""
    return np.asarray((place_px + 0.5) * scale - 0.5)


def _ring(picture: Image.Image, true_px: Points, scale: Points, mm_per_px: tuple[float, float]) -> None:
    draw, radius = ImageDraw.Draw(picture), RING_MM / np.array(mm_per_px) * scale
    for middle in in_box(true_px, scale):
        draw.ellipse([*(middle - radius), *(middle + radius)], outline=RING)


def wrapped(text: str, width_px: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """The text in lines of at most that width; a longer word is broken."""
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
