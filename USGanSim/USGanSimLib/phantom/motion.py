"""How a hand moves a probe over the belly: smooth, restless paths around the standard planes of each sweep.

A session is four sweeps as in Hu et al. 2017, after the NHS fetal anomaly screening programme. A pose is given by where
the face stands on the skin (x, z), and three angles: tilt fans the image out of its plane, rock swings it in its
plane, roll turns it about the beam. Targets in water are scanned by paths that keep them in the image.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from ..geometry.transforms import Matrix
from .anatomy import skin_y_mm
from .probe import Probe
from .shapes import Vector

INTO_THE_GEL_MM = 0.5


@dataclass(frozen=True)
class SweepPlan:
    """Where a sweep goes: the middle of the path on the skin (x, z), how far it wanders along both, the roll that it is
    about, and SDs of the angles."""

    name: str
    x_mm: float
    z_mm: float
    wander_x_mm: float
    wander_z_mm: float
    roll_deg: float
    tilt_deg: float = 7.0
    rock_deg: float = 6.0
    turn_deg: float = 8.0


SESSION = (
    SweepPlan("neurological", 0, -82, 12, 20, 0),
    SweepPlan("cardiac", 2, 6, 14, 16, 0),
    SweepPlan("abdominal", -3, 36, 14, 20, 0),
    SweepPlan("profile", 0, -50, 10, 16, 90),
)


def probe_path(plan: SweepPlan, times_s: Vector, rng: np.random.Generator) -> Matrix:
    """ProbeToReference (N, 4, 4) at the given times: a slow scan along z and back, all five numbers wandering."""
    along = np.sin(2 * np.pi * times_s / rng.uniform(14, 20) + rng.uniform(0, 2 * np.pi))
    x = plan.x_mm + plan.wander_x_mm * _wander(times_s, rng)
    z = plan.z_mm + plan.wander_z_mm * (0.8 * along + 0.5 * _wander(times_s, rng))
    tilt, rock, turn = (sd * _wander(times_s, rng) for sd in (plan.tilt_deg, plan.rock_deg, plan.turn_deg))
    # The hand keeps the image towards the fetus: moved aside, the probe is rocked back.
    return probe_poses(x, z, tilt, rock + 0.35 * (x - plan.x_mm), plan.roll_deg + turn)


def probe_poses(x_mm: Vector, z_mm: Vector, tilt_deg: Vector, rock_deg: Vector, roll_deg: Vector) -> Matrix:
    """ProbeToReference (N, 4, 4) of a face standing on the skin at (x, z) with the given angles, degrees."""
    face = np.column_stack([x_mm, skin_y_mm(x_mm, z_mm) + INTO_THE_GEL_MM, z_mm])
    return _poses(_turns(roll_deg, tilt_deg, rock_deg), face)


def plane_through(point_mm: Vector, roll_deg: float = 0.0) -> Matrix:
    """The standard pose (4, 4) straight above a point, its image plane through it."""
    zero = np.zeros(1)
    pose: Matrix = probe_poses(point_mm[:1], point_mm[2:], zero, zero, zero + roll_deg)[0]
    return pose


@dataclass(frozen=True)
class AimPlan:
    """A path that keeps a point in the image: largest angles, how far the point gets from the middle of the image
    (shares of its half width and of its depth) and the image plane from the point, and how many times quicker the hand
    is than over a belly."""

    name: str
    roll_deg: float
    tilt_deg: float
    rock_deg: float
    across: float
    along: float
    off_plane_mm: float
    quick: float


# A pin is calibrated by strokes through it, again and again, all over the image and from all sides.
PIN_SCAN = AimPlan("pinhead", 110, 35, 28, 0.8, 0.3, 2.5, 4.0)
WIRE_SCAN = AimPlan("wires", 10, 9, 10, 0.25, 0.22, 15.0, 1.0)


def aimed_path(
    plan: AimPlan, aim_mm: Vector, probe: Probe, times_s: Vector, rng: np.random.Generator
) -> Matrix:
    """ProbeToReference (N, 4, 4) at the given times, with the point `aim_mm` wandering over the middle of the image."""

    def up_to(limit: float) -> Vector:
        return limit * np.tanh(0.8 * _wander(plan.quick * times_s, rng))

    turns = _turns(up_to(plan.roll_deg), up_to(plan.tilt_deg), up_to(plan.rock_deg))
    depth_mm = 0.5 * probe.depth_mm + up_to(plan.along * probe.depth_mm)
    x, y = probe.in_plane(probe.across[-1] * up_to(plan.across), depth_mm)
    in_probe = np.column_stack([x, y, up_to(plan.off_plane_mm)])
    return _poses(turns, aim_mm - turns.apply(in_probe))


def _turns(roll_deg: Vector, tilt_deg: Vector, rock_deg: Vector) -> Rotation:
    return Rotation.from_euler("YXZ", np.column_stack([roll_deg, tilt_deg, rock_deg]), degrees=True)


def _poses(turns: Rotation, origins_mm: Vector) -> Matrix:
    poses = np.tile(np.eye(4), (len(origins_mm), 1, 1))
    poses[:, :3, :3] = turns.as_matrix()
    poses[:, :3, 3] = origins_mm
    return poses


def _wander(times_s: Vector, rng: np.random.Generator) -> Vector:
    """A smooth random course with an SD of about 1: sines of periods of 2 to 25 s, slow ones stronger."""
    periods_s = np.geomspace(2.0, 25.0, 9) * rng.uniform(0.9, 1.1, 9)
    strength = periods_s / np.sqrt((periods_s**2).sum() / 2)
    phases = rng.uniform(0, 2 * np.pi, 9)
    course: Vector = (strength * np.sin(2 * np.pi * times_s[:, None] / periods_s + phases)).sum(axis=1)
    return course
