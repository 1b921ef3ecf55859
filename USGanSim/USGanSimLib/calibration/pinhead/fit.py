"""The pinhead model fitted to points, of which some are misplaced.

1. Start: the model is linear in a = sx·R₁, b = sy·R₂, t and p, 12 numbers, so no guess is asked for. Fitted to random
   subsets (least median of residuals, Rousseeuw 1984), so that misplaced clicks do not decide it.
2. Refinement in the image: the residuals of a point are its two pixel errors and the pin's distance from the image
   plane. They have different spreads (a click is off by a pixel, a thick beam shows a pin that is a millimetre off the
   plane), so each kind is weighted by its own spread, estimated along the way.
3. Outliers are left out by their weighted residual and named.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from ...errors import UserError
from ...geometry.transforms import Matrix
from .model import (
    PIXEL_LIMITS_MM,
    free_parameters,
    image_to_probe,
    offsets_mm,
    pixel_sizes_mm,
    residuals_mm,
    tells_pixel_size,
)
from .points import PinPoints, Vector
from .uncertainty import condition, parameter_covariance, weighted_jacobian

FEWEST_POINTS = 8
SUBSET_SIZE = 6
SUBSETS = 300
OUTLIER_LIMIT = 3.5  # weighted residual; a good point exceeds it once in a thousand
MAD_TO_SD = 1.4826
# No spread is taken to be smaller than a careful click and a good tracker allow.
SMALLEST_SPREAD_MM = 0.02
FOLDS = 10
UNKNOWN = np.full((11, 11), np.inf)  # the covariance of parameters that the points do not determine


@dataclass(frozen=True, eq=False)
class PinFit:
    """A fitted model with what follows from its parameters, computed once for all who judge it.

    parameters       (11,), in the order of `model.py`
    points           all N points that were given
    inliers          (N,) flags those that were used; `used` holds them alone
    in_plane_mm      spread (SD) of the residuals in the image plane; `elevation_mm` of those across it
    fixed_mm_per_px  the pixel size where it was known and held
    residuals_mm     (N, 3) of all points
    offsets_mm       (N, 3) of all points from the pin, in Reference
    jacobian         (3N, 11) derivatives of all residuals in units of their spreads
    condition        condition number of the fit; infinite where the points do not determine all parameters
    covariance       (11, 11) of the parameters; infinite likewise
    """

    parameters: Vector
    points: PinPoints
    inliers: NDArray[np.bool_]
    used: PinPoints
    in_plane_mm: float
    elevation_mm: float
    fixed_mm_per_px: tuple[float, float] | None
    residuals_mm: Vector
    offsets_mm: Vector
    jacobian: Matrix
    condition: float
    covariance: Matrix

    @classmethod
    def at(
        cls,
        parameters: Vector,
        points: PinPoints,
        inliers: NDArray[np.bool_],
        spreads: tuple[float, float],
        fixed_mm_per_px: tuple[float, float] | None,
    ) -> PinFit:
        """The fit with these parameters."""
        residuals, offsets = residuals_mm(parameters, points), offsets_mm(parameters, points)
        used, free = points.chosen(inliers), free_parameters(fixed_mm_per_px)
        jacobian = weighted_jacobian(parameters, points, spreads)
        number = condition(jacobian[np.repeat(inliers, 3)][:, free])
        known = np.isfinite(number)
        return cls(
            parameters,
            points,
            inliers,
            used,
            *spreads,
            fixed_mm_per_px,
            residuals,
            offsets,
            jacobian,
            number,
            parameter_covariance(parameters, used, residuals[inliers], spreads, free) if known else UNKNOWN,
        )

    @property
    def spreads(self) -> tuple[float, float]:
        """In plane and across, mm."""
        return self.in_plane_mm, self.elevation_mm

    @property
    def mm_per_px(self) -> tuple[float, float]:
        x_mm, y_mm = pixel_sizes_mm(self.parameters)
        return float(x_mm), float(y_mm)

    @property
    def pin_mm(self) -> Vector:
        """The pin in Reference, (3,)."""
        return self.parameters[8:11]

    @property
    def image_to_probe(self) -> Matrix:
        """(4, 4), pixels to millimetres, third column z = x × y of unit length."""
        return image_to_probe(self.parameters)

    @property
    def point_residuals_mm(self) -> Vector:
        """(N, 2): how far off each point is in the image plane, and across it (signed), what brightness told left
        out."""
        in_plane = np.linalg.norm(self.residuals_mm[:, :2], axis=1)
        return np.column_stack([in_plane, self.residuals_mm[:, 2] * self.points.elevation_share])


def fit_pinhead(
    points: PinPoints, fixed_mm_per_px: tuple[float, float] | None = None, seed: int = 0
) -> PinFit:
    """Fit ImageToProbe and the pin. `fixed_mm_per_px` holds a known pixel size.

    Raises UserError with fewer than FEWEST_POINTS points and when the poses do not determine an answer at all.
    """
    start, _ = robust_start(points, fixed_mm_per_px, seed)
    parameters, inliers, spreads = _agreed(start, points, fixed_mm_per_px)
    for _ in range(3):
        parameters = refine(parameters, points, inliers, spreads, fixed_mm_per_px, robust=False)
        _, spreads = _left(parameters, points, inliers, robust=False)
    fit = PinFit.at(parameters, points, inliers, spreads, fixed_mm_per_px)
    if fixed_mm_per_px is None and not tells_pixel_size(fit.parameters):
        raise UserError(
            "The points agree best on pixels of no size or without end: they tell no pixel size.",
            "Check that points and poses belong together, that the poses are in millimetres, and show the "
            "pin all over the image.",
        )
    return fit


def _require_possible(points: PinPoints, fixed_mm_per_px: tuple[float, float] | None) -> None:
    """Raise UserError for fewer than FEWEST_POINTS points, or for pixels that no ultrasound image has."""
    low_mm, high_mm = PIXEL_LIMITS_MM
    if fixed_mm_per_px is not None and not all(low_mm < size < high_mm for size in fixed_mm_per_px):
        raise UserError(
            f"Pixels of {fixed_mm_per_px[0]:g}×{fixed_mm_per_px[1]:g} mm are not those of an ultrasound "
            f"image ({low_mm:g} to {high_mm:g} mm).",
            "Give the size of a pixel in millimetres.",
        )
    if len(points) < FEWEST_POINTS:
        raise UserError(
            f"{len(points)} points are too few to calibrate; {FEWEST_POINTS} are the least.",
            "Mark the pin in more images, from more directions (30 to 90 images are usual).",
        )


def _agreed(
    parameters: Vector, points: PinPoints, fixed_mm_per_px: tuple[float, float] | None
) -> tuple[Vector, NDArray[np.bool_], tuple[float, float]]:
    """Parameters near the given ones, the points that agree on them, and the spreads of those points' residuals."""
    inliers = np.ones(len(points), bool)
    _, spreads = _left(parameters, points, inliers, robust=True)
    for _ in range(20):
        parameters = refine(parameters, points, inliers, spreads, fixed_mm_per_px, robust=True)
        residuals, spreads = _left(parameters, points, inliers, robust=True)
        now_in = weighted(residuals, spreads).max(axis=1) <= OUTLIER_LIMIT
        if (now_in == inliers).all():
            break
        inliers = now_in
        if inliers.sum() < FEWEST_POINTS:
            raise UserError(
                f"Only {inliers.sum()} of {len(points)} points agree on one pin position.",
                "Check that the pin did not move, that the points belong to these poses, and that the "
                "poses are ProbeToReference.",
            )
    return parameters, inliers, spreads


