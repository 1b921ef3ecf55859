"""A linear discriminant on any features of images, in closed form (Fisher 1936), its covariance shrunk towards the
features' own variances as far as tells best on frames kept back (Friedman 1989)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ....recording.sweep import Frames
from .observers import Judge, Looks, Numbers, Scores, parts, separation

SHRINKAGES = (1e-4, 1e-3, 1e-2, 0.1, 0.5)
INNER_PARTS = 3
# Standardised features are cut here, so that one odd image turns nothing.
_FARTHEST_SD = 6.0
_LEAST_SD = 1e-9


@dataclass(frozen=True, eq=False)
class Discriminant:
    """Features (N, p) → scores (N,), 0 half way between the means of both kinds."""

    mean: Scores
    sd: Scores
    weights: Scores
    middle: float

    def scores(self, features: Looks) -> Scores:
        """Above 0 for simulated."""
        result: Scores = _standardised(features, self.mean, self.sd) @ self.weights - self.middle
        return result


@dataclass(frozen=True)
class LinearObserver:
    """A discriminant on the features that `look` gives, (N, H, W) uint8 → (N, p), one for every blur."""

    key: str
    name: str
    look: Callable[[Frames], Looks]

    def fit(self, real: Looks, simulated: Looks, groups: Numbers, seed: int) -> Judge:
        """See RealnessObserver; nothing in it is drawn at random."""
        fitted = [_best(*pair, parts(groups, INNER_PARTS)) for pair in zip(real, simulated, strict=True)]
        return Judge(
            lambda looks: np.stack(
                [chosen.scores(level) for (chosen, _), level in zip(fitted, looks, strict=True)]
            ),
            np.array([kept_back for _, kept_back in fitted]),
        )


def discriminants(
    real: Looks, simulated: Looks, shrinkages: Sequence[float] = SHRINKAGES
) -> list[Discriminant]:
    """One for each shrinkage (0: none, 1: features taken as independent), from features (N, p) of either kind."""
    both = np.concatenate([real, simulated]).astype(np.float64)
    mean, sd = both.mean(axis=0), both.std(axis=0)
    kinds = [_standardised(kind, mean, sd) for kind in (real, simulated)]
    centres = [kind.mean(axis=0) for kind in kinds]
    within = np.concatenate([kind - centre for kind, centre in zip(kinds, centres, strict=True)])
    values, axes = np.linalg.eigh(within.T @ within / (len(within) - 2))
    apart = axes.T @ (centres[1] - centres[0])
    found = []
    for shrinkage in shrinkages:
        weights = axes @ (apart / ((1 - shrinkage) * np.maximum(values, 0) + shrinkage))
        found.append(Discriminant(mean, sd, weights, float(weights @ (centres[0] + centres[1]) / 2)))
    return found


def _best(real: Looks, simulated: Looks, part: Numbers) -> tuple[Discriminant, float]:
    """The discriminant of all frames with the shrinkage that separates best between the parts (N,), and how well."""
    separated = np.zeros((part.max() + 1, len(SHRINKAGES)))
    for number in range(part.max() + 1):
        kept = part == number
        for place, found in enumerate(discriminants(real[~kept], simulated[~kept])):
            separated[number, place] = separation(found.scores(real[kept]), found.scores(simulated[kept]))
    chosen = int(separated.mean(axis=0).argmax())
    (found,) = discriminants(real, simulated, SHRINKAGES[chosen : chosen + 1])
    return found, float(separated.mean(axis=0)[chosen])


def _standardised(features: Looks, mean: Scores, sd: Scores) -> NDArray[np.float64]:
    """Features that never vary become 0."""
    scaled = (features - mean) / np.where(sd > _LEAST_SD, sd, np.inf)
    return np.clip(scaled, -_FARTHEST_SD, _FARTHEST_SD)
