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

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from ..errors import UserError
from ..geometry.transforms import Matrix, TransformTrack, require_rigid

Vector = NDArray[np.float64]

FEWEST_POINTS = 8
SUBSET_SIZE = 6
SUBSETS = 300
OUTLIER_LIMIT = 3.5  # weighted residual; a good point exceeds it once in a thousand
MAD_TO_SD = 1.4826
# No spread is taken to be smaller than a careful click and a good tracker allow.
SMALLEST_SPREAD_MM = 0.02


@dataclass(frozen=True, eq=False)
class PinPoints:
    """The pin in N images: `frames` (N,) numbers, `pixels` (N, 2) as u, v of the MF-oriented image, and
    `probe_to_reference` (N, 4, 4) rigid poses."""

    frames: NDArray[np.int_]
    pixels: Vector
    probe_to_reference: Matrix
    width_px: int
    height_px: int

    def __post_init__(self) -> None:
        require_rigid(TransformTrack(self.probe_to_reference, np.ones(len(self.frames), bool)), "ProbeToReference")
        limit = (self.width_px - 1, self.height_px - 1)
        outside = np.flatnonzero(~((self.pixels >= 0) & (self.pixels <= limit)).all(axis=1))
        if outside.size:
            first = outside[0]
            raise UserError(
                f"The point of frame {self.frames[first]}, ({self.pixels[first, 0]:.0f}, {self.pixels[first, 1]:.0f}) "
                f"px, is outside the image of {self.width_px}×{self.height_px} px ({outside.size} such points).",
                "Check that the columns are frame,u_px,v_px and belong to this recording.")

    def __len__(self) -> int:
        return len(self.frames)

    def chosen(self, which: NDArray[np.bool_] | NDArray[np.int_]) -> PinPoints:
        """The points with the given indices or flags."""
        return replace(self, frames=self.frames[which], pixels=self.pixels[which],
                       probe_to_reference=self.probe_to_reference[which])


@dataclass(frozen=True, eq=False)
class PinFit:
    """A fitted model. `parameters` are rotation vector (3), t (3) and log pixel sizes (2), pin (3); `covariance`
    (11, 11) is theirs; `inliers` (N,) the points that were used; spreads are those of a point's residuals."""

    parameters: Vector
    covariance: Matrix
    inliers: NDArray[np.bool_]
    in_plane_mm: float
    elevation_mm: float
    fixed_mm_per_px: tuple[float, float] | None

    @property
    def mm_per_px(self) -> tuple[float, float]:
        x_mm, y_mm = np.exp(self.parameters[6:8])
        return float(x_mm), float(y_mm)

    @property
    def pin_mm(self) -> Vector:
        """The pin in Reference, (3,)."""
        return self.parameters[8:11]

    @property
    def image_to_probe(self) -> Matrix:
        """(4, 4), pixels to millimetres, third column z = x × y of unit length."""
        return image_to_probe(self.parameters)


def image_to_probe(parameters: Vector) -> Matrix:
    """The (4, 4) ImageToProbe of a parameter vector."""
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_rotvec(parameters[:3]).as_matrix() * [*np.exp(parameters[6:8]), 1.0]
    matrix[:3, 3] = parameters[3:6]
    return matrix


def fit_pinhead(points: PinPoints, fixed_mm_per_px: tuple[float, float] | None = None, seed: int = 0) -> PinFit:
    """Fit ImageToProbe and the pin. `fixed_mm_per_px` holds a known pixel size.

    Raises UserError with fewer than FEWEST_POINTS points and when the poses do not determine an answer at all.
    """
    if len(points) < FEWEST_POINTS:
        raise UserError(f"{len(points)} points are too few to calibrate; {FEWEST_POINTS} are the least.",
                        "Mark the pin in more images, from more directions (30 to 90 images are usual).")
    parameters = _start(points, fixed_mm_per_px, np.random.default_rng(seed))
    spreads = _spreads(_residuals_mm(parameters, points), robust=True)
    inliers = np.ones(len(points), bool)
    for _ in range(20):
        parameters = _refine(parameters, points.chosen(inliers), spreads, fixed_mm_per_px, robust=True)
        residuals = _residuals_mm(parameters, points)
        spreads = _spreads(residuals[inliers], robust=True)
        now_in = _weighted(residuals, spreads).max(axis=1) <= OUTLIER_LIMIT
        if (now_in == inliers).all():
            break
        inliers = now_in
        if inliers.sum() < FEWEST_POINTS:
            raise UserError(f"Only {inliers.sum()} of {len(points)} points agree on one pin position.",
                            "Check that the pin did not move, that the points belong to these poses, and that the "
                            "poses are ProbeToReference.")
    used = points.chosen(inliers)
    for _ in range(3):
        parameters = _refine(parameters, used, spreads, fixed_mm_per_px, robust=False)
        spreads = _spreads(_residuals_mm(parameters, used), robust=False)
    return PinFit(parameters, _covariance(parameters, used, spreads, fixed_mm_per_px), inliers, *spreads,
                  fixed_mm_per_px)


