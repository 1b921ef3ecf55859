"""A smooth path of the probe through the poses that a model was trained on, as a hand would move it.

Some of the trained poses, spread over the whole range, are visited in a short round. Between two of them the path goes
from trained pose to trained pose in small steps (the shortest way where a step costs its length cubed), and the
corners are rounded off, so that it stays where the model knows the anatomy.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.sparse.csgraph import shortest_path
from scipy.spatial.distance import cdist
from scipy.spatial.transform import Rotation, Slerp

from .image_frame import face_frame, first_row_px
from .pose_distance import PoseDistance, PoseRange
from .transforms import Matrix

SPEED_MM_S = 15.0
_STOPS = 20
_STEP_COST = 3
_EVERY_MM = 1.0
_ROUNDED_MM = 6.0
# One pose alone is shown for as long.
_STILL_S = 1.0


class PosePath:
    """Poses in time, interpolated: straight for the face, by slerp for the rotation; the end is the beginning.

    times_s   (N,) from 0 on, increasing
    poses     (N, 4, 4) ImageToReference of one image geometry
    """

    def __init__(self, times_s: NDArray[np.float64], poses: Matrix, width_px: int) -> None:
        faces = face_frame(poses, first_row_px(width_px))
        self.duration_s = float(times_s[-1])
        self._times_s = times_s
        self._origins = faces[:, :3, 3]
        self._rotation = Slerp(times_s, Rotation.from_matrix(faces[:, :3, :3]))
        # A rigid probe: the image in the frame of its face is always the same.
        self._image_to_face = np.linalg.inv(faces[0]) @ poses[0]

    def at(self, time_s: float) -> Matrix:
        """The pose (4, 4) at a moment, held at both ends."""
        pose: Matrix = self.at_all(np.array([time_s]))[0]
        return pose

    def at_all(self, times_s: NDArray[np.float64]) -> Matrix:
        """The poses (N, 4, 4) at moments (N,)."""
        moments_s = np.clip(times_s, 0.0, self.duration_s)
        faces = np.tile(np.eye(4), (len(moments_s), 1, 1))
        faces[:, :3, :3] = self._rotation(moments_s).as_matrix()
        for axis in range(3):
            faces[:, axis, 3] = np.interp(moments_s, self._times_s, self._origins[:, axis])
        poses: Matrix = faces @ self._image_to_face
        return poses


def trained_sweep(pose_range: PoseRange, speed_mm_s: float = SPEED_MM_S) -> PosePath:
    """A round through the trained range at `speed_mm_s`, the RMS speed of the image's pixels."""
    distance = PoseDistance(pose_range.width_px, pose_range.height_px)
    visited = pose_range.poses[_round_trip(distance.embed(pose_range.poses))]
    if len(visited) < 3:
        return PosePath(
            np.array([0.0, _STILL_S]), np.repeat(pose_range.poses[:1], 2, axis=0), pose_range.width_px
        )
    smooth = _rounded(visited, distance, pose_range.width_px)
    steps_mm = np.linalg.norm(np.diff(distance.embed(smooth), axis=0), axis=1)
    # Where the rounding leaves the path standing, time still goes on.
    times_s = np.concatenate([[0.0], np.cumsum(np.maximum(steps_mm, 1e-3))]) / speed_mm_s
    return PosePath(times_s, smooth, pose_range.width_px)


def _round_trip(points: NDArray[np.float64]) -> list[int]:
    """Indices of a closed way through the points (K, 9), the first also last."""
    stops = min(_STOPS, len(points))  # Farthest-point order: the first ones are spread best.
    costs, before = shortest_path(
        cdist(points, points) ** _STEP_COST, indices=np.arange(stops), return_predecessors=True
    )
    tour = _short_tour(costs[:, :stops])
    way = [tour[0]]
    for start, end in zip(tour, [*tour[1:], tour[0]], strict=True):
        leg = [end]
        while leg[-1] != start:
            leg.append(int(before[start, leg[-1]]))
        way += leg[-2::-1]
    return way


def _short_tour(costs: NDArray[np.float64]) -> list[int]:
    """A short round through all points: each time the nearest one, then pieces turned round while that helps."""
    tour, left = [0], set(range(1, len(costs)))
    while left:
        tour.append(min(left, key=lambda one: float(costs[tour[-1], one])))
        left.remove(tour[-1])

    def cost(order: list[int]) -> float:
        return float(costs[order, np.roll(order, -1)].sum())

    better = True
    while better:
        better = False
        for begin in range(1, len(tour) - 1):
            for end in range(begin + 2, len(tour) + 1):
                turned = tour[:begin] + tour[begin:end][::-1] + tour[end:]
                if cost(turned) < cost(tour) - 1e-9:
                    tour, better = turned, True
    return tour


def _rounded(visited: Matrix, distance: PoseDistance, width_px: int) -> Matrix:
    """A closed way (N, 4, 4) in even small steps, its corners rounded off; the first pose is also the last."""
    lengths_mm = np.concatenate(
        [[0.0], np.cumsum(np.linalg.norm(np.diff(distance.embed(visited), axis=0), axis=1))]
    )
    raw = PosePath(lengths_mm, visited, width_px)
    count = max(int(lengths_mm[-1] / _EVERY_MM), 8)
    even = face_frame(
        raw.at_all(np.linspace(0, lengths_mm[-1], count, endpoint=False)), first_row_px(width_px)
    )
    blurred = gaussian_filter1d(even, _ROUNDED_MM / (lengths_mm[-1] / count), axis=0, mode="wrap")
    # The nearest rotation to a mean of rotations (orthogonal Procrustes).
    left, _, right = np.linalg.svd(blurred[:, :3, :3])
    blurred[:, :3, :3] = left @ right
    image_to_face = np.linalg.inv(face_frame(visited[0], first_row_px(width_px))) @ visited[0]
    poses: Matrix = np.concatenate([blurred, blurred[:1]]) @ image_to_face
    return poses
