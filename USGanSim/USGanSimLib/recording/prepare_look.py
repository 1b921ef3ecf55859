"""What `prepare` would make of recordings, told and drawn before anything is written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ..files import replacing_file
from ..progress import Progress, Silent
from .calibration_file import Calibration
from .cropping import pixel_extremes
from .prepare import Plan, PrepareOptions, plan_sweeps
from .sequence_file import read_sweep
from .sweep import Frames, TrackedSweep
from .tracking_quality import TrackingQuality, tracking_quality
from .usable import held_on_purpose

# As wide as a panel, so that words stay readable in it.
_WIDTH_PX, _BAR_PX, _STRIP_PX, _ROW_PX, _MARGIN_PX = 360, 14, 5, 54, 8
_BACKGROUND, _WORDS, _CROP, _FOUND = (24, 24, 28), (230, 230, 230), (255, 200, 60), (90, 160, 255)
# Colour, letter beside it in the key.
_TRAIN, _HELDOUT, _NEAR, _UNUSED = (70, 150, 90), (255, 200, 60), (150, 90, 60), (80, 80, 88)
_KEY = (("trained on", _TRAIN), ("held out", _HELDOUT), ("too near one", _NEAR), ("not usable", _UNUSED))
_TRACKED, _LOST, _FROZEN, _JUMP, _GAP = (
    (60, 70, 80),
    (200, 60, 60),
    (220, 110, 220),
    (255, 90, 40),
    (255, 255, 255),
)
_TRACKING_KEY = (("no pose", _LOST), ("frozen", _FROZEN), ("jump", _JUMP), ("gap in time", _GAP))


def look(
    files: Sequence[Path],
    calibration: Calibration,
    picture: Path,
    options: PrepareOptions,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """The summary of `prepare` without writing a training set, and a picture of crop and split. Raises as `prepare`."""
    sweeps = [read_sweep(path) for path in files]
    plan = plan_sweeps(sweeps, [""] * len(sweeps), calibration, options, progress or Silent())
    with replacing_file(picture) as part:
        Image.fromarray(plan_picture(sweeps, plan)).save(part, format="PNG")
    odd = [f"{sweep.name}: {said}" for sweep in sweeps for said in _tracking(sweep, plan).sentences()]
    return {**plan.summary(), "picture": str(picture), "warnings": odd}


def plan_picture(sweeps: Sequence[TrackedSweep], plan: Plan) -> NDArray[np.uint8]:
    """(H, W, 3) uint8: the brightest value of every pixel over the frames, in true proportions, with the crop (yellow)
    and the outline of the ultrasound that was found (blue); below it a bar for each sweep, its frames from left to
    right, coloured by what becomes of them, and a strip for the faults of its tracking, with the figures."""
    shown = _cropped_image(pixel_extremes(sweeps)[1], plan)
    height = shown.height + 2 * _MARGIN_PX + _ROW_PX * len(sweeps) + 38
    picture = Image.new("RGB", (_WIDTH_PX, height), _BACKGROUND)
    picture.paste(shown, ((_WIDTH_PX - shown.width) // 2, 0))
    draw = ImageDraw.Draw(picture)
    top, first = shown.height + _MARGIN_PX, 0
    for sweep, kept in zip(sweeps, plan.usable, strict=True):
        last = first + len(kept.frames)
        colours = np.tile(np.array(_UNUSED, np.uint8), (len(sweep), 1))
        colours[kept.frames] = np.where(
            plan.heldout[first:last, None], _HELDOUT, np.where(plan.too_near[first:last, None], _NEAR, _TRAIN)
        )
        draw.text((_MARGIN_PX, top), f"{sweep.name}   {len(kept.frames)} of {len(sweep)} frames", fill=_WORDS)
        picture.paste(_bar(colours, _BAR_PX), (_MARGIN_PX, top + 14))
        quality = _tracking(sweep, plan)
        picture.paste(_bar(_faults(quality), _STRIP_PX), (_MARGIN_PX, top + 14 + _BAR_PX))
        draw.text((_MARGIN_PX, top + 16 + _BAR_PX + _STRIP_PX), quality.words, fill=_WORDS)
        top, first = top + _ROW_PX, last
    _draw_key(draw, top, _KEY)
    _draw_key(draw, top + 16, _TRACKING_KEY)
    return np.asarray(picture)


def _tracking(sweep: TrackedSweep, plan: Plan) -> TrackingQuality:
    probe, reference = plan.options.probe_frame, plan.options.reference_frame
    track = sweep.probe_to_reference(probe, reference)
    return tracking_quality(f"{probe}To{reference}", track, sweep.timestamps_s, held_on_purpose(sweep))


def _faults(quality: TrackingQuality) -> NDArray[np.uint8]:
    """(N, 3) colours; what a frame is worst in."""
    colours = np.tile(np.array(_TRACKED, np.uint8), (len(quality.valid), 1))
    for mask, colour in (
        (quality.frozen, _FROZEN),
        (~quality.valid, _LOST),
        (quality.jumped, _JUMP),
        (quality.gap_s > 0, _GAP),
    ):
        colours[mask] = colour
    return colours


def _bar(colours: NDArray[np.uint8], height_px: int) -> Image.Image:
    """Frames (N, 3) from left to right. Where several fall on a pixel, the rarest colour of them is seen."""
    width_px = _WIDTH_PX - 2 * _MARGIN_PX
    kinds, kind, counts = np.unique(colours, axis=0, return_inverse=True, return_counts=True)
    shown = np.zeros((width_px, 3), np.uint8)
    for number in np.argsort(-counts):
        frames = np.flatnonzero(kind.reshape(-1) == number)
        for frame in frames:
            left = frame * width_px // len(colours)
            shown[left : max(left + 1, (frame + 1) * width_px // len(colours))] = kinds[number]
    return Image.fromarray(np.repeat(shown[None], height_px, axis=0))


def _cropped_image(brightest: Frames, plan: Plan) -> Image.Image:
    x_mm, y_mm = plan.geometry.mm_per_px
    per_px = (
        x_mm * plan.geometry.width_px / plan.crop.width_px,
        y_mm * plan.geometry.height_px / plan.crop.height_px,
    )
    width_px, height_px = plan.source_size_px
    # A millimetre is as long down as across.
    scale_x = _WIDTH_PX / width_px
    scale_y = scale_x * per_px[1] / per_px[0]
    image = Image.fromarray(brightest).resize((_WIDTH_PX, max(1, round(height_px * scale_y)))).convert("RGB")
    draw = ImageDraw.Draw(image)
    # Pixels are at their centres.
    outline = (plan.found.field.outline_px + 0.5) * [scale_x, scale_y]
    draw.line([(float(x), float(y)) for x, y in outline], fill=_FOUND, width=2)
    crop = plan.crop
    draw.rectangle(
        (
            crop.x_px * scale_x,
            crop.y_px * scale_y,
            max(crop.x_px * scale_x, (crop.x_px + crop.width_px) * scale_x - 1),
            max(crop.y_px * scale_y, (crop.y_px + crop.height_px) * scale_y - 1),
        ),
        outline=_CROP,
        width=2,
    )
    return image


def _draw_key(draw: ImageDraw.ImageDraw, top: int, key: Sequence[tuple[str, tuple[int, int, int]]]) -> None:
    left = float(_MARGIN_PX)
    for words, colour in key:
        draw.rectangle((left, top + 3, left + 9, top + 12), fill=colour)
        draw.text((left + 14, top + 1), words, fill=_WORDS)
        left += 26 + draw.textlength(words)
