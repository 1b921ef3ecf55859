"""The tri-plane baseline on images of a field that is known everywhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from USGanSimLib.evaluation.predictors.baselines import tri_planes
from USGanSimLib.evaluation.predictors.tri_planes import TriPlaneField
from USGanSimLib.geometry.image_geometry import ImageGeometry
from USGanSimLib.progress import Silent
from USGanSimLib.recording.dataset import Dataset, write_dataset

FRAMES, WIDTH, HEIGHT = 40, 48, 36


@pytest.fixture
def smooth_set(tmp_path: Path) -> Dataset:
    """Frames 1 mm apart through a smooth field with noise; every tenth is held out."""
    x, y = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
    images = np.stack([120 + 50 * np.sin(x / 7 + z / 8) + 40 * np.cos(y / 6) for z in range(FRAMES)])
    poses = np.tile(np.eye(4), (FRAMES, 1, 1))
    poses[:, 2, 3] = np.arange(FRAMES)
    noise = np.random.default_rng(0).normal(0, 15, images.shape)
    return write_dataset(
        tmp_path / "set",
        np.clip(np.rint(images + noise), 0, 255).astype(np.uint8),
        poses,
        ImageGeometry(WIDTH, HEIGHT, np.eye(4)),
        heldout=np.arange(FRAMES) % 10 == 5,
    )


def test_between_the_frames_that_it_saw_it_shows_the_field_without_the_noise(smooth_set: Dataset) -> None:
    field = TriPlaneField(smooth_set, seconds=6, seed=1)
    assert field.steps > 20, field.steps
    x, y = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
    for held in smooth_set.heldout_indices:
        truth = 120 + 50 * np.sin(x / 7 + held / 8) + 40 * np.cos(y / 6)
        inside = smooth_set.field.mask()
        found = field.images(int(held))[0].astype(float)
        # The noise alone, of which a training frame has all, is 15.
        assert np.sqrt(np.mean((found - truth)[inside] ** 2)) < 12


def test_its_rows_are_the_field_and_the_field_with_as_many_draws_of_speckle_as_asked(
    smooth_set: Dataset,
) -> None:
    plain, *speckled = tri_planes(smooth_set, 0.01, samples=3, seed=1, progress=Silent())
    assert plain.name == "tri-planes, 0.01 min"
    assert len(plain.images(5)) == 1
    assert [(row.name, len(row.images(5))) for row in speckled] == [("tri-planes, 0.01 min, with speckle", 3)]