def _left(
    parameters: Vector, points: PinPoints, inliers: NDArray[np.bool_], robust: bool
) -> tuple[Vector, tuple[float, float]]:
    """The residuals (N, 3) that the parameters leave, and the spreads of those of the inliers, mm."""
    residuals = residuals_mm(parameters, points)
    return residuals, _spreads(residuals[inliers], robust)


def robust_start(
    points: PinPoints, fixed_mm_per_px: tuple[float, float] | None = None, seed: int = 0
) -> tuple[Vector, float]:
    """Of the linear solutions of all points and of random subsets, the one whose median point distance is smallest,
    and that distance in mm. Raises UserError for what `_require_possible` says, and where no subset determines a
    solution."""
    _require_possible(points, fixed_mm_per_px)
    rng = np.random.default_rng(seed)
    subsets = np.array([rng.choice(len(points), SUBSET_SIZE, replace=False) for _ in range(SUBSETS)])
    system, right = _linear_system(points)
    solutions = np.concatenate(
        [
            _solved(system[subsets].reshape(SUBSETS, -1, 12), right[subsets].reshape(SUBSETS, -1)),
            _solved(system.reshape(1, -1, 12), right.reshape(1, -1)),
        ]
    )
    candidates, linear = _rigid(solutions, fixed_mm_per_px)
    if not len(candidates):
        raise UserError(
            f"The {len(points)} points do not determine the calibration: the pin stays in one line of the "
            "image, or the probe was hardly turned.",
            "Record the pin again all over the image, turning the probe by ±30° about all three axes.",
        )
    offsets = np.einsum("nij,kj->kni", system, linear) - right
    costs = np.median(np.linalg.norm(offsets, axis=2), axis=1)
    best = int(np.argmin(costs))
    return candidates[best], float(costs[best])


def _linear_system(points: PinPoints) -> tuple[Matrix, Matrix]:
    """R_i (a·u + b·v + t) + t_i − p = 0: three rows a point, (N, 3, 12), for (a, b, t, p), and their right sides."""
    rotations = points.probe_to_reference[:, :3, :3]
    u, v = points.pixels[:, 0, None, None], points.pixels[:, 1, None, None]
    eye = np.broadcast_to(np.eye(3), rotations.shape)
    return np.concatenate(
        [rotations * u, rotations * v, rotations, -eye], axis=2
    ), -points.probe_to_reference[:, :3, 3]


