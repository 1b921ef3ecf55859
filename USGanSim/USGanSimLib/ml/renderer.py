"""Turns poses into simulated images: a model, folded for speed, and the noise that it starts from.

The noise z stands until it is told to change, so that a still probe shows a still image. It can be drawn anew
(`resample`), given (`set_noise`) or drift. Noise is always drawn on the CPU: a seed means the same z on every device.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from ..errors import UserError
from ..geometry.conditioning import pixel_affine
from ..geometry.pose_distance import PoseRange
from ..geometry.transforms import Matrix
from ..live import SamplingRenderer
from ..model.info import ModelInfo
from .devices import MOST_THREADS, choose_device, use_fastest_threads
from .generators import AnyGenerator, AnyNoisePart, folded
from .model_file import load_model
from .thread_choice import ThreadChoice

# Samples of one pose that are computed at once, so that memory stays bounded. On a CPU more are slower, once their
# maps no longer fit its caches.
SAMPLE_BATCH = {"cpu": 8, "cuda": 64, "mps": 16}


class ModelRenderer(SamplingRenderer):
    """A live.SamplingRenderer on a trained model. Not for clinical use."""

    def __init__(self, generator: AnyGenerator, info: ModelInfo, device: torch.device, seed: int = 0) -> None:
        """`generator` is in eval mode and stays as it is; `seed` fixes the first noise."""
        self.info = info
        self.device = device
        self._noise_size = generator.settings.noise_size
        self._folded = folded(generator).to(device)
        self._random = torch.Generator()
        self._noise_part: AnyNoisePart | None = None
        self._threads: ThreadChoice | None = None
        self.resample(seed)

    @classmethod
    def load(cls, path: Path, device: str = "auto", threads: int | None = None) -> ModelRenderer:
        """The renderer of a model file. `threads` of the CPU are used, by the whole process; None measures how many
        are the fastest, and again while images are rendered (thread_choice.py).

        Raises UserError for a file that is no model, an absent device, or less than one thread.
        """
        if threads is not None:
            if threads < 1:
                raise UserError(f"{threads} threads cannot render.", "Give 1 or more.")
            torch.set_num_threads(threads)
        chosen = choose_device(device)
        renderer = cls(*load_model(path), chosen)
        if threads is None and chosen.type == "cpu":
            fastest = use_fastest_threads(lambda: renderer.render(renderer.pose_range.poses[0]))
            if MOST_THREADS > 1:
                renderer._threads = ThreadChoice((fastest, 1 if fastest > 1 else MOST_THREADS))
        return renderer

    @property
    def threads_in_words(self) -> str:
        """That fewer threads render than could, and why; otherwise empty."""
        return self._threads.words if self._threads else ""

    @property
    def width_px(self) -> int:
        return self.info.geometry.width_px

    @property
    def height_px(self) -> int:
        return self.info.geometry.height_px

    @property
    def image_to_probe(self) -> Matrix:
        """(4, 4), pixels of the simulated image to probe millimetres."""
        return self.info.geometry.image_to_probe

    @property
    def pose_range(self) -> PoseRange:
        """The poses that the model was trained on."""
        return self.info.pose_range

    @property
    def noise(self) -> NDArray[np.float32]:
        """The noise z that stands, (noise_size,)."""
        noise: NDArray[np.float32] = self._noise.numpy().copy()
        return noise

    @torch.inference_mode()
    def render(self, image_to_reference: Matrix) -> NDArray[np.uint8]:
        """(4, 4) ImageToReference of the model's pixels → (height_px, width_px) uint8, for the noise that stands.

        Raises UserError for a pose with a number that is not finite.
        """
        began_s = time.perf_counter()
        affine = self._affine(image_to_reference)
        if self._noise_part is None:
            self._noise_part = self._folded.noise_part(self._noise[None].to(self.device))
        image: NDArray[np.uint8] = self._folded(self._noise_part, affine)[0].cpu().numpy()
        if self._threads is not None:
            self._threads.rendered(time.perf_counter() - began_s)
        return image

    def sample(self, image_to_reference: Matrix, n: int, seed: int = 0) -> NDArray[np.uint8]:
        """n images (n, height_px, width_px) uint8 of one pose (4, 4), each from its own noise.

        The noise that stands is left alone; sample k is the same, within a grey level of rounding, whatever n is.
        Raises UserError as `render` does, and for n < 1.
        """
        return np.concatenate(list(self.sample_batches(image_to_reference, n, seed)))

    @torch.inference_mode()
    def sample_batches(
        self, image_to_reference: Matrix, n: int, seed: int = 0
    ) -> Iterator[NDArray[np.uint8]]:
        """The images of `sample`, some at a time, for numbers of them that would fill the memory."""
        if n < 1:
            raise UserError(f"{n} samples of a pose cannot be drawn.", "Give 1 or more.")
        affine = self._affine(image_to_reference)
        random = torch.Generator().manual_seed(seed)
        most = SAMPLE_BATCH[self.device.type]
        for start in range(0, n, most):
            noise = draw_noise(min(most, n - start), self._noise_size, random).to(self.device)
            yield self._folded(self._folded.noise_part(noise), affine).cpu().numpy()

    def resample(self, seed: int | None = None) -> None:
        """Draw new noise: with a seed always the same, without one the next of a sequence."""
        if seed is not None:
            self._random.manual_seed(seed)
        self._keep(draw_noise(1, self._noise_size, self._random)[0])

    def set_noise(self, noise: ArrayLike) -> None:
        """Let the noise be these noise_size numbers. Raises UserError for another count or a number not finite."""
        values = torch.from_numpy(np.array(noise, np.float32))
        if values.shape != (self._noise_size,) or not torch.isfinite(values).all():
            raise UserError(
                f"The noise given (shape {tuple(values.shape)}) is not {self._noise_size} finite numbers."
            )
        self._keep(values)

    def drift(self, step: float) -> None:
        """Move the noise a little: z ← √(1 − step²)·z + step·ε with ε ~ N(0, I).

        That is an Ornstein-Uhlenbeck process: however long it runs, z stays N(0, I), as in training. `step` 0 stays
        where it is, 1 draws anew; after k steps the correlation with the start is (1 − step²)^(k/2).
        """
        if not 0 <= step <= 1:
            raise UserError(
                f"A drift of {step:g} is not possible.", "Give a step from 0 (still) to 1 (all new)."
            )
        self._keep(
            math.sqrt(1 - step**2) * self._noise + step * draw_noise(1, self._noise_size, self._random)[0]
        )

    def _keep(self, noise: Tensor) -> None:
        self._noise = noise
        self._noise_part = None

    def _affine(self, image_to_reference: Matrix) -> Tensor:
        """(4, 4) pose → (1, 3, 3) normalised coefficients; computed in float64, since millimetres may be large."""
        if image_to_reference.shape != (4, 4) or not np.isfinite(image_to_reference).all():
            raise UserError(
                "The pose holds a number that is not finite, or is no 4×4 matrix.",
                "Render valid poses alone.",
            )
        folded = self.info.normalisation.fold(pixel_affine(image_to_reference))
        return torch.from_numpy(folded.astype(np.float32))[None].to(self.device)


def draw_noise(count: int, noise_size: int, random: torch.Generator) -> Tensor:
    """(count, noise_size) of N(0, I). One z at a time, since PyTorch's stream depends on how many are drawn at once."""
    return torch.stack([torch.randn(noise_size, generator=random) for _ in range(count)])
