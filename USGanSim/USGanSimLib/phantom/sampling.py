"""How bright things are at any sampling of a probe: as bright as at the usual one.

The blur keeps the strength of echoes that are independent from sample to sample (`beam_space.unit_energy`). Those of
one scatterer's cell are not, nor those of an interface or a point, so that their brightness depends on how many
samples fall on them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .probe import USUAL_LINES, USUAL_SAMPLES, Probe
from .scatterers import SCATTERER_MM

Field = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Sampling:
    """How much finer than the usual a probe is sampled, `across` and `along` its beams, and the factors that echoes
    need for that: those `scattered` (lines, samples), those `reflected` by an interface, and that of a `point`."""

    across: float
    along: float
    scattered: Field

    @property
    def reflected(self) -> float:
        """A surface: one sample on each line, lines that add up."""
        return float(np.sqrt(self.along / self.across))

    @property
    def point(self) -> float:
        """A point: one sample on one line."""
        return float(np.sqrt(self.along * self.across))


def sampling(probe: Probe) -> Sampling:
    """The sampling of a probe against the usual one."""
    across, along = (probe.lines - 1) / (USUAL_LINES - 1), probe.samples / USUAL_SAMPLES
    if across == along == 1:
        return Sampling(1.0, 1.0, np.ones((1, 1), np.float32))
    scattered = np.sqrt(_speckle_power(probe, across, along) / _speckle_power(probe, 1.0, 1.0))
    return Sampling(across, along, scattered.astype(np.float32))


def _speckle_power(probe: Probe, coarser_across: float, coarser_along: float) -> NDArray[np.float64]:
    """Power (lines, samples) of blurred cells of mean square 1, were the probe's sampling so many times coarser.

    The blur's autocorrelation times the chance that two samples lie in one cell, summed over all distances of two
    samples. The probe's axes are taken to lie along those of the cells' grid.
    """
    along_mm, across_mm = probe.sample_spacing_mm * coarser_along, probe.line_spacing_mm * coarser_across
    angle = probe.across[:, None] if probe.radius_mm else np.zeros((probe.lines, 1))
    sine, cosine = np.sin(angle), np.cos(angle)
    reach = np.sqrt(2) * SCATTERER_MM
    samples, lines = int(reach / along_mm), int(reach / across_mm.min())
    power = np.zeros((probe.lines, probe.samples))
    for down in along_mm * np.arange(-samples, samples + 1):
        for aside in (across_mm * line for line in range(-lines, lines + 1)):
            alike = np.exp(-0.25 * ((down / probe.pulse_sd_mm) ** 2 + (aside / probe.width_sd_mm) ** 2))
            x, y = down * sine + aside * cosine, down * cosine - aside * sine
            power += alike * _shared(x) * _shared(y)
    return power


def _shared(distance_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """The chance that two places so far apart along an axis lie in one cell."""
    chance: NDArray[np.float64] = np.maximum(0, 1 - np.abs(distance_mm) / SCATTERER_MM)
    return chance
