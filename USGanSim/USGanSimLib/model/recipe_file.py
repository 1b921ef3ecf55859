"""A recipe as the files of a run hold it (config.json, checkpoint.pt): names and plain numbers."""

from __future__ import annotations

import dataclasses
from typing import Any

from .beam_settings import BeamSettings, BeamShape
from .gone import without_gone
from .network_settings import NetworkShape
from .recipes import OBJECTIVES, Recipe, Stage


def recipe_as_dict(recipe: Recipe) -> dict[str, Any]:
    """All that a run depends on of its recipe; without its words."""
    return {
        "name": recipe.name,
        "network": _shape_as_dict(recipe.shape),
        "stages": [
            {
                "objective": stage.objective.kind,
                **dataclasses.asdict(stage.objective),
                "learning_rate": stage.learning_rate,
                "iterations": stage.iterations,
            }
            for stage in recipe.stages
        ],
        "batch": recipe.batch,
        "betas": list(recipe.betas),
    }


def recipe_from_dict(values: dict[str, Any]) -> Recipe:
    """The inverse of `recipe_as_dict`. Raises KeyError, TypeError or ValueError for anything else, and UserError for a
    recipe that cannot be or is no more."""
    own = without_gone(values)
    return Recipe(
        name=str(own["name"]),
        stages=tuple(_stage(stage) for stage in own["stages"]),
        shape=_shape(own["network"]),
        batch=own["batch"],
        betas=_two(own["betas"]),
    )


def _shape_as_dict(shape: NetworkShape | BeamShape) -> dict[str, Any]:
    kind = {"kind": BeamSettings.KIND} if isinstance(shape, BeamShape) else {}
    return {**kind, **dataclasses.asdict(shape)}


def _shape(values: dict[str, Any]) -> NetworkShape | BeamShape:
    if "kind" not in values:
        return NetworkShape(**without_gone(values))
    own = dict(values)
    if own.pop("kind") != BeamSettings.KIND:
        raise ValueError(f"a network of kind '{values['kind']}'")
    return BeamShape(**own)


def _stage(values: dict[str, Any]) -> Stage:
    own = without_gone(values)
    kind, learning_rate, iterations = (own.pop(name) for name in ("objective", "learning_rate", "iterations"))
    known = {objective.kind: objective for objective in OBJECTIVES}
    return Stage(known[kind](**own), learning_rate, iterations)


def _two(values: list[float]) -> tuple[float, float]:
    first, second = values
    return first, second
