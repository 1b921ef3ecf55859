"""The losses of Hu et al. 2017, equations (1) and (2), on the discriminator's logits (B,), each a mean over the batch;
and those of the recipes that are not in the paper.

With D = sigmoid(logit): −log D = softplus(−logit) and −log(1 − D) = softplus(logit), which stay finite and exact
where the sigmoid saturates.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

# Height and width in pixels.
SCORED_WINDOWS = ((1, 1), (4, 4), (12, 12))
RANDOM_FILTERS, FILTER_PX = 8, 5


def real_loss(logits: Tensor, label: float) -> Tensor:
    """Discriminator on real images: cross entropy with target `label` (1, or less with one-sided smoothing)."""
    return functional.binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))


def fake_loss(logits: Tensor) -> Tensor:
    """Discriminator on generated images: −log(1 − D), target 0."""
    return functional.softplus(logits).mean()


def fooling_loss(logits: Tensor) -> Tensor:
    """Generator, non-saturating form: −log D of its own images."""
    return functional.softplus(-logits).mean()


def relativistic_loss(called_real: Tensor, called_fake: Tensor) -> Tensor:
    """That the first logits, (K, B) of K critics, be above the second ones, pair by pair (Jolicoeur-Martineau 2019):
    softplus of the difference, the sum over critics of the mean over the batch."""
    return functional.softplus(called_fake - called_real).mean(1).sum()


def slope_penalty(logits: Tensor, images: Tensor) -> Tensor:
    """The squared slope of the critics' logits (K, B) at the images (B, 1, H, W), a mean over the batch: R1 at real
    ones (Mescheder et al. 2018), R2 at generated ones."""
    (slope,) = torch.autograd.grad(logits.float().sum(), images, create_graph=True)
    return slope.square().sum((1, 2, 3)).mean()


def l2_loss(generated: Tensor, real: Tensor) -> Tensor:
    """Mean squared difference over pixels and images, both in [−1, 1]."""
    return functional.mse_loss(generated, real)


def random_filters(step: int) -> Tensor:
    """RANDOM_FILTERS of white noise, each of norm 1, (N, 1, size, size); the same for the same iteration."""
    random = torch.Generator().manual_seed(step)
    filters = torch.randn(RANDOM_FILTERS, FILTER_PX**2, generator=random)
    return functional.normalize(filters, dim=1).view(RANDOM_FILTERS, 1, FILTER_PX, FILTER_PX)


def energy_score(first: Tensor, second: Tensor, real: Tensor, filters: Tensor) -> Tensor:
    """½ (|a − x| + |b − x|) − ½ |a − b| of two samples a, b and the real image x, all (B, 1, H, W): the mean over all
    pixels, over means of the windows SCORED_WINDOWS, and over what the filters (N, 1, h, w) give, all of equal weight.

    It is a proper score (Gneiting and Raftery 2007, the continuous ranked probability score): its mean is least where
    the samples have the distribution of the real images. That of pixels alone would be content with white noise; the
    means over windows say how much brightness and shadows vary. Filters that are drawn anew each time say how speckle
    looks: if all projections of two distributions of patches agree, so do the distributions (Cramér and Wold).
    """
    # All of it is linear in the images but for the sizes: differences are made once.
    apart = torch.cat([first - real, second - real])
    scores = [_score(_mean_of_windows(apart, *window)) for window in SCORED_WINDOWS]
    scores.append(_score(functional.conv2d(apart, filters.to(apart))))
    return torch.stack(scores).mean()


def _score(apart: Tensor) -> Tensor:
    a, b = apart.chunk(2)
    return (a.abs() + b.abs() - (a - b).abs()).mean() / 2


def _mean_of_windows(maps: Tensor, height: int, width: int) -> Tensor:
    """avg_pool2d of stride 1, each way by itself: several times as fast for large windows."""
    return functional.avg_pool2d(functional.avg_pool2d(maps, (height, 1), stride=1), (1, width), stride=1)


def share_called_real(logits: Tensor) -> Tensor:
    """The share of images that the discriminator takes for real (D > 0.5)."""
    return (logits > 0).float().mean()
