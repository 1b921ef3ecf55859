"""The live path as one would write it first, kept to be measured against: `bench` divides its time by ours.

It is fair: no gradients, the same arithmetic precision, the same rounding. It runs the trained network as it stands
(batch norm unfolded, default memory layout) and starts from the noise every time; for the networks of the paper it
makes the coordinates of every pixel at full size and resizes them to each level.
"""

from __future__ import annotations

import copy

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ..geometry.conditioning import CoordinateNormalisation, pixel_affine
from ..geometry.transforms import Matrix
from .generators import AnyGenerator
from .networks import Generator
from .parts.greys import to_grey_levels


class NaivePath:
    """Pose → grey levels without any of the renderer's shortcuts."""

    def __init__(
        self, generator: AnyGenerator, normalisation: CoordinateNormalisation, device: torch.device
    ) -> None:
        self._generator = copy.deepcopy(generator).to(device).eval()
        self._device, self._normalisation = device, normalisation

    @torch.no_grad()
    def render(self, image_to_reference: Matrix, noise: Tensor) -> NDArray[np.uint8]:
        """(4, 4) pose and noise (B, noise_size) → (B, H, W) uint8."""
        noise = noise.to(self._device)
        if isinstance(self._generator, Generator):
            images = self._from_resized_grids(self._generator, image_to_reference, noise)
        else:
            affine = self._normalisation.fold(pixel_affine(image_to_reference)).astype(np.float32)
            images = self._generator(noise, torch.from_numpy(affine)[None].to(self._device))
        image: NDArray[np.uint8] = to_grey_levels(images)[:, 0].cpu().numpy()
        return image

    def _from_resized_grids(self, generator: Generator, pose: Matrix, noise: Tensor) -> Tensor:
        settings = generator.settings
        sizes = settings.level_sizes
        strides = [settings.stride_at(level) for level in range(len(sizes))]
        # Where a level was cropped, its cells reach past the image; the grid reaches as far as the seed's cells do.
        grid = self._grid(pose, sizes[0][0] * strides[0], sizes[0][1] * strides[0])
        levels = zip(sizes[:-1], strides[:-1], strict=True)
        return generator.from_grids(noise, [self._resized(grid, size, stride) for size, stride in levels])

    def _grid(self, image_to_reference: Matrix, height: int, width: int) -> Tensor:
        """(1, 3, height, width) normalised coordinates of every pixel."""
        affine = torch.tensor(pixel_affine(image_to_reference), dtype=torch.float32, device=self._device)
        v, u = torch.meshgrid(
            torch.arange(height, device=self._device, dtype=torch.float32),
            torch.arange(width, device=self._device, dtype=torch.float32),
            indexing="ij",
        )
        pixels = torch.stack([u, v, torch.ones_like(u)]).flatten(1)
        millimetres = (affine @ pixels).view(3, height, width)
        mean, std = (
            torch.tensor(numbers, device=self._device)[:, None, None]
            for numbers in (self._normalisation.mean_mm, self._normalisation.std_mm)
        )
        return ((millimetres - mean) / std)[None]

    @staticmethod
    def _resized(grid: Tensor, size: tuple[int, int], stride: int) -> Tensor:
        """Bilinear values at the middle of each cell: exact, since the coordinates are affine."""
        covered = grid[:, :, : size[0] * stride, : size[1] * stride]
        return functional.interpolate(covered, size=size, mode="bilinear", align_corners=False)
