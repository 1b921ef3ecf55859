"""The generator on beams for inference alone: the same function of noise and pose, with cheaper steps.

- What the noise decides is kept while it stands (NoisePart).
- Features of the volumes lie side by side in memory and are added up by `embedding_bag`: grid_sample in space, one
  channel after another, takes several times as long. The three planes are read at once.
- The point-spread function is a few shifted and weighted copies, as many as its learned widths need.
- Convolutions to a few channels are made in blocks (parts/blocks.py).
"""

from __future__ import annotations

import copy
import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..parts.blocks import BLOCK_PX, in_blocks
from ..parts.greys import to_grey_levels
from ..parts.places import FEATURE_SCALE, VOLUME_REACH, FeatureVolume
from .generator import BeamGenerator, NoisePart
from .speckle import PointSpread
from .tissue import PLANES, FeaturePlanes, Tissue

# Of a kernel's norm; what is less changes no grey level.
_LEAST_WEIGHT = 1e-4
_HEAD_BLOCK = 2


class FoldedBeams(nn.Module):
    """A trained generator (in eval mode) for inference; it shares no memory with the original."""

    def __init__(self, generator: BeamGenerator) -> None:
        super().__init__()
        own = copy.deepcopy(generator).requires_grad_(False).eval()
        own.tissue = _FoldedTissue(own.tissue)
        own.spread = _FoldedSpread(own.spread, own.grid.fine_size)
        own.trunk.head = _shuffled(own.trunk.head, _HEAD_BLOCK, own.grid.size)
        own.display.residual2 = _shuffled(own.display.residual2, BLOCK_PX, own.grid.fine_size)
        own.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.generator = own

    def noise_part(self, noise: Tensor) -> NoisePart:
        """Noise (B, noise_size) → what can be kept while it stands."""
        return self.generator.noise_part(noise)

    def forward(self, noise_part: NoisePart, affine: Tensor) -> Tensor:
        """Noise parts (N, …) and coordinate coefficients (1 or N, 3, 3) → grey levels (N, H, W) uint8."""
        return to_grey_levels(self.generator.images(noise_part, affine))[:, 0]


class _FoldedTissue(Tissue):
    """Tissue whose parts look up faster."""

    def __init__(self, tissue: Tissue) -> None:
        nn.Module.__init__(self)
        self.fine, self.coarse = _FoldedVolume(tissue.fine), _FoldedVolume(tissue.coarse)
        self.planes = _FoldedPlanes(tissue.planes)


class _FoldedVolume(FeatureVolume):
    """Features (cells³, channels), those of a place side by side."""

    table: Tensor
    corners: Tensor

    def __init__(self, volume: FeatureVolume) -> None:
        nn.Module.__init__(self)
        self.channels, self.cells = volume.channels, volume.cells
        self.register_buffer("table", (FEATURE_SCALE * volume.features).T.contiguous())
        steps = torch.tensor([1, self.cells, self.cells**2]) * min(1, self.cells - 1)
        bits = torch.tensor([[corner & 1, corner >> 1 & 1, corner >> 2] for corner in range(8)])
        self.register_buffer("corners", bits @ steps)

    def at(self, grid: Tensor) -> Tensor:
        """Normalised coordinates (B, 3, h, w) → features (B, channels, h, w), channels last."""
        batch, _, height, width = grid.shape
        places = ((grid / VOLUME_REACH + 1) * (self.cells / 2) - 0.5).clamp_(0, self.cells - 1)
        low = places.floor().clamp_(max=max(self.cells - 2, 0))
        x, y, z = (places - low).permute(1, 0, 2, 3).reshape(3, -1, 1)
        in_plane = torch.cat([(1 - x) * (1 - y), x * (1 - y), (1 - x) * y, x * y], 1)
        weights = torch.cat([in_plane * (1 - z), in_plane * z], 1)
        i, j, k = low.permute(1, 0, 2, 3).reshape(3, -1, 1).long()
        index = (k * self.cells + j) * self.cells + i + self.corners
        found = functional.embedding_bag(index, self.table, mode="sum", per_sample_weights=weights)
        return found.view(batch, height, width, self.channels).permute(0, 3, 1, 2)


class _FoldedPlanes(FeaturePlanes):
    """All planes as a batch of images, channels last."""

    images: Tensor

    def __init__(self, planes: FeaturePlanes) -> None:
        nn.Module.__init__(self)
        self.channels, self.cells = planes.channels, planes.cells
        images = (FEATURE_SCALE * planes.features).view(3, planes.channels, planes.cells, planes.cells)
        self.register_buffer("images", images.contiguous(memory_format=torch.channels_last))

    def at(self, grid: Tensor) -> Tensor:
        """Normalised coordinates (B, 3, h, w) → features (B, channels, h, w), channels last."""
        batch, _, height, width = grid.shape
        flat = (grid.permute(1, 0, 2, 3) / VOLUME_REACH).reshape(3, batch * height, width)
        pairs = torch.stack([torch.stack([flat[a], flat[b]], -1) for a, b in PLANES])
        found = functional.grid_sample(self.images, pairs, padding_mode="border", align_corners=False).sum(0)
        return found.view(self.channels, batch, height, width).transpose(0, 1)


class _FoldedSpread(PointSpread):
    """Kernels that stand."""

    across: Tensor

    def __init__(self, spread: PointSpread, size: tuple[int, int]) -> None:
        nn.Module.__init__(self)
        across = _trimmed(spread.lateral_kernels(size[0])) * math.sqrt(0.5)
        # At full size, since sums with weights that lie in memory as the echoes do are several times as fast.
        self.register_buffer("across", across[..., None].repeat(1, 1, size[1]))
        self.along: list[float] = _trimmed(spread.axial_kernel()[None])[:, 0].tolist()

    def forward(self, echoes: Tensor) -> Tensor:
        _, _, depths, lines = echoes.shape
        reach = len(self.across) // 2
        padded = functional.pad(echoes, (reach, reach))
        spread = padded[..., :lines] * self.across[0]
        for tap, weights in enumerate(self.across[1:], 1):
            spread.addcmul_(padded[..., tap : tap + lines], weights)
        reach = len(self.along) // 2
        padded = functional.pad(spread, (0, 0, reach, reach))
        found = padded[:, :, :depths] * self.along[0]
        for tap, weight in enumerate(self.along[1:], 1):
            found.add_(padded[:, :, tap : tap + depths], alpha=weight)
        return found


def _trimmed(kernels: Tensor) -> Tensor:
    """(K, taps) without the taps at both ends that are next to nothing in all, (taps, K)."""
    kept = (kernels.amax(0) > _LEAST_WEIGHT).nonzero().flatten()
    return kernels[:, kept[0] : kept[-1] + 1].T.contiguous()


def _shuffled(conv: nn.Module, block_px: int, size: tuple[int, int]) -> nn.Module:
    """A convolution in blocks where those fill maps of this size, as it is where they do not."""
    if not isinstance(conv, nn.Conv2d) or any(side % block_px for side in size):
        return conv
    return nn.Sequential(in_blocks(conv, block_px), nn.PixelShuffle(block_px))