def predicted_error_mm(fit: PinFit, pixels: Vector) -> Vector:
    """The expected distance (RMS, mm) between the fitted and the true place in the probe frame of each pixel (K, 2)."""
    jacobian = _numeric_jacobian(lambda x: _in_probe(x, pixels).ravel(), fit.parameters).reshape(len(pixels), 3, 11)
    covariance = jacobian @ fit.covariance @ np.swapaxes(jacobian, 1, 2)
    return np.sqrt(np.trace(covariance, axis1=1, axis2=2))


def pin_distance_mm(parameters: Vector, points: PinPoints) -> Vector:
    """How far each point lies from the pin in Reference, (N,) mm: the usual point reproducibility error."""
    offset = _in_reference(parameters, points) - parameters[8:11]
    return np.linalg.norm(offset, axis=1)


def _start(points: PinPoints, fixed_mm_per_px: tuple[float, float] | None, rng: np.random.Generator) -> Vector:
    """The linear solution of the subset whose median point distance is smallest (of all points among them)."""
    subsets = [np.arange(len(points))]
    subsets += [rng.choice(len(points), SUBSET_SIZE, replace=False) for _ in range(SUBSETS)]
    best, best_cost = None, np.inf
    for subset in subsets:
        candidate = _linear(points.chosen(subset), fixed_mm_per_px)
        cost = np.inf if candidate is None else float(np.median(pin_distance_mm(candidate, points)))
        if cost < best_cost:
            best, best_cost = candidate, cost
    if best is None:
        raise UserError("The poses do not determine the calibration: the probe was hardly turned.",
                        "Record the pin again, tilting and turning the probe by ±30° about all three axes.")
    return best


def _linear(points: PinPoints, fixed_mm_per_px: tuple[float, float] | None) -> Vector | None:
    """R_i (a·u + b·v + t) + t_i − p = 0 in least squares for (a, b, t, p); None where it is singular."""
    rotations = points.probe_to_reference[:, :3, :3]
    u, v = points.pixels[:, 0, None, None], points.pixels[:, 1, None, None]
    eye = np.broadcast_to(np.eye(3), rotations.shape)
    system = np.concatenate([rotations * u, rotations * v, rotations, -eye], axis=2).reshape(-1, 12)
    # Pixels are hundreds, the rest is ones: scaled alike before the rank is judged.
    scale = np.linalg.norm(system, axis=0)
    if not (scale > 0).all():
        return None
    solution, _, rank, _ = np.linalg.lstsq(system / scale, -points.probe_to_reference[:, :3, 3].ravel(), rcond=1e-9)
    if rank < 12:
        return None
    a, b, offset, pin = (solution / scale).reshape(4, 3)
    sizes = np.linalg.norm([a, b], axis=1)
    if not (sizes > 1e-6).all():
        return None
    if fixed_mm_per_px is not None:
        sizes = np.asarray(fixed_mm_per_px)
    return np.concatenate([_nearest_rotation(a, b), offset, np.log(sizes), pin])


def _nearest_rotation(a: Vector, b: Vector) -> Vector:
    """The rotation vector whose first two axes are nearest to the directions of a and b."""
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    left, _, right = np.linalg.svd(np.column_stack([a, b]), full_matrices=False)
    x, y = (left @ right).T
    return Rotation.from_matrix(np.column_stack([x, y, np.cross(x, y)])).as_rotvec()


