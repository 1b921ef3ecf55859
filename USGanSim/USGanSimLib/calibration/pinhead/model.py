"""The model of a fixed pinhead seen from many directions: p = T_i · R · (sx·u, sy·v, 0) + t.

T_i is ProbeToReference of image i, (u, v) the pin's pixel there, p its fixed place in Reference; unknown are the rigid
transform (R, t), the pixel size sx, sy > 0 and p: 11 numbers. The axes follow the convention z = x × y.

They are one vector, `parameters` (11,): rotation vector (3), t (3), logarithms of the pixel sizes (2), p (3).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ...geometry.transforms import Matrix
from .points import PinPoints, Vector

PIXEL_LIMITS_MM = (0.002, 20.0)


def free_parameters(fixed_mm_per_px: tuple[float, float] | None) -> NDArray[np.int_]:
    """Indices of the parameters that are fitted."""
    return np.array([i for i in range(11) if fixed_mm_per_px is None or i not in (6, 7)])


def pixel_sizes_mm(parameters: Vector) -> Vector:
    """(2,): the pixel size in x and y, kept within what an image can have while a fit seeks it."""
    sizes: Vector = np.exp(np.clip(parameters[6:8], *np.log(PIXEL_LIMITS_MM)))
    return sizes


def tells_pixel_size(parameters: Vector) -> bool:
    """Whether both pixel sizes lie within what an image can have, and not at the end of it."""
    smallest, largest = np.log(PIXEL_LIMITS_MM)
    return bool(((smallest < parameters[6:8]) & (parameters[6:8] < largest)).all())


def image_to_probe(parameters: Vector) -> Matrix:
    """(4, 4), pixels to millimetres, third column z = x × y of unit length."""
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_rotvec(parameters[:3]).as_matrix() * [*pixel_sizes_mm(parameters), 1.0]
    matrix[:3, 3] = parameters[3:6]
    return matrix


def in_probe_mm(parameters: Vector, pixels: Vector) -> Vector:
    """(K, 3): where pixels (K, 2) lie in the probe's frame."""
    matrix = image_to_probe(parameters)
    place: Vector = pixels @ matrix[:3, :2].T + matrix[:3, 3]
    return place


def offsets_mm(parameters: Vector, points: PinPoints) -> Vector:
    """(N, 3): the marked points minus the pin, in Reference. Their length is the usual point reproducibility error."""
    poses = points.probe_to_reference
    turned = np.einsum("nij,nj->ni", poses[:, :3, :3], in_probe_mm(parameters, points.pixels))
    offsets: Vector = turned + poses[:, :3, 3] - parameters[8:11]
    return offsets


def residuals_mm(parameters: Vector, points: PinPoints) -> Vector:
    """(N, 3): the pin as the model sees it, minus the marked point, along the image's x, y and its normal, mm; the last
    from the point's `elevation_mm` and divided by its `elevation_share`.

    Pixel errors are turned to millimetres by the fitted size of a pixel afterwards: fitting in pixels keeps noisy
    clicks from shrinking the size.
    """
    poses = points.probe_to_reference
    in_probe = np.einsum("nji,nj->ni", poses[:, :3, :3], parameters[8:11] - poses[:, :3, 3])
    # The pin along each image's x, y and z axes from its first pixel.
    in_image: Vector = (in_probe - parameters[3:6]) @ Rotation.from_rotvec(parameters[:3]).as_matrix()
    across = (in_image[:, 2] - points.elevation_mm) / points.elevation_share
    return np.column_stack([in_image[:, :2] - points.pixels * pixel_sizes_mm(parameters), across])
