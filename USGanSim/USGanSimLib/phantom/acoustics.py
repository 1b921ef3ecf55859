"""From anatomy to B-mode, in beam space: scatterers, interfaces, attenuation, beam, noise, display.

The steps, one function each, follow the convolution model of ultrasound (Bamber and Dickinson 1980; Meunier and
Bertrand 1995): scatterers fixed in the tissue times echogenicity, plus reflections where the impedance changes, both
weakened by what lies above them, blurred by the pulse along and the beam across, detected, compensated for depth,
compressed and scan-converted. Left out: refraction, sound speed other than one, multiple reflections between organs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import convolve1d, gaussian_filter
from scipy.special import ndtri

from ..geometry.image_geometry import ImageGeometry
from ..geometry.transforms import Matrix
from .beam_space import BeamBlur, ScanConverter, splat, unit_energy
from .medium import Labels, Medium, ThinObject
from .moment import Moment
from .probe import Probe
from .sampling import sampling
from .scatterers import Complex, Scatterers
from .shapes import Points
from .tissues import table

Field = NDArray[np.float32]

# Where anatomy is looked up across the image plane, in SDs of the beam's amplitude, and the share of the beam's power
# that each place stands for. The power is Gaussian with an SD of 1 / √2, which tells from where to where.
ELEVATION_SLICES = ((-1.5, 0.22), (0.0, 0.44), (0.95, 0.34))
SLICE_ENDS_SD = (ndtri(np.cumsum([share for _, share in ELEVATION_SLICES])[:-1]) / np.sqrt(2)).astype(
    np.float32
)
DB_TO_AMPLITUDE = np.log(10) / 20
NOISE_POWER = 2.5e-9
SPECULAR_GAIN = 7.0
PRESSURE_FADES_MM = 40.0


@dataclass(frozen=True)
class Display:
    """What the scanner does after detection.

    level_db        gain that brings soft tissue to a middle grey
    tgc_db_cm_mhz   time gain compensation, of one way, as tissue attenuation is given
    compounding     looks from different angles that are averaged (1: none); smooths speckle, softens shadows
    tone            exponent of the tone curve on grey levels 0 … 1: below 1 lifts dark grey, above 1 lowers it
    persistence     share of the previous image that stays in the next
    """

    dynamic_range_db: float = 58.0
    level_db: float = 39.0
    tgc_db_cm_mhz: float = 0.37
    compounding: int = 1
    tone: float = 1.0
    persistence: float = 0.0


class Scanner:
    """Makes images of one medium with one probe. All that does not depend on the pose is computed once."""

    def __init__(
        self,
        medium: Medium,
        probe: Probe,
        geometry: ImageGeometry,
        display: Display | None = None,
        speckle_seed: int = 0,
    ) -> None:
        self.medium, self.probe, self.geometry, self.display = medium, probe, geometry, display or Display()
        self._points = np.ascontiguousarray(probe.beam_points().reshape(-1, 3).T)
        self._scatterers = Scatterers(speckle_seed)
        self._sampling = sampling(probe)
        self._pulse = unit_energy(probe.pulse_sd_mm / probe.sample_spacing_mm)
        self._beams = BeamBlur(probe, self.display.compounding)
        self._convert = ScanConverter(probe, geometry)
        self._echogenicity, self._lumpiness = table("echogenicity"), table("lumpiness")
        self._impedance, self._attenuation = table("impedance_mrayl"), table("attenuation_db_cm_mhz")

    def image(
        self, probe_to_reference: Matrix, moment: Moment, rng: np.random.Generator
    ) -> NDArray[np.uint8]:
        """The B-mode (H, W) uint8 at a pose (4, 4). `rng` gives the electronic noise."""
        envelope = self.envelope(probe_to_reference, moment)
        return self._convert.image(self._displayed(envelope, moment, rng))

    def envelope(self, probe_to_reference: Matrix, moment: Moment) -> Field:
        """The detected echoes without noise, before compensation and compression, (lines, samples)."""
        echoes = self._echoes(probe_to_reference, moment)
        coupling = self._coupling(moment)[:, None]
        echoes *= coupling
        envelope = self._beams.envelope(convolve1d(echoes, self._pulse, axis=1, mode="constant"))
        # Ringing between face and skin: strongest at the face and where contact is lost.
        depths = self.probe.depths_mm
        ringing = np.exp(-depths / 3.0) * (0.7 + 0.5 * np.cos(depths * 2.1)) * 0.02
        envelope += (7 - 6 * coupling) * ringing.astype(np.float32)
        return envelope

    def _echoes(self, pose: Matrix, moment: Moment) -> Complex:
        """Scatterers and interfaces after attenuation, (lines, samples)."""
        shape = (self.probe.lines, self.probe.samples)
        elevation_sd_mm, strengths = self.probe.elevation_sd_mm, []
        for offset_sd, _ in ELEVATION_SLICES:
            points = self._tissue_points(pose, offset_sd * elevation_sd_mm, moment)
            labels = self.medium.labels_at(points)
            lumpy = 1 + self._lumpiness[labels] * self._scatterers.lumps_at(points)
            strengths.append(lumpy * self._echogenicity[labels])
            if offset_sd == 0:
                in_plane = points
                reflected, transmitted = self._interfaces(labels.reshape(shape))
        (first, middle, last), (first_end_sd, middle_end_sd) = strengths, SLICE_ENDS_SD
        scattered = np.zeros(in_plane.shape[1], np.complex64)
        for distance_sd, amplitudes in self._scatterers.layers(
            in_plane, pose[:3, 2], elevation_sd_mm, moment
        ):
            strength = np.where(distance_sd < middle_end_sd, middle, last)
            scattered += np.where(distance_sd < first_end_sd, first, strength) * amplitudes
        total: Complex = scattered.reshape(shape) * self._sampling.scattered
        total += np.float32(self._sampling.reflected) * reflected
        reference_to_probe = np.asarray(np.linalg.inv(pose), float)
        for thin in self.medium.thin:
            self._add_thin(total, thin, reference_to_probe)
        total *= transmitted
        return total

    def _tissue_points(self, pose: Matrix, elevation_mm: float, moment: Moment) -> Points:
        """Where in the resting tissue each sample lies, (3, N): pose, then pressure and the medium's motion undone."""
        matrix = pose.astype(np.float32)
        points: Points = matrix[:3, :3] @ self._points
        points += (matrix[:3, 3] + np.float32(elevation_mm) * matrix[:3, 2])[:, None]
        if moment.pressure_mm:
            # Tissue is pushed in most at the face; its displacement fades within some centimetres.
            pushed = moment.pressure_mm * np.exp(-((self._points[1] / PRESSURE_FADES_MM) ** 2))
            points -= pushed.astype(np.float32) * matrix[:3, 1:2]
        return self.medium.at_rest(points, moment)

    def _interfaces(self, labels: Labels) -> tuple[Field, Field]:
        """Amplitude reflected at every sample, and amplitude that reaches it and comes back, (lines, samples) each.

        The reflection coefficient is (Z2 − Z1) / (Z2 + Z1); what returns to the probe falls with the angle between
        the beam and the interface's normal.
        """
        impedance = self._impedance[labels]
        along = np.diff(impedance, axis=1, append=impedance[:, -1:])
        coefficient = along / (2 * impedance + along)
        spacing = (self.probe.line_spacing_mm / self.probe.sample_spacing_mm).astype(np.float32)
        smooth = gaussian_filter(impedance, (1.2 * self._sampling.across, 2.0 * self._sampling.along))
        normal_along = np.gradient(smooth, axis=1)
        normal_across = np.gradient(smooth, axis=0) / spacing
        cosine = np.abs(normal_along) / np.sqrt(normal_along**2 + normal_across**2 + np.float32(1e-8))
        reflected = SPECULAR_GAIN * np.abs(coefficient) * (0.12 + 0.88 * cosine**4)
        lost = np.minimum(coefficient**2 / np.maximum(cosine, 0.35), 0.75)
        absorbed_db = 2 * self.probe.frequency_mhz * self.probe.sample_spacing_mm / 10 * self._attenuation
        absorbed = (absorbed_db * DB_TO_AMPLITUDE).astype(np.float32)[labels]
        transmitted = np.exp(np.cumsum(np.log1p(-lost) - absorbed, axis=1))
        # An interface does not shadow its own reflection.
        transmitted[:, 1:] = transmitted[:, :-1]
        return reflected, transmitted

    def _add_thin(self, echoes: Complex, thin: ThinObject, reference_to_probe: Matrix) -> None:
        """Add the echoes of a thin object, each point at its place between the samples."""
        points = thin.points_mm @ reference_to_probe[:3, :3].T + reference_to_probe[:3, 3]
        offset_sd = points[:, 2] / self.probe.elevation_sd_mm
        points, offset_sd = points[np.abs(offset_sd) < 4], offset_sd[np.abs(offset_sd) < 4]
        strength = self._sampling.point * thin.echo * np.exp(-0.5 * offset_sd**2)
        if thin.along is not None:
            # A line reflects like a mirror: to the probe only where the beam meets it at a right angle.
            beam = (
                points - [0.0, -self.probe.radius_mm, 0.0]
                if self.probe.radius_mm
                else np.array([[0.0, 1.0, 0.0]])
            )
            beam = beam[:, :2] / np.linalg.norm(beam[:, :2], axis=1, keepdims=True)
            along = reference_to_probe[:3, :3] @ thin.along
            strength = strength * (1 - (beam @ along[:2]) ** 2) ** 4
        splat(echoes, *self.probe.beam_place(points[:, 0], points[:, 1]), strength)

    def _coupling(self, moment: Moment) -> Field:
        """Amplitude factor of each line where gel is missing, (lines,)."""
        place = np.linspace(-1, 1, self.probe.lines)
        loss_db = np.zeros(self.probe.lines)
        for patch in moment.contact:
            loss_db += (
                2 * patch.loss_db / (1 + np.exp((np.abs(place - patch.middle) - patch.half_width) / 0.03))
            )
        return np.asarray(np.exp(-loss_db * DB_TO_AMPLITUDE), np.float32)

    def _displayed(self, envelope: Field, moment: Moment, rng: np.random.Generator) -> Field:
        """Noise, time gain compensation, log compression and tone curve: values in 0 … 1, (lines, samples)."""
        display, depths_cm = self.display, self.probe.depths_mm / 10
        gain_db = display.level_db + moment.gain_db + moment.tgc_db_per_cm * (depths_cm - depths_cm.mean())
        gain_db = gain_db + 2 * display.tgc_db_cm_mhz * self.probe.frequency_mhz * depths_cm
        noise = rng.standard_exponential(envelope.shape, dtype=np.float32)
        level_db = 10 * np.log10(envelope**2 + np.float32(NOISE_POWER) * noise) + gain_db.astype(np.float32)
        grey: Field = np.clip(level_db / np.float32(display.dynamic_range_db), 0, 1)
        return grey if display.tone == 1.0 else grey ** np.float32(display.tone)
