"""An adversary in closed form: the linear discriminant between real and generated images on what random filters answer.

Filters of several sizes, drawn once, answer to the image and to its half-size copy, or to both of the image resampled
along its beams; of their responses within the field of view logarithms of moments, skewness and correlations are taken,
of grey levels the shares, and along beams what line_statistics.py says. For features f the best linear discriminant is
w = C⁻¹ (mean f(generated) − mean f(real)), C the covariance of real ones (Fisher 1936), and the square of how well it
separates is the distance of Mahalanobis between the means. The generator goes down that distance: a critic that is
always trained to its end. All statistics are gathered while training goes on, and belong to its state.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ...geometry.beams import Beams
from ...geometry.field_of_view import FieldOfView
from ...geometry.filter_bank import FILTERS, SCALES, random_filters, zones
from .line_statistics import LineStatistics

# Several sets of filters take the iterations in turn: what one does not see another does. The second half looks along
# beams, at a grid of so many depths and lines.
BANKS, DEPTHS, LINES = 4, 96, 96
GREYS = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 96.0, 128.0, 160.0, 192.0, 224.0, 255.0)
_SEED = 7_411
_RIDGE = 0.03  # Of the correlation matrix, which some thousand images tell of hundreds of features.
_MEMORY = 400  # Batches of real images.
_ENOUGH = 20  # Batches of real images that a bank sees before the generator follows it.
_GENERATED_MEMORY = 60  # Of generated ones, which change while they are learned.
_LEAST_SHARE = 1e-4
_LEAST_SD = 5e-3  # Of a feature: what real images never show is not infinitely far.
_LEAST = 1e-3  # Grey levels: responses of an image without texture.


Averaged = Callable[[Tensor], Tensor]


def _as_it_is(values: Tensor) -> Tensor:
    return values


class FilterBank(nn.Module):
    """Images (B, 1, H, W) in [−1, 1] → features (B, p)."""

    area: Tensor

    def __init__(self, inside: NDArray[np.bool_], seed: int) -> None:
        super().__init__()
        self.count, self._scales = 3 * len(GREYS), list[int]()
        for part, (scale, filters, weights) in enumerate(random_filters(inside, seed)):
            self._scales.append(scale)
            self.count += 7 * FILTERS + FILTERS * (FILTERS - 1) // 2
            self.register_buffer(f"filters{part}", torch.from_numpy(filters).float(), persistent=False)
            self.register_buffer(f"zones{part}", torch.from_numpy(weights).float(), persistent=False)
        self.register_buffer("area", torch.from_numpy(zones(inside)).float(), persistent=False)
        self._pairs = torch.triu_indices(FILTERS, FILTERS, 1)

    def forward(self, images: Tensor) -> Tensor:
        grey = (images + 1) * 127.5
        found = [self._levels(grey)]
        sizes = {scale: functional.avg_pool2d(grey, scale) for scale in SCALES}
        for part, scale in enumerate(self._scales):
            filters, zones = self.get_buffer(f"filters{part}"), self.get_buffer(f"zones{part}")
            responses = functional.conv2d(sizes[scale], filters, padding=filters.shape[-1] // 2).flatten(2)
            found += self._moments(responses, zones)
        return torch.cat(found, 1)

    def _levels(self, grey: Tensor) -> Tensor:
        """Of each zone how much of it has each of GREYS, in between both in proportion: a smooth histogram. Square
        roots, whose scatter does not depend on the share."""
        beyond = [torch.ones_like(self.area[:1]).expand(len(grey), -1)]
        for low, high in itertools.pairwise(GREYS):
            beyond.append(((grey - low) / (high - low)).clamp(0, 1).flatten(1) @ self.area)
        beyond.append(torch.zeros_like(beyond[0]))
        shares = [more - less for more, less in itertools.pairwise(beyond)]
        return (torch.stack(shares, 1) + _LEAST_SHARE).sqrt().flatten(1)

    def _moments(self, responses: Tensor, zones: Tensor) -> list[Tensor]:
        """Responses (B, K, P) and weights (P, 3) of the field and its halves → features (B, …)."""
        everywhere, size = zones[:, :1], responses.abs()
        squares = responses * responses
        absolute = size @ zones
        second, third, fourth, root = (
            (powers @ everywhere)[..., 0]
            for powers in (squares, squares * responses, squares * squares, (size + _LEAST).sqrt())
        )
        spread = (second + _LEAST**2).sqrt()
        together = (responses * everywhere[:, 0]) @ responses.transpose(1, 2)
        row, column = self._pairs
        return [
            (absolute + _LEAST).log().flatten(1),
            spread.log(),
            (fourth + _LEAST**2).log() / 4,
            2 * (root + _LEAST**0.5).log(),
            third / spread**3,
            together[:, row, column] / (spread[:, row] * spread[:, column]),
        ]


class TextureCritic(nn.Module):
    """Statistics of real and generated images on BANKS sets of filters, and the discriminant between them."""

    beams: Tensor

    def __init__(self, field: FieldOfView) -> None:
        super().__init__()
        on_beams = np.ones((DEPTHS, LINES), bool)
        self.banks = nn.ModuleList(
            FilterBank(field.mask() if number < BANKS // 2 else on_beams, _SEED + number)
            for number in range(BANKS)
        )
        self.lines = nn.ModuleList(LineStatistics(_SEED + number) for number in range(BANKS // 2))
        self.statistics = nn.ModuleList(Statistics(self._count(number)) for number in range(BANKS))
        self.register_buffer("beams", _beams(field), persistent=False)

    @torch.no_grad()
    def see_real(self, images: Tensor, step: int, averaged: Averaged = _as_it_is) -> None:
        """Let the bank of iteration `step` learn of real images. `averaged` gives the mean over the processes that
        share a batch: all of them know the same."""
        self._statistics(step).see_real(self.features(images, step), averaged)

    def distance(self, images: Tensor, step: int, averaged: Averaged = _as_it_is) -> tuple[Tensor, Tensor]:
        """What to go down for the generated images, (), and how far the means are apart in SDs along the best
        direction, (). Half way between two normal distributions of that distance d an observer is right in Φ(d / 2)."""
        mean = self.features(images, step).mean(0)
        statistics = self._statistics(step)
        direction, square = statistics.discriminant(averaged(mean.detach()))
        if not statistics.enough:
            direction = torch.zeros_like(direction)
        # The gradient of √(1 + d²): of the same size however far apart they are.
        return (direction @ mean) / (1 + square).sqrt(), square.clamp_min(0).sqrt()

    def features(self, images: Tensor, step: int) -> Tensor:
        """Of images (B, 1, H, W) by the bank of iteration `step`, (B, p)."""
        bank = step % BANKS
        if bank < BANKS // 2:
            found: Tensor = self.banks[bank](images)
            return found
        beams = self.beams.expand(len(images), -1, -1, -1)
        resampled = functional.grid_sample(images, beams, padding_mode="border", align_corners=False)
        grey = (resampled + 1) * 127.5
        return torch.cat([self.banks[bank](resampled), self.lines[bank - BANKS // 2](grey)], 1)

    def _count(self, number: int) -> int:
        """Features of a bank."""
        bank, lines = self.banks[number], self.lines[0]
        assert isinstance(bank, FilterBank)
        assert isinstance(lines, LineStatistics)
        return bank.count + (lines.count if number >= BANKS // 2 else 0)

    def _statistics(self, step: int) -> Statistics:
        found = self.statistics[step % BANKS]
        assert isinstance(found, Statistics)
        return found


class Statistics(nn.Module):
    """Mean and covariance of real features, mean of generated ones."""

    real_mean: Tensor
    real_covariance: Tensor
    generated_mean: Tensor
    batches: Tensor

    def __init__(self, count: int) -> None:
        super().__init__()
        self.register_buffer("real_mean", torch.zeros(count))
        self.register_buffer("real_covariance", torch.zeros(count, count))
        self.register_buffer("generated_mean", torch.zeros(count))
        self.register_buffer("batches", torch.zeros(2))  # Real ones and generated ones that were seen.

    @property
    def enough(self) -> bool:
        """Whether so many real images were seen that their covariance says something."""
        return float(self.batches[0]) > _ENOUGH

    def see_real(self, features: Tensor, averaged: Averaged = _as_it_is) -> None:
        """Learn of real features (B, p)."""
        share = self._share(0, _MEMORY)
        self.real_mean.lerp_(averaged(features.mean(0)), share)
        around = features - self.real_mean
        self.real_covariance.lerp_(averaged(around.T @ around / len(around)), share)

    @torch.no_grad()
    def discriminant(self, generated: Tensor) -> tuple[Tensor, Tensor]:
        """Learn of the mean (p,) of a batch of generated features; the direction (p,) in which both kinds are told
        best, towards the generated, and the square of their distance."""
        self.generated_mean.lerp_(generated, self._share(1, _GENERATED_MEMORY))
        apart = self.generated_mean - self.real_mean
        sd = (self.real_covariance.diagonal() + _LEAST_SD**2).sqrt()
        correlation = self.real_covariance / (sd[:, None] * sd)
        correlation = correlation.lerp(torch.eye(len(sd), device=sd.device), _RIDGE)
        direction = torch.linalg.solve(correlation, apart / sd) / sd
        return direction, apart @ direction

    def _share(self, kind: int, memory: int) -> float:
        """The weight of this batch: the plain mean of all at first, then one that forgets."""
        self.batches[kind] += 1
        return max(1 / float(self.batches[kind]), 1 / memory)


def _beams(field: FieldOfView) -> Tensor:
    """(1, DEPTHS, LINES, 2): the middles of a grid along the beams, −1 … 1 over the image."""
    steps = [(np.arange(count) + 0.5) / count for count in (DEPTHS, LINES)]
    down, across = np.meshgrid(*steps, indexing="ij")
    u, v = Beams(field).points(across, down)
    grid = np.stack([(2 * u + 1) / field.width_px - 1, (2 * v + 1) / field.height_px - 1], axis=-1)
    return torch.from_numpy(grid.astype(np.float32))[None]
