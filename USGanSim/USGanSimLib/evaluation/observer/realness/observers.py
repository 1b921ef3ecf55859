"""What an observer is that tells simulated images from real ones, and how one is asked fairly.

Every image is judged by an observer that learnt on other stretches alone. Which observer is the best is decided within
the stretches that were learnt on, never on the images that are asked about: the best of several on those would be above
half by chance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from ....recording.sweep import Frames

FOLDS = 4
# (S, N, …): what an observer goes by in N images at S blurs.
Looks = NDArray[Any]
Scores = NDArray[np.float64]
Numbers = NDArray[np.int_]


@dataclass(frozen=True, eq=False)
class Judge:
    """A trained observer: looks (S, N, …) → scores (S, N), above 0 for simulated; and how well it separates images that
    were kept back from its training, (S,): see `separation`."""

    scores: Callable[[Looks], Scores]
    separation: Scores


class RealnessObserver(Protocol):
    """One kind of observer. `key` stands in the keys of report.json, `name` in sentences."""

    @property
    def key(self) -> str: ...

    @property
    def name(self) -> str: ...

    def look(self, images: Frames) -> Looks:
        """(N, H, W) uint8 → (N, …): what it goes by, made once for every image."""
        ...

    def fit(self, real: Looks, simulated: Looks, groups: Numbers, seed: int) -> Judge:
        """Learn from looks (S, N, …) of as many real as simulated images; frames of one group (N,) are neighbours."""
        ...


@dataclass(frozen=True, eq=False)
class Verdicts:
    """Shares (S, N) of each frame's two images told right, by the chosen observer and by each; NaN at a blur where an
    observer answered the same to every image of a fold, and `constant` has its key and the blur's number."""

    best: Scores
    each: Mapping[str, Scores]
    constant: tuple[tuple[str, int], ...]


def separation(real: Scores, simulated: Scores) -> float:
    """The chance that a simulated image scores above a real one, ties half (the area under the ROC curve)."""
    ranks = rankdata(np.concatenate([real, simulated]))
    above = ranks[len(real) :].sum() - len(simulated) * (len(simulated) + 1) / 2
    return float(above / (len(real) * len(simulated)))


def parts(groups: Numbers, count: int) -> Numbers:
    """(N,) part of each frame: whole groups dealt out in turn; of a single group, `count` runs of neighbours."""
    names, member = np.unique(groups, return_inverse=True)
    if len(names) > 1:
        return np.asarray(member % min(count, len(names)))
    return np.arange(len(groups)) * count // len(groups)


def verdicts(
    observers: Sequence[RealnessObserver],
    real: Sequence[Looks],
    simulated: Sequence[Looks],
    groups: Numbers,
    seed: int,
) -> Verdicts:
    """Every observer, with its looks (S, N, …) at the real and the simulated images of N frames, asked about each fold
    of groups (N,) after learning on the others."""
    fold, levels = parts(groups, FOLDS), len(real[0])
    right = np.full((len(observers), levels, len(groups)), np.nan)
    kept_back = np.zeros((len(observers), levels, fold.max() + 1))
    for number, (observer, of_real, of_simulated) in enumerate(zip(observers, real, simulated, strict=True)):
        for part in range(fold.max() + 1):
            asked = fold == part
            judge = observer.fit(of_real[:, ~asked], of_simulated[:, ~asked], groups[~asked], seed)
            kept_back[number, :, part] = judge.separation
            right[number][:, asked] = _told_right(
                judge.scores(of_real[:, asked]) > 0, judge.scores(of_simulated[:, asked]) > 0
            )
    failed = np.isnan(right).any(axis=2)
    right[failed] = np.nan
    constant = tuple((observers[number].key, int(level)) for number, level in np.argwhere(failed))
    chosen = np.where(failed[:, :, None], -np.inf, kept_back).argmax(axis=0)  # (S, folds)
    best = np.stack([right[chosen[level, fold], level, np.arange(len(fold))] for level in range(levels)])
    return Verdicts(best, {each.key: right[k] for k, each in enumerate(observers)}, constant)


def _told_right(called_real: NDArray[np.bool_], called_simulated: NDArray[np.bool_]) -> Scores:
    """Answers "simulated" (S, N) to real and to simulated images → shares told right (S, N); NaN at a blur where all
    answers are one."""
    shares = (~called_real * 1.0 + called_simulated) / 2
    answers = np.concatenate([called_real, called_simulated], axis=1)
    shares[answers.all(axis=1) | ~answers.any(axis=1)] = np.nan
    return shares
