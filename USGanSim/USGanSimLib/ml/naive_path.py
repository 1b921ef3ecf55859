"""The live path as one would write it first, kept to be measured against: `bench` divides its time by ours.

It is fair: no gradients, the same arithmetic precision, the same rounding. It makes the coordinates of every pixel at
full size and resizes them to each level, runs the trained network as it stands (batch norm unfolded, default memory
layout), and starts from the noise every time.
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
from .folding import to_grey_levels
from .networks import Generator


class NaivePath:
    """Pose → grey levels without any of the renderer's shortcuts."""

    def __init__(
        self, generator: Generator, normalisation: CoordinateNormalisation, device: torch.device
    ) -> None:
        self._generator = copy.deepcopy(generator).to(device).eval()
        self._device = device
        self._mean = torch.tensor(normalisation.mean_mm, device=device)[:, None, None]
        self._std = torch.tensor(normalisation.std_mm, device=device)[:, None, None]
        sizes = generator.settings.level_sizes
        self._strides = [generator.settings.stride_at(level) for level in range(len(sizes))]
        # Where a level was cropped, its cells reach past the image; the grid reaches as far as the seed's cells do.
        self._full = (sizes[0][0] * self._strides[0], sizes[0][1] * self._strides[0])

    @torch.no_grad()
    def render(self, image_to_reference: Matrix, noise: Tensor) -> NDArray[np.uint8]:
        """(4, 4) pose and noise (B, noise_size) → (B, H, W) uint8."""
        grid = self._grid(image_to_reference)
        sizes = self._generator.settings.level_sizes
        *grids, pixels = (
            self._resized(grid, size, stride) for size, stride in zip(sizes, self._strides, strict=True)
        )
        images = self._generator.from_grids(noise.to(self._device), grids, pixels)
        image: NDArray[np.uint8] = to_grey_levels(images)[:, 0].cpu().numpy()
        return image

    def _grid(self, image_to_reference: Matrix) -> Tensor:
        """(1, 3, H, W) normalised coordinates of every pixel."""
        height, width = self._full
        affine = torch.tensor(pixel_affine(image_to_reference), dtype=torch.float32, device=self._device)
        v, u = torch.meshgrid(
            torch.arange(height, device=self._device, dtype=torch.float32),
            torch.arange(width, device=self._device, dtype=torch.float32),
            indexing="ij",
        )
        pixels = torch.stack([u, v, torch.ones_like(u)]).flatten(1)
        millimetres = (affine @ pixels).view(3, height, width)
        return ((millimetres - self._mean) / self._std)[None]

    @staticmethod
    def _resized(grid: Tensor, size: tuple[int, int], stride: int) -> Tensor:
        """Bilinear values at the middle of each cell: exact, since the coordinates are affine."""
        covered = grid[:, :, : size[0] * stride, : size[1] * stride]
        return functional.interpolate(covered, size=size, mode="bilinear", align_corners=False)
