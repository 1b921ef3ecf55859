"""The frame of an image in millimetres, and moves along its own axes.

The axes of an image are: across (along the rows, u), depth (along the columns, v, made square to across), and out of
the plane (across × depth). Its origin is a pixel; that of the *face* is where the probe touches: the middle of the near
border of the field of view (field_of_view.py), of a curved probe some way below the first row. A pose is
ImageToReference, or ImageTo any other frame of millimetres.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from .field_of_view import Point
from .transforms import Matrix


@dataclass(frozen=True)
class Offset:
    """A move of the probe against where it is: millimetres along the image's own axes, then degrees about the face.

    across_mm, depth_mm, out_mm  along the rows, away from the probe, out of the plane
    tilt_deg                     about the across axis: fans the image out of its plane
    rock_deg                     about the axis out of the plane: swings the image in its plane
    turn_deg                     about the depth axis: turns the probe in the hand
    """

    across_mm: float = 0.0
    depth_mm: float = 0.0
    out_mm: float = 0.0
    tilt_deg: float = 0.0
    rock_deg: float = 0.0
    turn_deg: float = 0.0

    def matrix(self) -> Matrix:
        """(4, 4) in the frame of the face."""
        result = np.eye(4)
        angles_deg = [self.turn_deg, self.tilt_deg, self.rock_deg]
        result[:3, :3] = Rotation.from_euler("YXZ", angles_deg, degrees=True).as_matrix()
        result[:3, 3] = self.across_mm, self.depth_mm, self.out_mm
        return result

    @classmethod
    def of_matrix(cls, matrix: Matrix) -> Offset:
        """The inverse of `matrix`, for tilts of less than 90 degrees."""
        turn_deg, tilt_deg, rock_deg = (
            Rotation.from_matrix(matrix[:3, :3]).as_euler("YXZ", degrees=True).tolist()
        )
        across_mm, depth_mm, out_mm = matrix[:3, 3].tolist()
        return cls(across_mm, depth_mm, out_mm, tilt_deg, rock_deg, turn_deg)

    def as_dict(self) -> dict[str, float]:
        return dataclasses.asdict(self)


def image_frame(pose: Matrix, u_px: float, v_px: float) -> Matrix:
    """(…, 4, 4) poses → (…, 4, 4) rigid: columns across, depth and out of the plane, with pixel (u, v) as origin."""
    across = pose[..., :3, 0] / np.linalg.norm(pose[..., :3, 0], axis=-1, keepdims=True)
    depth = pose[..., :3, 1] - across * (across * pose[..., :3, 1]).sum(axis=-1, keepdims=True)
    depth = depth / np.linalg.norm(depth, axis=-1, keepdims=True)
    result = np.zeros(pose.shape)
    result[..., :3, 0], result[..., :3, 1], result[..., :3, 2] = across, depth, np.cross(across, depth)
    result[..., :, 3] = pose @ np.array([u_px, v_px, 0, 1])
    return result


def face_frame(pose: Matrix, face_px: Point) -> Matrix:
    """The frame of the probe's face, whose middle is the pixel `face_px` (u, v)."""
    return image_frame(pose, *face_px)


def first_row_px(width_px: int) -> Point:
    """The middle of the first row (u, v): what is known of a face without a field of view."""
    return (width_px - 1) / 2, 0.0


def centre_frame(pose: Matrix, width_px: int, height_px: int) -> Matrix:
    """The frame whose origin is the image's centre."""
    return image_frame(pose, (width_px - 1) / 2, (height_px - 1) / 2)


def moved(pose: Matrix, face_px: Point, offset: Offset) -> Matrix:
    """The pose (4, 4) after a move of the probe along the image's own axes and about its face."""
    face = face_frame(pose, face_px)
    return face @ offset.matrix() @ np.linalg.inv(face) @ pose


def offset_between(base: Matrix, pose: Matrix, face_px: Point) -> Offset:
    """The move that takes the pose `base` to `pose`, both (4, 4) of one image geometry."""
    return Offset.of_matrix(np.linalg.inv(face_frame(base, face_px)) @ face_frame(pose, face_px))
