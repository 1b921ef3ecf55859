"""Which training frames are too near a held-out pose to be trained on: neighbours would make every model look good.

Two rules, one or both: the RMS displacement of the pixels in mm, and the paper's (Hu et al. 2017), a tracked pose
within the 95 % confidence region of a held-out one, given the covariance of the tracker's jitter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation
from scipy.stats import chi2

from ..errors import UserError
from ..geometry.image_geometry import ImageGeometry
from ..geometry.pose_distance import PoseDistance
from ..geometry.transforms import Matrix

CONFIDENCE = 0.95
# Below this, six variances and fifteen covariances are guesses.
FEWEST_STATIC_POSES = 20
# Mean squared step over twice the variance: 1 for white jitter, near 0 for a probe that moves (von Neumann 1941).
LEAST_STEP_RATIO = 0.1

Covariance = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Exclusion:
    """A training frame is left out when a held-out pose lies within `rms_mm` (RMS pixel displacement; 0: this rule is
    off), or within the confidence region of `jitter` (None: off): the covariance (6, 6) of the tracked pose, rotation
    vector in radians before translation in mm, both in Reference."""

    rms_mm: float = 0.0
    jitter: Covariance | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.rms_mm < np.inf:
            raise UserError(
                f"An exclusion of {self.rms_mm:g} mm makes no sense.", "Give 0 or more as --exclusion-mm."
            )

    def of(
        self, image_to_reference: Matrix, heldout: NDArray[np.bool_], geometry: ImageGeometry
    ) -> NDArray[np.bool_]:
        """(N,) bool: the frames to leave out, of poses (N, 4, 4) of which some are held out."""
        excluded = np.zeros(len(heldout), bool)
        if not heldout.any() or heldout.all():
            return excluded
        near = np.zeros(int((~heldout).sum()), bool)
        if self.rms_mm:
            distance = PoseDistance(geometry.width_px, geometry.height_px)
            near |= (
                distances_mm(image_to_reference[~heldout], image_to_reference[heldout], distance)
                <= self.rms_mm
            )
        if self.jitter is not None:
            probe = image_to_reference @ np.linalg.inv(geometry.image_to_probe)
            near |= within_confidence(probe[~heldout], probe[heldout], self.jitter)
        excluded[~heldout] = near
        return excluded

    def as_dict(self) -> dict[str, Any]:
        """For dataset.json."""
        return {"rms_mm": self.rms_mm, "jitter": None if self.jitter is None else self.jitter.tolist()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Exclusion:
        """The inverse of `as_dict`."""
        jitter = values["jitter"]
        return cls(float(values["rms_mm"]), None if jitter is None else np.array(jitter, float).reshape(6, 6))


def distances_mm(poses: Matrix, others: Matrix, distance: PoseDistance) -> NDArray[np.float64]:
    """RMS pixel displacement between each of poses (N, 4, 4) and the nearest of others (M, 4, 4), (N,)."""
    nearest: NDArray[np.float64] = cKDTree(distance.embed(others)).query(distance.embed(poses))[0]
    return nearest


def within_confidence(poses: Matrix, others: Matrix, jitter: Covariance) -> NDArray[np.bool_]:
    """(N,) bool: rigid poses (N, 4, 4) with d Σ⁻¹ d ≤ χ²₆(0.95) for one of others (M, 4, 4); d is the rotation vector
    and the translation from one to the other."""
    limit = float(chi2.ppf(CONFIDENCE, 6))
    precision = np.linalg.inv(jitter)
    # Whatever the rotation, d Σ⁻¹ d is at least t Σₜₜ⁻¹ t: only these pairs need to be looked at.
    whiten = np.linalg.cholesky(np.linalg.inv(jitter[3:, 3:]))
    candidates = cKDTree(others[:, :3, 3] @ whiten).query_ball_point(
        poses[:, :3, 3] @ whiten, np.sqrt(limit) + 1e-9
    )
    result = np.zeros(len(poses), bool)
    for index, near in enumerate(candidates):
        if near:
            turns = Rotation.from_matrix(poses[index, :3, :3] @ others[near][:, :3, :3].transpose(0, 2, 1))
            apart = np.hstack([turns.as_rotvec(), poses[index, :3, 3] - others[near][:, :3, 3]])
            result[index] = bool((np.einsum("ki,ij,kj->k", apart, precision, apart) <= limit).any())
    return result


def jitter_of_sds(sd_mm: float, sd_deg: float) -> Covariance:
    """The covariance of independent jitter with one SD for the three translations and one for the three rotations."""
    if not (0 < sd_mm < np.inf and 0 < sd_deg < np.inf):
        raise UserError(
            f"A jitter of {sd_mm:g} mm and {sd_deg:g}° makes no sense.", "Give two numbers above 0."
        )
    return np.diag([np.deg2rad(sd_deg) ** 2] * 3 + [sd_mm**2] * 3)


def jitter_of_static(probe_to_reference: Matrix, name: str) -> Covariance:
    """The covariance (6, 6) of the poses (K, 4, 4) of a probe at rest. Raises UserError where it is not at rest, the
    poses are too few, or they do not differ in every direction."""
    if len(probe_to_reference) < FEWEST_STATIC_POSES:
        raise UserError(
            f"{name} has {len(probe_to_reference)} valid poses of a probe at rest; at least "
            f"{FEWEST_STATIC_POSES} are needed.",
            "Record a longer stretch.",
        )
    turns = Rotation.from_matrix(probe_to_reference[:, :3, :3])
    apart = np.hstack([(turns * turns.mean().inv()).as_rotvec(), probe_to_reference[:, :3, 3]])
    apart -= apart.mean(axis=0)
    variance = (apart**2).mean(axis=0)
    if variance.min() <= 0 or np.linalg.matrix_rank(apart) < 6:
        raise UserError(
            f"The poses of {name} do not jitter in every direction.",
            "Give the tracker's SDs instead, as MM,DEG.",
        )
    ratio = (np.diff(apart, axis=0) ** 2).mean(axis=0) / (2 * variance)
    if ratio.min() < LEAST_STEP_RATIO:
        raise UserError(
            f"The probe moves in {name}: its poses wander {1 / ratio.min():.0f} times as much as they "
            "jitter from frame to frame.",
            "Give frames in which it is at rest, as FILE:FIRST-LAST.",
        )
    covariance: Covariance = np.cov(apart, rowvar=False)
    return covariance
