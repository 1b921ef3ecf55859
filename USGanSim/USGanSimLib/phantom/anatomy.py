"""A fetus in a uterus as solids in millimetres, with six landmarks at known places; a seed makes another subject.

Frame: x to the mother's left, y away from the probe (0 at the skin), z from the fetal head (negative) to the feet.
The fetus lies on its back towards +y, face and belly to the probe. Later solids overwrite earlier ones.
`subject(seed)` varies sizes and places; seed 0 is the standard subject.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.spatial.transform import Rotation

from .shapes import Ellipsoid, Points, Region, Solid, Vector, tube

SIDES = (-1, 1)
BODY_LOWER = np.array([-85.0, -12.0, -150.0])
BODY_UPPER = np.array([85.0, 150.0, 135.0])
LANDMARKS = {
    "four-chamber crux": (3.0, 72.0, 4.0),
    "stomach centre": (-12.0, 71.0, 29.0),
    "cord insertion": (0.0, 50.0, 47.0),
    "mid-line echo": (0.0, 72.0, -88.0),
    "cavum septi pellucidi": (0.0, 58.0, -80.0),
    "nasal tip": (0.0, 28.5, -64.0),
}
HEART_CENTRE = np.array([3.0, 72.0, 4.0])


@dataclass(frozen=True, eq=False)
class Variation:
    """How a subject differs from the standard one: fetal scale per axis, a turn about the fetus' middle and a shift,
    mm, and the seed of its organic irregularity."""

    scale: Vector = field(default_factory=lambda: np.ones(3))
    turn: Rotation = field(default_factory=Rotation.identity)
    shift_mm: Vector = field(default_factory=lambda: np.zeros(3))
    seed: int = 0

    def from_standard(self, points: Vector) -> Vector:
        """Standard fetal coordinates (…, 3) → this subject's."""
        return self.turn.apply((points - FETUS_MIDDLE) * self.scale) + FETUS_MIDDLE + self.shift_mm

    def to_standard(self, points: Points) -> Points:
        """The inverse, for points (N, 3)."""
        matrix = (self.turn.as_matrix() / self.scale).astype(np.float32)
        offset = (FETUS_MIDDLE + self.shift_mm).astype(np.float32)
        return (points - offset) @ matrix + FETUS_MIDDLE.astype(np.float32)


FETUS_MIDDLE = np.array([0.0, 75.0, -10.0])


def subject(seed: int) -> Variation:
    """Subject number `seed`: size SD 4 %, turned by some 6°, moved by some 4 mm. Seed 0 is the standard subject."""
    if seed == 0:
        return Variation()
    rng = np.random.default_rng([seed, 20170915])
    scale = 1 + np.clip(rng.normal(0, 0.04) + rng.normal(0, 0.015, 3), -0.09, 0.09)
    turn = Rotation.from_rotvec(np.deg2rad(np.clip(rng.normal(0, 6, 3), -11, 11)))
    return Variation(scale, turn, np.clip(rng.normal(0, [4, 2.5, 5]), -8, 8), seed)


def mother() -> list[tuple[str, Solid]]:
    """The abdominal wall, uterus, fluid and placenta, in Reference coordinates, the same for all subjects."""
    def above(depth_mm: float) -> Region:
        upper = np.array([BODY_UPPER[0], depth_mm + 12.0, BODY_UPPER[2]])
        return Region(BODY_LOWER, upper, lambda points: points[:, 1] < _skin_depth(points) + depth_mm)

    return [
        ("muscle", above(13.5)), ("fat", above(8.5)), ("skin", above(1.8)), ("gel", above(0.0)),
        ("uterine wall", Ellipsoid((0, 79, -10), (76, 64, 131))),
        ("amniotic fluid", Ellipsoid((0, 79, -10), (71, 60, 126))),
        ("placenta", Ellipsoid((8, 134, 25), (56, 21, 66), Rotation.from_euler("z", 6, degrees=True))),
    ]


def fetus() -> list[tuple[str, Solid]]:
    """All fetal solids in standard fetal coordinates, in painting order."""
    return [*_head(), *_trunk(), *_heart(), *_belly(), *_skeleton(), *_limbs(), *_cord()]


def _skin_depth(points: Points) -> Points:
    depth: Points = (points[:, 0] ** 2 + 0.3 * points[:, 2] ** 2) * np.float32(0.0006) - 1
    return depth