def _in_probe(parameters: Vector, pixels: Vector) -> Vector:
    matrix = image_to_probe(parameters)
    return pixels @ matrix[:3, :2].T + matrix[:3, 3]


def _in_reference(parameters: Vector, points: PinPoints) -> Vector:
    poses = points.probe_to_reference
    return np.einsum("nij,nj->ni", poses[:, :3, :3], _in_probe(parameters, points.pixels)) + poses[:, :3, 3]


def _residuals_mm(parameters: Vector, points: PinPoints) -> Vector:
    """(N, 3): the pin as the model sees it, minus the marked point, along the image's x, y and its normal, mm.

    Pixel errors are turned to millimetres by the fitted size of a pixel afterwards: fitting in pixels keeps noisy
    clicks from shrinking the size.
    """
    poses = points.probe_to_reference
    in_probe = np.einsum("nji,nj->ni", poses[:, :3, :3], parameters[8:11] - poses[:, :3, 3])
    in_image = (in_probe - parameters[3:6]) @ Rotation.from_rotvec(parameters[:3]).as_matrix()
    sizes = np.exp(parameters[6:8])
    return np.column_stack([in_image[:, :2] - points.pixels * sizes, in_image[:, 2]])


def _spreads(residuals: Vector, robust: bool) -> tuple[float, float]:
    """In-plane and elevational spread of residuals (N, 3), mm; corrected for the eleven fitted numbers."""
    if robust:
        plane, elevation = (MAD_TO_SD * float(np.median(np.abs(r))) for r in (residuals[:, :2], residuals[:, 2]))
    else:
        plane, elevation = (float(np.sqrt(np.mean(r**2))) for r in (residuals[:, :2], residuals[:, 2]))
    freedom = np.sqrt(residuals.size / max(residuals.size - 11, 1))
    return max(plane * freedom, SMALLEST_SPREAD_MM), max(elevation * freedom, SMALLEST_SPREAD_MM)


def _weighted(residuals: Vector, spreads: tuple[float, float]) -> Vector:
    """(N, 2): in-plane length and elevation of each residual in units of its spread."""
    return np.column_stack([np.linalg.norm(residuals[:, :2], axis=1) / spreads[0], np.abs(residuals[:, 2]) / spreads[1]])


def _refine(parameters: Vector, points: PinPoints, spreads: tuple[float, float],
            fixed_mm_per_px: tuple[float, float] | None, robust: bool) -> Vector:
    free = _free(fixed_mm_per_px)
    # In-plane residuals are divided by the pixel size of the start, so that they are pixel errors times a constant.
    start_sizes = np.exp(parameters[6:8])

    def residuals(values: Vector) -> Vector:
        full = parameters.copy()
        full[free] = values
        result = _residuals_mm(full, points)
        result[:, :2] *= start_sizes / np.exp(full[6:8])
        return (result / [spreads[0], spreads[0], spreads[1]]).ravel()

    solution = least_squares(residuals, parameters[free], loss="soft_l1" if robust else "linear", x_scale="jac")
    full = parameters.copy()
    full[free] = solution.x
    return full


def _covariance(parameters: Vector, points: PinPoints, spreads: tuple[float, float],
                fixed_mm_per_px: tuple[float, float] | None) -> Matrix:
    """Of the parameters, from the curvature of the weighted squares at the solution; zero for what is held fixed."""
    weights = np.array([spreads[0], spreads[0], spreads[1]])
    jacobian = _numeric_jacobian(lambda x: (_residuals_mm(x, points) / weights).ravel(), parameters)
    free = _free(fixed_mm_per_px)
    covariance = np.zeros((11, 11))
    covariance[np.ix_(free, free)] = np.linalg.pinv(jacobian[:, free].T @ jacobian[:, free], hermitian=True)
    return covariance


def _free(fixed_mm_per_px: tuple[float, float] | None) -> NDArray[np.int_]:
    return np.array([i for i in range(11) if fixed_mm_per_px is None or i not in (6, 7)])


def _numeric_jacobian(function: object, at: Vector, step: float = 1e-6) -> Matrix:
    columns = []
    for index in range(len(at)):
        offset = np.zeros(len(at))
        offset[index] = step
        columns.append((function(at + offset) - function(at - offset)) / (2 * step))  # type: ignore[operator]
    return np.column_stack(columns)
