"""Where a recording has looked: swept volume, directions, and which landmarks were seen too little."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy.spatial.transform import Rotation

from ..errors import UserError
from ..files import replacing_file
from ..geometry.sampling import evenly
from ..geometry.transforms import Matrix, TransformGraph, TransformTrack

VOXEL_MM = 5.0
# A landmark was seen by an image that passes this close to it.
SEEN_WITHIN_MM = 3.0
ENOUGH_FRAMES, ENOUGH_ANGLE_DEG = 20, 15.0
# A longer recording is thinned evenly: neighbours show almost the same.
_MOST_POSES = 1000
_MOST_PAIRS = 200
_FARTHEST_MM = 1e5  # a hundred metres
_POSES_AT_ONCE = 100


@dataclass(frozen=True, eq=False)
class Coverage:
    """What the images of `poses` (N, 4, 4), ImageToReference of width × height pixels, have passed through.

    counts     (X, Y, Z) how many of the poses reach each voxel; voxel (0, 0, 0) begins at `lower_mm` in Reference
    voxel_mm   its edge
    """

    poses: Matrix
    width_px: int
    height_px: int
    counts: NDArray[np.int32]
    lower_mm: NDArray[np.float64]
    voxel_mm: float

    @property
    def swept_ml(self) -> float:
        """The volume of the voxels that were reached, millilitres."""
        return float((self.counts > 0).sum()) * self.voxel_mm**3 / 1000

    @property
    def beams(self) -> NDArray[np.float64]:
        """(N, 3) unit vectors in Reference into the depth of each image."""
        depth: NDArray[np.float64] = self.poses[:, :3, 1] / np.linalg.norm(
            self.poses[:, :3, 1], axis=1, keepdims=True
        )
        return depth


@dataclass(frozen=True)
class LandmarkView:
    """How a landmark was seen: images that pass through it, and the largest angle between any two of them. `advice`
    is empty where that is enough."""

    name: str
    frames: int
    angle_deg: float
    advice: str


def image_poses(
    transforms: Mapping[str, TransformTrack],
    image_to_probe: Matrix | None,
    image_frame: str = "Image",
    probe_frame: str = "Probe",
    reference_frame: str = "Reference",
) -> Matrix:
    """(M, 4, 4) the valid ImageToReference of recorded transforms, with a calibration in place of the recorded one.

    Raises UserError where the frames are not connected, and for an image further away than any room is large.
    """
    tracks = dict(transforms)
    if image_to_probe is not None:
        tracks[f"{image_frame}To{probe_frame}"] = TransformTrack.constant(image_to_probe)
    track = TransformGraph(tracks).track(image_frame, reference_frame)
    valid: Matrix = track.matrices[track.valid]
    if not (np.abs(valid) <= _FARTHEST_MM).all():
        raise UserError(
            f"{image_frame}To{reference_frame} has a number that is none, or beyond {_FARTHEST_MM:g} mm.",
            "Check the recording and its calibration.",
        )
    return valid


def coverage(poses: Matrix, width_px: int, height_px: int, voxel_mm: float = VOXEL_MM) -> Coverage:
    """Count the voxels that images pass through. At most 1000 of the poses, evenly chosen, are used."""
    chosen = _thinned(poses, _MOST_POSES)
    points = _image_points(chosen, width_px, height_px, voxel_mm / 2)
    if len(chosen) == 0:
        return Coverage(chosen, width_px, height_px, np.zeros((0, 0, 0), np.int32), np.zeros(3), voxel_mm)
    corners = chosen[:, :3] @ _corners(width_px, height_px)
    lower_mm = np.floor(corners.min(axis=(0, 2)) / voxel_mm) * voxel_mm
    shape = tuple(np.floor((corners.max(axis=(0, 2)) - lower_mm) / voxel_mm).astype(int) + 1)
    counts = np.zeros(shape, np.int32)
    for begin in range(0, len(chosen), _POSES_AT_ONCE):
        some = chosen[begin : begin + _POSES_AT_ONCE]
        voxels = np.floor(((some[:, :3] @ points).transpose(0, 2, 1) - lower_mm) / voxel_mm).astype(int)
        # Rounding may put a corner point just outside.
        flat = np.ravel_multi_index(tuple(np.moveaxis(voxels, -1, 0)), shape, mode="clip")
        once = np.sort(flat, axis=1)
        fresh = np.diff(once, axis=1, prepend=-1) > 0
        counts += np.bincount(once[fresh], minlength=counts.size).reshape(shape).astype(np.int32)
    return Coverage(chosen, width_px, height_px, counts, lower_mm, voxel_mm)


def landmark_views(
    poses: Matrix,
    width_px: int,
    height_px: int,
    landmarks_mm: Mapping[str, NDArray[np.float64]],
    frames_per_pose: float = 1.0,
) -> list[LandmarkView]:
    """How each landmark (name → (3,) mm in Reference) was seen by images at `poses` (N, 4, 4), each of which stands for
    `frames_per_pose` frames."""
    # To the pixel nearest to a point, by least squares: image axes need not be at a right angle.
    to_pixels: Matrix = np.asarray(np.linalg.pinv(poses[:, :3, :2]), np.float64)
    return [
        _landmark_view(
            name,
            poses[_sees(poses, to_pixels, np.asarray(place, float), width_px, height_px)],
            frames_per_pose,
        )
        for name, place in landmarks_mm.items()
    ]


def _landmark_view(name: str, seen: Matrix, frames_per_pose: float) -> LandmarkView:
    frames = round(len(seen) * frames_per_pose)
    angle_deg = _largest_angle_deg(seen)
    advice = ""
    if frames < ENOUGH_FRAMES:
        advice = f"seen in {frames} frames; pass over it again ({ENOUGH_FRAMES} at least)"
    elif angle_deg < ENOUGH_ANGLE_DEG:
        advice = f"seen within {angle_deg:.0f}°; tilt the probe over it ({ENOUGH_ANGLE_DEG:.0f}° at least)"
    return LandmarkView(name, frames, angle_deg, advice)


def _sees(
    poses: Matrix, to_pixels: Matrix, place_mm: NDArray[np.float64], width_px: int, height_px: int
) -> NDArray[np.bool_]:
    """(N,) whether the point lies close to the image plane, and in the image."""
    offset = place_mm - poses[:, :3, 3]
    pixels = (to_pixels @ offset[:, :, None])[:, :, 0]
    distance_mm = np.linalg.norm(offset - (poses[:, :3, :2] @ pixels[:, :, None])[:, :, 0], axis=1)
    to_edge_px = np.minimum(pixels, np.array([width_px - 1, height_px - 1]) - pixels).min(axis=1)
    near: NDArray[np.bool_] = (to_edge_px >= 0) & (distance_mm <= SEEN_WITHIN_MM)
    return near


def _largest_angle_deg(poses: Matrix) -> float:
    some = _thinned(poses, _MOST_PAIRS)
    if len(some) < 2:
        return 0.0
    x = some[:, :3, 0] / np.linalg.norm(some[:, :3, 0], axis=1, keepdims=True)
    z = np.cross(x, some[:, :3, 1])
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    frames = np.stack([x, np.cross(z, x), z], axis=1)
    # trace(RᵢᵀRⱼ) = 1 + 2 cos of the angle between two rotations.
    cosine = (np.einsum("iab,jab->ij", frames, frames) - 1) / 2
    return float(np.degrees(np.arccos(np.clip(cosine.min(), -1, 1))))


def _thinned(poses: Matrix, most: int) -> Matrix:
    chosen = evenly(len(poses), most)
    thinned: Matrix = poses[chosen]
    return thinned


def _corners(width_px: int, height_px: int) -> NDArray[np.float64]:
    return np.array([[u, v, 0, 1] for u in (0, width_px - 1) for v in (0, height_px - 1)], float).T


def _image_points(poses: Matrix, width_px: int, height_px: int, step_mm: float) -> NDArray[np.float64]:
    """(4, K) pixels on a grid of at most `step_mm`, corners included."""
    scale = np.linalg.norm(poses[:1, :3, :2], axis=1).max(axis=0, initial=0.0)
    sizes = zip((width_px, height_px), scale, strict=True)
    u, v = (np.linspace(0, size - 1, int(np.ceil((size - 1) * mm / step_mm)) + 1) for size, mm in sizes)
    grid = np.stack(np.meshgrid(u, v), axis=-1).reshape(-1, 2)
    points: NDArray[np.float64] = np.column_stack([grid, np.zeros(len(grid)), np.ones(len(grid))]).T
    return points


_SIDE_PX, _TITLE_PX, _GAP_PX = 300, 18, 6
_RING_DEG = (15, 30, 45, 60)
_SEEN, _THIN, _DIM, _WORDS = (90, 220, 90), (255, 90, 60), (70, 70, 80), (230, 230, 230)


def coverage_picture(
    covered: Coverage,
    landmarks_mm: Mapping[str, NDArray[np.float64]] | None = None,
    views: Sequence[LandmarkView] = (),
) -> NDArray[np.uint8]:
    """(H, W, 3) uint8. The views look along z, y and x of Reference: brighter is seen by more poses. The fourth panel
    has a dot for each pose, at the angle of its beam from the mean one; rings stand at 15° steps. Landmarks are green,
    and red where `views` advises more."""
    width = 4 * (_SIDE_PX + _GAP_PX) - _GAP_PX
    picture = Image.new("RGB", (width, _TITLE_PX + _SIDE_PX), (24, 24, 28))
    thin = {view.name for view in views if view.advice}
    for column, (across, down) in enumerate([(0, 1), (0, 2), (1, 2)]):
        _draw_projection(
            picture, column * (_SIDE_PX + _GAP_PX), covered, across, down, landmarks_mm or {}, thin
        )
    _draw_directions(picture, 3 * (_SIDE_PX + _GAP_PX), covered)
    return np.asarray(picture)


def save_coverage_picture(path: Path, picture: NDArray[np.uint8]) -> None:
    """Write the picture as PNG, whole or not at all."""
    with replacing_file(path) as part:
        Image.fromarray(picture).save(part, format="PNG")


def _draw_projection(
    picture: Image.Image,
    left: int,
    covered: Coverage,
    across: int,
    down: int,
    landmarks_mm: Mapping[str, NDArray[np.float64]],
    thin: set[str],
) -> None:
    draw = ImageDraw.Draw(picture)
    size_mm = np.array(covered.counts.shape) * covered.voxel_mm
    draw.text(
        (left + 2, 2),
        f"{'xyz'[across]} {'xyz'[down]}   {size_mm[across]:.0f} by {size_mm[down]:.0f} mm"
        + (f"   {covered.swept_ml:.0f} ml" if left == 0 else ""),
        fill=_WORDS,
    )
    if covered.counts.size == 0:
        return
    flat = covered.counts.max(axis=3 - across - down)
    shades = np.sqrt(flat.T / max(int(flat.max()), 1)) * 255
    px_per_mm = _SIDE_PX / float(max(size_mm[across], size_mm[down]))
    shown = Image.fromarray(shades.astype(np.uint8)).resize(
        tuple(max(round(size_mm[axis] * px_per_mm), 1) for axis in (across, down)), Image.Resampling.NEAREST
    )
    picture.paste(shown, (left, _TITLE_PX))
    for name, place_mm in landmarks_mm.items():
        x, y = ((place_mm[axis] - covered.lower_mm[axis]) * px_per_mm for axis in (across, down))
        if 0 <= x < _SIDE_PX and 0 <= y < _SIDE_PX:
            colour = _THIN if name in thin else _SEEN
            _dot(draw, left + x, _TITLE_PX + y, 3, colour)
            beside = x + 5 if x < _SIDE_PX / 2 else x - 5 - draw.textlength(name)
            draw.text((left + beside, _TITLE_PX + y - 6), name, fill=colour)


def _draw_directions(picture: Image.Image, left: int, covered: Coverage) -> None:
    draw = ImageDraw.Draw(picture)
    centre, px_per_deg = _SIDE_PX / 2, _SIDE_PX / 2 / _RING_DEG[-1]
    draw.text((left + 2, 2), f"beams of {len(covered.poses)} poses, rings {_RING_DEG[0]}°", fill=_WORDS)
    for ring_deg in _RING_DEG:
        radius = ring_deg * px_per_deg
        draw.ellipse(
            (
                left + centre - radius,
                _TITLE_PX + centre - radius,
                left + centre + radius,
                _TITLE_PX + centre + radius,
            ),
            outline=_DIM,
        )
    for x, y in beam_angles_deg(covered.beams):
        _dot(
            draw,
            left + centre + np.clip(x * px_per_deg, -centre, centre),
            _TITLE_PX + centre + np.clip(y * px_per_deg, -centre, centre),
            1,
            _SEEN,
        )


def beam_angles_deg(beams: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 3) unit vectors → (N, 2): each one's angle from their mean, split into two directions across it (azimuthal
    equidistant: the length of a row is the angle)."""
    if len(beams) == 0:
        return np.zeros((0, 2))
    mean = beams.mean(axis=0)
    to_mean, _ = Rotation.align_vectors(
        [[0.0, 0.0, 1.0]], [mean if np.linalg.norm(mean) > 1e-6 else beams[0]]
    )
    x, y, z = to_mean.apply(beams).T
    angle_deg, across = np.degrees(np.arctan2(np.hypot(x, y), z)), np.maximum(np.hypot(x, y), 1e-12)
    angles: NDArray[np.float64] = np.column_stack([x, y]) / across[:, None] * angle_deg[:, None]
    return angles


def _dot(draw: ImageDraw.ImageDraw, x: float, y: float, radius: float, colour: tuple[int, int, int]) -> None:
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
