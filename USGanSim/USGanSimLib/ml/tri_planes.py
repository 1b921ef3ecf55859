"""A field of grey levels on three planes of features: what a person without a GAN would learn from a scan in minutes.

After RapidVol (Eid et al. 2024): a place has the features of the three planes where it falls on them, and a small
network makes a grey level of those; it is fitted by the squared error, so that it shows the mean of what was seen.
Neighbouring cells are held together, as in K-Planes (Fridovich-Keil et al. 2023): some lie between all frames.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from .parts.places import FEATURE_SCALE, FeaturePlanes, coordinate_grid

_CHANNELS, _CELLS, _HIDDEN = 24, 144, 64
_RATE, _SMOOTHNESS = 5e-3, 0.1


class TriPlanes(nn.Module):
    """Normalised coefficients (B, 3, 3) → images (B, 1, height, width) in [−1, 1]."""

    def __init__(self) -> None:
        super().__init__()
        self.planes = FeaturePlanes(_CHANNELS, _CELLS)
        self.layers = nn.Sequential(
            nn.Conv2d(_CHANNELS, _HIDDEN, 1), nn.ReLU(), nn.Conv2d(_HIDDEN, _HIDDEN, 1), nn.ReLU()
        )
        self.last = nn.Conv2d(_HIDDEN, 1, 1)

    def forward(self, affine: Tensor, height: int, width: int) -> Tensor:
        features = self.planes.at(coordinate_grid(affine, height, width))
        # Dense layers: each pixel by itself.
        return torch.tanh(self.last(self.layers(features)))


class Fit:
    """The squared error over the pixels `inside` (H, W), step by step, by Adam."""

    def __init__(self, field: TriPlanes, inside: Tensor) -> None:
        self._field, self._inside = field, inside
        self._optimiser = torch.optim.Adam(field.parameters(), _RATE)

    def step(self, images: Tensor, affine: Tensor) -> float:
        """One step by images (B, 1, H, W) in [−1, 1]; the loss before it."""
        found = self._field(affine, *images.shape[2:])
        loss = functional.mse_loss(found[..., self._inside], images[..., self._inside])
        torch.autograd.backward(loss + _SMOOTHNESS * self._roughness())
        self._optimiser.step()
        self._optimiser.zero_grad(set_to_none=True)
        return float(loss.detach())

    def _roughness(self) -> Tensor:
        """Mean squared difference of neighbouring cells."""
        cells = self._field.planes.cells
        maps = FEATURE_SCALE * self._field.planes.features.view(3, -1, cells, cells)
        found: Tensor = maps.diff(dim=2).square().mean() + maps.diff(dim=3).square().mean()
        return found
