"""Images in [−1, 1] and their grey levels."""

from __future__ import annotations

import torch
from torch import Tensor

BLACK = -1.0


def to_grey_levels(images: Tensor) -> Tensor:
    """Images in [−1, 1] → uint8: (x + 1) · 127.5, rounded half to even. Overwrites `images`."""
    return images.add_(1).mul_(127.5).round_().to(torch.uint8)
