"""Lag and scale from the content of any sweep: what moves from image to image, against how the probe moved.

Patches are followed from one image to the next by cross-correlation. Where the probe moved in the image's own plane,
content shifts by the motion in millimetres divided by the size of a pixel; motion across the
plane changes the content and tells nothing. So a sweep along its plane gives lag and scale, one across it does not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...errors import UserError
from ...geometry.image_geometry import ImageGeometry
from ...geometry.peaks import vertex
from ...geometry.transforms import Matrix
from ..timing import Tracking
from .estimate import Flags, Values, jackknife

TEMPLATE_PX, SEARCH_PX = 32, 72
MOST_ACROSS = 5  # patches in a row
LEAST_SD_GREY = 3.0
LEAST_CORRELATION = 0.6
LEAST_SHIFT_PX = 1.0
LEAST_PATCHES = 200
LARGEST_SCALE_CI = 0.05


@dataclass(frozen=True, eq=False)
class Content:
    """Shifts of patches between each image and the next valid one.

    frames     (N,) all frames
    pairs      (M,) first frame of the pair of each shift, `pairs` + 1 the second
    centres    (M, 2) u, v of the patch in the first
    shifts_px  (M, 2) by which its content moved
    """

    frames: NDArray[np.int_]
    pairs: NDArray[np.int_]
    centres: Values
    shifts_px: Values
    geometry: ImageGeometry
    method: str = "image content"
    unit: str = "px"

    @classmethod
    def followed(cls, images: NDArray[np.uint8], valid: Flags, geometry: ImageGeometry, name: str) -> Content:
        """Follow patches of (N, H, W) images. Raises UserError where too few can be followed."""
        height, width = images.shape[1:]
        if min(height, width) < SEARCH_PX:
            raise UserError(f"The images of {name} are {width}×{height} px; {SEARCH_PX} px are needed.", "")
        corners = _corners(width, height)
        rows = []
        for frame in np.flatnonzero(valid[:-1] & valid[1:]):
            shifts, good = _shifts(*(_areas(images[f], corners) for f in (frame, frame + 1)))
            rows += [
                (frame, *corner, *shift) for corner, shift in zip(corners[good], shifts[good], strict=True)
            ]
        if len(rows) < LEAST_PATCHES:
            raise UserError(
                f"Only {len(rows)} patches of {name} could be followed from image to image "
                f"({LEAST_PATCHES} are needed).",
                "Its content changes from image to image: this sweep tells neither lag nor scale.",
            )
        table = np.array(rows, np.float64)
        moved_px = float(np.sqrt(np.mean(table[:, 3:] ** 2) * 2))
        if moved_px < LEAST_SHIFT_PX:
            raise UserError(
                f"The content of {name} moves by {moved_px:.2f} px from image to image, where "
                f"{LEAST_SHIFT_PX:g} px are needed.",
                "Slide the probe to and fro along its image: this sweep tells neither lag nor scale.",
            )
        return cls(
            np.arange(len(images)),
            table[:, 0].astype(int),
            table[:, 1:3] + (SEARCH_PX - 1) / 2,
            table[:, 3:],
            geometry,
        )

    def misfit(self, poses: Matrix, used: Flags) -> float:
        """Root of the mean squared difference (px, at most 3 each) of content's shifts from the scaled motion."""
        expected, seen = self._expected_px(poses, used)
        left = self.shifts_px[seen] - self.inverse_scale(poses, used) * expected
        return float(np.sqrt(np.mean(np.minimum((left**2).sum(axis=1), 9.0))))

    def inverse_scale(self, poses: Matrix, used: Flags) -> float:
        """The factor by which content moves more than the calibration says, in least squares without outliers."""
        expected, seen = self._expected_px(poses, used)
        shifts, factor = self.shifts_px[seen], 1.0
        near = np.ones(len(shifts), bool)
        for _ in range(5):
            factor = float((expected[near] * shifts[near]).sum() / max((expected[near] ** 2).sum(), 1e-9))
            left = np.linalg.norm(shifts - factor * expected, axis=1)
            near = left <= 3 * np.median(left) + 1e-9
        return factor

    def _expected_px(self, poses: Matrix, used: Flags) -> tuple[Values, Flags]:
        """The shifts (K, 2) that poses (N, 4, 4) and calibration foretell, and which of the M patches they are for."""
        seen = used[self.pairs] & used[self.pairs + 1]
        pairs, centres = self.pairs[seen], self.centres[seen]
        to_reference = poses @ self.geometry.image_to_probe
        pixels = np.column_stack([centres, np.zeros(len(centres)), np.ones(len(centres))])
        places = np.einsum("nij,nj->ni", to_reference[pairs], pixels)
        there = np.einsum("nij,nj->ni", np.linalg.inv(to_reference)[pairs + 1], places)[:, :2]
        return there - centres, seen


