"""A tiny training set, and settings whose networks train on it in a second."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from USGanSimLib.geometry.image_geometry import ImageGeometry
from USGanSimLib.ml.recipes import choose_recipe
from USGanSimLib.ml.settings import TrainSettings
from USGanSimLib.recording.dataset import Dataset, write_dataset


@pytest.fixture
def make_dataset(tmp_path):
    """A function that writes a set of a bright spot that moves sideways while the probe moves along z."""

    def make(
        name: str = "set", frames: int = 24, seed: int = 0, width_px: int = 40, height_px: int = 32
    ) -> Dataset:
        geometry = ImageGeometry(width_px, height_px, np.diag([0.5, 0.75, 1.0, 1.0]))
        poses = np.tile(np.eye(4), (frames, 1, 1))
        poses[:, 2, 3] = np.linspace(0, 30, frames)
        heldout = np.arange(frames) // 4 == 2
        images = list(spots(frames, width_px, height_px, seed))
        return write_dataset(
            Path(tmp_path) / name, images, poses @ geometry.image_to_probe, geometry, heldout=heldout
        )

    return make


@pytest.fixture
def tiny():
    """A function that makes settings of a preset with few channels and small batches."""

    def settings(recipe: str = "paper", **changes) -> TrainSettings:
        small = choose_recipe(recipe, batch=4, generator_channels=32, discriminator_channels=4)
        small = dataclasses.replace(small, volume_cells=min(small.volume_cells, 16))
        return TrainSettings(**{"recipe": small, "iterations": 4, "device": "cpu", "threads": 1, **changes})

    return settings


class Recorder:
    """Progress that keeps its events, and calls `react(event, fields)` after each."""

    def __init__(self, react=None) -> None:
        self.events: list[tuple[str, dict]] = []
        self._react = react

    def emit(self, event: str, **fields) -> None:
        self.events.append((event, fields))
        if self._react:
            self._react(event, fields)

    def of(self, event: str) -> list[dict]:
        return [fields for name, fields in self.events if name == event]


@pytest.fixture
def recorder():
    return Recorder


def spots(frames: int, width_px: int, height_px: int, seed: int):
    generator = np.random.default_rng(seed)
    v, u = np.mgrid[:height_px, :width_px]
    for index in range(frames):
        centre = width_px * (0.2 + 0.6 * index / frames)
        spot: NDArray = 200 * np.exp(-((u - centre) ** 2 + (v - height_px / 2) ** 2) / (height_px / 6) ** 2)
        yield np.clip(spot + generator.normal(20, 10, spot.shape), 0, 255).astype(np.uint8)
