from __future__ import annotations

import threading

import numpy as np
import pytest
import torch

from USGanSimLib.ml.parts.places import coordinate_grid
from USGanSimLib.ml.training.batches import Batches, made_ahead, to_grey, to_unit_range

CPU = torch.device("cpu")


@pytest.fixture
def dataset(make_dataset):
    return make_dataset()


def frames_of(dataset, batch) -> list[int]:
    """Which frames a batch holds: noise makes every image of the set unique."""
    known = {image.tobytes(): index for index, image in enumerate(dataset.read_images(range(len(dataset))))}
    return [known[image.tobytes()] for image in to_grey(batch.images)]


def test_an_epoch_has_every_training_frame_once_and_no_held_out_frame(dataset):
    batches = Batches(dataset, 4, 3, 0, CPU)
    epochs = [
        [frame for step in range(start, start + 5) for frame in frames_of(dataset, batches.training(step))]
        for start in (0, 5)
    ]
    assert [sorted(epoch) for epoch in epochs] == [dataset.train_indices.tolist()] * 2
    assert epochs[0] != epochs[1]
    assert not set(epochs[0]) & set(dataset.heldout_indices)


def test_a_batch_depends_on_seed_and_step_alone(dataset):
    from_start, afresh = Batches(dataset, 4, 3, 7, CPU), Batches(dataset, 4, 3, 7, CPU)
    for step in range(12):
        last = from_start.training(step)
    alone, other = afresh.training(11), Batches(dataset, 4, 3, 8, CPU).training(11)
    assert all(
        torch.equal(getattr(last, name), getattr(alone, name)) for name in ("images", "affine", "noise")
    )
    assert not torch.equal(alone.noise, other.noise)


def test_two_processes_share_the_batch_of_one(dataset):
    whole = Batches(dataset, 4, 3, 0, CPU).training(2)
    shares = [Batches(dataset, 4, 3, 0, CPU, rank, 2).training(2) for rank in (0, 1)]
    assert torch.equal(whole.noise[0::2], shares[0].noise)
    assert torch.equal(whole.images[1::2], shares[1].images)
    assert sorted(frames_of(dataset, shares[0]) + frames_of(dataset, shares[1])) == sorted(
        frames_of(dataset, whole)
    )


def test_image_and_coordinates_of_a_batch_belong_to_one_frame(dataset):
    batch = Batches(dataset, 4, 3, 0, CPU).training(0)
    normalisation, corner = dataset.normalisation, np.array([39, 31, 0, 1.0])
    for row, frame in enumerate(frames_of(dataset, batch)):
        x_mm = (dataset.poses[frame] @ corner)[:3]
        expected = (x_mm - normalisation.mean_mm) / normalisation.std_mm
        assert coordinate_grid(batch.affine, 32, 40)[row, :, 31, 39].numpy() == pytest.approx(
            expected, abs=1e-5
        )


def test_coordinates_over_the_training_set_have_mean_zero_and_variance_one(dataset):
    grids = coordinate_grid(Batches(dataset, 4, 3, 0, CPU).poses(dataset.train_indices).double(), 32, 40)
    assert grids.mean(dim=(0, 2, 3)).numpy() == pytest.approx(np.zeros(3), abs=1e-6)
    assert grids.var(dim=(0, 2, 3), correction=0).numpy() == pytest.approx(np.ones(3), abs=1e-5)


def test_noise_is_standard_normal_and_new_at_every_step(dataset):
    batches = Batches(dataset, 4, 100, 0, CPU)
    noise = torch.stack([batches.training(step).noise for step in range(100)])
    assert noise.mean().item() == pytest.approx(0, abs=4 / np.sqrt(noise.numel()))
    assert noise.var().item() == pytest.approx(1, abs=4 * np.sqrt(2 / noise.numel()))
    assert len(noise.flatten().unique()) > 0.99 * noise.numel()


def test_grey_levels_map_to_the_ends_of_the_unit_range_and_back_exactly():
    grey = torch.arange(256, dtype=torch.uint8).reshape(1, 16, 16)
    images = to_unit_range(grey)
    assert (images.min().item(), images.max().item(), images.shape) == (-1, 1, (1, 1, 16, 16))
    assert np.array_equal(to_grey(images), grey.numpy())


def test_batches_made_ahead_are_the_same_in_the_same_order(dataset):
    ours, theirs = Batches(dataset, 4, 3, 7, CPU), Batches(dataset, 4, 3, 7, CPU)
    with made_ahead(ours.training, 12) as batch_at:
        for step in range(3, 12):
            ahead, plain = batch_at(step), theirs.training(step)
            for name in ("images", "affine", "noise"):
                assert torch.equal(getattr(ahead, name), getattr(plain, name))


def test_one_batch_is_made_ahead_and_none_beyond_the_end():
    made, third = [], threading.Event()

    def make(step: int) -> int:
        made.append(step)
        if step == 2:
            third.set()
        return step

    with made_ahead(make, 4) as batch_at:
        assert batch_at(1) == 1
        assert third.wait(10)
        assert made == [1, 2]
        assert [batch_at(2), batch_at(3)] == [2, 3]
    assert made == [1, 2, 3]


def test_what_goes_wrong_ahead_is_raised_where_its_batch_is_taken():
    def make(step: int) -> int:
        if step == 1:
            raise OSError("the disk is gone")
        return step

    with made_ahead(make, 5) as batch_at:
        assert batch_at(0) == 0
        with pytest.raises(OSError, match="the disk is gone"):
            batch_at(1)


def test_no_thread_is_left_when_training_ends_however_it_does():
    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt), made_ahead(lambda step: step, 5) as batch_at:
        batch_at(0)
        raise KeyboardInterrupt
    assert threading.active_count() == before
