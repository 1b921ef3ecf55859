"""Batches of a training set. Batch k of a run is a function of the seed and of k alone.

So a checkpoint needs no generator state: a run that goes on at step k sees exactly what it would have seen. Several
processes draw the same batch and each takes its share, so their number changes neither order nor noise.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...geometry.conditioning import pixel_affine
from ...recording.dataset import Dataset

# What random numbers are for; each has a stream of its own.
_ORDER, _NOISE, _STATISTICS, _SAMPLES = range(4)
_STATISTICS_BATCH = 36


@dataclass(frozen=True)
class Batch:
    """Images (B, 1, H, W) in [−1, 1], their normalised coordinate coefficients (B, 3, 3), and noise (B, noise_size)."""

    images: Tensor
    affine: Tensor
    noise: Tensor


class Batches:
    """Batches of `size` training frames; this process's share of each, on its device."""

    def __init__(
        self,
        dataset: Dataset,
        size: int,
        noise_size: int,
        seed: int,
        device: torch.device,
        rank: int = 0,
        processes: int = 1,
    ) -> None:
        self._dataset, self._size, self._noise_size, self._seed = dataset, size, noise_size, seed
        self._device = device
        self._share = slice(rank, size, processes)
        self._frames = dataset.train_indices
        self._affine = dataset.normalisation.fold(pixel_affine(dataset.poses)).astype(np.float32)
        self._epoch = -1
        self._permutation = self._frames

    def training(self, step: int) -> Batch:
        """The batch of iteration `step`, counted from 0. Every frame comes once an epoch, reshuffled each time."""
        places = range(step * self._size, (step + 1) * self._size)
        frames = np.array([self._frame_at(place) for place in places])
        noise = self._generator(_NOISE, step).standard_normal((self._size, self._noise_size), np.float32)
        return self._load(frames[self._share], noise[self._share])

    def statistics(self, frames: int) -> Iterator[tuple[Tensor, Tensor]]:
        """(noise, affine) of at least `frames` training poses, always the same, in batches of the paper's size."""
        generator = self._generator(_STATISTICS)
        for _ in range(-(-frames // _STATISTICS_BATCH)):
            chosen = generator.choice(self._frames, _STATISTICS_BATCH)
            noise = generator.standard_normal((_STATISTICS_BATCH, self._noise_size), np.float32)
            yield self._to_device(noise), self._to_device(self._affine[chosen])

    def evenly(self, frames: int) -> Iterator[tuple[Tensor, Tensor]]:
        """(images, affine) of at most so many training frames, as far from each other as can be, batch by batch."""
        chosen = self._frames[:: -(-len(self._frames) // frames)]
        for begin in range(0, len(chosen), _STATISTICS_BATCH):
            part = chosen[begin : begin + _STATISTICS_BATCH]
            yield to_unit_range(self._to_device(self._dataset.read_images(part))), self.poses(part)

    def poses(self, frames: NDArray[np.int_]) -> Tensor:
        """Coefficients (B, 3, 3) of any frames of the set."""
        return self._to_device(self._affine[frames])

    def sample_noise(self, count: int) -> Tensor:
        """(count, noise_size) that stays the same over a run, so that pictures can be compared."""
        return self._to_device(
            self._generator(_SAMPLES).standard_normal((count, self._noise_size), np.float32)
        )

    def _frame_at(self, place: int) -> int:
        epoch, index = divmod(place, len(self._frames))
        if epoch != self._epoch:
            self._permutation, self._epoch = self._generator(_ORDER, epoch).permutation(self._frames), epoch
        return int(self._permutation[index])

    def _load(self, frames: NDArray[np.int_], noise: NDArray[np.float32]) -> Batch:
        images = self._to_device(self._dataset.read_images(frames))
        return Batch(to_unit_range(images), self.poses(frames), self._to_device(noise))

    def _generator(self, *words: int) -> np.random.Generator:
        return np.random.default_rng([self._seed, *words])

    def _to_device(self, array: NDArray[np.generic]) -> Tensor:
        return torch.from_numpy(array).to(self._device)


@contextlib.contextmanager
def made_ahead(make: Callable[[int], Batch], end: int) -> Iterator[Callable[[int], Batch]]:
    """Yield `make` for steps in order, with each next batch before step `end` made by a thread while the last is
    trained on. What goes wrong in the thread is raised where its batch is taken."""
    coming: dict[int, Future[Batch]] = {}
    with ThreadPoolExecutor(1, "batches") as thread:

        def taken(step: int) -> Batch:
            this = coming.pop(step, None) or thread.submit(make, step)
            if step + 1 < end:
                coming[step + 1] = thread.submit(make, step + 1)
            return this.result()

        yield taken


def to_unit_range(grey: Tensor) -> Tensor:
    """(B, H, W) uint8 → (B, 1, H, W) float in [−1, 1], the same map for every frame."""
    return grey[:, None].float() / 127.5 - 1


def to_grey(images: Tensor) -> NDArray[np.uint8]:
    """(B, 1, H, W) in [−1, 1] → (B, H, W) uint8."""
    grey: NDArray[np.uint8] = ((images[:, 0].float() + 1) * 127.5).round().to(torch.uint8).cpu().numpy()
    return grey
