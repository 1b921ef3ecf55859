"""Beam space, (lines, samples): the blur of the beam across, echoes between samples, and the way to pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import convolve1d

from ..geometry.image_geometry import ImageGeometry
from .probe import Probe
from .scatterers import Complex
from .shapes import Vector

Field = NDArray[np.float32]


class BeamBlur:
    """The beam across: its width changes with depth, so a few fixed widths are computed and mixed."""

    WIDTHS = 4

    def __init__(self, probe: Probe, looks: int) -> None:
        wanted = probe.width_sd_mm / probe.line_spacing_mm
        widths = np.geomspace(wanted.min(), wanted.max() + 1e-6, self.WIDTHS)
        place = np.interp(wanted, widths, np.arange(self.WIDTHS))
        self._weights = np.maximum(0, 1 - np.abs(place - np.arange(self.WIDTHS)[:, None])).astype(np.float32)
        # A look uses part of the aperture: a wider beam and its own band of directions.
        wider, steps = (1.0, np.zeros(1)) if looks == 1 else (1.6, np.linspace(-0.9, 0.9, looks))
        self._looks = [
            [_steered(unit_energy(width * wider), step / width) for width in widths] for step in steps
        ]

    def envelope(self, echoes: Complex) -> Field:
        """The detected echoes of all looks, averaged in power; (lines, samples)."""
        power = np.zeros(echoes.shape, np.float32)
        for kernels in self._looks:
            blurred = self._blurred(echoes, kernels)
            power += blurred.real**2 + blurred.imag**2
        envelope: Field = np.sqrt(power / np.float32(len(self._looks)))
        return envelope

    def _blurred(self, echoes: Complex, kernels: list[Complex | Field]) -> Complex:
        result = np.zeros_like(echoes)
        for weights, kernel in zip(self._weights, kernels, strict=True):
            used = np.flatnonzero(weights)
            if used.size:
                columns = slice(used[0], used[-1] + 1)
                result[:, columns] += weights[columns] * convolve1d(
                    echoes[:, columns], kernel, axis=0, mode="nearest"
                )
        return result


class ScanConverter:
    """Bilinear sampling of beam space at the pixels, weights computed once."""

    def __init__(self, probe: Probe, geometry: ImageGeometry) -> None:
        line, sample, seen = probe.beam_index(geometry)
        self._shape, self._seen = seen.shape, np.flatnonzero(seen)
        line, sample = line.ravel()[self._seen], sample.ravel()[self._seen]
        first_line = np.clip(np.floor(line), 0, probe.lines - 2).astype(np.int64)
        first_sample = np.clip(np.floor(sample), 0, probe.samples - 2).astype(np.int64)
        self._corner = first_line * probe.samples + first_sample
        self._line_step = probe.samples
        self._a, self._b = (line - first_line).astype(np.float32), (sample - first_sample).astype(np.float32)

    def image(self, grey: Field) -> NDArray[np.uint8]:
        """Grey 0 … 1 (lines, samples) → (H, W) uint8, black outside the field of view."""
        flat, corner, step = grey.ravel(), self._corner, self._line_step
        near = flat[corner] * (1 - self._b) + flat[corner + 1] * self._b
        far = flat[corner + step] * (1 - self._b) + flat[corner + step + 1] * self._b
        pixels = np.zeros(self._shape, np.uint8)
        pixels.ravel()[self._seen] = np.rint(255 * (near + self._a * (far - near))).astype(np.uint8)
        return pixels


def splat(echoes: Complex, line: Vector, sample: Vector, strength: Vector) -> None:
    """Add point echoes at fractional places, each shared by the four samples round it; those outside are left out."""
    first_line, first_sample = np.floor(line).astype(int), np.floor(sample).astype(int)
    lines, samples = echoes.shape
    inside = (first_line >= 0) & (first_line < lines - 1) & (first_sample >= 0) & (first_sample < samples - 1)
    first_line, first_sample, strength = first_line[inside], first_sample[inside], strength[inside]
    a, b = line[inside] - first_line, sample[inside] - first_sample
    for i, j, share in ((0, 0, (1 - a) * (1 - b)), (0, 1, (1 - a) * b), (1, 0, a * (1 - b)), (1, 1, a * b)):
        np.add.at(echoes, (first_line + i, first_sample + j), (share * strength).astype(np.complex64))


def unit_energy(sd: float) -> Field:
    """A Gaussian kernel whose squares sum to 1, so that blurred speckle keeps its strength; `sd` in samples."""
    reach = max(1, int(np.ceil(3 * sd)))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sd) ** 2)
    return np.asarray(kernel / np.sqrt((kernel**2).sum()), np.float32)


def _steered(kernel: Field, radians_per_line: float) -> Complex | Field:
    """A kernel that passes echoes of one band of directions."""
    place = np.arange(len(kernel)) - len(kernel) // 2
    return (
        kernel
        if radians_per_line == 0
        else (kernel * np.exp(1j * radians_per_line * place)).astype(np.complex64)
    )
