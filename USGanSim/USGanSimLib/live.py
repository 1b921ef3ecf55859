"""The live path without torch and without Slicer: what a renderer is, the states of a pose, and who counts what.

Poses arrive whenever the tracker sends them; images are made one at a time. `PoseQueue` keeps the newest pose alone
and counts the ones that a newer pose replaced, so that every pose is accounted for: received = rendered + superseded
+ not usable + waiting.
"""

from __future__ import annotations

import enum
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .geometry.pose_distance import PoseRange
from .geometry.transforms import Matrix


class Renderer(Protocol):
    """Turns the pose of an image into the image. `ml.renderer.ModelRenderer` is the real one."""

    @property
    def width_px(self) -> int: ...

    @property
    def height_px(self) -> int: ...

    @property
    def image_to_probe(self) -> Matrix:
        """(4, 4), pixels of this renderer's image to probe millimetres."""
        ...

    @property
    def pose_range(self) -> PoseRange:
        """The poses that the model was trained on."""
        ...

    def render(self, image_to_reference: Matrix) -> NDArray[np.uint8]:
        """(4, 4) ImageToReference of this renderer's pixels → (height_px, width_px) uint8."""
        ...


class PoseState(enum.Enum):
    """What a person must be told about the pose behind the image on the screen."""

    NO_MODEL = "no model"
    NO_POSE = "no pose yet"
    INVALID = "tracking lost"
    STALE = "pose is stale"
    OUT_OF_RANGE = "outside the trained range"
    GOOD = "live"
