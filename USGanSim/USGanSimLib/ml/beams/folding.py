"""The generator on beams for inference alone: grey levels, and what the noise decides kept while it stands."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from ..parts.greys import to_grey_levels
from .generator import BeamGenerator, NoisePart


class FoldedBeams(nn.Module):
    """A trained generator (in eval mode) for inference; it shares no memory with the original."""

    def __init__(self, generator: BeamGenerator) -> None:
        super().__init__()
        self.generator = copy.deepcopy(generator).requires_grad_(False).eval()
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def noise_part(self, noise: Tensor) -> NoisePart:
        """Noise (B, noise_size) → what can be kept while it stands."""
        return self.generator.noise_part(noise)

    def forward(self, noise_part: NoisePart, affine: Tensor) -> Tensor:
        """Noise parts (N, …) and coordinate coefficients (1 or N, 3, 3) → grey levels (N, H, W) uint8."""
        return to_grey_levels(self.generator.images(noise_part, affine))[:, 0]
