"""The coverage as a picture: three views of the swept volume, and the directions of the beams."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy.spatial.transform import Rotation

from ..files import replacing_file
from .coverage import Coverage, LandmarkView

_SIDE_PX, _TITLE_PX, _GAP_PX = 300, 18, 6
_RING_DEG = (15, 30, 45, 60)
_SEEN, _THIN, _DIM, _WORDS = (90, 220, 90), (255, 90, 60), (70, 70, 80), (230, 230, 230)


def coverage_picture(
    covered: Coverage,
    landmarks_mm: Mapping[str, NDArray[np.float64]] | None = None,
    views: Sequence[LandmarkView] = (),
) -> NDArray[np.uint8]:
    """(H, W, 3) uint8. The views look along z, y and x of Reference: brighter is seen by more poses. The fourth panel
    has a dot for each pose, at the angle of its beam from the mean one; rings stand at 15° steps. Landmarks are green,
    and red where `views` advises more."""
    width = 4 * (_SIDE_PX + _GAP_PX) - _GAP_PX
    picture = Image.new("RGB", (width, _TITLE_PX + _SIDE_PX), (24, 24, 28))
    thin = {view.name for view in views if view.advice}
    for column, (across, down) in enumerate([(0, 1), (0, 2), (1, 2)]):
        _draw_projection(
            picture, column * (_SIDE_PX + _GAP_PX), covered, across, down, landmarks_mm or {}, thin
        )
    _draw_directions(picture, 3 * (_SIDE_PX + _GAP_PX), covered)
    return np.asarray(picture)


def save_coverage_picture(path: Path, picture: NDArray[np.uint8]) -> None:
    """Write the picture as PNG, whole or not at all."""
    with replacing_file(path) as part:
        Image.fromarray(picture).save(part, format="PNG")


def _draw_projection(
    picture: Image.Image,
    left: int,
    covered: Coverage,
    across: int,
    down: int,
    landmarks_mm: Mapping[str, NDArray[np.float64]],
    thin: set[str],
) -> None:
    draw = ImageDraw.Draw(picture)
    size_mm = np.array(covered.counts.shape) * covered.voxel_mm
    draw.text(
        (left + 2, 2),
        f"{'xyz'[across]} {'xyz'[down]}   {size_mm[across]:.0f} by {size_mm[down]:.0f} mm"
        + (f"   {covered.swept_ml:.0f} ml" if left == 0 else ""),
        fill=_WORDS,
    )
    if covered.counts.size == 0:
        return
    flat = covered.counts.max(axis=3 - across - down)
    shades = np.sqrt(flat.T / max(int(flat.max()), 1)) * 255
    px_per_mm = _SIDE_PX / float(max(size_mm[across], size_mm[down]))
    shown = Image.fromarray(shades.astype(np.uint8)).resize(
        tuple(max(round(size_mm[axis] * px_per_mm), 1) for axis in (across, down)), Image.Resampling.NEAREST
    )
    picture.paste(shown, (left, _TITLE_PX))
    for name, place_mm in landmarks_mm.items():
        x, y = ((place_mm[axis] - covered.lower_mm[axis]) * px_per_mm for axis in (across, down))
        if 0 <= x < _SIDE_PX and 0 <= y < _SIDE_PX:
            colour = _THIN if name in thin else _SEEN
            _dot(draw, left + x, _TITLE_PX + y, 3, colour)
            beside = x + 5 if x < _SIDE_PX / 2 else x - 5 - draw.textlength(name)
            draw.text((left + beside, _TITLE_PX + y - 6), name, fill=colour)


def _draw_directions(picture: Image.Image, left: int, covered: Coverage) -> None:
    draw = ImageDraw.Draw(picture)
    centre, px_per_deg = _SIDE_PX / 2, _SIDE_PX / 2 / _RING_DEG[-1]
    draw.text((left + 2, 2), f"beams of {len(covered.poses)} poses, rings {_RING_DEG[0]}°", fill=_WORDS)
    for ring_deg in _RING_DEG:
        radius = ring_deg * px_per_deg
        draw.ellipse(
            (
                left + centre - radius,
                _TITLE_PX + centre - radius,
                left + centre + radius,
                _TITLE_PX + centre + radius,
            ),
            outline=_DIM,
        )
    for x, y in beam_angles_deg(covered.beams):
        _dot(
            draw,
            left + centre + np.clip(x * px_per_deg, -centre, centre),
            _TITLE_PX + centre + np.clip(y * px_per_deg, -centre, centre),
            1,
            _SEEN,
        )


def beam_angles_deg(beams: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 3) unit vectors → (N, 2): each one's angle from their mean, split into two directions across it (azimuthal
    equidistant: the length of a row is the angle)."""
    if len(beams) == 0:
        return np.zeros((0, 2))
    mean = beams.mean(axis=0)
    to_mean, _ = Rotation.align_vectors(
        [[0.0, 0.0, 1.0]], [mean if np.linalg.norm(mean) > 1e-6 else beams[0]]
    )
    x, y, z = to_mean.apply(beams).T
    angle_deg, across = np.degrees(np.arctan2(np.hypot(x, y), z)), np.maximum(np.hypot(x, y), 1e-12)
    angles: NDArray[np.float64] = np.column_stack([x, y]) / across[:, None] * angle_deg[:, None]
    return angles


def _dot(draw: ImageDraw.ImageDraw, x: float, y: float, radius: float, colour: tuple[int, int, int]) -> None:
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
