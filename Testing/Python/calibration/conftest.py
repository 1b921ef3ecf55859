"""Pins of known calibration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from USGanSimLib.calibration.pinhead.points import PinPoints


@dataclass(frozen=True)
class PinSet:
    """A synthetic pin with its truth: `points`, the true (4, 4) ImageToProbe and pin (3,), and which points are gross
    outliers."""

    points: PinPoints
    image_to_probe: NDArray[np.float64]
    pin_mm: NDArray[np.float64]
    outliers: NDArray[np.bool_]

    @property
    def places(self) -> NDArray[np.float64]:
        """(5, 4): the image's corners and centre, as homogeneous pixels."""
        right, bottom = self.points.width_px - 1, self.points.height_px - 1
        pixels = np.array([[0, 0], [right, 0], [0, bottom], [right, bottom], [right / 2, bottom / 2]])
        return np.column_stack([pixels, np.zeros(5), np.ones(5)])

    def error_mm(self, image_to_probe: NDArray[np.float64]) -> float:
        """Mean distance of the image's corners and centre from their true places."""
        offsets = (image_to_probe - self.image_to_probe) @ self.places.T
        return float(np.linalg.norm(offsets[:3], axis=0).mean())


@pytest.fixture(scope="session")
def pin_set() -> Callable[..., PinSet]:
    """Makes a fixed pin seen in `count` images tilted by up to ±`tilt_deg` about all axes (or three limits).

    Images are of 820×616 px, of `mm_per_px`; clicks are off by `click_px`, the pin is off the image plane by
    `elevation_mm` (standard deviations), the tracker by `tracker_mm` and `tracker_deg` (RMS in space), and a share of
    the points by 20 to 80 px."""

    def make(
        seed: int,
        count: int = 50,
        tilt_deg: float | tuple[float, float, float] = 30.0,
        click_px: float = 1.5,
        elevation_mm: float = 0.7,
        tracker_mm: float = 0.15,
        tracker_deg: float = 0.1,
        outlier_share: float = 0.0,
        mm_per_px: tuple[float, float] = (0.08, 0.084),
    ) -> PinSet:
        rng = np.random.default_rng(seed)
        width_px, height_px, sizes_mm = 820, 616, np.array(mm_per_px)
        image_to_probe = np.eye(4)
        image_to_probe[:3, :3] = Rotation.from_rotvec(rng.normal(0, 1, 3)).as_matrix()
        image_to_probe[:3, 3] = rng.normal(0, 60, 3)
        pixels = rng.uniform(
            (0.15 * width_px, 0.15 * height_px), (0.85 * width_px, 0.85 * height_px), (count, 2)
        )
        tilts = rng.uniform(-1, 1, (count, 3)) * tilt_deg
        turns = Rotation.random(random_state=seed) * Rotation.from_euler("xyz", tilts, degrees=True)
        in_image_mm = np.column_stack([pixels * sizes_mm, elevation_mm * rng.standard_normal(count)])
        poses = np.tile(np.eye(4), (count, 1, 1))
        poses[:, :3, :3] = turns.as_matrix()
        pin_mm = rng.normal(0, 100, 3)
        poses[:, :3, 3] = pin_mm - turns.apply(in_image_mm)
        poses = poses @ np.linalg.inv(image_to_probe)
        jitter = Rotation.from_rotvec(np.deg2rad(tracker_deg / np.sqrt(3)) * rng.standard_normal((count, 3)))
        poses[:, :3, :3] = jitter.as_matrix() @ poses[:, :3, :3]
        poses[:, :3, 3] += tracker_mm / np.sqrt(3) * rng.standard_normal((count, 3))
        marked = pixels + click_px * rng.standard_normal((count, 2))
        outliers = rng.random(count) < outlier_share
        direction, length = rng.uniform(0, 2 * np.pi, count), rng.uniform(20, 80, count)
        marked += (
            outliers[:, None] * np.column_stack([np.cos(direction), np.sin(direction)]) * length[:, None]
        )
        marked = np.clip(marked, 0, (width_px - 1, height_px - 1))
        return PinSet(
            PinPoints(np.arange(count), marked, poses, width_px, height_px),
            image_to_probe @ np.diag([*sizes_mm, 1, 1]),
            pin_mm,
            outliers,
        )

    return make
