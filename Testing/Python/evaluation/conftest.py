"""Training sets of bright dots whose places are known in closed form."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from USGanSimLib.geometry.image_geometry import ImageGeometry
from USGanSimLib.recording.dataset import Dataset, Source, write_dataset

WIDTH_PX, HEIGHT_PX = 80, 60
MM_PER_PX = (0.4, 0.5)
# Where the three wires cross the plane of every image, in Reference millimetres.
WIRES_MM = np.array([[12.0, 6.0], [20.0, 14.0], [16.0, 22.0]])


class DottedSet(NamedTuple):
    """A training set and the true points of each of its frames, in its own pixels."""

    dataset: Dataset
    points: dict[int, NDArray[np.float64]]


def dots(
    places_px: NDArray[np.float64],
    sigma_mm: float = 0.6,
    peak: float = 150.0,
    noise: float = 0.0,
    seed: int = 0,
) -> NDArray[np.uint8]:
    """Gaussian dots, round in millimetres, centred at (K, 2) pixels u, v."""
    v, u = np.mgrid[:HEIGHT_PX, :WIDTH_PX]
    grey = np.random.default_rng(seed).normal(0, noise, u.shape) if noise else np.zeros(u.shape)
    for u0, v0 in places_px:
        away_mm = np.hypot((u - u0) * MM_PER_PX[0], (v - v0) * MM_PER_PX[1])
        grey = grey + peak * np.exp(-((away_mm / sigma_mm) ** 2) / 2)
    return np.clip(np.round(grey), 0, 255).astype(np.uint8)


@pytest.fixture
def draw_dots() -> Callable[..., NDArray[np.uint8]]:
    return dots


@pytest.fixture
def dotted_set(tmp_path: Path) -> DottedSet:
    """24 images 0.5 mm apart along x, the dots standing still in Reference; frames 8 to 15 held out."""
    count = 24
    poses = np.tile(np.diag([*MM_PER_PX, 0.4, 1.0]), (count, 1, 1))
    poses[:, 0, 3] = 0.5 * np.arange(count)
    points = {k: (WIRES_MM - poses[k, :2, 3]) / MM_PER_PX for k in range(count)}
    heldout = np.zeros(count, bool)
    heldout[8:16] = True
    dataset = write_dataset(
        tmp_path / "dotted",
        (dots(points[k], noise=3.0, seed=k) for k in range(count)),
        poses,
        ImageGeometry(WIDTH_PX, HEIGHT_PX, np.diag([*MM_PER_PX, 0.4, 1.0])),
        heldout=heldout,
        sources=[Source("dots.igs.mha", "0" * 64, count, count)],
    )
    return DottedSet(dataset, points)
