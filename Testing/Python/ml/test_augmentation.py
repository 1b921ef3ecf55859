"""Moved frames: image and coordinates must go together, and what is unknown must be said to be."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from USGanSimLib.geometry.conditioning import grid
from USGanSimLib.geometry.image_geometry import ImageGeometry
from USGanSimLib.ml.parts.places import coordinate_grid
from USGanSimLib.ml.training.augmentation import Augmentation
from USGanSimLib.ml.training.batches import Batches
from USGanSimLib.recording.dataset import write_dataset

CPU = torch.device("cpu")
WIDTH, HEIGHT = 60, 44
MM_PER_PX = (0.5, 0.8)


def field(x, y, z):
    """A smooth picture in space, −0.7 to 0.7."""
    return 0.7 * np.sin(0.31 * x + 0.2 * z) * np.cos(0.27 * y)


@pytest.fixture
def whole():
    """An augmentation where every pixel of the image shows something."""
    return Augmentation(20.0, 0.2, 0.1, np.ones((HEIGHT, WIDTH), bool), MM_PER_PX)


@pytest.fixture
def frames():
    """(images (B, 1, H, W), coefficients (B, 3, 3)) of planes through the field, in millimetres."""
    random = np.random.default_rng(3)
    affine = np.zeros((5, 3, 3))
    for matrix in affine:
        turn = np.linalg.qr(random.normal(size=(3, 3)))[0]
        matrix[:, 0], matrix[:, 1] = turn[:, 0] * MM_PER_PX[0], turn[:, 1] * MM_PER_PX[1]
        matrix[:, 2] = random.normal(size=3) * 5
    pictures = field(*grid(affine, WIDTH, HEIGHT).transpose(1, 0, 2, 3))
    return torch.from_numpy(pictures[:, None]), torch.from_numpy(affine)


def test_a_moved_frame_shows_what_is_at_its_moved_coordinates(whole, frames):
    images, affine = frames
    maps = torch.from_numpy(whole.draw(np.random.default_rng(0), len(images)))
    moved, known = whole.moved(images, maps)
    there = field(*(affine @ maps).numpy().transpose(1, 0, 2) @ pixels()).reshape(len(images), HEIGHT, WIDTH)
    wrong = np.abs(moved[:, 0].numpy() - there)[known[:, 0].numpy()]
    still = np.abs(images[:, 0].numpy() - there)[known[:, 0].numpy()]
    assert wrong.max() < 0.1  # at the very border a cubic has no pixels beyond it
    assert np.percentile(wrong, 95) < 0.01  # half a pixel too far would be 0.04
    assert np.percentile(still, 50) > 0.1  # frames left where they were would be found out


def pixels():
    v, u = np.mgrid[:HEIGHT, :WIDTH]
    return np.stack([u.ravel(), v.ravel(), np.ones(u.size)])


def test_moves_are_similarities_in_millimetres_within_their_limits(whole):
    maps = whole.draw(np.random.default_rng(1), 500)
    scale = np.diag([*MM_PER_PX, 1.0])
    in_mm = (scale @ maps @ np.linalg.inv(scale))[:, :2, :2]
    sizes = np.sqrt(np.linalg.det(in_mm))
    turns = np.degrees(np.arctan2(in_mm[:, 1, 0], in_mm[:, 0, 0]))
    np.testing.assert_allclose(
        in_mm.transpose(0, 2, 1) @ in_mm, sizes[:, None, None] ** 2 * np.eye(2), atol=1e-9
    )
    middle = np.array([(WIDTH - 1) / 2, (HEIGHT - 1) / 2, 1.0])
    shifts_mm = ((maps @ middle)[:, :2] - middle[:2]) * MM_PER_PX
    for values, low, high in ((sizes, 1 / 1.2, 1.2), (turns, -20, 20), (shifts_mm, -0.1 * 30, 0.1 * 30)):
        assert low <= values.min() < low + 0.05 * (high - low)
        assert high - 0.05 * (high - low) < values.max() <= high


def test_around_the_fan_is_black_and_known_and_what_comes_from_there_is_black_and_unknown():
    fan = np.zeros((HEIGHT, WIDTH), bool)
    fan[10:30, 10:50] = True
    augmentation = Augmentation(0, 0, 0.1, fan, MM_PER_PX)
    images = torch.from_numpy(np.where(fan, 0.5, -1.0))[None, None]
    six_to_the_right = torch.tensor([[[1.0, 0, 6], [0, 1, 0], [0, 0, 1]]], dtype=torch.float64)
    moved, known = augmentation.moved(images, six_to_the_right)
    expected, expected_known = np.full(fan.shape, -1.0), np.ones(fan.shape, bool)
    expected[10:30, 10:44] = 0.5
    expected_known[10:30, 44:50] = False
    assert np.array_equal(known[0, 0].numpy(), expected_known)
    np.testing.assert_allclose(moved[0, 0].numpy(), expected, atol=1e-9)


def test_the_fan_of_a_set_is_what_its_training_frames_show(make_dataset):
    dataset = make_dataset()
    shown = dataset.read_images(dataset.train_indices).any(axis=0)
    assert np.array_equal(Augmentation.of(dataset, 5, 0.1, 0.1).fan, shown)


def test_moves_depend_on_seed_and_step_alone_and_are_shared_out_with_the_batch(make_dataset):
    dataset = make_dataset()
    augmentation = Augmentation.of(dataset, 8, 0.1, 0.1)

    def batches(rank=0, size=1):
        return Batches(dataset, 4, 3, 7, CPU, rank, size, augmentation)

    begun = batches()
    for step in range(4):
        last = begun.training(step)
    alone = batches().training(3)
    shares = [batches(rank, 2).training(3) for rank in (0, 1)]
    for name in ("images", "affine", "known"):
        assert torch.equal(getattr(last, name), getattr(alone, name))
        assert all(torch.equal(getattr(alone, name)[rank::2], getattr(shares[rank], name)) for rank in (0, 1))
    plain = Batches(dataset, 4, 3, 7, CPU).training(3)
    assert torch.equal(plain.noise, alone.noise)
    moved_mm = (
        (coordinate_grid(plain.affine, 32, 40) - coordinate_grid(alone.affine, 32, 40)).abs().amax((1, 2, 3))
    )
    assert (moved_mm > 0.01).all()


def test_generated_images_are_black_where_the_batch_is_unknown(make_dataset):
    dataset = make_dataset()
    batch = Batches(dataset, 4, 3, 0, CPU, augmentation=Augmentation.of(dataset, 20, 0.1, 0.2)).training(0)
    grey = batch.as_known(torch.zeros_like(batch.images))
    assert 0.02 < (~batch.known).float().mean() < 0.6
    assert (grey[~batch.known] == -1).all()
    assert (grey[batch.known] == 0).all()
    assert (batch.images[~batch.known] == -1).all()


def of_images(folder, images):
    poses = np.tile(np.eye(4), (len(images), 1, 1))
    geometry = ImageGeometry(images.shape[2], images.shape[1], np.diag([0.5, 0.5, 1.0, 1.0]))
    return write_dataset(folder, images, poses, geometry)


def test_of_wires_in_water_every_pixel_may_show_something(tmp_path):
    images = np.zeros((4, 32, 40), np.uint8)
    for frame, (v, u) in enumerate([(5, 8), (5, 30), (25, 8), (25, 30)]):
        images[frame, v, u] = 200
    assert Augmentation.of(of_images(tmp_path / "set", images), 8, 0.1, 0.1).fan.all()
