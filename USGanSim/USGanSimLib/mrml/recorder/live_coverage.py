"""What a recording has covered so far: models in the 3-D view, and sentences about landmarks that were seen too little.

The time that an update takes is bounded, since coverage is counted on evenly thinned poses; `update` says how long it
took, so that a panel can refresh more seldom on a slow machine.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import vtk
from numpy.typing import NDArray

from ...geometry.sampling import evenly
from ...geometry.transforms import Matrix, TransformTrack
from ...recording.coverage import coverage, image_poses, landmark_views
from ..coverage_model import CoverageModel, SweptModel
from ..transform_chain import from_vtk

_MOST_POSES, _MOST_LANDMARK_POSES = 200, 1000


@dataclass(frozen=True)
class CoverageNews:
    """`swept_ml` millilitres, of `poses` poses; `advice`, landmark → what to do, of those that are thin; `seconds` that
    the update took."""

    swept_ml: float
    poses: int
    advice: Mapping[str, str]
    landmarks: int
    seconds: float


class LiveCoverage:
    """Planes and swept volume in the frame of `reference` (None: the world), until `remove`."""

    def __init__(self, scene: Any, reference: Any | None) -> None:
        self._reference = reference
        self._planes = CoverageModel(scene, reference)
        self._swept = SweptModel(scene, reference)

    def update(
        self,
        tracks: Mapping[str, TransformTrack],
        image_to_probe: Matrix,
        size_px: tuple[int, int],
        landmarks: Any | None = None,
        frames_per_pose: float = 1.0,
    ) -> CoverageNews:
        """Show what images of `size_px` (width, height) covered at the recorded poses, `tracks`, each of which stands
        for so many frames; `landmarks` is a markups node. Raises UserError where the tracks do not lead from Probe to
        Reference."""
        began_s = time.perf_counter()
        every = image_poses(tracks, image_to_probe)
        poses = _thinned(every, _MOST_POSES)
        covered = coverage(poses, *size_px)
        self._planes.show(poses, *size_px)
        self._swept.show(covered)
        places = self.landmarks_mm(landmarks) if landmarks is not None else {}
        looked_at = _thinned(every, _MOST_LANDMARK_POSES)
        views = landmark_views(
            looked_at, *size_px, places, frames_per_pose * len(every) / max(len(looked_at), 1)
        )
        advice = {view.name: view.advice for view in views if view.advice}
        return CoverageNews(covered.swept_ml, len(poses), advice, len(places), time.perf_counter() - began_s)

    def landmarks_mm(self, markups: Any) -> dict[str, NDArray[np.float64]]:
        """The points of a markups node, name → (3,) mm in Reference."""
        world_to_reference = vtk.vtkMatrix4x4()
        if self._reference is not None:
            self._reference.GetMatrixTransformFromWorld(world_to_reference)
        places = {}
        for number in range(markups.GetNumberOfControlPoints()):
            world = np.array([*markups.GetNthControlPointPositionWorld(number), 1.0])
            places[markups.GetNthControlPointLabel(number)] = (from_vtk(world_to_reference) @ world)[:3]
        return places

    def remove(self) -> None:
        """Take the models out of the scene."""
        self._planes.remove()
        self._swept.remove()


def _thinned(poses: Matrix, most: int) -> Matrix:
    """At most `most` of (N, 4, 4), evenly chosen."""
    thinned: Matrix = poses[evenly(len(poses), most)]
    return thinned
