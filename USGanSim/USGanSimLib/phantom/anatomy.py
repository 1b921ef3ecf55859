"""A fetus in a uterus as solids in millimetres, with six landmarks at known places; a seed makes another subject.

Frame: x to the mother's left, y away from the probe (0 at the skin), z from the fetal head (negative) to the feet.
The fetus lies on its back towards +y, face and belly to the probe. Sizes are those of about 20 to 22 weeks' gestation.
Later solids overwrite earlier ones. `subject(seed)` varies sizes and places; seed 0 is the standard subject.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from .shapes import Ellipsoid, Mask, Points, Region, Solid, Vector, tube, turned

Real = TypeVar("Real", np.float32, np.float64)

SIDES = (-1, 1)
BODY_LOWER = np.array([-85.0, -12.0, -150.0])
BODY_UPPER = np.array([85.0, 150.0, 135.0])
FETUS_MIDDLE = np.array([0.0, 75.0, -10.0])
HEART_CENTRE = np.array([3.0, 72.0, 4.0])
LANDMARKS = {
    "four-chamber crux": (3.0, 72.0, 4.0),
    "stomach centre": (-12.0, 71.0, 29.0),
    "cord insertion": (0.0, 50.0, 47.0),
    "mid-line echo": (0.0, 72.0, -88.0),
    "cavum septi pellucidi": (0.0, 58.0, -80.0),
    "nasal tip": (0.0, 28.5, -64.0),
}
FLUID = Ellipsoid((0, 80, -8), (71, 63, 136))


class Part(NamedTuple):
    """A solid and the name of its tissue."""

    tissue: str
    solid: Solid


@dataclass(frozen=True, eq=False)
class Variation:
    """How a subject differs from the standard one: fetal scale per axis, a turn about the fetus' middle, a shift."""

    scale: Vector = field(default_factory=lambda: np.ones(3))
    turn: Rotation = field(default_factory=Rotation.identity)
    shift_mm: Vector = field(default_factory=lambda: np.zeros(3))

    def from_standard(self, points: Vector) -> Vector:
        """Standard fetal coordinates (…, 3) → this subject's."""
        moved: Vector = self.turn.apply((points - FETUS_MIDDLE) * self.scale) + FETUS_MIDDLE + self.shift_mm
        return moved

    def to_standard(self, points: Points) -> Points:
        """The inverse, for points (3, …)."""
        matrix = (self.turn.as_matrix() / self.scale).T
        offset = FETUS_MIDDLE - matrix @ (FETUS_MIDDLE + self.shift_mm)
        result = turned(matrix, points)
        result += offset.astype(np.float32).reshape(3, *[1] * (points.ndim - 1))
        return result


def subject(seed: int) -> Variation:
    """Subject number `seed`: size SD 4 %, turned by some 6°, moved by some 4 mm. Seed 0 is the standard subject."""
    if seed == 0:
        return Variation()
    rng = np.random.default_rng([seed, 20170915])
    scale = 1 + np.clip(rng.normal(0, 0.04) + rng.normal(0, 0.015, 3), -0.09, 0.09)
    turn = Rotation.from_rotvec(np.deg2rad(np.clip(rng.normal(0, 6, 3), -11, 11)))
    return Variation(scale, turn, np.clip(rng.normal(0, [4, 2.5, 5]), -8, 8))


def skin_y_mm(x_mm: NDArray[Real], z_mm: NDArray[Real]) -> NDArray[Real]:
    """How deep the curved belly begins at x, z."""
    depth = 0.0006 * (x_mm**2 + 0.3 * z_mm**2) - 1
    return depth.astype(x_mm.dtype)


def mother() -> list[Part]:
    """The abdominal wall, uterus, fluid and placenta, in Reference coordinates, the same for all subjects."""
    placenta = Ellipsoid((-40, 112, 50), (36, 33, 62))  # a cake on the wall: what it shares with the uterus
    return [
        _layer("muscle", 15.0),
        _layer("fat", 10.0),
        _layer("skin", 2.2),
        _layer("gel", 0.0),
        _ball("uterine wall", (0, 80, -8), (76, 67, 141)),
        Part("amniotic fluid", FLUID),
        Part(
            "placenta", Region(*placenta.box(), lambda points: placenta.inside(points) & FLUID.inside(points))
        ),
    ]


def fetus() -> list[Part]:
    """All fetal solids in standard fetal coordinates, in painting order."""
    return [*_head(), *_face(), *_trunk(), *_heart(), *_belly(), *_spine(), *_ribs(), *_limbs(), *_cord()]


