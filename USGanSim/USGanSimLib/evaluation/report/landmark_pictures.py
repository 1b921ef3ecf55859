"""The picture of landmarks, as Fig. 3 of Hu et al. 2017: one held-out frame a landmark, the real image and others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ...recording.pictures import TEXT_PX, Sheet, in_tile, shown, wrapped
from ..measures.landmark_readings import MEASURED
from ..measures.landmarks import Points
from ..observer.landmark_measure import LandmarkMeasure, outcome
from ..predictors.predictor import Predictor
from .pictures import LABEL_PX, RING, tile_px

READING = (90, 220, 230)
_ARROW_PX, _HEAD_PX, _CLEAR_PX, _CROSS_PX = 34, 8, 5, 6


def landmark_frames(measure: LandmarkMeasure) -> dict[int, int]:
    """Landmark's number → the middle one of the held-out frames that it is read in; those without one are left out."""
    heldout = measure.dataset.heldout_indices
    frames = {
        landmark: heldout[measure.wanted[heldout, landmark]]
        for landmark in range(len(measure.observer.info.landmarks))
    }
    return {landmark: int(found[len(found) // 2]) for landmark, found in frames.items() if len(found)}


def save_landmarks(path: Path, measure: LandmarkMeasure, predictors: Sequence[Predictor]) -> None:
    """Write a PNG: a column a landmark, a row a predictor; an arrow at the true place, a cross and the distance where
    the observer sees it, or what it says instead."""
    dataset, frames = measure.dataset, landmark_frames(measure)
    size = tile_px(dataset)
    sheet = Sheet(len(frames), len(predictors), size, LABEL_PX, TEXT_PX + 12)
    for row, predictor in enumerate(predictors):
        sheet.name_row(row, wrapped(predictor.name, LABEL_PX - 12))
    for column, (landmark, frame) in enumerate(frames.items()):
        name = measure.observer.info.landmarks[landmark]
        sheet.name_column(column, f"{name}, frame {dataset.source_frame[frame]}")
        for row, predictor in enumerate(predictors):
            for image in predictor.images(frame)[:1]:
                sheet.put(column, row, _marked(measure, image, frame, landmark, size))
    sheet.save(path)


def _marked(
    measure: LandmarkMeasure, image: np.ndarray, frame: int, landmark: int, size: tuple[int, int]
) -> Image.Image:
    picture = shown(image, size)
    draw = ImageDraw.Draw(picture)
    scale = np.array(size) / np.array(image.shape[::-1])
    truth, look = measure.seen.places_px[frame, landmark], measure.look(image[None])
    said = outcome(look, 0, landmark, measure.thresholds)
    _arrow(draw, in_tile(truth, scale))
    if said == MEASURED:
        place = look.places_px[0, landmark]
        away_mm = float(np.linalg.norm((place - truth) * measure.dataset.geometry.mm_per_px))
        x, y = in_tile(place, scale)
        draw.line([x - _CROSS_PX, y, x + _CROSS_PX, y], READING, 2)
        draw.line([x, y - _CROSS_PX, x, y + _CROSS_PX], READING, 2)
        said = f"{away_mm:.1f} mm"
    draw.text((6, size[1] - TEXT_PX - 6), said, READING, ImageFont.load_default(TEXT_PX))
    return picture


def _arrow(draw: ImageDraw.ImageDraw, place: Points) -> None:
    """An arrow from the lower right whose tip ends a little before the place, so that it hides nothing."""
    along = np.array([1.0, 1.0]) / np.sqrt(2)
    across = np.array([1.0, -1.0]) / np.sqrt(2)
    tip = place + _CLEAR_PX * along
    end, back = tip + _ARROW_PX * along, tip + _HEAD_PX * along
    draw.line([*back, *end], RING, 3)
    draw.polygon(
        [tuple(tip), tuple(back + 0.6 * _HEAD_PX * across), tuple(back - 0.6 * _HEAD_PX * across)], RING
    )
