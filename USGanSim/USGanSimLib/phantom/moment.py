"""What differs between two images at one pose: contact, gain, pressure, motion, heart beat, speckle.

`Moments` lets all of it change smoothly over a sweep, as it does in a scan; `draw` gives independent repeats.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .shapes import Vector


@dataclass(frozen=True)
class ContactLoss:
    """A patch of the face without gel: its middle and half width as shares of the face (−1 … 1), and the loss, dB."""

    middle: float
    half_width: float
    loss_db: float


@dataclass(frozen=True, eq=False)
class Moment:
    """The state of things while one image is taken; the default is a perfectly still, perfectly coupled one.

    gain_db, tgc_db_per_cm   operator settings about their usual value
    pressure_mm              how far the tissue under the face is pushed in
    motion_mm                displacement of the fetus, (3,)
    beat                     relative size of the heart's chambers, about 0
    speckle_change           share of the scatterers' amplitude that is not the tissue's fixed pattern (flow, decorrelation)
    speckle_offset           which random pattern that share shows, (3,) whole cells
    """

    gain_db: float = 0.0
    tgc_db_per_cm: float = 0.0
    pressure_mm: float = 0.0
    motion_mm: Vector = field(default_factory=lambda: np.zeros(3))
    beat: float = 0.0
    speckle_change: float = 0.0
    speckle_offset: tuple[int, int, int] = (0, 0, 0)
    contact: tuple[ContactLoss, ...] = ()


@dataclass(frozen=True)
class Variability:
    """SDs of what varies. The defaults are a careful scan of a good phantom; see `scanning.HARD` for a hard one."""

    gain_db: float = 2.0
    tgc_db_per_cm: float = 0.12
    pressure_mm: float = 0.8
    motion_mm: float = 0.5
    beat: float = 0.10
    speckle_change: float = 0.45
    contact_loss_rate: float = 1.2


class Moments:
    """A random but smooth course of Moments over time; independent of the pose."""

    HEART_HZ = 2.4
    PATCHES = 4

    def __init__(self, rng: np.random.Generator, variability: Variability | None = None) -> None:
        self._rng, self._of = rng, variability or Variability()
        # Ornstein-Uhlenbeck states in units of SD: gain, tgc, pressure, motion ×3, and a place, width, strength a patch.
        self._state = rng.standard_normal(6 + 3 * self.PATCHES)
        self._phase = rng.uniform(0, 2 * np.pi)

    def draw(self) -> Moment:
        """An independent moment."""
        self._state = self._rng.standard_normal(len(self._state))
        self._phase = self._rng.uniform(0, 2 * np.pi)
        return self._moment()

    def after(self, seconds: float, memory_s: float = 2.5) -> Moment:
        """The moment `seconds` later; what was is forgotten with the time constant `memory_s`."""
        kept = np.exp(-seconds / memory_s)
        self._state = kept * self._state + np.sqrt(1 - kept**2) * self._rng.standard_normal(len(self._state))
        self._phase += 2 * np.pi * self.HEART_HZ * seconds
        return self._moment()

    def _moment(self) -> Moment:
        of, state = self._of, self._state
        patches = state[6:].reshape(self.PATCHES, 3)
        # A patch loses contact while its strength exceeds the level that gives the wanted number of patches on average.
        level = 1.0 - 0.8 * min(of.contact_loss_rate, 2.0)
        contact = tuple(ContactLoss(float(1.1 * np.tanh(place)), float(0.04 + 0.05 * abs(width)), float(9 * (strength - level)))
                        for place, width, strength in patches if strength > max(level, 0.2) and of.contact_loss_rate > 0)
        offset = self._rng.integers(0, 96, 3)
        return Moment(float(of.gain_db * state[0]), float(of.tgc_db_per_cm * state[1]), float(of.pressure_mm * abs(state[2])),
                      of.motion_mm * state[3:6], float(of.beat * np.sin(self._phase)), of.speckle_change,
                      (int(offset[0]), int(offset[1]), int(offset[2])), contact)
