"""Calibration targets in a water tank: a pinhead and N-wires, at known millimetres.

Both are far thinner than the beam, so they are echoing points and lines of exact place instead of a grid of labels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..geometry.image_geometry import ImageGeometry
from ..geometry.transforms import Matrix
from .medium import Labels, ThinObject
from .moment import Moment
from .probe import Probe
from .shapes import Points, Vector
from .tissues import LABELS

PIN_MM = (4.0, 75.0, -3.0)
WIRE_MIDDLE_MM = (0.0, 75.0, 0.0)
WIRE_LENGTH_MM, WIRE_GAP_MM, LAYER_GAP_MM = 40.0, 10.0, 10.0
FLOOR_BELOW_MM = 40.0
_PIECE_MM = 0.2  # a line is drawn as points this far apart


@dataclass(frozen=True, eq=False)
class WaterTank:
    """Water over an acrylic floor at depth `floor_mm`, with marked points name → (3,) and wires name → (2, 3), their
    front and back ends, in Reference mm. `thin` is what echoes: these and what holds them."""

    points_mm: Mapping[str, Vector]
    wires_mm: Mapping[str, Vector]
    floor_mm: float
    thin: tuple[ThinObject, ...]

    @property
    def middle_mm(self) -> Vector:
        """The middle of all points and wires, (3,)."""
        middle: Vector = np.mean([*self.landmarks_mm.values()], axis=0)
        return middle

    @property
    def landmarks_mm(self) -> dict[str, Vector]:
        """The points and both ends of each wire."""
        ends = {
            f"{name} {end}": wire[row]
            for name, wire in self.wires_mm.items()
            for row, end in enumerate(("front", "back"))
        }
        return {**self.points_mm, **ends}

    def labels_at(self, points: Points) -> Labels:
        """Water or acrylic (N,) at points (3, N)."""
        return np.where(points[1] > self.floor_mm, LABELS["acrylic"], LABELS["water"]).astype(np.uint8)

    def at_rest(self, points: Points, moment: Moment) -> Points:
        """Nothing moves in the tank."""
        return points


def pin_body(pin_mm: tuple[float, float, float] = PIN_MM) -> WaterTank:
    """A steel pin that stands on the floor, head up. Its echo comes from the middle of the head, a point."""
    pin = np.array(pin_mm)
    floor_mm = pin[1] + FLOOR_BELOW_MM
    foot = np.array([pin[0], floor_mm, pin[2]])
    stem = _line(pin + np.array([0.0, 1.0, 0.0]), foot, 0.25)
    return WaterTank({"pinhead": pin}, {}, floor_mm, (ThinObject(pin[None], 3.0), stem))


def wire_body(middle_mm: tuple[float, float, float] = WIRE_MIDDLE_MM) -> WaterTank:
    """Three N of nylon wire one below the other: two wires along z and an oblique one between them, nine in all.

    An image across them shows three rows of three dots; where the middle dot lies between the outer ones tells where
    along z the image crosses (N-wire phantoms: Chen et al. 2009, as in PLUS's fCal).
    """
    middle, half = np.array(middle_mm), np.array([0.0, 0.0, WIRE_LENGTH_MM / 2])
    wires = {}
    for layer in (-1, 0, 1):
        down = middle + np.array([0.0, layer * LAYER_GAP_MM, 0.0])
        slant = 0.8 * WIRE_GAP_MM * (1 if layer else -1)
        for place, front_x, back_x in (
            ("left", -WIRE_GAP_MM, -WIRE_GAP_MM),
            ("oblique", -slant, slant),
            ("right", WIRE_GAP_MM, WIRE_GAP_MM),
        ):
            front, back = down - half + [front_x, 0, 0], down + half + [back_x, 0, 0]
            wires[f"wire {layer + 2} {place}"] = np.array([front, back])
    thin = tuple(_line(front, back, 1.6) for front, back in wires.values())
    return WaterTank({}, wires, middle[1] + FLOOR_BELOW_MM, thin)


def target_pixels(
    tank: WaterTank, probe_to_reference: Matrix, probe: Probe, geometry: ImageGeometry
) -> dict[str, tuple[float, float]]:
    """Name → (u, v) of the points and wires that the image at this pose (4, 4) shows in its field of view: a wire
    where it crosses the image plane, a point within two SDs of the beam from the plane."""
    to_probe, to_image = np.linalg.inv(probe_to_reference), np.linalg.inv(geometry.image_to_probe)
    places = {}
    for name, point in tank.points_mm.items():
        place = to_probe[:3, :3] @ point + to_probe[:3, 3]
        if abs(place[2]) <= 2 * probe.elevation_sd_mm:
            places[name] = place
    for name, ends in tank.wires_mm.items():
        front, back = ends @ to_probe[:3, :3].T + to_probe[:3, 3]
        if front[2] * back[2] < 0:
            places[name] = front + (back - front) * front[2] / (front[2] - back[2])
    pixels = {}
    for name, (x, y, _) in places.items():
        line, sample = probe.beam_place(x, y)
        if 0 <= line <= probe.lines - 1 and 0 <= sample <= probe.samples - 1:
            u, v = (to_image @ [x, y, 0, 1])[:2]
            pixels[name] = (float(u), float(v))
    return pixels


def _line(front: Vector, back: Vector, echo_per_mm: float) -> ThinObject:
    length = float(np.linalg.norm(back - front))
    share = np.linspace(0, 1, round(length / _PIECE_MM) + 1)[:, None]
    return ThinObject(front + share * (back - front), echo_per_mm * _PIECE_MM, (back - front) / length)
