"""The observer's network: a small U-Net that says for each landmark whether its region is shown, and where it is.

The decoder adds what comes from below to what stands beside it (Lin et al. 2017, feature pyramid), which costs a third
of a U-Net that joins them. Heat maps are half the size of the image: cell j covers the pixels 2j and 2j + 1.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

STRIDE = 2
SIZE_MULTIPLE = 16
_WINDOW = 3  # cells on either side of the peak that count for its place


@dataclass(frozen=True)
class Answers:
    """What the network says of B images and L landmarks.

    region   (B, L) log-odds that the landmark's region is in the image
    heat     (B, L, h, w) log-odds of each cell against "not to be seen here"
    features (B, F) of the encoder, for comparing distributions of images
    """

    region: Tensor
    heat: Tensor
    features: Tensor

    @property
    def clear(self) -> Tensor:
        """(B, L) log-odds that the landmark is clear: somewhere in the heat map rather than nowhere."""
        return self.heat.flatten(2).logsumexp(dim=2)


class LandmarkNetwork(nn.Module):
    """Images (B, 1, H, W) in [0, 1], H and W multiples of 16, → Answers."""

    def __init__(self, landmarks: int, channels: int = 12) -> None:
        super().__init__()
        sizes = [channels, 2 * channels, 4 * channels, 8 * channels]
        self.stem = nn.Sequential(
            nn.Conv2d(1, channels, 4, stride=STRIDE, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
        )
        self.encoders = nn.ModuleList(
            [_convolutions(sizes[0], sizes[0])]
            + [_convolutions(before, after, after) for before, after in itertools.pairwise(sizes)]
        )
        self.lifts = nn.ModuleList([nn.Conv2d(below, own, 1) for own, below in itertools.pairwise(sizes)])
        self.decoders = nn.ModuleList([_convolutions(own, own) for own in sizes[:-1]])
        self.to_region = nn.Conv2d(sizes[-1], landmarks, 1)
        self.to_heat = nn.Conv2d(channels, landmarks, 1)
        # At first every landmark is thought absent: some 5,000 cells share odds of 1 to 150.
        nn.init.constant_(self.to_heat.bias, -13.5)  # type: ignore[arg-type]

    def forward(self, images: Tensor) -> Answers:
        levels = [self.encoders[0](self.stem(images))]
        for encoder in list(self.encoders)[1:]:
            levels.append(encoder(functional.max_pool2d(levels[-1], 2)))
        features = levels.pop()
        region = self.to_region(features).amax(dim=(2, 3))
        pooled = features.mean(dim=(2, 3))
        for lift, decoder, beside in zip(
            reversed(self.lifts), reversed(self.decoders), reversed(levels), strict=True
        ):
            features = decoder(beside + functional.interpolate(lift(features), scale_factor=2.0))
        return Answers(region, self.to_heat(features), pooled)


def peaks(heat: Tensor) -> Tensor:
    """(B, L, h, w) log-odds → (B, L, 2) pixels u, v: the mean place of the probability around the highest cell."""
    batch, landmarks, height, width = heat.shape
    highest = heat.flatten(2).argmax(dim=2)
    row, column = highest // width, highest % width
    rows, columns = torch.arange(height)[:, None], torch.arange(width)[None]
    near = ((rows - row[..., None, None]).abs() <= _WINDOW) & (
        (columns - column[..., None, None]).abs() <= _WINDOW
    )
    share = (
        heat.masked_fill(~near, -torch.inf).flatten(2).softmax(dim=2).reshape(batch, landmarks, height, width)
    )
    cells = torch.stack([(share * columns).sum(dim=(2, 3)), (share * rows).sum(dim=(2, 3))], dim=2)
    return STRIDE * cells + (STRIDE - 1) / 2


def as_input(images: NDArray[Any], size: tuple[int, int]) -> Tensor:
    """uint8 (B, H, W) → (B, 1, H', W') in [0, 1], resampled to `size` (height, width) and filled up with black to the
    next multiples of 16."""
    batch = torch.from_numpy(images).float()[:, None] / 255
    if size != images.shape[1:]:
        batch = functional.interpolate(batch, size, mode="bilinear", antialias=True)
    return functional.pad(batch, (0, -size[1] % SIZE_MULTIPLE, 0, -size[0] % SIZE_MULTIPLE))


def _convolutions(*sizes: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in itertools.pairwise(sizes):
        layers += [
            nn.Conv2d(before, after, 3, padding=1, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(*layers)
