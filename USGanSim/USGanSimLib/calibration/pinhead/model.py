"""ImageToProbe from a fixed pinhead seen from many directions: p = T_i · R · (sx·u, sy·v, 0) + t.

T_i is ProbeToReference of image i, (u, v) the pin's pixel there, p its fixed place in Reference; unknown are the rigid
transform (R, t), the pixel size sx, sy > 0 and p: 11 numbers. The axes follow the convention z = x × y.

1. Start: the model is linear in a = sx·R₁, b = sy·R₂, t and p, 12 numbers, so no guess is asked for. Fitted to random
   subsets (least median of residuals, Rousseeuw 1984), so that misplaced clicks do not decide it.
2. Refinement in the image: the residuals of a point are its two pixel errors and the pin's distance from the image
   plane. They have different spreads (a click is off by a pixel, a thick beam shows a pin that is a millimetre off the
   plane), so each kind is weighted by its own spread, estimated along the way.
3. Outliers are left out by their weighted residual and named.
4. Quality from the covariance of the parameters, not from the residual, which looks the same for good and bad data.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from ...errors import UserError
from ...geometry.transforms import Matrix
from .points import PinPoints, Vector

FEWEST_POINTS = 8
SUBSET_SIZE = 6
SUBSETS = 300
OUTLIER_LIMIT = 3.5  # weighted residual; a good point exceeds it once in a thousand
MAD_TO_SD = 1.4826
# No spread is taken to be smaller than a careful click and a good tracker allow.
SMALLEST_SPREAD_MM = 0.02
PIXEL_LIMITS_MM = (0.002, 20.0)
# A number whose change by 1 (radian, millimetre, factor e) moves all residuals together by less of their spread, or
# that others make up for to one part in this, is not determined by the points.
LEAST_EFFECT = 1e-4
LARGEST_CONDITION = 1e7


@dataclass(frozen=True, eq=False)
class PinFit:
    """A fitted model. `parameters` are rotation vector (3), t (3) and log pixel sizes (2), pin (3); `covariance`
    (11, 11) is theirs, infinite where the points do not determine them all; `inliers` (N,) the points that were used;
    spreads are those of a point's residuals."""

    parameters: Vector
    covariance: Matrix
    inliers: NDArray[np.bool_]
    in_plane_mm: float
    elevation_mm: float
    fixed_mm_per_px: tuple[float, float] | None

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


def pixel_sizes_mm(parameters: Vector) -> Vector:
    """(2,): the pixel size in x and y, kept within what an image can have while a fit seeks it."""
    sizes: Vector = np.exp(np.clip(parameters[6:8], *np.log(PIXEL_LIMITS_MM)))
    return sizes


def image_to_probe(parameters: Vector) -> Matrix:
    """The (4, 4) ImageToProbe of a parameter vector."""
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_rotvec(parameters[:3]).as_matrix() * [*pixel_sizes_mm(parameters), 1.0]
    matrix[:3, 3] = parameters[3:6]
    return matrix


def fit_pinhead(
    points: PinPoints, fixed_mm_per_px: tuple[float, float] | None = None, seed: int = 0
) -> PinFit:
    """Fit ImageToProbe and the pin. `fixed_mm_per_px` holds a known pixel size.

    Raises UserError with fewer than FEWEST_POINTS points and when the poses do not determine an answer at all.
    """
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
    parameters, _ = robust_start(points, fixed_mm_per_px, seed)
    spreads = _spreads(residuals_mm(parameters, points), robust=True)
    inliers = np.ones(len(points), bool)
    for _ in range(20):
        parameters = refine(parameters, points.chosen(inliers), spreads, fixed_mm_per_px, robust=True)
        residuals = residuals_mm(parameters, points)
        spreads = _spreads(residuals[inliers], robust=True)
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
    used = points.chosen(inliers)
    for _ in range(3):
        parameters = refine(parameters, used, spreads, fixed_mm_per_px, robust=False)
        spreads = _spreads(residuals_mm(parameters, used), robust=False)
    smallest, largest = np.log(PIXEL_LIMITS_MM)
    if fixed_mm_per_px is None and not ((smallest < parameters[6:8]) & (parameters[6:8] < largest)).all():
        raise UserError(
            "The points agree best on pixels of no size or without end: they tell no pixel size.",
            "Check that points and poses belong together, that the poses are in millimetres, and show the "
            "pin all over the image.",
        )
    return PinFit(
        parameters, covariance(parameters, used, spreads, fixed_mm_per_px), inliers, *spreads, fixed_mm_per_px
    )


