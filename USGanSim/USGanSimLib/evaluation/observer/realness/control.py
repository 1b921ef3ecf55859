"""Real or simulated: how often the best of several observers is right on poses that it was not trained on."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ....geometry.sampling import evenly
from ....recording.dataset import Dataset
from ....recording.sweep import Frames
from ...intervals import heldout_groups
from ...measures.floor import RealImageElsewhere
from ...measures.metrics import Column
from ...predictors.predictor import Predictor, RealImage, SecondScan
from ...presentation import Presentation
from .beams import BeamStatistics
from .discriminant import LinearObserver
from .network import NetworkObserver
from .observers import FOLDS, Looks, RealnessObserver, Scores, verdicts
from .texture import RandomTexture

SIGMAS_MM = (0.0, 0.5, 1.0, 1.5, 2.0)
MOST_FRAMES = 600
_LEAST_FRAMES = 16


def all_observers(dataset: Dataset) -> list[RealnessObserver]:
    """One of every kind, for images of a training set."""
    field = dataset.field
    return [
        LinearObserver("texture", "the discriminant on random filters", RandomTexture(field.mask()).features),
        LinearObserver("beams", "the discriminant along beams", BeamStatistics(field).features),
        NetworkObserver(),
    ]


class RealnessControl:
    """Accuracy against blur. Every frame is judged by observers that saw nothing of its stretch."""

    title = "Real or simulated, asked of a classifier"

    def __init__(
        self,
        dataset: Dataset,
        seed: int = 0,
        sigmas_mm: Sequence[float] = SIGMAS_MM,
        observers: Sequence[RealnessObserver] | None = None,
        warn: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`warn` is told where an observer answers the same to every image."""
        self.dataset, self.seed, self.sigmas_mm, self._warn = dataset, seed, tuple(sigmas_mm), warn
        heldout = dataset.heldout_indices
        self.chosen = [int(index) for index in heldout[evenly(len(heldout), MOST_FRAMES)]]
        self.presentation, self.groups = Presentation.of(dataset), heldout_groups(dataset)
        self.observers = list(all_observers(dataset) if observers is None else observers)
        self.columns = tuple(accuracy_column(sigma_mm) for sigma_mm in self.sigmas_mm)
        self.each_columns = tuple(
            accuracy_column(sigma_mm, each.key) for each in self.observers for sigma_mm in self.sigmas_mm
        )
        self._place = {index: place for place, index in enumerate(self.chosen)}

    @property
    def note(self) -> str:
        names = ", ".join(each.name for each in self.observers)
        return (
            f"{len(self.observers)} observers of different kinds learn to tell a predictor's images from the "
            f"real ones of {len(self.chosen)} held-out frames: {names}. Each is asked about every stretch after "
            f"learning on others, in {FOLDS} folds at most, at every blur; both kinds get the same blur, mask "
            "and grey levels. Shown is the one that separated best on learnt stretches kept back for that, "
            "never chosen by its answers. 0.5 is guessing: in the real images' own row every second frame "
            "passes for simulated. What is seen is there; what is missed may be. An observer that answers the "
            "same to every image has no number. In brackets: 95 % interval by drawing whole held-out stretches."
        )

    def values(self, predictor: Predictor) -> dict[str, float | None]:
        """Accuracy for each column, of the best observer and of each; None where the predictor has too few images, or
        all of one stretch, or where the observer answered the same to all."""
        frames, simulated = self._asked_about(predictor)
        groups = self.groups[frames]
        if len(frames) < _LEAST_FRAMES or len(np.unique(groups)) < 2:
            return {column.key: None for column in (*self.columns, *self.each_columns)}
        real = self.dataset.read_images(frames)
        if _same_images(real, simulated, groups):  # An answer right of one is wrong of the other.
            half = np.full((len(self.sigmas_mm), len(frames)), 0.5)
            return self._numbers(half, {each.key: half for each in self.observers}, groups)
        places = [self._place[index] for index in frames]
        of_real = [looks[:, places] for looks in self._looks_of_real]
        found = verdicts(self.observers, of_real, self._looks(simulated), groups, self.seed)
        self._warn_of(found.constant, predictor.name)
        return self._numbers(found.best, found.each, groups)

    def _asked_about(self, predictor: Predictor) -> tuple[list[int], Frames]:
        """Frames and, for each, an image (N, H, W) that passes for simulated. Of real images it is that of the next
        frame, and every held pose is asked about once with its second scan, so that none is on both sides."""
        if isinstance(predictor, RealImageElsewhere):  # The same images as the real ones: nothing to be told.
            return [], self._nothing
        if isinstance(predictor, RealImage):
            pairs = [
                pair
                for pair in zip(self.chosen[::2], self.chosen[1::2], strict=False)
                if self.groups[pair[0]] == self.groups[pair[1]]
            ]
            images = [predictor.images(second) for _, second in pairs]
            return [first for first, _ in pairs], np.concatenate([self._nothing, *images])
        asked = self._first_of_each_hold() if isinstance(predictor, SecondScan) else self.chosen
        found = {index: predictor.images(index)[:1] for index in asked}
        known = [index for index, images in found.items() if len(images)]
        return known, np.concatenate([self._nothing, *(found[index] for index in known)])

    def _first_of_each_hold(self) -> list[int]:
        first = np.unique(self.dataset.hold[self.chosen], return_index=True)[1]
        return [self.chosen[place] for place in sorted(first)]

    @functools.cached_property
    def _looks_of_real(self) -> list[Looks]:
        return self._looks(self.dataset.read_images(self.chosen))

    def _looks(self, images: Frames) -> list[Looks]:
        """What each observer goes by in images (N, H, W), (S, N, …)."""
        shown = [self.presentation.present(images, sigma_mm) for sigma_mm in self.sigmas_mm]
        return [np.stack([each.look(level) for level in shown]) for each in self.observers]

    def _numbers(
        self, best: Scores, each: Mapping[str, Scores], groups: NDArray[np.int_]
    ) -> dict[str, float | None]:
        shares = np.concatenate([best, *(each[observer.key] for observer in self.observers)])
        values: dict[str, float | None] = {}
        for column, of_frames in zip((*self.columns, *self.each_columns), shares, strict=True):
            told = not np.isnan(of_frames).any()
            values |= (
                column.with_interval(of_frames.tolist(), groups.tolist()) if told else {column.key: None}
            )
        return values

    def _warn_of(self, constant: Sequence[tuple[str, int]], row: str) -> None:
        for observer in self.observers:
            blurs = [f"{self.sigmas_mm[level]:g}" for key, level in constant if key == observer.key]
            if blurs:
                self._warn(
                    f"Told from real: {observer.name} answered the same to every image of '{row}' in a fold "
                    f"(σ = {', '.join(blurs)} mm) and has no number there."
                )

    @property
    def _nothing(self) -> Frames:
        return self.dataset.read_images([])


class EachObserver:
    """The table of the observers beside the best: the numbers are the control's, made with it."""

    title = "Real or simulated, asked of each classifier"
    note = "The observers of the table before, each for itself. The best is not always the same one."

    def __init__(self, control: RealnessControl) -> None:
        self.columns = control.each_columns

    def values(self, predictor: Predictor) -> dict[str, float | None]:
        """Nothing more."""
        return {}


def accuracy_column(sigma_mm: float, observer: str = "") -> Column:
    """The column of the best observer at a blur, or of one by its key."""
    key, heading = (f"_{observer}", f"{observer}, ") if observer else ("", "accuracy, ")
    return Column(f"classifier{key}_accuracy_{sigma_mm:g}mm", f"{heading}σ = {sigma_mm:g} mm", 3)


def _same_images(real: Frames, simulated: Frames, groups: NDArray[np.int_]) -> bool:
    """Whether both kinds hold the same images in every stretch."""
    contents = [
        sorted((group, image.tobytes()) for group, image in zip(groups.tolist(), kind, strict=True))
        for kind in (real, simulated)
    ]
    return contents[0] == contents[1]
