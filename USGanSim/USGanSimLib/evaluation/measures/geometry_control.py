"""Control: when the pose is moved by known millimetres in the image plane, the anatomy must move by as much.

A window in the middle of the image predicted at a pose is looked for in the image predicted at the moved pose: the
place of the highest normalised cross-correlation, to a fraction of a pixel, is how far the anatomy went. The fan
itself, which stands still in the image, stays out of the windows, and every image is a sample of its own, since noise
that is the same in both would be found instead of the anatomy.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.signal import fftconvolve

from ...geometry.transforms import Matrix
from ...recording.dataset import Dataset
from ..predictors.predictor import PosePredictor, Predictor, frame_seed
from .controls import spread
from .metrics import Column

MOVES_MM = (-4.0, -2.0, 2.0, 4.0)
MOST_POSES = 24
# Beyond the longest move: a predictor may also overshoot.
REACH_MM = 7.0
_WINDOW_SHARE = 0.4
_LEAST_SD_GREY = 4.0

Grey = NDArray[np.float64]


class GeometryControl:
    """How far the anatomy moves when the pose does."""

    title = "Control: geometry"
    note = (
        f"Poses moved by {', '.join(f'{move:+g}' for move in MOVES_MM)} mm along the image's x and y; how far the "
        "picture moves the other way, by registration of a window in its middle. Slope: measured over true "
        "movement, least squares through 0. Share: of movements measured within 1 mm of the truth. A predictor "
        "that copies training frames jumps or stands still; one that ignores the pose has slope 0."
    )
    columns = (
        Column("geometry_slope", "slope (1 is right)"),
        Column("geometry_rms_mm", "RMS error, mm"),
        Column("geometry_within_1mm_share", "within 1 mm, share", 3),
        Column("geometry_moves", "movements", 0, count=True),
    )

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        self.window = window_inside(dataset.field.mask(), dataset.geometry.mm_per_px)

    def values(self, predictor: Predictor) -> dict[str, float | None]:
        if not isinstance(predictor, PosePredictor) or self.window is None:
            return {column.key: None for column in self.columns}
        pairs = np.array(list(self._movements(predictor))).reshape(-1, 2)
        if not len(pairs):
            return {column.key: None for column in self.columns}
        true_mm, found_mm = pairs.T
        error_mm = found_mm - true_mm
        return {
            "geometry_slope": float((true_mm * found_mm).sum() / (true_mm**2).sum()),
            "geometry_rms_mm": float(np.sqrt((error_mm**2).mean())),
            "geometry_within_1mm_share": float((np.abs(error_mm) <= 1).mean()),
            "geometry_moves": float(len(pairs)),
        }

    def _movements(self, predictor: PosePredictor) -> Iterator[tuple[float, float]]:
        """(true, measured) movement of the picture along the axis that the pose was moved on, mm."""
        assert self.window is not None
        for index in spread(self.dataset.heldout_indices, MOST_POSES):
            pose, seed = self.dataset.poses[index], frame_seed(0, int(index))
            still = predictor.at(pose, 1, seed)[0].astype(np.float64)
            if still[self.window].std() < _LEAST_SD_GREY:
                continue
            for axis, move_mm in itertools.product((0, 1), MOVES_MM):
                moved = predictor.at(moved_in_plane(pose, axis, move_mm), 1, seed + 1)[0].astype(np.float64)
                found_mm = displacement_mm(still, moved, self.window, self.dataset.geometry.mm_per_px)
                yield -move_mm, float(found_mm[axis])


def moved_in_plane(pose: Matrix, axis: int, move_mm: float) -> Matrix:
    """ImageToReference (4, 4) after the probe moved along the image's x (axis 0) or y (1)."""
    moved = np.array(pose, float)
    moved[:3, 3] += move_mm * pose[:3, axis] / np.linalg.norm(pose[:3, axis])
    return moved


def window_inside(field: NDArray[np.bool_], mm_per_px: tuple[float, float]) -> tuple[slice, slice] | None:
    """Rows and columns of a window in the middle of the field of view that may move by REACH_MM and stay inside; None
    where there is no room for one."""
    rows, columns = np.nonzero(field)
    reach = [int(np.ceil(REACH_MM / mm)) + 1 for mm in reversed(mm_per_px)]
    middle = [int(np.median(places)) for places in (rows, columns)]
    for share in np.arange(_WINDOW_SHARE, 0.1, -0.05):
        half = [max(4, int(share * size / 2)) for size in field.shape]
        low, high = (
            [m + sign * (h + r) for m, h, r in zip(middle, half, reach, strict=True)] for sign in (-1, 1)
        )
        inside = min(low) >= 0 and all(end <= size for end, size in zip(high, field.shape, strict=True))
        if inside and field[low[0] : high[0], low[1] : high[1]].all():
            row, column = (slice(m - h, m + h) for m, h in zip(middle, half, strict=True))
            return row, column
    return None


def displacement_mm(
    still: Grey, moved: Grey, window: tuple[slice, slice], mm_per_px: tuple[float, float]
) -> tuple[float, float]:
    """How far, in x and y, the content of the window of one image lies away in the other; at most about REACH_MM."""
    template = still[window]
    reach = [int(np.ceil(REACH_MM / mm)) for mm in reversed(mm_per_px)]
    rows, columns = (slice(part.start - r, part.stop + r) for part, r in zip(window, reach, strict=True))
    score = template_correlation(moved[rows, columns], template)
    row, column = np.unravel_index(int(score.argmax()), score.shape)
    down = row + _vertex(score[:, column], int(row)) - reach[0]
    along = column + _vertex(score[row], int(column)) - reach[1]
    return float(along * mm_per_px[0]), float(down * mm_per_px[1])


def template_correlation(image: Grey, template: Grey) -> Grey:
    """Normalised cross-correlation of a template at every place where it lies inside the image."""
    centred = template - template.mean()
    ones = np.ones_like(template)
    products = fftconvolve(image, centred[::-1, ::-1], mode="valid")
    sums, squares = fftconvolve(image, ones, mode="valid"), fftconvolve(image**2, ones, mode="valid")
    variance = np.maximum(squares - sums**2 / template.size, 1e-6)
    return np.asarray(products / np.sqrt(variance * max(float((centred**2).sum()), 1e-6)))


def _vertex(line: Grey, peak: int) -> float:
    """Where the parabola through a peak and its neighbours has its top, from the peak; 0 at the border."""
    if not 0 < peak < len(line) - 1:
        return 0.0
    before, top, after = line[peak - 1 : peak + 2]
    bend = before - 2 * top + after
    return float((before - after) / (2 * bend)) if bend < 0 else 0.0
