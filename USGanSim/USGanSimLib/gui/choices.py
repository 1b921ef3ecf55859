"""What a person chooses between in the panel's boxes, with the words for it."""

from __future__ import annotations

import enum

from slicer.i18n import tr as _


class MockMotion(enum.Enum):
    """What moves a probe that has no tracker."""

    HAND = "hand"
    SWEEP = "sweep"
    REPLAY = "replay"

    def label(self) -> str:
        return {
            MockMotion.HAND: _("By hand"),
            MockMotion.SWEEP: _("Along the trained sweep"),
            MockMotion.REPLAY: _("Replay of a recording"),
        }[self]


class Steadiness(enum.Enum):
    """How much of a tracker's jitter is taken out; the value is the time constant in seconds."""

    OFF = 0.0
    LIGHT = 0.05
    MEDIUM = 0.1
    STRONG = 0.2

    def label(self) -> str:
        return {
            Steadiness.OFF: _("As tracked"),
            Steadiness.LIGHT: _("A little, some 50 ms late"),
            Steadiness.MEDIUM: _("More, some 100 ms late"),
            Steadiness.STRONG: _("Much, some 200 ms late"),
        }[self]


class PoseSet(enum.Enum):
    """Where to simulate at."""

    CURVE = "curve"
    RECORDING = "recording"
    GRID = "grid"

    def label(self) -> str:
        return {
            PoseSet.CURVE: _("Along a curve"),
            PoseSet.RECORDING: _("Those of a recording"),
            PoseSet.GRID: _("A grid around a plane"),
        }[self]


class CurvePlane(enum.Enum):
    """How the image stands on a curve."""

    ACROSS = "across"
    ALONG = "along"

    def label(self) -> str:
        return {CurvePlane.ACROSS: _("Square to the curve"), CurvePlane.ALONG: _("Along the curve")}[self]


class Direction(enum.Enum):
    """A direction of the patient; the value is its unit vector in RAS."""

    ANTERIOR = (0, 1, 0)
    POSTERIOR = (0, -1, 0)
    LEFT = (-1, 0, 0)
    RIGHT = (1, 0, 0)
    SUPERIOR = (0, 0, 1)
    INFERIOR = (0, 0, -1)

    def label(self) -> str:
        return {
            Direction.ANTERIOR: _("Anterior"),
            Direction.POSTERIOR: _("Posterior"),
            Direction.LEFT: _("Left"),
            Direction.RIGHT: _("Right"),
            Direction.SUPERIOR: _("Superior"),
            Direction.INFERIOR: _("Inferior"),
        }[self]


class GridPlane(enum.Enum):
    """The pose in the middle of a grid; the value is the slice view's layout name, none for the probe."""

    PROBE = ""
    RED = "Red"
    YELLOW = "Yellow"
    GREEN = "Green"

    def label(self) -> str:
        return {
            GridPlane.PROBE: _("The probe's pose"),
            GridPlane.RED: _("Red slice view"),
            GridPlane.YELLOW: _("Yellow slice view"),
            GridPlane.GREEN: _("Green slice view"),
        }[self]