def _head() -> list[tuple[str, Solid]]:
    solids: list[tuple[str, Solid]] = [
        ("fetal soft tissue", Ellipsoid((0, 70, -82), (30.5, 39, 33))),
        ("skull", Ellipsoid((0, 70, -82), (28.8, 37.2, 31.2))),
        ("brain", Ellipsoid((0, 70, -82), (26.6, 35, 29))),
        # Sylvian fissures and the posterior fossa give the brain its structure.
        ("choroid plexus", Ellipsoid((0, 97, -70), (11, 6.0, 7))),
        ("brain", Ellipsoid((0, 95, -71), (9.0, 5.5, 6))),
        ("falx", Ellipsoid((0, 71, -84), (0.8, 33.5, 24))),
    ]
    for side in SIDES:
        solids += [
            ("falx", Ellipsoid((side * 20.5, 66, -80), (1.6, 9, 6), Rotation.from_euler("z", 12 * side, degrees=True))),
            ("ventricle", Ellipsoid((side * 10.5, 75, -88), (3.9, 15, 4.5))),
            ("choroid plexus", Ellipsoid((side * 10.8, 81, -88), (3.1, 8, 3.4))),
            ("brain", Ellipsoid((side * 6.0, 73, -76), (4.6, 8, 5.5))),
            ("choroid plexus", Ellipsoid((side * 8, 99.5, -71), (6.5, 5.0, 7.5))),
        ]
    solids += [
        ("falx", Ellipsoid((0, 58, -80), (4.8, 7.4, 5.6))), ("cavum septi pellucidi", Ellipsoid((0, 58, -80), (3.6, 6.2, 4.4))),
        ("fetal soft tissue", Ellipsoid((0, 43, -60), (17, 13, 15))),  # face
        ("fetal soft tissue", Ellipsoid((0, 34.2, -64), (4.4, 5.8, 4.6))),  # nose
        ("fetal soft tissue", Ellipsoid((0, 33.5, -54.5), (6.5, 3.4, 1.9))),  # lips
        ("fetal soft tissue", Ellipsoid((0, 34.5, -50.5), (6.0, 3.6, 1.9))),
        ("fetal soft tissue", Ellipsoid((0, 37, -44), (7, 5.5, 4))),  # chin
        ("bone", Ellipsoid((0, 36.5, -67.5), (1.6, 3.2, 4.0), Rotation.from_euler("x", 25, degrees=True))),  # nasal bone
        ("skull", Ellipsoid((0, 43, -57), (9, 3.5, 2.2))), ("bone", Ellipsoid((0, 44, -47), (9, 6, 2.0))),
    ]
    for side in SIDES:
        solids += [("skull", Ellipsoid((side * 12, 45, -72), (7.2, 6.6, 7.2))), ("ventricle", Ellipsoid((side * 12, 44, -72), (5.8, 5.6, 5.8))),
                   ("falx", Ellipsoid((side * 12, 41.5, -72), (1.9, 1.0, 1.9)))]
    return solids


def _trunk() -> list[tuple[str, Solid]]:
    solids: list[tuple[str, Solid]] = [
        *_tube("fetal soft tissue", [[0, 82, -52], [0, 84, -30]], 15.0),  # neck
        ("fetal soft tissue", Ellipsoid((0, 76, 2), (32, 30, 38))),
        ("fetal soft tissue", Ellipsoid((0, 76, 38), (31.5, 28.5, 32))),
        ("fetal soft tissue", Ellipsoid((0, 81, 72), (28, 25, 26))),
    ]
    for side in SIDES:
        solids.append(("lung", Ellipsoid((side * 14.5, 78, -2), (11.5, 20, 21))))
    return solids


def _heart() -> list[tuple[str, Solid]]:
    turn = Rotation.from_euler("z", 38, degrees=True)
    solids: list[tuple[str, Solid]] = [
        ("blood", Ellipsoid((3, 72, 4), (18.2, 15.6, 15.8), turn)),  # pericardial fluid, a thin dark rim
        ("myocardium", Ellipsoid((3, 72, 4), (17.2, 14.6, 15), turn)),
    ]
    for x, y, half in ((-5.8, -5.4, (4.8, 4.4, 9.0)), (5.8, -5.4, (4.4, 4.6, 9.0)),
                       (-5.2, 5.4, (4.4, 3.9, 7.6)), (5.2, 5.4, (4.4, 3.9, 7.6))):
        centre = HEART_CENTRE + turn.apply([x, y, 0])
        solids.append(("blood", Ellipsoid((centre[0], centre[1], centre[2]), half, turn)))
    # Valves: two short bright leaves that meet the septa at the crux.
    for x in (-5.4, 5.4):
        centre = HEART_CENTRE + turn.apply([x, 0.2, 0])
        solids.append(("myocardium", Ellipsoid((centre[0], centre[1], centre[2]), (3.6, 0.7, 6.0), turn)))
    solids.append(("falx", Ellipsoid((3, 72, 4), (1.6, 1.5, 6.5), turn)))  # the crux itself is echogenic
    solids += _tube("blood", [[1, 93, -28], [1, 94, 10], [2, 94, 48], [3, 93, 62]], 2.7)  # aorta
    return solids


