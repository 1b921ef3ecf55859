"""What a scanner looks into: a fetal body or a target in water."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .moment import Moment
from .shapes import Points, Vector

Labels = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class ThinObject:
    """Something much thinner than the beam, as echoing points that a grid of labels cannot hold.

    points_mm  (N, 3) in Reference
    echo       amplitude of each point, or of each piece of a line
    along      direction of the line (3,), which reflects by incidence; None for a round object
    """

    points_mm: Vector
    echo: float
    along: Vector | None = None


class Medium(Protocol):
    """`landmarks_mm` name → (3,) in Reference; `thin` what is added to the tissues."""

    @property
    def landmarks_mm(self) -> dict[str, Vector]: ...

    @property
    def thin(self) -> tuple[ThinObject, ...]: ...

    def labels_at(self, points: Points) -> Labels:
        """Tissue labels (N,) at points (3, N) of Reference, mm, at rest."""
        ...

    def at_rest(self, points: Points, moment: Moment) -> Points:
        """Where the tissue that now stands at points (3, N) stands at rest, (3, N)."""
        ...
