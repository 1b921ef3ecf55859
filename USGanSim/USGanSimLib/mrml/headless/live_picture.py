"""A picture of a live run for a person: real and simulated images side by side, and where they stand in 3-D."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ...geometry.pose_distance import PoseRange
from ...geometry.transforms import Matrix
from ...live import LiveStatus, PoseState
from ...model.info import INTENDED_USE
from ..display import Picture, SliceView, ThreeDView, view_axes
from ..live.scenery import AXIS_COLORS, Scenery, image_corners
from ..output_volume import OutputVolume
from ..transform_chain import to_vtk
from .live_run import Snapshot

SCAN_PX = (320, 240)
VIEW_PX = (560, 540)
_INK, _FAINT, _MARK, _WARN = (235, 235, 230), (150, 155, 165), (255, 140, 25), (255, 200, 60)
_PAPER = (23, 25, 30)
_GAP_PX, _LINE_PX = 12, 20


@dataclass(frozen=True, eq=False)
class RealFrame:
    """The real image at a pose: (H, W) uint8, its (4, 4) ImageToReference, and what to say about it."""

    image: NDArray[np.uint8]
    image_to_reference: Matrix
    note: str


def draw_live_picture(
    scene: Any,
    pairs: Sequence[tuple[RealFrame, Snapshot]],
    pose_range: PoseRange,
    title: str,
    text: Sequence[str],
    with_3d: bool,
) -> Image.Image:
    """Real above simulated for each pair, in the plane of the simulated image, through Slicer's slice view; beside
    them the 3-D view at the last pair (left out without OpenGL); `text` beneath. Leaves the scene as it was."""
    size_px = (pose_range.width_px, pose_range.height_px)
    view = SliceView(scene)
    columns = []
    for real, snapshot in pairs:
        view.aim(snapshot.image_to_reference, size_px, SCAN_PX)
        mm_per_px = view.node.GetFieldOfView()[0] / SCAN_PX[0]
        above = _scan(
            _resliced(scene, view, real.image, real.image_to_reference), mm_per_px, f"REAL  {real.note}", _INK
        )
        good = snapshot.status.state is PoseState.GOOD
        below = _scan(
            _resliced(scene, view, snapshot.image, snapshot.image_to_reference),
            mm_per_px,
            f"SIMULATED  t = {snapshot.at_s:.1f} s, {snapshot.status.state.value}",
            _INK if good else _WARN,
        )
        columns.append((above, below))
    around = _surroundings(scene, view, pairs[-1][1], pose_range) if with_3d and pairs else None
    view.close()
    return _assemble(columns, around, title, [*text, INTENDED_USE])


def _resliced(scene: Any, view: SliceView, image: NDArray[np.uint8], image_to_reference: Matrix) -> Picture:
    output = OutputVolume(scene, image.shape[1], image.shape[0])
    output.write(image, to_vtk(image_to_reference), LiveStatus(PoseState.GOOD))
    picture = view.picture(output.volume)
    output.remove()
    return picture


def _scan(picture: Picture, mm_per_px: float, heading: str, ink: tuple[int, int, int]) -> Image.Image:
    """A scan with its heading, the mark of the probe's marked side at the upper right, and a depth scale."""
    height_px, width_px, _ = picture.shape
    sheet = Image.new("RGB", (width_px + 44, height_px + 2 * _LINE_PX), _PAPER)
    sheet.paste(Image.fromarray(picture), (0, _LINE_PX))
    draw = ImageDraw.Draw(sheet)
    draw.ellipse((width_px - 13, 4, width_px - 2, 15), fill=_MARK)
    draw.text((2, 1), heading, fill=ink, font=_font(14))
    depth_mm = height_px * mm_per_px
    labelled_mm = next((step for step in (10, 20, 50, 100) if depth_mm / step <= 6), 200)
    for mark_mm in range(0, int(depth_mm) + 1, 10):
        row = _LINE_PX + mark_mm / mm_per_px
        labelled = mark_mm % labelled_mm == 0
        draw.line((width_px + 2, row, width_px + (9 if labelled else 5), row), fill=_FAINT)
        if labelled:
            words = "mm" if mark_mm == 0 else str(mark_mm)
            draw.text((width_px + 13, row - 7), words, fill=_FAINT, font=_font(12))
    return sheet


def _surroundings(
    scene: Any, slice_view: SliceView, snapshot: Snapshot, pose_range: PoseRange
) -> Image.Image:
    """The image where it stands, with probe, trained poses and box, seen from the side that the slice view shows."""
    width_px, height_px = pose_range.width_px, pose_range.height_px
    pose = snapshot.image_to_reference
    output = OutputVolume(scene, width_px, height_px)
    output.write(snapshot.image, to_vtk(pose), snapshot.status)
    slice_view.aim(pose, (width_px, height_px), SCAN_PX)
    slice_view.picture(output.volume)
    slice_view.show_in_3d()
    scenery = Scenery(scene)
    scenery.add_probe(pose, width_px, height_px)
    scenery.add_trained_poses(pose_range)
    low, size = scenery.add_box(
        np.concatenate([image_corners(one, width_px, height_px) for one in (pose, *pose_range.poses)])
    )
    view = ThreeDView(scene, VIEW_PX)
    axes = view_axes(pose)
    view.aim(np.column_stack([axes[:, 0], axes[:, 1], axes @ (-0.5, 0.35, 0.8)]))
    sheet = Image.fromarray(view.picture())
    draw = ImageDraw.Draw(sheet)
    for axis, color in enumerate(AXIS_COLORS):
        place = view.place_of(low + np.eye(3)[axis] * size[axis] / 2)
        draw.text(
            place,
            f"{'xyz'[axis]}  {size[axis]:.0f} mm",
            fill=tuple(round(255 * part) for part in color),
            font=_font(14),
            anchor="mm",
            stroke_width=2,
            stroke_fill=_PAPER,
        )
    draw.text((8, 6), "Reference frame: image, probe (orange: marked side),", fill=_INK, font=_font(14))
    draw.text((8, 24), "trained poses and some of their images (teal)", fill=_INK, font=_font(14))
    view.close()
    scenery.close()
    output.remove()
    return sheet


def _assemble(
    columns: Sequence[tuple[Image.Image, Image.Image]],
    around: Image.Image | None,
    title: str,
    text: Sequence[str],
) -> Image.Image:
    cell_px = (SCAN_PX[0] + 44, SCAN_PX[1] + 2 * _LINE_PX)
    width_px = _GAP_PX + len(columns) * (cell_px[0] + _GAP_PX) + (around.width + _GAP_PX if around else 0)
    top_px = 2 * _LINE_PX
    body_px = max(2 * cell_px[1], around.height if around else 0)
    sheet = Image.new("RGB", (max(width_px, 760), top_px + body_px + _LINE_PX * (len(text) + 1)), _PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((_GAP_PX, 10), title, fill=_INK, font=_font(18))
    for index, (above, below) in enumerate(columns):
        left_px = _GAP_PX + index * (cell_px[0] + _GAP_PX)
        sheet.paste(above, (left_px, top_px))
        sheet.paste(below, (left_px, top_px + cell_px[1]))
    if around is not None:
        sheet.paste(around, (width_px - around.width - _GAP_PX, top_px))
    for row, words in enumerate(text):
        draw.text((_GAP_PX, top_px + body_px + 6 + row * _LINE_PX), words, fill=_INK, font=_font(14))
    return sheet


def _font(size_px: int) -> Any:
    return ImageFont.load_default(size_px)
