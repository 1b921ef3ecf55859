"""The pictures of a report: one row a held-out pose, one column a predictor; and samples of one pose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from ...recording.dataset import Dataset
from ...recording.pictures import TEXT_PX, Sheet, in_tile, shown, shown_size, wrapped
from ...recording.sweep import Frames
from ..measures.points import Points, Truth
from ..predictors.predictor import Predictor

# A true point is marked by a ring of this radius: a spot inside it is within the report's 1 mm.
RING_MM = 1.0
LABEL_PX = 128
_LEFT_PX = 64
RING = (255, 170, 0)


def save_frames(
    path: Path,
    dataset: Dataset,
    predictors: Sequence[Predictor],
    indices: Sequence[int],
    truth: Truth | None = None,
) -> None:
    """Write the first image of every predictor at the frames `indices` as a PNG, true points ringed; a predictor that
    has no image of a frame leaves a gap."""
    size = tile_px(dataset)
    titles = [wrapped(predictor.name, size[0]) for predictor in predictors]
    top = max(title.count("\n") for title in titles) * (TEXT_PX + 5) + TEXT_PX + 12
    sheet = Sheet(len(predictors), len(indices), size, _LEFT_PX, top)
    for column, (predictor, title) in enumerate(zip(predictors, titles, strict=True)):
        sheet.name_column(column, title)
        for row, index in enumerate(indices):
            for image in predictor.images(index)[:1]:
                picture = shown(image, size)
                if truth is not None and index in truth.by_frame:
                    scale = np.array(size) / np.array(image.shape[::-1])
                    _ring(picture, truth.by_frame[index], scale, dataset.geometry.mm_per_px)
                sheet.put(column, row, picture)
    for row, index in enumerate(indices):
        sheet.name_row(row, f"frame\n{dataset.source_frame[index]}")
    sheet.save(path)


def save_samples(path: Path, dataset: Dataset, rows: Mapping[str, Frames]) -> None:
    """Write a PNG of a row of images (n, H, W) for each name: samples at one pose."""
    size = tile_px(dataset)
    sheet = Sheet(max(map(len, rows.values())), len(rows), size, LABEL_PX)
    for row, (name, images) in enumerate(rows.items()):
        sheet.name_row(row, wrapped(name, LABEL_PX - 12))
        for column, image in enumerate(images):
            sheet.put(column, row, shown(image, size))
    sheet.save(path)


def tile_px(dataset: Dataset) -> tuple[int, int]:
    """(width, height) of an image of the set in a picture."""
    geometry = dataset.geometry
    return shown_size(geometry.width_px, geometry.height_px, geometry.mm_per_px)


def frames_to_show(dataset: Dataset, truth: Truth | None, most: int = 6) -> list[int]:
    """Held-out frames to show: spread evenly, among those with true points where there are any."""
    known = [int(index) for index in dataset.heldout_indices if truth is None or int(index) in truth.by_frame]
    middles = (np.arange(min(most, len(known))) + 0.5) * len(known) / min(most, len(known))
    return [known[int(middle)] for middle in middles]


def _ring(picture: Image.Image, true_px: Points, scale: Points, mm_per_px: tuple[float, float]) -> None:
    draw, radius = ImageDraw.Draw(picture), RING_MM / np.array(mm_per_px) * scale
    for middle in in_tile(true_px, scale):
        draw.ellipse([*(middle - radius), *(middle + radius)], outline=RING)