def _layer(tissue: str, depth_mm: float) -> Part:
    """All that lies less than `depth_mm` under the skin's surface."""

    def above(points: Points) -> Mask:
        below_skin: Points = points[1] - skin_y_mm(points[0], points[2])
        return below_skin < depth_mm

    return Part(tissue, Region(BODY_LOWER, np.array([BODY_UPPER[0], depth_mm + 12.0, BODY_UPPER[2]]), above))


def _head() -> list[Part]:
    parts = [
        _ball("fetal soft tissue", (0, 70, -82), (30.5, 39, 33)),
        _ball("skull", (0, 70, -82), (28.8, 37.2, 31.2)),
        _ball("brain", (0, 70, -82), (26.6, 35, 29)),
        # Cerebellum: the tentorium round it, then its lobes below.
        _ball("choroid plexus", (0, 97, -70), (11, 6.0, 7)),
        _ball("brain", (0, 95, -71), (9.0, 5.5, 6)),
        _ball("falx", (0, 71, -84), (0.8, 33.5, 24)),
    ]
    for side in SIDES:
        parts += [
            _ball(
                "falx", (side * 20.5, 66, -80), (1.6, 9, 6), Rotation.from_euler("z", 12 * side, degrees=True)
            ),
            _ball("ventricle", (side * 10.5, 75, -88), (3.9, 15, 4.5)),
            _ball("choroid plexus", (side * 10.8, 81, -88), (3.1, 8, 3.4)),
            _ball("brain", (side * 6.0, 73, -76), (4.6, 8, 5.5)),  # thalamus
            _ball("choroid plexus", (side * 8, 99.5, -71), (6.5, 5.0, 7.5)),
        ]
    return [
        *parts,
        _ball("falx", (0, 58, -80), (4.8, 7.4, 5.6)),
        _ball("cavum septi pellucidi", (0, 58, -80), (3.6, 6.2, 4.4)),
    ]


def _face() -> list[Part]:
    parts = [
        _ball("fetal soft tissue", (0, 43, -60), (17, 13, 15)),
        _ball("fetal soft tissue", (0, 34.2, -64), (4.4, 5.8, 4.6)),  # nose
        _ball("fetal soft tissue", (0, 33.5, -54.5), (6.5, 3.4, 1.9)),  # lips
        _ball("fetal soft tissue", (0, 34.5, -50.5), (6.0, 3.6, 1.9)),
        _ball("fetal soft tissue", (0, 37, -44), (7, 5.5, 4)),  # chin
        _ball(
            "bone", (0, 36.5, -67.5), (1.6, 3.2, 4.0), Rotation.from_euler("x", 25, degrees=True)
        ),  # nasal bone
        _ball("skull", (0, 43, -57), (9, 3.5, 2.2)),  # palate
        _ball("bone", (0, 44, -47), (9, 6, 2.0)),  # jaw
    ]
    for side in SIDES:
        parts += [
            _ball("skull", (side * 12, 45, -72), (7.2, 6.6, 7.2)),  # orbit, eye and lens
            _ball("ventricle", (side * 12, 44, -72), (5.8, 5.6, 5.8)),
            _ball("falx", (side * 12, 41.5, -72), (1.9, 1.0, 1.9)),
        ]
    return parts


def _trunk() -> list[Part]:
    return [
        *_tube("fetal soft tissue", [[0, 82, -52], [0, 84, -30]], 15.0),  # neck
        _ball("fetal soft tissue", (0, 76, 2), (32, 30, 38)),
        _ball("fetal soft tissue", (0, 76, 38), (31.5, 28.5, 32)),
        _ball("fetal soft tissue", (0, 81, 72), (28, 25, 26)),
        *(_ball("lung", (side * 14.5, 78, -2), (11.5, 20, 21)) for side in SIDES),
    ]


def _heart() -> list[Part]:
    turn = Rotation.from_euler("z", 38, degrees=True)

    def within(tissue: str, x: float, y: float, half_axes: tuple[float, float, float]) -> Part:
        centre = HEART_CENTRE + turn.apply([x, y, 0])
        return _ball(tissue, (centre[0], centre[1], centre[2]), half_axes, turn)

    return [
        within("blood", 0, 0, (18.2, 15.6, 15.8)),  # pericardial fluid, a thin dark rim
        within("myocardium", 0, 0, (17.2, 14.6, 15)),
        within("blood", -5.8, -5.4, (4.8, 4.4, 9.0)),  # ventricles
        within("blood", 5.8, -5.4, (4.4, 4.6, 9.0)),
        within("blood", -5.2, 5.4, (4.4, 3.9, 7.6)),  # atria
        within("blood", 5.2, 5.4, (4.4, 3.9, 7.6)),
        # Valves: two short bright leaves that meet the septa at the crux, which is echogenic itself.
        within("myocardium", -5.4, 0.2, (3.6, 0.7, 6.0)),
        within("myocardium", 5.4, 0.2, (3.6, 0.7, 6.0)),
        within("falx", 0, 0, (1.6, 1.5, 6.5)),
        *_tube("blood", [[1, 93, -28], [1, 94, 10], [2, 94, 48], [3, 93, 62]], 2.7),  # aorta
    ]