def _belly() -> list[tuple[str, Solid]]:
    solids: list[tuple[str, Solid]] = [
        ("liver", Ellipsoid((8, 73, 28), (20.5, 21, 14.5))),
        ("stomach", Ellipsoid((-12, 71, 29), (8.6, 6.6, 7.6), Rotation.from_euler("y", 18, degrees=True))),
        # Umbilical vein through the liver and the portal sinus, the hockey stick of the abdominal circumference plane.
        *_tube("blood", [[0, 53, 44], [1, 62, 36], [2, 69, 31], [8, 75, 29], [13, 77, 29]], 2.1),
        ("blood", Ellipsoid((16, 64, 36), (2.6, 6.5, 3.2))),  # gallbladder
        ("bowel", Ellipsoid((0, 70, 55), (19, 13, 12))), ("bladder", Ellipsoid((0, 74, 73), (7.5, 6.5, 7.0))),
    ]
    for side in SIDES:
        solids += [("kidney", Ellipsoid((side * 13.5, 91, 46), (7, 6.8, 11.5))),
                   ("ventricle", Ellipsoid((side * 12.0, 91, 46), (2.2, 2.0, 4.2)))]
    return solids


def _skeleton() -> list[tuple[str, Solid]]:
    solids: list[tuple[str, Solid]] = []
    for number in range(21):
        z = -46 + 6.3 * number
        y = 98 + 2.5 * np.sin((z + 10) / 45)
        solids.append(("bone", Ellipsoid((0, y, z), (4.4, 3.9, 2.2))))
        solids += [("bone", Ellipsoid((side * 5.2, y + 6.2, z), (1.7, 3.0, 1.8))) for side in SIDES]
    for number in range(9):
        z = -20 + 6.6 * number
        width = 1 - ((z - 4) / 46) ** 2
        angle = np.linspace(0.12, 2.25, 22)
        for side in SIDES:
            # From the spine round the side towards the chest, sloping to the feet.
            path = np.column_stack([side * 28.5 * np.sqrt(width) * np.sin(angle),
                                    75.5 + 27 * np.sqrt(width) * np.cos(angle), z + 6 * (angle - 0.12) / 2.1])
            solids += _tube("bone", path, 1.15)
    return solids


def _limbs() -> list[tuple[str, Solid]]:
    solids: list[tuple[str, Solid]] = []
    for side in SIDES:
        shoulder, elbow, hand = np.array([[33, 76, -18], [43, 66, 14], [24, 42, -6]]) * [side, 1, 1]
        hip, knee, foot = np.array([[19, 82, 78], [35, 47, 66], [20, 66, 98]]) * [side, 1, 1]
        for start, end, flesh, bone in ((shoulder, elbow, 7.5, 1.7), (elbow, hand, 5.5, 1.4),
                                        (hip, knee, 10.5, 2.1), (knee, foot, 7.5, 1.8)):
            along = (end - start) / np.linalg.norm(end - start)
            solids += _tube("fetal soft tissue", [start, end], flesh)
            solids += _tube("bone", [start + 4 * along, end - 4 * along], bone)
        for finger in range(4):
            tip = hand + np.array([side * (2.6 * finger - 6.0), -6.0, -5.0])
            solids += _tube("fetal soft tissue", [hand, tip], 1.7)
    return solids


def _cord() -> list[tuple[str, Solid]]:
    turns = np.linspace(0, 1, 60)
    middle = np.column_stack([26 * np.sin(5.0 * turns), 46 - 24 * np.sin(2.4 * turns) + 66 * turns**3, 47 + 34 * turns])
    solids: list[tuple[str, Solid]] = [("umbilical cord", Ellipsoid((0, 50, 47), (5.6, 5.0, 5.2)))]
    solids += _tube("umbilical cord", middle, 4.6)
    for phase in (0.0, 2.1, 4.2):
        twist = 16 * turns + phase
        vessel = middle + 2.1 * np.column_stack([np.cos(twist), 0 * twist, np.sin(twist)])
        solids += _tube("blood", vessel, 1.35)
    return solids


def _tube(name: str, path: Vector | list[list[float]] | list[Vector], radius: float) -> list[tuple[str, Solid]]:
    return [(name, part) for part in tube(np.asarray(path, float), radius)]
