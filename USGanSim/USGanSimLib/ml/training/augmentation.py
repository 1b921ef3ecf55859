"""Frames turned, scaled and shifted a little in their own plane, image and coordinates together.

That is what the frames of other poses would show, if ultrasound did not depend on where it comes from; for small moves
it nearly does not. What a moved frame cannot show is not black but unknown: no loss sees it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ...recording.dataset import Dataset
from ..parts.greys import BLACK

# A pixel that is known by this share or more is taken as known: rounding at the fan's border is no matter.
_KNOWN_SHARE = 0.99


@dataclass(frozen=True, eq=False)
class Augmentation:
    """Random similarities in the image plane.

    turn_deg, scale, shift   the largest turn, change of size (a share), and shift each way (a share of the width)
    fan                      (H, W) bool, the pixels of the field of view
    mm_per_px                (x, y) of a pixel
    """

    turn_deg: float
    scale: float
    shift: float
    fan: NDArray[np.bool_]
    mm_per_px: tuple[float, float]

    @classmethod
    def of(cls, dataset: Dataset, turn_deg: float, scale: float, shift: float) -> Augmentation:
        """For the frames of a set."""
        return cls(turn_deg, scale, shift, dataset.field.mask(), dataset.geometry.mm_per_px)

    def draw(self, random: np.random.Generator, count: int) -> NDArray[np.float64]:
        """(count, 3, 3): pixels of the moved frame → pixels of the frame, similarities in millimetres."""
        turn, scale, across, down = random.uniform(-1, 1, (4, count))
        angle, size = math.radians(self.turn_deg) * turn, np.exp(math.log1p(self.scale) * scale)
        height, width = self.fan.shape
        x_mm, y_mm = self.mm_per_px
        # In millimetres about the middle of the image: M = centre⁻¹ · (turn, size, shift) · centre.
        centre = np.array(
            [[x_mm, 0, -x_mm * (width - 1) / 2], [0, y_mm, -y_mm * (height - 1) / 2], [0, 0, 1]]
        )
        moves = np.zeros((count, 3, 3))
        moves[:, 0, 0] = moves[:, 1, 1] = size * np.cos(angle)
        moves[:, 1, 0] = size * np.sin(angle)
        moves[:, 0, 1] = -moves[:, 1, 0]
        moves[:, 0, 2], moves[:, 1, 2] = (self.shift * width * x_mm * part for part in (across, down))
        moves[:, 2, 2] = 1
        result: NDArray[np.float64] = np.linalg.inv(centre) @ moves @ centre
        return result

    def moved(self, images: Tensor, pixel_maps: Tensor) -> tuple[Tensor, Tensor]:
        """Images (B, 1, H, W) in [−1, 1] and maps (B, 3, 3) → the moved images, and what is known of them, bool.

        The fan stays where it is: around it is black, as ever, and within it what comes from outside it is unknown,
        and black too.
        """
        height, width = images.shape[2:]
        fan = torch.from_numpy(self.fan).to(images.device)
        # grid_sample counts from −1 to 1 over the pixel edges.
        u, v = (
            (2 * torch.arange(size, dtype=images.dtype, device=images.device) + 1) / size - 1
            for size in (width, height)
        )
        to_pixels = images.new_tensor(
            [[width / 2, 0, (width - 1) / 2], [0, height / 2, (height - 1) / 2], [0, 0, 1]]
        )
        places = torch.stack(
            [u.expand(height, width), v[:, None].expand(height, width), u.new_ones(height, width)], -1
        )
        maps = torch.linalg.inv(to_pixels) @ pixel_maps @ to_pixels
        sources = torch.einsum("bij,hwj->bhwi", maps[:, :2], places)
        # A cubic keeps the grain of speckle, which a linear one would smooth.
        moved = functional.grid_sample(images, sources, "bicubic", "border", align_corners=False).clamp(-1, 1)
        source_fan = fan.to(images.dtype).expand(len(images), 1, -1, -1)
        inside = functional.grid_sample(source_fan, sources, "bilinear", align_corners=False) >= _KNOWN_SHARE
        return moved.masked_fill(~(fan & inside), BLACK), inside | ~fan