def predicted_error_mm(fit: PinFit, pixels: Vector) -> Vector:
    """The expected distance (mm) between the fitted and the true place in the probe frame of each pixel (K, 2).

    The mean length of a normal vector of covariance C, to second order: √τ · (1 − tr(C²) / 4τ²) with τ = tr C. Infinite
    where the points do not determine the fit.
    """
    if not np.isfinite(fit.covariance).all():
        return np.full(len(pixels), np.inf)
    jacobian = numeric_jacobian(lambda x: _in_probe(x, pixels).ravel(), fit.parameters).reshape(
        len(pixels), 3, 11
    )
    covariance = jacobian @ fit.covariance @ np.swapaxes(jacobian, 1, 2)
    total = np.trace(covariance, axis1=1, axis2=2)
    squares = np.einsum("kij,kji->k", covariance, covariance)
    result: Vector = np.sqrt(total) * (1 - squares / (4 * total**2))
    return result


def pin_distance_mm(parameters: Vector, points: PinPoints) -> Vector:
    """How far each point lies from the pin in Reference, (N,) mm: the usual point reproducibility error."""
    distance: Vector = np.linalg.norm(in_reference(parameters, points) - parameters[8:11], axis=1)
    return distance


def robust_start(
    points: PinPoints, fixed_mm_per_px: tuple[float, float] | None = None, seed: int = 0
) -> tuple[Vector, float]:
    """Of the linear solutions of all points and of random subsets, the one whose median point distance is smallest,
    and that distance in mm. Raises UserError where no subset determines a solution."""
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


def _in_probe(parameters: Vector, pixels: Vector) -> Vector:
    matrix = image_to_probe(parameters)
    place: Vector = pixels @ matrix[:3, :2].T + matrix[:3, 3]
    return place


def in_reference(parameters: Vector, points: PinPoints) -> Vector:
    """(N, 3): where the model places each marked point in Reference, mm."""
    poses = points.probe_to_reference
    turned = np.einsum("nij,nj->ni", poses[:, :3, :3], _in_probe(parameters, points.pixels))
    place: Vector = turned + poses[:, :3, 3]
    return place


def residuals_mm(parameters: Vector, points: PinPoints) -> Vector:
    """(N, 3): the pin as the model sees it, minus the marked point, along the image's x, y and its normal, mm; the last
    from the point's `elevation_mm` and divided by its `elevation_share`.

    Pixel errors are turned to millimetres by the fitted size of a pixel afterwards: fitting in pixels keeps noisy
    clicks from shrinking the size.
    """
    in_image = _in_image(parameters, points)
    sizes = pixel_sizes_mm(parameters)
    across = (in_image[:, 2] - points.elevation_mm) / points.elevation_share
    return np.column_stack([in_image[:, :2] - points.pixels * sizes, across])


def off_plane_mm(parameters: Vector, points: PinPoints) -> Vector:
    """(N,): the pin's distance from each image's plane, along its z axis."""
    distance: Vector = _in_image(parameters, points)[:, 2]
    return distance


def _in_image(parameters: Vector, points: PinPoints) -> Vector:
    """(N, 3): the pin along each image's x, y and z axes from its first pixel, mm."""
    poses = points.probe_to_reference
    in_probe = np.einsum("nji,nj->ni", poses[:, :3, :3], parameters[8:11] - poses[:, :3, 3])
    in_image: Vector = (in_probe - parameters[3:6]) @ Rotation.from_rotvec(parameters[:3]).as_matrix()
    return in_image


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
    spreads: tuple[float, float],
    fixed_mm_per_px: tuple[float, float] | None,
    robust: bool,
) -> Vector:
    """The parameters of least weighted squares (or soft L1, if `robust`) near the given ones."""
    free = free_parameters(fixed_mm_per_px)
    # In-plane residuals are divided by the pixel size of the start, so that they are pixel errors times a constant.
    start_sizes = pixel_sizes_mm(parameters)

    def residuals(values: Vector) -> Vector:
        full = parameters.copy()
        full[free] = values
        result = residuals_mm(full, points)
        result[:, :2] *= start_sizes / pixel_sizes_mm(full)
        return (result / [spreads[0], spreads[0], spreads[1]]).ravel()

    solution = least_squares(
        residuals, parameters[free], loss="soft_l1" if robust else "linear", x_scale="jac"
    )
    full = parameters.copy()
    full[free] = solution.x
    return full


