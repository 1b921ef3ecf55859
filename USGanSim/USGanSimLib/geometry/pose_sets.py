"""Sets of poses for simulated recordings with known truth: along a curve, and a grid around one pose.

Frames are rigid (4, 4) as in image_frame.py, in the frame that the curve or the plane is given in (RAS, say); `at_face`
and `at_centre` turn them into poses of an image.
"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from .field_of_view import Point
from .image_frame import Offset, centre_frame, face_frame, moved
from .image_geometry import ImageGeometry
from .transforms import Matrix

MOST_POSES = 20_000
Vectors = NDArray[np.floating]
# A curve that runs along the way up tells no image plane.
_LEAST_ANGLE_DEG = 10.0


def along_curve(points_mm: Vectors, spacing_mm: float, up: Vectors, in_plane: bool) -> Matrix:
    """(K, 4, 4) frames of the face, every `spacing_mm` along an open chain of points (N, 3), from its beginning.

    `up` (3,) points out of the body, from the face to the probe's handle. The depth axis is its opposite, as far as it
    is square to the curve; `in_plane`: the image holds the curve's direction (across runs along it), otherwise it
    stands square to the curve. Raises UserError for a curve without length, too many poses, or one that runs upwards.
    """
    if spacing_mm <= 0:
        raise UserError(f"A spacing of {spacing_mm:g} mm is not possible.", "Give a number above 0.")
    steps_mm = np.linalg.norm(np.diff(points_mm, axis=0), axis=1)
    lengths_mm = np.concatenate([[0.0], np.cumsum(steps_mm)])
    if len(points_mm) < 2 or lengths_mm[-1] == 0:
        raise UserError(f"The curve has {len(points_mm)} points and no length.", "Place two points or more.")
    # A curve of 40 mm in steps of 1 mm has 41 poses, also where its length is 39.9999999 mm.
    count = int(lengths_mm[-1] / spacing_mm + 1e-6) + 1
    require_few(count)
    at_mm = np.arange(count) * spacing_mm
    before, after = (
        _points_at(np.clip(at_mm + step, 0, lengths_mm[-1]), lengths_mm, points_mm)
        for step in (-spacing_mm / 2, spacing_mm / 2)
    )
    tangents = (after - before) / np.linalg.norm(after - before, axis=1, keepdims=True)
    upwards = up / np.linalg.norm(up)
    depth = -(upwards - tangents * (tangents @ upwards)[:, None])
    straightness = np.linalg.norm(depth, axis=1)
    if straightness.min() < np.sin(np.radians(_LEAST_ANGLE_DEG)):
        raise UserError(
            f"At {at_mm[straightness.argmin()]:.0f} mm the curve runs along the way up, which tells no "
            "image plane.",
            "Choose another way up, or move the curve's points.",
        )
    depth /= straightness[:, None]
    across = tangents if in_plane else np.cross(depth, tangents)
    frames = np.tile(np.eye(4), (len(at_mm), 1, 1))
    frames[:, :3, 0], frames[:, :3, 1], frames[:, :3, 2] = across, depth, np.cross(across, depth)
    frames[:, :3, 3] = _points_at(at_mm, lengths_mm, points_mm)
    return frames


def offsets_around(most: Offset, steps: int) -> list[Offset]:
    """A grid of moves from −`most` to +`most`, `steps` (odd) along each number that is not 0; the first varies slowest.

    Raises UserError for an even number of steps, which would leave out the middle, and for too many poses.
    """
    if steps < 1 or steps % 2 == 0:
        raise UserError(f"{steps} steps leave out the middle.", "Give an odd number: 3, 5, 7, …")
    extents = list(most.as_dict().values())
    require_few(steps ** sum(extent != 0 for extent in extents))
    axes = [
        np.linspace(-extent, extent, steps).tolist() if extent and steps > 1 else [0.0] for extent in extents
    ]
    return [Offset(*numbers) for numbers in itertools.product(*axes)]


def around(pose: Matrix, face_px: Point, offsets: list[Offset]) -> Matrix:
    """(K, 4, 4): the pose after each of the moves of a probe whose face is at the pixel `face_px`."""
    return np.array([moved(pose, face_px, offset) for offset in offsets])


def at_face(frames: Matrix, geometry: ImageGeometry, face_px: Point) -> Matrix:
    """(…, 4, 4) poses of the image whose face, the pixel `face_px`, stands in `frames`. ImageToProbe stays as it is:
    the probe is placed."""
    own = face_frame(geometry.image_to_probe, face_px)
    result: Matrix = frames @ np.linalg.inv(own) @ geometry.image_to_probe
    return result


def at_centre(frames: Matrix, geometry: ImageGeometry) -> Matrix:
    """(…, 4, 4) poses of the image whose centre lies in `frames`."""
    own = centre_frame(geometry.image_to_probe, geometry.width_px, geometry.height_px)
    result: Matrix = frames @ np.linalg.inv(own) @ geometry.image_to_probe
    return result


def require_few(count: int) -> None:
    """Raise UserError for more poses than MOST_POSES."""
    if count > MOST_POSES:
        raise UserError(
            f"That would be {count} poses ({MOST_POSES} are possible).", "Take larger or fewer steps."
        )


def _points_at(at_mm: Vectors, lengths_mm: Vectors, points_mm: Vectors) -> Vectors:
    return np.column_stack([np.interp(at_mm, lengths_mm, points_mm[:, axis]) for axis in range(3)])
