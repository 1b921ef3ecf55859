"""Settings of a training run, beside the recipe."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..errors import UserError
from .ranges import THREADS, Range
from .recipe_file import recipe_as_dict, recipe_from_dict
from .recipes import DEFAULT_RECIPE, Recipe

PRECISIONS = ("auto", "fp32", "bf16")
RANGES = {
    "iterations": Range(1),
    # NumPy and PyTorch take no larger one.
    "seed": Range(0, below=2**63),
    "ema_decay": Range(0, below=1),
    "threads": THREADS,
    "minutes": Range(0, above=True),
    "checkpoint_every": Range(1),
    "sample_every": Range(1),
}


@dataclass(frozen=True)
class TrainSettings:
    """All that a run depends on besides the training set. Raises UserError for numbers out of RANGES.

    recipe              networks, objectives, optimiser, batch (recipes.py)
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

    recipe: Recipe = DEFAULT_RECIPE
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
        for name, allowed in RANGES.items():
            number = getattr(self, name)
            if number is not None and number not in allowed:
                said = "The EMA decay" if name == "ema_decay" else f"--{name.replace('_', '-')}"
                raise UserError(f"{said} is {number}.", f"Give {allowed}.")
        if self.precision not in PRECISIONS:
            raise UserError(
                f"There is no precision '{self.precision}'.", f"Choose one of {', '.join(PRECISIONS)}."
            )

    @property
    def fixed(self) -> dict[str, Any]:
        """The settings that a resumed run must share with its beginning, each under a name for people."""
        of_recipe = dict(_leaves(recipe_as_dict(self.recipe)))
        return {**of_recipe, "seed": self.seed, "ema_decay": self.ema_decay}

    def as_dict(self) -> dict[str, Any]:
        return {**dataclasses.asdict(self), "recipe": recipe_as_dict(self.recipe)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> TrainSettings:
        """The inverse of `as_dict`. Raises TypeError, KeyError, ValueError or UserError for anything else."""
        # Older versions took any number here, and a run does not depend on it.
        of_sitting = {
            name: values[name] if values[name] in RANGES[name] else None
            for name in ("threads", "minutes")
            if values.get(name) is not None
        }
        return cls(**{**values, **of_sitting, "recipe": recipe_from_dict(values["recipe"])})


def _leaves(values: dict[str, Any], place: str = "") -> Iterator[tuple[str, Any]]:
    """(name, number) of everything in nested settings: 'batch', 'network up_layers', 'stage 2 l2_weight'."""
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{place}{name} ")
        elif name == "stages":
            for number, stage in enumerate(value, 1):
                yield from _leaves(stage, f"{place}stage {number} ")
        else:
            yield place + name, value
