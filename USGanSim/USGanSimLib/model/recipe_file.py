"""A recipe as the files of a run hold it (config.json, checkpoint.pt): names and plain numbers.

Runs from before a recipe had stages hold one flat list of numbers; both are read.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from .beam_settings import BeamSettings, BeamShape
from .network_settings import NetworkShape
from .recipes import L2, OBJECTIVES, Gan, Moves, ObjectiveSettings, Recipe, Score, Stage

# What the oldest runs do not name, as it was then.
_FLAT = {
    "adversarial": True,
    "scored": False,
    "l2_weight": 0.0,
    "l2_square_px": 1,
    "real_label": 0.9,
    "alone_iterations": 0,
    "alone_learning_rate": 2e-4,
    "learning_rate": 2e-4,
    "turn_deg": 0.0,
    "scale": 0.0,
    "shift": 0.0,
}


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
        "moves": dataclasses.asdict(recipe.moves) if recipe.moves else None,
        "batch": recipe.batch,
        "betas": list(recipe.betas),
    }


def recipe_from_dict(values: dict[str, Any]) -> Recipe:
    """The inverse of `recipe_as_dict`, and of what older versions wrote. Raises KeyError, TypeError or ValueError for
    anything else, and UserError for a recipe that cannot be."""
    if "stages" not in values:
        return _from_flat(values)
    return Recipe(
        name=str(values["name"]),
        stages=tuple(_stage(stage) for stage in values["stages"]),
        shape=_shape(values["network"]),
        moves=Moves(**values["moves"]) if values["moves"] else None,
        batch=values["batch"],
        betas=_two(values["betas"]),
    )


def _shape_as_dict(shape: NetworkShape | BeamShape) -> dict[str, Any]:
    kind = {"kind": BeamSettings.KIND} if isinstance(shape, BeamShape) else {}
    return {**kind, **dataclasses.asdict(shape)}


def _shape(values: dict[str, Any]) -> NetworkShape | BeamShape:
    if "kind" not in values:
        return NetworkShape(**values)
    own = dict(values)
    if own.pop("kind") != BeamSettings.KIND:
        raise ValueError(f"a network of kind '{values['kind']}'")
    return BeamShape(**own)


def _stage(values: dict[str, Any]) -> Stage:
    own = dict(values)
    kind, learning_rate, iterations = (own.pop(name) for name in ("objective", "learning_rate", "iterations"))
    known = {objective.kind: objective for objective in OBJECTIVES}
    return Stage(known[kind](**own), learning_rate, iterations)


def _from_flat(values: dict[str, Any]) -> Recipe:
    names_of_shape = {entry.name for entry in dataclasses.fields(NetworkShape)}
    shape = {name: value for name, value in values.items() if name in names_of_shape}
    unknown = values.keys() - names_of_shape - _FLAT.keys() - {"name", "batch", "betas"}
    if unknown:
        raise TypeError(f"unknown settings of a recipe: {', '.join(sorted(unknown))}")
    flat = {**_FLAT, **values}
    last, alone = _flat_objective(flat), flat["alone_iterations"]
    # Of a regression the iterations alone were never asked.
    first = [Stage(L2(), flat["alone_learning_rate"], alone)] if last.many_valued and alone > 0 else []
    moves = Moves(flat["turn_deg"], flat["scale"], flat["shift"])
    return Recipe(
        name=str(flat["name"]),
        stages=(*first, Stage(last, flat["learning_rate"])),
        shape=NetworkShape(**shape),
        moves=moves if any(dataclasses.astuple(moves)) else None,
        batch=flat["batch"],
        betas=_two(flat["betas"]),
    )


def _flat_objective(flat: dict[str, Any]) -> ObjectiveSettings:
    if flat["scored"]:
        return Score()
    if flat["adversarial"]:
        return Gan(flat["l2_weight"], flat["l2_square_px"], flat["real_label"])
    if (flat["l2_weight"], flat["l2_square_px"]) != (1, 1):
        raise ValueError("a regression on anything but pixels")
    return L2()


def _two(values: list[float]) -> tuple[float, float]:
    first, second = values
    return first, second
