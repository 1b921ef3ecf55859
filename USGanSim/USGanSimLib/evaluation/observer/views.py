"""Images of virtual subjects with the true pixels of their landmarks: what an observer learns from and is tried on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...geometry.transforms import Matrix
from ...phantom.acoustics import PRESSURE_FADES_MM, Scanner
from ...phantom.body import Body, fetal_body
from ...phantom.medium import Medium
from ...phantom.moment import Moment, Moments
from ...phantom.motion import SESSION, probe_path
from ...phantom.probe import curvilinear
from ...phantom.settings import DISPLAYS, HARD, PLAIN, Setting
from ...recording.sweep import Frames
from ..measures.landmarks import Points, project

SIZE_PX = (160, 120)
MM_PER_PX = curvilinear().image_geometry(*SIZE_PX).mm_per_px[0]
# Every kind of display and of trouble, so that an observer is at home in plain and in hard recordings.
MIXED = (PLAIN, HARD, replace(PLAIN, display=DISPLAYS["contrast"]))
_AIMED_SHARE, _AIM_REACH_MM, _AIM_SD_MM = 0.7, 25.0, 3.0
_COURSE_S = 3600.0
_DISPLACEMENT_STEPS = 6  # the displacement changes by a tenth of itself at most over its own length


@dataclass(frozen=True, eq=False)
class Views:
    """images (N, H, W) uint8; where each shows L landmarks, displaced as the moment has it: places_px (N, L, 2) and
    off_plane_mm (N, L); `in_view` (N, L): the place is in the field of view."""

    images: Frames
    places_px: Points
    off_plane_mm: Points
    in_view: NDArray[np.bool_]

    def visible(self, reach_mm: float) -> NDArray[np.bool_]:
        """(N, L): in view and nearer than `reach_mm` to the image plane."""
        result: NDArray[np.bool_] = self.in_view & (np.abs(self.off_plane_mm) <= reach_mm)
        return result


def joined(parts: Sequence[Views]) -> Views:
    """All views as one."""
    return Views(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("images", "places_px", "off_plane_mm", "in_view")
        )
    )


def subject_views(subject: int, count: int, settings: Sequence[Setting], seed: int) -> Views:
    """`count` images of one subject at poses of all sweeps, most of them drawn towards a landmark's plane."""
    body = fetal_body(subject)
    landmarks = np.array(list(body.landmarks_mm.values()))
    rng = np.random.default_rng([seed, subject])
    poses = _aimed(_poses(count, rng), landmarks, rng)
    parts = [
        _views(body, landmarks, poses[start :: len(settings)], setting, rng)
        for start, setting in enumerate(settings)
    ]
    return joined(parts)


def shown_at(medium: Medium, moment: Moment, pose: Matrix, resting: Points) -> Points:
    """Where points (L, 3) of the resting tissue stand in an image of that moment at a pose, (L, 3) mm: the places that
    the scanner's own displacement, pressure and then the medium's motion, brings back to `resting`."""
    reference_to_probe = np.linalg.inv(pose)
    places = resting
    for _ in range(_DISPLACEMENT_STEPS):
        depth_mm = places @ reference_to_probe[1, :3] + reference_to_probe[1, 3]
        pushed = moment.pressure_mm * np.exp(-((depth_mm / PRESSURE_FADES_MM) ** 2))
        back = (places - pushed[:, None] * pose[:3, 1]).astype(np.float32)
        places = places + resting - medium.at_rest(back.T, moment).T
    return places


def _poses(count: int, rng: np.random.Generator) -> Matrix:
    """Poses at random times of endless sweeps, the same number from each region."""
    counts = [count // len(SESSION) + (number < count % len(SESSION)) for number in range(len(SESSION))]
    return np.concatenate(
        [
            probe_path(plan, rng.uniform(0, _COURSE_S, number), rng)
            for plan, number in zip(SESSION, counts, strict=True)
        ]
    )[rng.permutation(count)]


def _aimed(poses: Matrix, landmarks: Points, rng: np.random.Generator) -> Matrix:
    """Poses moved along their normal so that a landmark nearby comes close to the image plane."""
    poses = poses.copy()
    for pose in poses:
        off_mm = (landmarks - pose[:3, 3]) @ pose[:3, 2]
        near = np.flatnonzero(np.abs(off_mm) < _AIM_REACH_MM)
        if near.size and rng.random() < _AIMED_SHARE:
            pose[:3, 3] += (off_mm[rng.choice(near)] - rng.normal(0, _AIM_SD_MM)) * pose[:3, 2]
    return poses


def _views(body: Body, landmarks: Points, poses: Matrix, setting: Setting, rng: np.random.Generator) -> Views:
    probe = curvilinear()
    scanner = Scanner(body, probe, probe.image_geometry(*SIZE_PX), setting.display, int(rng.integers(2**31)))
    moments = Moments(rng, setting.variability)
    images, shown = [], []
    for pose in poses:
        moment = moments.draw()
        images.append(scanner.image(pose, moment, rng))
        shown.append(shown_at(body, moment, pose, landmarks))
    projection = project(poses @ scanner.geometry.image_to_probe, np.array(shown))
    seen = probe.beam_index(scanner.geometry)[2]
    return Views(
        np.stack(images),
        projection.places_px,
        projection.off_plane_mm,
        projection.within(seen, reach_mm=np.inf),
    )
