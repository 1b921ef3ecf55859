"""The generator on beams for inference alone: the same function of noise and pose, with cheaper steps.

- What the noise decides is kept while it stands (NoisePart).
- Features of both volumes lie side by side in one table and are added up by `embedding_bag`: grid_sample in space, one
  channel after another, takes several times as long. The three planes are read at once.
- The point-spread function is a few shifted and weighted copies, as many as its learned widths need.
"""

from __future__ import annotations

import copy
import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..parts.greys import to_grey_levels
from ..parts.places import FEATURE_SCALE, PLANES, VOLUME_REACH, FeaturePlanes
from .generator import BeamGenerator, NoisePart
from .speckle import PointSpread
from .tissue import Tissue

# Of a kernel's norm; what is less changes no grey level.
_LEAST_WEIGHT = 1e-4


class FoldedBeams(nn.Module):
    """A trained generator (in eval mode) for inference; it shares no memory with the original."""

    def __init__(self, generator: BeamGenerator) -> None:
        super().__init__()
        own = copy.deepcopy(generator).requires_grad_(False).eval()
        own.tissue = _FoldedTissue(own.tissue)
        own.spread = _FoldedSpread(own.spread, own.grid.fine_size)
        own.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.generator = own

    def noise_part(self, noise: Tensor) -> NoisePart:
        """Noise (B, noise_size) → what can be kept while it stands."""
        return self.generator.noise_part(noise)

    def forward(self, noise_part: NoisePart, affine: Tensor) -> Tensor:
        """Noise parts (N, …) and coordinate coefficients (1 or N, 3, 3) → grey levels (N, H, W) uint8."""
        return to_grey_levels(self.generator.images(noise_part, affine))[:, 0]


class _FoldedTissue(Tissue):
    """Tissue that looks up faster: both volumes at once.

    table    (fine cells³ + coarse cells³, channels): features of a place side by side
    cells    (2, 1, 1): along each axis of either volume
    steps    (2, 3, 1): entries from a cell to the next one along each axis
    corners  (2, 1, 8): entries of the corners of the first cell of either volume
    """

    table: Tensor
    cells: Tensor
    steps: Tensor
    corners: Tensor

    def __init__(self, tissue: Tissue) -> None:
        nn.Module.__init__(self)
        self.planes = _FoldedPlanes(tissue.planes)
        volumes = tissue.fine, tissue.coarse
        table = torch.cat([volume.features.T for volume in volumes])
        steps = torch.tensor([[v.cells**axis * min(1, v.cells - 1) for axis in range(3)] for v in volumes])
        bits = torch.tensor([[corner & 1, corner >> 1 & 1, corner >> 2] for corner in range(8)])
        starts = torch.tensor([0, volumes[0].cells ** 3])
        self.register_buffer("table", (FEATURE_SCALE * table).contiguous())
        self.register_buffer("cells", torch.tensor([float(v.cells) for v in volumes])[:, None, None])
        self.register_buffer("steps", steps[:, :, None])
        self.register_buffer("corners", (starts[:, None] + steps @ bits.T)[:, None])

    def forward(self, middles: Tensor, rows: Tensor) -> Tensor:
        batch, _, height, width = middles.shape
        at = middles.permute(1, 0, 2, 3).reshape(3, -1) / VOLUME_REACH
        places = ((at + 1) * (self.cells / 2) - 0.5).clamp_(min=0).minimum(self.cells - 1)
        low = places.floor().minimum((self.cells - 2).clamp_(min=0))
        x, y, z = (places - low).unbind(1)
        in_plane = torch.stack([(1 - x) * (1 - y), x * (1 - y), (1 - x) * y, x * y])
        weights = torch.cat([in_plane * (1 - z), in_plane * z]).flatten(1).T.contiguous()
        index = ((low.long() * self.steps).sum(1)[..., None] + self.corners).flatten(0, 1)
        found = functional.embedding_bag(index, self.table, mode="sum", per_sample_weights=weights)
        in_volumes = found.view(2, batch, height, width, -1).permute(1, 0, 4, 2, 3)
        in_planes = self.planes.at(rows).reshape(batch, -1, height, width)
        return torch.cat([in_planes, in_volumes.reshape(batch, -1, height, width)], 1)


class _FoldedPlanes(FeaturePlanes):
    """All planes as a batch of images, channels last."""

    images: Tensor
    axes: Tensor

    def __init__(self, planes: FeaturePlanes) -> None:
        nn.Module.__init__(self)
        self.channels, self.cells = planes.channels, planes.cells
        images = (FEATURE_SCALE * planes.features).view(3, planes.channels, planes.cells, planes.cells)
        self.register_buffer("images", images.contiguous(memory_format=torch.channels_last))
        self.register_buffer("axes", torch.tensor(PLANES).flatten())

    def at(self, grid: Tensor) -> Tensor:
        """Normalised coordinates (B, 3, h, w) → features (B, channels, h, w), channels last."""
        batch, _, height, width = grid.shape
        flat = (grid.permute(1, 0, 2, 3) / VOLUME_REACH).reshape(3, batch * height, width)
        pairs = flat.index_select(0, self.axes).view(3, 2, batch * height, width).permute(0, 2, 3, 1)
        xy, xz, yz = functional.grid_sample(self.images, pairs, padding_mode="border", align_corners=False)
        found: Tensor = xy + xz + yz
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
