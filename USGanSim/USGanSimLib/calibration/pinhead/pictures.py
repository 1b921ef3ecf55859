"""The pictures beside a pinhead calibration: how far off each point is, and where proposals lie in the images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ...files import replacing_file
from ...geometry.sampling import evenly
from ...recording.pictures import Sheet, shown
from ..chart import BLUE, CYAN, ORANGE, Chart, side_by_side
from .detection import Proposals
from .verdict import PinCalibration

# Residuals are drawn this much longer than they are.
_ENLARGED = 5
_TILE_PX, _ACROSS = 320, 4


def save_pin_charts(path: Path, calibration: PinCalibration) -> None:
    """Write three charts as a PNG: points with their residuals in the image, offsets from the pin in Reference, and
    residuals frame by frame. Outliers are red crosses with their frame number."""
    charts = [_in_image(calibration), _in_reference(calibration), _by_frame(calibration)]
    picture = side_by_side(charts)
    with replacing_file(path) as part:
        picture.save(part, "PNG")


def _in_image(calibration: PinCalibration) -> Chart:
    points, fit = calibration.fit.points, calibration.fit
    chart = Chart(
        f"In the image, residuals {_ENLARGED} times",
        "u, px",
        "v, px",
        (0, points.width_px),
        (0, points.height_px),
        downward=True,
    )
    residuals_px = fit.residuals_mm[:, :2] / fit.mm_per_px
    inside = fit.inliers
    for pixel, residual in zip(points.pixels[inside], residuals_px[inside], strict=True):
        ends = np.array([pixel, pixel + _ENLARGED * residual])
        chart.line(ends[:, 0], ends[:, 1], ORANGE)
    chart.dots(points.pixels[inside, 0], points.pixels[inside, 1], BLUE)
    chart.crosses(points.pixels[~inside, 0], points.pixels[~inside, 1], _labels(calibration))
    return chart


def _in_reference(calibration: PinCalibration) -> Chart:
    offsets = calibration.fit.offsets_mm
    inside = calibration.fit.inliers
    reach = 1.2 * float(np.abs(offsets[inside]).max()) + 1e-6
    chart = Chart(
        "Pin in Reference",
        "x (blue: y, orange: z), mm",
        "offset, mm",
        (-reach, reach),
        (-reach, reach),
        (360, 360),
    )
    chart.dots(offsets[inside, 0], offsets[inside, 1], BLUE)
    chart.dots(offsets[inside, 0], offsets[inside, 2], ORANGE)
    chart.crosses(offsets[~inside, 0], offsets[~inside, 1], _labels(calibration))
    return chart


def _by_frame(calibration: PinCalibration) -> Chart:
    points, fit = calibration.fit.points, calibration.fit
    in_plane, across = fit.point_residuals_mm.T
    inside = fit.inliers
    reach = 1.2 * float(np.abs(across[inside]).max()) + 1e-6
    last = max(float(points.frames.max()), 1.0)
    chart = Chart("By frame", "frame", "in plane (blue), across (orange), mm", (0, last), (-reach, reach))
    chart.dots(points.frames[inside], in_plane[inside], BLUE)
    chart.dots(points.frames[inside], across[inside], ORANGE)
    raw_across = fit.residuals_mm[:, 2]
    larger = np.where(in_plane / fit.in_plane_mm > np.abs(raw_across) / fit.elevation_mm, in_plane, across)
    chart.crosses(points.frames[~inside], larger[~inside], _labels(calibration))
    return chart


def _labels(calibration: PinCalibration) -> list[str]:
    return [str(frame) for frame in calibration.fit.points.frames[~calibration.fit.inliers]]


def save_proposals(path: Path, images: NDArray[np.uint8], found: Proposals) -> None:
    """Write a PNG of twelve frames, spread over the proposals, each with its proposal ringed (given ones in orange)."""
    chosen = evenly(len(found), _ACROSS * 3)
    height, width = images.shape[1:]
    share = _TILE_PX / width
    tile = (_TILE_PX, round(height * share))
    sheet = Sheet(_ACROSS, -(-len(chosen) // _ACROSS), tile, gap_px=0, ground=(0, 0, 0))
    for number, index in enumerate(chosen):
        picture = shown(images[found.frames[index]], tile, Image.Resampling.BILINEAR)
        draw = ImageDraw.Draw(picture)
        u, v = (found.pixels[index] + 0.5) * share
        draw.ellipse((u - 9, v - 9, u + 9, v + 9), outline=ORANGE if found.given[index] else CYAN, width=2)
        draw.text((6, 4), f"frame {found.frames[index]}", CYAN, ImageFont.load_default(14))
        sheet.put(number % _ACROSS, number // _ACROSS, picture)
    sheet.save(path)
