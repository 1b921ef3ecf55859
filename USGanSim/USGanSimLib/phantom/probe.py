"""Probes: where their beams run, and where each pixel of the picture lies among the beams.

Probe frame: origin in the middle of the face, x along the face, y into the tissue, z across the image (z = x × y).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..geometry.image_geometry import ImageGeometry
from .shapes import Points, Vector

# Beams and samples along one for small images, whose brightness every finer sampling of a probe keeps.
USUAL_LINES, USUAL_SAMPLES = 128, 320


@dataclass(frozen=True)
class Probe:
    """A curvilinear probe, or a linear one where `radius_mm` is 0.

    radius_mm           radius of the face; 0 for a flat one
    half_field          half the field of view: degrees (curvilinear) or mm (linear)
    depth_mm            imaging depth from the face
    frequency_mhz       centre frequency
    pulse_sd_mm         SD of the envelope of the pulse along the beam
    focus_mm            depth of the focus, where the beam has its smallest SD `beam_sd_mm` across
    spread              growth of that SD per mm away from the focus
    elevation_sd_mm     SD of the beam across the image plane
    lines, samples      beams, and samples along one
    """

    name: str
    radius_mm: float
    half_field: float
    depth_mm: float
    frequency_mhz: float
    pulse_sd_mm: float
    focus_mm: float
    beam_sd_mm: float
    spread: float
    elevation_sd_mm: float
    lines: int
    samples: int

    def __post_init__(self) -> None:
        if min(self.depth_mm, self.half_field, self.frequency_mhz) <= 0 or min(self.lines, self.samples) < 8:
            raise ValueError(f"{self.name} has no field of view")

    @property
    def across(self) -> Vector:
        """Position of each beam on the face: radians (curvilinear) or mm (linear), (lines,)."""
        half = np.deg2rad(self.half_field) if self.radius_mm else self.half_field
        return np.linspace(-half, half, self.lines)

    @property
    def depths_mm(self) -> Vector:
        """Depth of each sample from the face, (samples,)."""
        half = self.sample_spacing_mm / 2
        return np.linspace(half, self.depth_mm - half, self.samples)

    @property
    def line_spacing_mm(self) -> Vector:
        """Distance between neighbouring beams at each depth, (samples,)."""
        step = float(self.across[1] - self.across[0])
        spacing: Vector = (
            step * (self.radius_mm + self.depths_mm) if self.radius_mm else step + 0 * self.depths_mm
        )
        return spacing

    @property
    def sample_spacing_mm(self) -> float:
        """Distance between samples along a beam."""
        return self.depth_mm / self.samples

    @property
    def width_sd_mm(self) -> Vector:
        """SD of the beam across, in the image plane, at each depth, (samples,)."""
        width: Vector = np.hypot(self.beam_sd_mm, self.spread * (self.depths_mm - self.focus_mm))
        return width

    def beam_points(self) -> Points:
        """Every sample in the probe frame, (lines, samples, 3) mm, in the image plane."""
        x, y = self.in_plane(*np.broadcast_arrays(self.across[:, None], self.depths_mm))
        return np.stack([x, y, np.zeros_like(x)], axis=-1).astype(np.float32)

    def in_plane(self, across: Vector, depth_mm: Vector) -> tuple[Vector, Vector]:
        """x, y in the probe frame, mm, of a place on the face (as `across`) and a depth from it."""
        if not self.radius_mm:
            return across, depth_mm
        range_mm = self.radius_mm + depth_mm
        return range_mm * np.sin(across), range_mm * np.cos(across) - self.radius_mm

    def image_geometry(self, width_px: int, height_px: int) -> ImageGeometry:
        """Square pixels that just hold the field of view, the field in the middle of the picture."""
        half = np.deg2rad(self.half_field)
        half_width = (self.radius_mm + self.depth_mm) * np.sin(half) if self.radius_mm else self.half_field
        top = self.radius_mm * (np.cos(half) - 1) if self.radius_mm else 0.0
        mm_per_px = max(2 * half_width / width_px, (self.depth_mm - top) / height_px)
        matrix = np.diag([mm_per_px, mm_per_px, 1.0, 1.0])
        matrix[0, 3] = -mm_per_px * (width_px - 1) / 2
        matrix[1, 3] = (top + self.depth_mm) / 2 - mm_per_px * (height_px - 1) / 2
        return ImageGeometry(width_px, height_px, matrix)

    def beam_index(self, geometry: ImageGeometry) -> tuple[Vector, Vector, NDArray[np.bool_]]:
        """For each pixel (H, W): fractional line, fractional sample, and whether it lies in the field of view."""
        matrix = geometry.image_to_probe
        u, v = np.meshgrid(np.arange(geometry.width_px), np.arange(geometry.height_px))
        x = matrix[0, 0] * u + matrix[0, 1] * v + matrix[0, 3]
        y = matrix[1, 0] * u + matrix[1, 1] * v + matrix[1, 3]
        line, sample = self.beam_place(x, y)
        seen = (line >= 0) & (line <= self.lines - 1) & (sample >= -0.5) & (sample <= self.samples - 0.5)
        return line, np.clip(sample, 0, self.samples - 1), seen

    def beam_place(self, x_mm: Vector, y_mm: Vector) -> tuple[Vector, Vector]:
        """Fractional line and sample of places in the image plane of the probe frame, mm; outside as well."""
        if self.radius_mm:
            depth = np.hypot(x_mm, y_mm + self.radius_mm) - self.radius_mm
            place = np.arctan2(x_mm, y_mm + self.radius_mm)
        else:
            depth, place = y_mm, x_mm
        step = self.across[1] - self.across[0]
        return (place - self.across[0]) / step, depth / self.sample_spacing_mm - 0.5


def curvilinear(depth_mm: float = 120.0, fine: bool = False) -> Probe:
    """An abdominal probe of 40 mm radius like the 4DC7-3/40; `fine` sampling for full-size images."""
    return Probe(
        "curvilinear 40 mm",
        40.0,
        36.0,
        depth_mm,
        4.0,
        0.42,
        65.0,
        0.95,
        0.014,
        1.1,
        224 if fine else USUAL_LINES,
        640 if fine else USUAL_SAMPLES,
    )


def linear(depth_mm: float = 80.0, fine: bool = False) -> Probe:
    """A flat probe 50 mm wide, as used for wire phantoms and small parts."""
    return Probe(
        "linear 50 mm",
        0.0,
        25.0,
        depth_mm,
        6.0,
        0.28,
        35.0,
        0.50,
        0.012,
        0.8,
        256 if fine else USUAL_LINES,
        640 if fine else USUAL_SAMPLES,
    )


PROBES = {"curvilinear": curvilinear, "linear": linear}
