"""The average generator: an exponential moving average of the weights, and batch-norm statistics that belong to it."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from ..generators import AnyGenerator


def decay_at(step: int, decay: float) -> float:
    """The decay after `step` updates: from 0.1 up to `decay`, so that a short run forgets its initial weights."""
    return min(decay, (1 + step) / (10 + step))


@torch.no_grad()
def update_average(average: AnyGenerator, generator: AnyGenerator, decay: float) -> None:
    """Move the average's weights towards the generator's by 1 − decay. Running statistics are left alone."""
    # All weights at once: on a GPU that is one kernel rather than one for each of them.
    torch._foreach_lerp_(list(average.parameters()), list(generator.parameters()), 1 - decay)


@torch.no_grad()
def recompute_statistics(generator: AnyGenerator, inputs: Iterable[tuple[Tensor, Tensor]]) -> None:
    """Replace the batch-norm statistics by the means over batches of (noise, affine); leaves eval mode on.

    In training a batch is normalised by its own statistics; a single live frame must be normalised by those of the
    same weights on the same poses, or it differs from what was trained. A generator without batch norm has none.
    """
    norms = [module for module in generator.modules() if isinstance(module, nn.BatchNorm2d)]
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # PyTorch's word for the plain mean over batches.
    generator.train()
    for noise, affine in inputs:
        generator(noise, affine)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    generator.eval()
