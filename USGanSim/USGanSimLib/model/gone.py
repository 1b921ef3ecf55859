"""What files of before name, of recipes that are no more: a file of the paper's recipes names it too, and does without.

So models and runs of the paper's recipes stay as good as they were.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import UserError

# Each with what the paper's recipes have there.
_OF_THE_PAPER: dict[str, Any] = {
    "octaves": 0,
    "volume": 0,
    "volume_cells": 0,
    "speckle": False,
    "least_channels": 1,
    "batch_norm": True,
    "fan": False,
    "l2_square_px": 1,
    "moves": None,
}
# It says nothing where there is no speckle.
_OF_SPECKLE = "speckle_cell"


def without_gone(values: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a network, an objective or a recipe, as a file has them, without what is no more. Raises UserError
    where they depend on it."""
    for name, paper in _OF_THE_PAPER.items():
        if values.get(name, paper) != paper:
            raise UserError(
                f"The model or run was made by a recipe that is no more ({name.replace('_', ' ')}).",
                "Train again with a recipe of this version, or use the version that made it.",
            )
    return {name: value for name, value in values.items() if name not in {*_OF_THE_PAPER, _OF_SPECKLE}}
