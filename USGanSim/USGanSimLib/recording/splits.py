"""What is held out of training, and what is left out for being too near to that.

Frames are held out in contiguous blocks of every sweep, or as whole sweeps: a neighbouring frame shows nearly the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation
from scipy.special import chdtri

from ..errors import UserError
from ..geometry.image_geometry import ImageGeometry
from ..geometry.pose_distance import PoseDistance
from ..geometry.transforms import Matrix

SPLITS = ("blocks", "sweeps")
DEFAULT_SPLIT, DEFAULT_HOLDOUT, DEFAULT_BLOCKS = "blocks", 0.2, 2


def held_out(
    split: str, sweep_lengths: Sequence[int], holdout: float = DEFAULT_HOLDOUT, blocks: int = DEFAULT_BLOCKS
) -> NDArray[np.bool_]:
    """(sum of lengths,) bool, True for held-out frames; `sweep_lengths` are the usable frames of each sweep.

    "blocks": every sweep is cut in `blocks` equal parts and the middle `holdout` of each part is held out, so that
    held-out frames lie within the sweep as well as towards both ends, with trained frames on either side.
    "sweeps": whole sweeps, spread evenly over the list, `holdout` of their number and at least one.
    Nothing is random. Raises UserError where the share is not in [0, 1) or cannot be had.
    """
    if not 0 <= holdout < 1:
        raise UserError(
            f"The held-out share is {holdout:g}.", "Give a number from 0 to below 1 as --holdout."
        )
    if blocks < 1:
        raise UserError(f"{blocks} held-out blocks a sweep were asked for.", "Give 1 or more as --blocks.")
    if holdout == 0:
        return np.zeros(sum(sweep_lengths), bool)
    if split == "sweeps":
        return np.repeat(_held_out_sweeps(len(sweep_lengths), holdout), sweep_lengths)
    result = np.concatenate([_held_out_blocks(length, holdout, blocks) for length in sweep_lengths])
    if not result.any():
        raise UserError(
            f"Sweeps of {', '.join(map(str, sweep_lengths))} usable frames are too short to hold out "
            f"{holdout:.0%} in {blocks} blocks each.",
            "Give fewer --blocks or a larger --holdout.",
        )
    return result


def _held_out_sweeps(count: int, holdout: float) -> NDArray[np.bool_]:
    if count < 2:
        raise UserError(
            "There is one sweep, so none can be held out as a whole.",
            "Give several recordings, or --split blocks.",
        )
    chosen = min(max(1, round(holdout * count)), count - 1)
    result = np.zeros(count, bool)
    result[_middles(count, chosen).astype(int)] = True
    return result


def _held_out_blocks(length: int, holdout: float, blocks: int) -> NDArray[np.bool_]:
    result = np.zeros(length, bool)
    size = round(holdout * length / blocks)
    for start in np.floor(_middles(length, blocks) - size / 2 + 0.5).astype(int):
        result[start : start + size] = True
    return result


def _middles(length: int, parts: int) -> NDArray[np.float64]:
    return (np.arange(parts) + 0.5) * length / parts


CONFIDENCE = 0.95
# Below this, six variances and fifteen covariances are guesses.
FEWEST_STATIC_POSES = 20
# Mean squared step over twice the variance: 1 for white jitter, near 0 for a probe that moves (von Neumann 1941).
LEAST_STEP_RATIO = 0.1
# SDs, in mm and degrees, of which squares and their inverses are still numbers.
_JITTER = (1e-6, 1000.0)

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
    limit = float(chdtri(6, 1 - CONFIDENCE))
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
    if not (_JITTER[0] <= sd_mm <= _JITTER[1] and _JITTER[0] <= sd_deg <= _JITTER[1]):
        raise UserError(
            f"A jitter of {sd_mm:g} mm and {sd_deg:g}° makes no sense.",
            "Give two numbers, {:g} to {:g}.".format(*_JITTER),
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