def _solved(systems: Matrix, right: Matrix) -> Matrix:
    """The least-squares solutions (K', 12) of K systems (K, M, 12), those of full rank."""
    # Pixels are hundreds, the rest is ones: scaled alike before the rank is judged.
    scale = np.linalg.norm(systems, axis=1)
    systems, right, scale = (part[(scale > 0).all(axis=1)] for part in (systems, right, scale))
    left, singular, turned = np.linalg.svd(systems / scale[:, None], full_matrices=False)
    full_rank = singular[:, -1] > 1e-9 * singular[:, 0]
    left, singular, turned, right, scale = (
        part[full_rank] for part in (left, singular, turned, right, scale)
    )
    along = np.einsum("kmi,km->ki", left, right) / singular
    result: Matrix = np.einsum("kij,ki->kj", turned, along) / scale
    return result


def _rigid(solutions: Matrix, fixed_mm_per_px: tuple[float, float] | None) -> tuple[Matrix, Matrix]:
    """The parameters (K', 11) nearest to linear solutions (K, 12), of those that have a pixel size, and the linear
    numbers (K', 12) that belong to them: the image's axes are made square by the nearest rotation."""
    sizes = np.linalg.norm(solutions[:, :6].reshape(-1, 2, 3), axis=2)
    solutions, sizes = (part[(sizes > 1e-6).all(axis=1)] for part in (solutions, sizes))
    directions = np.swapaxes(solutions[:, :6].reshape(-1, 2, 3) / sizes[:, :, None], 1, 2)
    left, _, right = np.linalg.svd(directions, full_matrices=False)
    square = left @ right
    normal = np.cross(square[:, :, 0], square[:, :, 1])
    rotations = np.concatenate([square, normal[:, :, None]], axis=2)
    rotvecs = Rotation.from_matrix(rotations).as_rotvec() if len(rotations) else np.zeros((0, 3))
    if fixed_mm_per_px is not None:
        sizes = np.broadcast_to(fixed_mm_per_px, sizes.shape)
    axes = np.swapaxes(square * sizes[:, None], 1, 2).reshape(-1, 6)
    return (
        np.column_stack([rotvecs, solutions[:, 6:9], np.log(sizes), solutions[:, 9:]]),
        np.column_stack([axes, solutions[:, 6:]]),
    )


def _spreads(residuals: Vector, robust: bool) -> tuple[float, float]:
    """In-plane and elevational spread of residuals (N, 3), mm; corrected for the eleven fitted numbers."""
    if robust:
        plane, elevation = (
            MAD_TO_SD * float(np.median(np.abs(r))) for r in (residuals[:, :2], residuals[:, 2])
        )
    else:
        plane, elevation = (float(np.sqrt(np.mean(r**2))) for r in (residuals[:, :2], residuals[:, 2]))
    freedom = np.sqrt(residuals.size / max(residuals.size - 11, 1))
    return max(plane * freedom, SMALLEST_SPREAD_MM), max(elevation * freedom, SMALLEST_SPREAD_MM)


def weighted(residuals: Vector, spreads: tuple[float, float]) -> Vector:
    """(N, 2): in-plane length and elevation of each residual in units of its spread."""
    in_plane = np.linalg.norm(residuals[:, :2], axis=1)
    return np.column_stack([in_plane / spreads[0], np.abs(residuals[:, 2]) / spreads[1]])


def refine(
    parameters: Vector,
    points: PinPoints,
    which: NDArray[np.bool_],
    spreads: tuple[float, float],
    fixed_mm_per_px: tuple[float, float] | None,
    robust: bool,
) -> Vector:
    """The parameters of least weighted squares (or soft L1, if `robust`) of the points `which` (N,), near the given."""
    free = free_parameters(fixed_mm_per_px)
    # In-plane residuals are divided by the pixel size of the start, so that they are pixel errors times a constant.
    start_sizes = pixel_sizes_mm(parameters)

    def residuals(values: Vector) -> Vector:
        full = parameters.copy()
        full[free] = values
        result = residuals_mm(full, points)[which]
        result[:, :2] *= start_sizes / pixel_sizes_mm(full)
        return (result / [spreads[0], spreads[0], spreads[1]]).ravel()

    solution = least_squares(
        residuals, parameters[free], loss="soft_l1" if robust else "linear", x_scale="jac"
    )
    full = parameters.copy()
    full[free] = solution.x
    return full


def heldout_offsets_mm(fit: PinFit) -> Vector:
    """(M, 3): offsets from the pin of the points used, each of FOLDS blocks of neighbours by the fit to the others."""
    used = np.flatnonzero(fit.inliers)
    offsets = np.zeros((len(used), 3))
    # Neighbours are alike: a point whose neighbour was fitted is not held out.
    block = np.arange(len(used)) * min(FOLDS, len(used)) // len(used)
    for left_out in range(block[-1] + 1):
        apart, others = block == left_out, fit.inliers.copy()
        others[used[apart]] = False
        refitted = refine(fit.parameters, fit.points, others, fit.spreads, fit.fixed_mm_per_px, robust=False)
        offsets[apart] = offsets_mm(refitted, fit.points)[used[apart]]
    return offsets