def covariance(
    parameters: Vector,
    points: PinPoints,
    spreads: tuple[float, float],
    fixed_mm_per_px: tuple[float, float] | None,
) -> Matrix:
    """Of the parameters, from the curvature of the weighted squares at the solution; zero for what is held fixed,
    infinite for all where some are not determined.

    Neighbouring images of a sweep err alike, so that each kind of residual counts as fewer independent ones. The pin
    wanders off the image plane as slowly as the hand moves, though the residual hides it: the fit takes slow errors for
    a tilt of the image. So those count as no more independent than the places in the image do; where a hand strokes in
    a rhythm, the pin may leave the plane in the rhythm of its places.
    """
    residuals = residuals_mm(parameters, points)
    free = free_parameters(fixed_mm_per_px)
    alike = np.array(
        [
            alikeness(residuals[:, :2]),
            max(
                alikeness(residuals[:, 2:]),
                slowness(points),
                rhythm(points.pixels - points.pixels.mean(axis=0)),
            ),
        ]
    )
    independent = np.array([2, 1]) * len(points) / alike
    widths = np.asarray(spreads) * np.sqrt(alike)
    if not np.isfinite(condition(parameters, points, spreads, fixed_mm_per_px)):
        return np.full((11, 11), np.inf)
    # Each kind's spread is judged by what is left of it after it has determined its share of the parameters.
    determined = np.zeros(2)
    for _ in range(3):
        factors = np.sqrt(independent / np.maximum(independent - determined, 1.0))
        jacobian = weighted_jacobian(parameters, points, tuple(widths * factors))[:, free]
        free_covariance = np.linalg.pinv(jacobian.T @ jacobian, hermitian=True)
        leverage = np.einsum("ni,ij,nj->n", jacobian, free_covariance, jacobian).reshape(-1, 3)
        determined = np.array([leverage[:, :2].sum(), leverage[:, 2].sum()])
    covariance = np.zeros((11, 11))
    covariance[np.ix_(free, free)] = free_covariance
    return covariance


def condition(
    parameters: Vector,
    points: PinPoints,
    spreads: tuple[float, float],
    fixed_mm_per_px: tuple[float, float] | None,
) -> float:
    """The condition number of the fit with every parameter in units of its own effect on the residuals; infinite where
    a parameter has none, or where others make up for it."""
    jacobian = weighted_jacobian(parameters, points, spreads)[:, free_parameters(fixed_mm_per_px)]
    effects = np.linalg.norm(jacobian, axis=0)
    if not effects.min() > LEAST_EFFECT:
        return float("inf")
    number = float(np.linalg.cond(jacobian / effects))
    return number if number < LARGEST_CONDITION else float("inf")


def slowness(points: PinPoints) -> float:
    """How many neighbouring points count as one by their places in the image."""
    return alikeness(points.pixels - points.pixels.mean(axis=0))


def alikeness(residuals: Vector) -> float:
    """How many neighbouring residuals (N, K), in the order of the frames, count as one: 1 + 2 Σ ρ_k over the lags
    before the first autocorrelation ρ_k that is no longer clearly positive (twice its SD 1/√N)."""
    count = len(residuals)
    power = float(np.sum(residuals**2))
    total = 1.0
    for lag in range(1, count // 4):
        correlation = float(np.sum(residuals[lag:] * residuals[:-lag])) / power
        if correlation < 2 / np.sqrt(count):
            break
        total += 2 * correlation
    return total


def rhythm(course: Vector) -> float:
    """How many neighbours in a course (N, K) of mean 0 count as one when another of the same kind is correlated with
    it: 1 + 2 Σ ρ_k² (Bartlett 1946) over the lags whose autocorrelation ρ_k is no chance (three times its SD 1/√N)."""
    count = len(course)
    power = float(np.sum(course**2))
    correlations = np.array([np.sum(course[lag:] * course[:-lag]) / power for lag in range(1, count // 2)])
    return float(1 + 2 * np.sum(correlations[np.abs(correlations) > 3 / np.sqrt(count)] ** 2))


def weighted_jacobian(parameters: Vector, points: PinPoints, spreads: tuple[float, float]) -> Matrix:
    """(3N, 11): derivatives of the residuals in units of their spreads."""
    weights = np.array([spreads[0], spreads[0], spreads[1]])
    return numeric_jacobian(lambda x: (residuals_mm(x, points) / weights).ravel(), parameters)


def free_parameters(fixed_mm_per_px: tuple[float, float] | None) -> NDArray[np.int_]:
    """Indices of the parameters that are fitted."""
    return np.array([i for i in range(11) if fixed_mm_per_px is None or i not in (6, 7)])


def numeric_jacobian(function: Callable[[Vector], Vector], at: Vector, step: float = 1e-6) -> Matrix:
    """(M, K) central differences of a function of K numbers that returns M."""
    steps = step * np.eye(len(at))
    return np.column_stack([(function(at + offset) - function(at - offset)) / (2 * step) for offset in steps])
