"""Settings of a training run, beside the recipe."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from ..errors import UserError
from .recipes import RECIPES, Recipe

PRECISIONS = ("auto", "fp32", "bf16")


@dataclass(frozen=True)
class TrainSettings:
    """All that a run depends on besides the training set.

    recipe              networks, losses, optimiser, batch (recipes.py)
    iterations          one update of each network is one iteration; 10,000 is the only public hint
    seed                of initial weights, order of frames, and noise
    ema_decay           of the average generator, which samples and the model are made with
    device              auto, cpu, cuda or mps
    precision           auto (bf16 where a GPU has it, else fp32), fp32, or bf16
    threads             of the CPU; None leaves PyTorch's choice
    minutes             end with a model after this time, even if iterations are left
    checkpoint_every    iterations between checkpoints; one is also saved ten minutes after the last
    sample_every        iterations between sample panels; the first comes early
    """

    recipe: Recipe = RECIPES["paper"]
    iterations: int = 10_000
    seed: int = 0
    ema_decay: float = 0.999
    device: str = "auto"
    precision: str = "auto"
    threads: int | None = None
    minutes: float | None = None
    checkpoint_every: int = 500
    sample_every: int = 250

    def __post_init__(self) -> None:
        for name in ("iterations", "checkpoint_every", "sample_every"):
            if getattr(self, name) < 1:
                raise UserError(f"--{name.replace('_', '-')} is {getattr(self, name)}.", "Give 1 or more.")
        if self.seed < 0:
            raise UserError(f"The seed is {self.seed}.", "Give 0 or more.")
        if not 0 <= self.ema_decay < 1:
            raise UserError(f"The EMA decay is {self.ema_decay}.", "Give 0 or more, and less than 1.")
        if self.precision not in PRECISIONS:
            raise UserError(
                f"There is no precision '{self.precision}'.", f"Choose one of {', '.join(PRECISIONS)}."
            )

    @property
    def fixed(self) -> dict[str, Any]:
        """The settings that a resumed run must share with its beginning."""
        return {**dataclasses.asdict(self.recipe), "seed": self.seed, "ema_decay": self.ema_decay}

    def as_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> TrainSettings:
        """The inverse of `as_dict`. Raises TypeError or KeyError for anything else."""
        return cls(**{**values, "recipe": Recipe.from_dict(values["recipe"])})
