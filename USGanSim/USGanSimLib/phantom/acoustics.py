"""From anatomy to B-mode, in beam space: scatterers, interfaces, attenuation, beam, noise, display.

The steps, one function each, follow the convolution model of ultrasound (Bamber and Dickinson 1980; Meunier and
Bertrand 1995): scatterers fixed in the tissue times echogenicity, plus reflections where the impedance changes, both
weakened by what lies above them, blurred by the pulse along and the beam across, detected, compensated for depth,
compressed and scan-converted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import convolve1d, gaussian_filter

from ..geometry.image_geometry import ImageGeometry
from ..geometry.transforms import Matrix
from .body import Body
from .moment import Moment
from .probe import Probe
from .shapes import Points
from .tissues import table

Field = NDArray[np.float32]
Complex = NDArray[np.complex64]

SCATTERER_CELLS, SCATTERER_MM = 96, 0.5
LUMP_CELLS, LUMP_MM = 64, 1.6
ELEVATION_OFFSETS_SD = (-1.2, 0.0, 1.2)
ELEVATION_WEIGHTS = (0.30, 0.40, 0.30)
DB_TO_AMPLITUDE = np.log(10) / 20
TGC_DB_CM_MHZ = 0.44
SPECULAR_GAIN = 7.0
UTERUS_CENTRE, UTERUS_HALF_AXES = np.array([0, 79, -10], np.float32), np.array([71, 60, 126], np.float32)


@dataclass(frozen=True)
class Display:
    """What the scanner does after detection.

    compounding   looks from different angles that are averaged (1: none); smooths speckle, sharpens shadows less
    tone          exponent of the tone curve: below 1 lifts dark grey, above 1 lowers it
    """

    dynamic_range_db: float = 58.0
    level_db: float = 36.0
    compounding: int = 1
    tone: float = 1.0


class Scanner:
    """Makes images of one body with one probe. All that does not depend on the pose is computed once."""

    def __init__(self, body: Body, probe: Probe, geometry: ImageGeometry, display: Display | None = None,
                 speckle_seed: int = 0) -> None:
        self.body, self.probe, self.geometry, self.display = body, probe, geometry, display or Display()
        self._points = probe.beam_points().reshape(-1, 3)
        self._scatterers, self._lumps = _random_fields(speckle_seed)
        self._pulse = _unit_energy(probe.pulse_sd_mm * probe.samples / probe.depth_mm)
        self._beams = _BeamBlur(probe, self.display.compounding)
        self._convert = _ScanConverter(probe, geometry)
        self._echogenicity, self._lumpiness = table("echogenicity"), table("lumpiness")
        self._impedance, self._attenuation = table("impedance_mrayl"), table("attenuation_db_cm_mhz")

    def image(self, probe_to_reference: Matrix, moment: Moment, rng: np.random.Generator) -> NDArray[np.uint8]:
        """The B-mode (H, W) uint8 at a pose (4, 4). `rng` gives the electronic noise."""
        echoes = self._echoes(probe_to_reference, moment)
        echoes *= self._coupling(moment)[:, None]
        blurred = convolve1d(echoes, self._pulse, axis=1, mode="constant")
        envelope = self._beams.envelope(blurred)
        envelope += self._reverberation(moment)
        return self._convert.image(self._displayed(envelope, moment, rng))

    def _echoes(self, pose: Matrix, moment: Moment) -> Complex:
        """Scatterers and interfaces after attenuation, (lines, samples)."""
        shape = (self.probe.lines, self.probe.samples)
        total = np.zeros(shape, np.complex64)
        for offset_sd, weight in zip(ELEVATION_OFFSETS_SD, ELEVATION_WEIGHTS, strict=True):
            points = self._tissue_points(pose, offset_sd * self.probe.elevation_sd_mm, moment)
            labels = self.body.labels_at(points)
            amplitude = self._echogenicity[labels]
            amplitude *= 1 + self._lumpiness[labels] * self._lumps_at(points)
            total += (np.sqrt(weight) * amplitude * self._scatterers_at(points, moment)).reshape(shape)
            if offset_sd == 0.0:
                reflected, transmitted = self._interfaces(labels.reshape(shape))
        total += np.float32(SPECULAR_GAIN) * reflected
        total *= transmitted
        return total

    def _tissue_points(self, pose: Matrix, elevation_mm: float, moment: Moment) -> Points:
        """Where in the resting tissue each sample lies, (N, 3): the pose, then pressure, motion and beat undone."""
        matrix = pose.astype(np.float32)
        points = self._points @ matrix[:3, :3].T
        points += matrix[:3, 3] + np.float32(elevation_mm) * matrix[:3, 2]
        if moment.pressure_mm:
            # Tissue is pushed in most at the face; its displacement fades within some centimetres.
            pushed = moment.pressure_mm * np.exp(-((self._points[:, 1] / 40) ** 2))
            points -= pushed[:, None].astype(np.float32) * matrix[:3, 1]
        heart = self.body.heart_mm
        if heart is not None:
            unit = (points - UTERUS_CENTRE) / UTERUS_HALF_AXES
            inner = np.clip((1 - np.einsum("ni,ni->n", unit, unit)) * 4, 0, 1)
            points -= inner[:, None] * moment.motion_mm.astype(np.float32)
            offset = points - heart.astype(np.float32)
            near = np.exp(np.einsum("ni,ni->n", offset, offset) * np.float32(-1 / 13.0**2))
            points -= offset * (np.float32(moment.beat) * near)[:, None]
        return points

    def _scatterers_at(self, points: Points, moment: Moment) -> Complex:
        cells = np.floor(points * np.float32(1 / SCATTERER_MM)).astype(np.int32)
        fixed = _periodic(self._scatterers, cells)
        if not moment.speckle_change:
            return fixed
        # The changing share shows the same statistics at cells that have nothing to do with the fixed ones.
        other = _periodic(self._scatterers, cells[:, [1, 2, 0]] + np.array(moment.speckle_offset, np.int32))
        mixed: Complex = np.float32(np.sqrt(1 - moment.speckle_change**2)) * fixed + np.float32(moment.speckle_change) * other
        return mixed

    def _lumps_at(self, points: Points) -> Field:
        return _periodic(self._lumps, np.floor(points * np.float32(1 / LUMP_MM)).astype(np.int32))

    def _interfaces(self, labels: NDArray[np.uint8]) -> tuple[Field, Field]:
        """Amplitude reflected at every sample, and amplitude that reaches it and comes back, (lines, samples) each.

        The reflection coefficient is (Z2 − Z1) / (Z2 + Z1); what returns to the probe falls with the angle between
        the beam and the interface's normal.
        """
        impedance = self._impedance[labels]
        along = np.diff(impedance, axis=1, append=impedance[:, -1:])
        coefficient = along / (2 * impedance + along)
        spacing = (self.probe.line_spacing_mm / (self.probe.depth_mm / self.probe.samples)).astype(np.float32)
        smooth = gaussian_filter(impedance, (1.2, 2.0))
        normal_along = np.gradient(smooth, axis=1)
        normal_across = np.gradient(smooth, axis=0) / spacing
        cosine = np.abs(normal_along) / np.sqrt(normal_along**2 + normal_across**2 + 1e-8)
        reflected = np.abs(coefficient) * (0.12 + 0.88 * cosine**4)
        lost = np.minimum(coefficient**2 / np.maximum(cosine, 0.35), 0.75)
        step_cm = self.probe.depth_mm / self.probe.samples / 10
        absorbed = self._attenuation[labels] * np.float32(2 * step_cm * self.probe.frequency_mhz * DB_TO_AMPLITUDE)
        transmitted = np.exp(np.cumsum(np.log1p(-lost) - absorbed, axis=1))
        # An interface does not shadow its own reflection.
        transmitted[:, 1:] = transmitted[:, :-1]
        return reflected.astype(np.float32), transmitted.astype(np.float32)

    def _coupling(self, moment: Moment) -> Field:
        """Amplitude factor of each line where gel is missing, (lines,)."""
        place = np.linspace(-1, 1, self.probe.lines)
        loss_db = np.zeros(self.probe.lines)
        for patch in moment.contact:
            loss_db += 2 * patch.loss_db / (1 + np.exp((np.abs(place - patch.middle) - patch.half_width) / 0.03))
        result: Field = np.exp(-loss_db * DB_TO_AMPLITUDE).astype(np.float32)
        return result

    def _reverberation(self, moment: Moment) -> Field:
        """Ringing between face and skin: strongest at the face and where contact is lost, (lines, samples)."""
        depths = self.probe.depths_mm
        ringing = np.exp(-depths / 3.0) * (0.7 + 0.5 * np.cos(depths * 2.1)) * 0.02
        lost = 1 + 6 * (1 - self._coupling(moment))
        result: Field = (lost[:, None] * ringing[None, :]).astype(np.float32)
        return result

    def _displayed(self, envelope: Field, moment: Moment, rng: np.random.Generator) -> Field:
        """Noise, time gain compensation, log compression and tone curve: values in 0 … 1, (lines, samples)."""
        depths_cm = self.probe.depths_mm / 10
        tgc_db = 2 * TGC_DB_CM_MHZ * self.probe.frequency_mhz * depths_cm + moment.tgc_db_per_cm * (depths_cm - depths_cm.mean())
        noise = rng.standard_exponential(envelope.shape, dtype=np.float32)
        power = envelope**2 + np.float32(2.5e-9) * noise
        level_db = 10 * np.log10(power) + (tgc_db + moment.gain_db + self.display.level_db).astype(np.float32)
        grey = np.clip(level_db / np.float32(self.display.dynamic_range_db), 0, 1)
        return grey if self.display.tone == 1.0 else grey ** np.float32(self.display.tone)


class _BeamBlur:
    """The beam across: its width changes with depth, so a few fixed widths are computed and mixed."""

    WIDTHS = 4

    def __init__(self, probe: Probe, looks: int) -> None:
        wanted = np.hypot(probe.beam_sd_mm, probe.spread * (probe.depths_mm - probe.focus_mm)) / probe.line_spacing_mm
        widths = np.geomspace(wanted.min(), wanted.max() + 1e-6, self.WIDTHS)
        place = np.interp(wanted, widths, np.arange(self.WIDTHS))
        self._weights = np.maximum(0, 1 - np.abs(place - np.arange(self.WIDTHS)[:, None])).astype(np.float32)
        # A look uses part of the aperture: a wider beam and its own band of directions.
        self._looks = [[_steered(_unit_energy(width * (1.0 if looks == 1 else 1.6)), shift / width) for width in widths]
                       for shift in (np.linspace(-0.9, 0.9, looks) if looks > 1 else (0.0,))]

    def envelope(self, echoes: Complex) -> Field:
        power = sum(np.abs(self._blurred(echoes, kernels)) ** 2 for kernels in self._looks) / len(self._looks)
        result: Field = np.sqrt(power)
        return result

    def _blurred(self, echoes: Complex, kernels: list[Complex]) -> Complex:
        result = np.zeros_like(echoes)
        for weights, kernel in zip(self._weights, kernels, strict=True):
            used = np.flatnonzero(weights)
            if used.size:
                columns = slice(used[0], used[-1] + 1)
                result[:, columns] += weights[columns] * convolve1d(echoes[:, columns], kernel, axis=0, mode="nearest")
        return result


class _ScanConverter:
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
        flat, corner, step = grey.ravel(), self._corner, self._line_step
        near = flat[corner] * (1 - self._b) + flat[corner + 1] * self._b
        far = flat[corner + step] * (1 - self._b) + flat[corner + step + 1] * self._b
        pixels = np.zeros(self._shape, np.uint8)
        pixels.ravel()[self._seen] = np.rint(255 * (near + self._a * (far - near))).astype(np.uint8)
        return pixels


def _random_fields(seed: int) -> tuple[Complex, Field]:
    """Scatterers, complex with mean square 1, and a smooth field with SD 1; both repeat in space."""
    rng = np.random.default_rng([seed, 96])
    real, imaginary = rng.standard_normal((2, *(SCATTERER_CELLS,) * 3), dtype=np.float32) / np.float32(np.sqrt(2))
    lumps = gaussian_filter(rng.standard_normal((LUMP_CELLS,) * 3, dtype=np.float32), 1.3, mode="wrap")
    return (real + 1j * imaginary).astype(np.complex64), lumps / lumps.std()


def _periodic(cells: NDArray, index: NDArray[np.int32]) -> NDArray:  # type: ignore[type-arg]
    size = cells.shape[0]
    wrapped = np.mod(index, size)
    return cells.ravel()[(wrapped[:, 2] * size + wrapped[:, 1]) * size + wrapped[:, 0]]


def _unit_energy(sd: float) -> Field:
    """A Gaussian kernel whose squares sum to 1, so that blurred speckle keeps its strength."""
    reach = max(1, int(np.ceil(3 * sd)))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sd) ** 2)
    result: Field = (kernel / np.sqrt((kernel**2).sum())).astype(np.float32)
    return result


def _steered(kernel: Field, radians_per_line: float) -> Complex:
    place = np.arange(len(kernel)) - len(kernel) // 2
    result: Complex = (kernel * np.exp(1j * radians_per_line * place)).astype(np.complex64)
    return result if radians_per_line else kernel  # type: ignore[return-value]
