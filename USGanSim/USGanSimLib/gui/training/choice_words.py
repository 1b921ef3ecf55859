"""The choices of commands in words, as the boxes of the tabs show them; what is kept is what the command line says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from slicer.i18n import tr as _

from .command_words import LANDMARKS, REAL_OR_SIMULATED


def show_words(box: Any, choices: Sequence[str], words: Mapping[str, str]) -> None:
    """Let a box, which is connected to a parameter with these choices, show words for them. One that has none, such as
    a recipe of somebody's own, is shown by its name."""
    for index, choice in enumerate(choices):
        box.setItemText(index, words.get(choice, choice))


def recipe_words() -> dict[str, str]:
    return {
        "beams": _("Beams and speckle inside"),
        "paper": _("GAN of Hu et al. 2017"),
        "paper-fig1": _("GAN of its Fig. 1"),
        "paper-l2": _("GAN of Hu et al. with L2"),
        "regression": _("L2 alone, no GAN"),
    }


def device_words() -> dict[str, str]:
    return {
        "auto": _("A GPU, or else the CPU"),
        "cpu": _("CPU"),
        "cuda": _("NVIDIA GPU"),
        "mps": _("Apple GPU"),
    }


def width_words() -> dict[str, str]:
    return {
        "full": _("All channels"),
        "half": _("Half of the channels"),
        "quarter": _("A quarter of the channels"),
        "small": _("An eighth of the channels"),
    }


def split_words() -> dict[str, str]:
    return {"blocks": _("Blocks of every sweep"), "sweeps": _("Whole sweeps")}


def size_words(sizes: Sequence[str]) -> dict[str, str]:
    return {size: _("{size} pixels").format(size=size.replace("x", " × ")) for size in sizes}


def lag_target_words() -> dict[str, str]:
    return {
        "bottom": _("The flat bottom of a bath"),
        "pin": _("A pinhead"),
        "wires": _("Wires"),
        "content": _("Anything that stands still"),
    }


def study_words() -> dict[str, str]:
    return {REAL_OR_SIMULATED: _("Real or simulated?"), LANDMARKS: _("Landmarks to be marked")}
