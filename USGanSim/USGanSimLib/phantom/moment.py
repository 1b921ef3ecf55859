"""What differs between two images at one pose: contact, gain, pressure, motion, heart beat, speckle.

`Moments` lets all of it change smoothly over a sweep, as it does in a scan; `draw` gives independent repeats.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.special import ndtri

from .shapes import Vector

SCATTERER_CELLS = 128  # a power of two, so that repeating is a bit mask


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
    speckle_change           share of the scatterers' amplitude that is not the tissue's fixed pattern (flow, drift)
    speckle_patterns         which random patterns that share shows, their first cells, and how much of each: amplitudes
                             whose squares sum to 1
    """

    gain_db: float = 0.0
    tgc_db_per_cm: float = 0.0
    pressure_mm: float = 0.0
    motion_mm: Vector = field(default_factory=lambda: np.zeros(3))
    beat: float = 0.0
    speckle_change: float = 0.0
    speckle_patterns: tuple[tuple[int, float], ...] = ((0, 1.0),)
    contact: tuple[ContactLoss, ...] = ()


@dataclass(frozen=True)
class Variability:
    """SDs of what varies, and how many patches of the face lack contact on average (less than Moments.PATCHES). The
    defaults are a careful scan of a good phantom; see `settings.HARD` for a hard one."""

    gain_db: float = 2.0
    tgc_db_per_cm: float = 0.12
    pressure_mm: float = 0.8
    motion_mm: float = 0.5
    beat: float = 0.10
    speckle_change: float = 0.45
    contact_losses: float = 1.2


class Moments:
    """A random but smooth course of Moments over time; independent of the pose."""

    HEART_HZ = 2.4
    PATCHES = 4

    def __init__(self, rng: np.random.Generator, variability: Variability | None = None) -> None:
        self._rng, self._of = rng, variability or Variability()
        # Ornstein-Uhlenbeck states in units of SD: gain, tgc, pressure, motion ×3; place, width, strength a patch.
        self._state = rng.standard_normal(6 + 3 * self.PATCHES)
        self._phase = rng.uniform(0, 2 * np.pi)
        self._pattern, self._next_pattern, self._faded = (
            self._new_pattern(),
            self._new_pattern(),
            rng.uniform(),
        )

    def draw(self) -> Moment:
        """An independent moment."""
        self._state = self._rng.standard_normal(len(self._state))
        self._phase = self._rng.uniform(0, 2 * np.pi)
        self._pattern, self._next_pattern, self._faded = self._new_pattern(), self._new_pattern(), 0.0
        return self._moment()

    def after(self, seconds: float, memory_s: float = 2.5) -> Moment:
        """The moment `seconds` later; what was is forgotten with the time constant `memory_s`, in which one pattern of
        speckle gives way to the next."""
        kept = np.exp(-seconds / memory_s)
        self._state = kept * self._state + np.sqrt(1 - kept**2) * self._rng.standard_normal(len(self._state))
        self._phase += 2 * np.pi * self.HEART_HZ * seconds
        passed, self._faded = divmod(self._faded + seconds / memory_s, 1)
        for _ in range(int(min(passed, 2))):
            self._pattern, self._next_pattern = self._next_pattern, self._new_pattern()
        return self._moment()

    def _new_pattern(self) -> int:
        return int(self._rng.integers(SCATTERER_CELLS**3))

    def _moment(self) -> Moment:
        of, state = self._of, self._state
        # A patch lacks contact while its strength exceeds the level that gives the wanted number of patches.
        level = -ndtri(of.contact_losses / self.PATCHES)
        contact = tuple(
            ContactLoss(
                1.1 * float(np.tanh(place)), 0.04 + 0.05 * abs(float(width)), 10 * float(strength - level)
            )
            for place, width, strength in state[6:].reshape(self.PATCHES, 3)
            if strength > level
        )
        # Independent patterns mixed by cosine and sine: complex Gaussian with the same power at every moment.
        angle = np.pi / 2 * self._faded
        patterns = ((self._pattern, float(np.cos(angle))), (self._next_pattern, float(np.sin(angle))))
        return Moment(
            gain_db=float(of.gain_db * state[0]),
            tgc_db_per_cm=float(of.tgc_db_per_cm * state[1]),
            pressure_mm=float(of.pressure_mm * abs(state[2])),
            motion_mm=of.motion_mm * state[3:6],
            beat=float(of.beat * np.sin(self._phase)),
            speckle_change=of.speckle_change,
            contact=contact,
            speckle_patterns=patterns if self._faded else patterns[:1],
        )