def _belly() -> list[Part]:
    parts = [
        _ball("liver", (8, 73, 28), (20.5, 21, 14.5)),
        _ball("stomach", (-12, 71, 29), (8.6, 6.6, 7.6), Rotation.from_euler("y", 18, degrees=True)),
        # Umbilical vein through the liver and the portal sinus, the hockey stick of the abdominal circumference plane.
        *_tube("blood", [[0, 53, 44], [1, 62, 36], [2, 69, 31], [8, 75, 29], [13, 77, 29]], 2.1),
        _ball("blood", (16, 64, 36), (2.6, 6.5, 3.2)),  # gallbladder
        _ball("bowel", (0, 70, 55), (19, 13, 12)),
        _ball("bladder", (0, 74, 73), (7.5, 6.5, 7.0)),
    ]
    for side in SIDES:
        parts += [
            _ball("kidney", (side * 13.5, 91, 46), (7, 6.8, 11.5)),
            _ball("ventricle", (side * 12.0, 91, 46), (2.2, 2.0, 4.2)),
        ]  # renal pelvis
    return parts


def _spine() -> list[Part]:
    parts = []
    for z in -46 + 6.3 * np.arange(21):
        y = 98 + 2.5 * np.sin((z + 10) / 45)
        parts.append(_ball("bone", (0, y, z), (4.4, 3.9, 2.2)))
        parts += [_ball("bone", (side * 5.2, y + 6.2, z), (1.7, 3.0, 1.8)) for side in SIDES]
    return parts


def _ribs() -> list[Part]:
    parts = []
    angle = np.linspace(
        0.12, 2.25, 22
    )  # from the spine round the side towards the chest, sloping to the feet
    for z in -20 + 6.6 * np.arange(9):
        girth = np.sqrt(1 - ((z - 4) / 46) ** 2)
        for side in SIDES:
            path = np.column_stack(
                [
                    side * 28.5 * girth * np.sin(angle),
                    75.5 + 27 * girth * np.cos(angle),
                    z + 6 * (angle - 0.12) / 2.1,
                ]
            )
            parts += _tube("bone", path, 1.15)
    return parts


def _limbs() -> list[Part]:
    parts = []
    for side in SIDES:
        shoulder, elbow, hand = np.array([[33, 76, -18], [43, 66, 14], [24, 42, -6]]) * [side, 1, 1]
        hip, knee, foot = np.array([[19, 82, 78], [35, 47, 66], [20, 66, 98]]) * [side, 1, 1]
        for start, end, flesh, bone in (
            (shoulder, elbow, 7.5, 1.7),
            (elbow, hand, 5.5, 1.4),
            (hip, knee, 10.5, 2.1),
            (knee, foot, 7.5, 1.8),
        ):
            along = (end - start) / np.linalg.norm(end - start)
            parts += _tube("fetal soft tissue", [start, end], flesh)
            parts += _tube("bone", [start + 4 * along, end - 4 * along], bone)
        for finger in range(4):
            tip = hand + np.array([side * (2.6 * finger - 6.0), -6.0, -5.0])
            parts += _tube("fetal soft tissue", [hand, tip], 1.7)
    return parts


def _cord() -> list[Part]:
    """From the navel in a loop to the placenta, with three vessels twisted round each other."""
    turns = np.linspace(0, 1, 60)
    middle = np.column_stack(
        [26 * np.sin(5.0 * turns), 46 - 24 * np.sin(2.4 * turns) + 66 * turns**3, 47 + 34 * turns]
    )
    parts = [_ball("umbilical cord", (0, 50, 47), (5.6, 5.0, 5.2)), *_tube("umbilical cord", middle, 4.6)]
    for phase in (0.0, 2.1, 4.2):
        twist = 16 * turns + phase
        vessel = middle + 2.1 * np.column_stack([np.cos(twist), 0 * twist, np.sin(twist)])
        parts += _tube("blood", vessel, 1.35)
    return parts


def _ball(
    tissue: str,
    centre: tuple[float, float, float],
    half_axes: tuple[float, float, float],
    turn: Rotation | None = None,
) -> Part:
    return Part(tissue, Ellipsoid(centre, half_axes, turn))


def _tube(
    tissue: str, path: Vector | Sequence[Sequence[float]] | Sequence[Vector], radius: float
) -> list[Part]:
    return [Part(tissue, segment) for segment in tube(np.asarray(path, float), radius)]