def scale_interval(
    content: Content, image_times_s: Values, tracking: Tracking, lag_s: float
) -> tuple[float, float, float]:
    """The size of a pixel in units of the calibration's, and its 95 % interval. Raises UserError where it is wide."""
    track = tracking.at(image_times_s + lag_s)

    def scale(used: Flags) -> float:
        return 1 / content.inverse_scale(track.matrices, used)

    value, half = scale(track.valid), jackknife(scale, track.valid)
    if not half <= LARGEST_SCALE_CI * value:
        raise UserError(
            f"The scale is only determined to {value:.3f} ± {half:.3f} (±{LARGEST_SCALE_CI:.0%} is allowed).",
            "Slide the probe further along its image, to and fro.",
        )
    return value, value - half, value + half


def _corners(width: int, height: int) -> NDArray[np.int_]:
    """(K, 2): left upper corners of search areas, evenly spread."""
    u, v = (
        np.unique(np.linspace(0, side - SEARCH_PX, min(MOST_ACROSS, max(side // TEMPLATE_PX, 1))).astype(int))
        for side in (width, height)
    )
    return np.array([(left, top) for top in v for left in u])


def _areas(image: NDArray[np.uint8], corners: NDArray[np.int_]) -> Values:
    """(K, S, S): the search areas of an image."""
    cut = [image[top : top + SEARCH_PX, left : left + SEARCH_PX] for left, top in corners]
    return np.array(cut, np.float64)


def _shifts(first: Values, second: Values) -> tuple[Values, Flags]:
    """(K, 2) shifts u, v of what is in the middle of the areas (K, S, S), and which can be trusted.

    The middle of the first is laid over every place of the second: normalised cross-correlation (Lewis 1995), with a
    parabola for the part of a pixel.
    """
    margin = (SEARCH_PX - TEMPLATE_PX) // 2
    middle = first[:, margin : margin + TEMPLATE_PX, margin : margin + TEMPLATE_PX]
    # Outside the field of view the picture stands still.
    textured = (middle.std(axis=(1, 2)) > LEAST_SD_GREY) & ((middle == 0).mean(axis=(1, 2)) < 0.5)
    template = middle - middle.mean(axis=(1, 2), keepdims=True)
    size = (SEARCH_PX, SEARCH_PX)
    product = np.fft.irfft2(np.conj(np.fft.rfft2(template, s=size)) * np.fft.rfft2(second), s=size)
    places = slice(0, 2 * margin + 1)
    sums, squares = (_box_sums(values)[:, places, places] for values in (second, second**2))
    energy = (
        np.maximum(squares - sums**2 / TEMPLATE_PX**2, 1.0) * (template**2).sum(axis=(1, 2))[:, None, None]
    )
    correlation = product[:, places, places] / np.sqrt(energy + 1e-9)
    index = np.arange(len(first))
    rows, columns = np.unravel_index(
        correlation.reshape(len(first), -1).argmax(axis=1), correlation.shape[1:]
    )
    best = correlation[index, rows, columns]
    inside = (rows > 0) & (rows < 2 * margin) & (columns > 0) & (columns < 2 * margin)
    rows, columns = np.clip(rows, 1, 2 * margin - 1), np.clip(columns, 1, 2 * margin - 1)
    peak = correlation[index, rows, columns]
    u = columns + vertex(correlation[index, rows, columns - 1], peak, correlation[index, rows, columns + 1])
    v = rows + vertex(correlation[index, rows - 1, columns], peak, correlation[index, rows + 1, columns])
    return np.column_stack([u, v]) - margin, textured & inside & (best >= LEAST_CORRELATION)


def _box_sums(values: Values) -> Values:
    """(K, S − T + 1, S − T + 1): the sums over every place of a template."""
    summed = np.pad(values.cumsum(axis=1).cumsum(axis=2), ((0, 0), (1, 0), (1, 0)))
    t = TEMPLATE_PX
    result: Values = summed[:, t:, t:] - summed[:, :-t, t:] - summed[:, t:, :-t] + summed[:, :-t, :-t]
    return result
