"""A tiny training set, and settings whose networks train on it in a second."""

from __future__ import annotations

import csv
import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from USGanSimLib.geometry.image_geometry import ImageGeometry
from USGanSimLib.ml.training import results
from USGanSimLib.ml.training.checkpoint import load_checkpoint
from USGanSimLib.model.recipes import choose_recipe
from USGanSimLib.model.settings import TrainSettings
from USGanSimLib.recording.dataset import Dataset, write_dataset


@pytest.fixture(autouse=True)
def few_statistics(monkeypatch):
    """Batch-norm statistics over one batch for the models here; test_ema.py is about statistics."""
    monkeypatch.setattr(results, "_MODEL_STATISTICS_FRAMES", 36)
    monkeypatch.setattr(results, "_PANEL_STATISTICS_FRAMES", 36)


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


# What else makes a recipe small.
SMALLER = {
    "beams": {"generator_channels": 4, "volume_cells": 16, "plane_cells": 16, "depths": 32, "lines": 32}
}


@pytest.fixture
def tiny():
    """A function that makes settings of a preset with few channels and small batches."""

    def settings(recipe: str = "paper", **changes) -> TrainSettings:
        small = choose_recipe(recipe, batch=4, generator_channels=32, discriminator_channels=4)
        small = small.changed(**SMALLER.get(recipe, {}))
        return TrainSettings(**{"recipe": small, "iterations": 4, "device": "cpu", "threads": 1, **changes})

    return settings


@pytest.fixture
def with_stages():
    """A function that changes settings' stages: `with_stages(settings, learning_rate=0.0)` in all of them."""

    def changed(settings: TrainSettings, **changes) -> TrainSettings:
        stages = tuple(dataclasses.replace(stage, **changes) for stage in settings.recipe.stages)
        return dataclasses.replace(settings, recipe=dataclasses.replace(settings.recipe, stages=stages))

    return changed


@pytest.fixture
def metrics():
    """A function that reads the metrics of a run, without the seconds."""
    return read_metrics


def read_metrics(run: Path) -> list[dict[str, str]]:
    with (run / "metrics.csv").open() as stream:
        return [
            {name: value for name, value in line.items() if name != "seconds"}
            for line in csv.DictReader(stream)
        ]


@pytest.fixture
def same_weights():
    """A function that says whether two state dicts are equal, bit for bit."""
    return equal


def equal(first: dict, second: dict) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.fixture
def require_same_runs():
    """A function that compares two runs bit for bit: every loss, every weight, every moment of the optimisers."""

    def same(first: Path, second: Path) -> None:
        assert read_metrics(first) == read_metrics(second)
        one, other = (load_checkpoint(run / "checkpoint.pt") for run in (first, second))
        assert one.step == other.step
        assert one.states.keys() == other.states.keys()
        for name in one.states:
            if name.startswith("optimiser"):
                moments = [states[name]["state"] for states in (one.states, other.states)]
                assert all(equal(moments[0][index], moments[1][index]) for index in moments[0])
            else:
                assert equal(one.states[name], other.states[name])

    return same


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
