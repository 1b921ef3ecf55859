"""`usgansim train`: trains a model on a training set. The command line's face of `ml.training`.

Progress goes to standard output, one JSON object a line, with --json or where no terminal is; the last line is the
result, with event `done`.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..files import strict_json
from ..model import network_settings
from ..model.recipes import RECIPES, choose_recipe, of_recipes, recipe_names
from ..model.settings import RANGES, TrainSettings
from ..progress import JsonLines, Progress, Terminal
from .options import Number, whole

# Options that set a number of the recipe, and those that set one of the run; None leaves the default, or with
# --resume what the run began with.
_OF_RECIPE = ("batch", "generator_channels", "discriminator_channels")
_OF_RUN = {
    "iterations": ("updates of each network, in all", int),
    "seed": ("of weights, frame order and noise", int),
    "device": ("auto, cpu, cuda or mps", str),
    "precision": ("auto, fp32 or bf16; auto takes bf16 where a GPU has it", str),
    "threads": ("CPU threads", int),
    "minutes": ("end with a model after this time", float),
    "checkpoint_every": ("iterations between checkpoints", int),
    "sample_every": ("iterations between panels", int),
    "ema_decay": ("of the average generator", float),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `train`."""
    parser.add_argument("dataset", type=Path, metavar="DATASET", help="folder that 'usgansim prepare' wrote")
    parser.add_argument("--out", type=Path, metavar="RUN", help="folder of the run")
    parser.add_argument(
        "--pace",
        action="store_true",
        help="train nothing: time some iterations of every stage on this computer, and tell how long it would take",
    )
    parser.add_argument("--resume", action="store_true", help="go on from the run's checkpoint")
    parser.add_argument("--recipe", help=f"{recipe_names()} (default {TrainSettings.recipe.name})")
    for name, (what, kind) in _OF_RUN.items():
        allowed, own = RANGES.get(name), getattr(TrainSettings, name)
        words = what if allowed is None else f"{what}, {allowed}"
        parser.add_argument(
            _option(name),
            type=kind if allowed is None else Number(allowed, kind is int),
            metavar="N" if kind is int else None,
            help=words if own is None else f"{words} (default {own})",
        )
    for name, words in _numbers_of_recipes().items():
        parser.add_argument(_option(name), type=whole(0), metavar="N", help=words)
    parser.epilog = " ".join(f"{name}: {recipe.words}." for name, recipe in RECIPES.items())


def _numbers_of_recipes() -> dict[str, str]:
    """The help of each option of _OF_RECIPE: what it is, what it may be, and each recipe's own."""
    channels = network_settings.RANGES
    return {
        "batch": "images an iteration, over all processes, "
        f"{of_recipes(lambda recipe: recipe.least_batch)} or more "
        f"(default {of_recipes(lambda recipe: recipe.batch)})",
        "generator_channels": "first channels of the generator, for quick runs, a multiple of "
        f"{of_recipes(lambda recipe: recipe.shape.channel_step)} "
        f"(default {of_recipes(lambda recipe: recipe.shape.generator_channels)})",
        "discriminator_channels": "first channels of the discriminator, for quick runs, "
        f"{channels['discriminator_channels']} "
        f"(default {of_recipes(lambda recipe: recipe.shape.discriminator_channels)})",
    }


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    if arguments.pace:
        return _pace(arguments)
    if arguments.out is None:
        raise UserError("There is no folder for the run.", "Give --out.")
    from ..ml.training.memory import spare_memory

    spare_memory()
    from ..ml.training.trainer import train
    from ..recording.dataset import open_dataset

    if int(os.environ.get("RANK", "0")) > 0:
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  Of several processes one speaks.
    progress: Progress = JsonLines() if arguments.json or not sys.stdout.isatty() else Terminal()
    try:
        settings = _settings(arguments)
        result = train(open_dataset(arguments.dataset), arguments.out, settings, progress, arguments.resume)
    except UserError as error:
        progress.emit("error", message=error.message, hint=error.hint)
        raise
    return {"event": "done", **result}


def _pace(arguments: argparse.Namespace) -> dict[str, Any]:
    from ..ml.devices import choose_device, device_name
    from ..ml.training.pace import measure_pace
    from ..recording.dataset import open_dataset

    if arguments.resume:
        raise UserError("--pace times a training from its beginning.", "Leave --resume out.")
    settings = _settings(arguments)
    pace = measure_pace(open_dataset(arguments.dataset), settings)
    minutes, of = settings.minutes, settings.iterations
    reached = of if minutes is None else min(of, pace.iterations_in(60 * minutes))
    return {
        "event": "pace",
        "recipe": settings.recipe.name,
        "device": device_name(choose_device(settings.device)),
        "stages": pace.as_list(),
        "step": reached,
        "of": of,
        "seconds": round(pace.seconds_for(reached), 1),
        "all_seconds": round(pace.seconds_for(of), 1),
    }


def show(result: dict[str, Any]) -> None:
    if not sys.stdout.isatty():
        print(strict_json(result))
        return
    if result["event"] == "pace":
        print(
            f"{result['recipe']} on {result['device']}: {result['step']} of {result['of']} iterations in "
            f"{result['seconds'] / 60:.1f} minutes; all of them in {result['all_seconds'] / 60:.1f}."
        )
        for stage in result["stages"]:
            print(f"  from iteration {stage['from_iteration']} on {stage['seconds']:.3g} s each")
        return
    print(f"Trained {result['recipe']} for {result['step']} iterations: {result['model']}")
    for name, value in result["metrics"].items():
        print(f"  {name.replace('_', ' ')}: {value:.4g}")
    print(result["intended_use"])


def _settings(arguments: argparse.Namespace) -> TrainSettings:
    from ..ml.training.checkpoint import load_checkpoint
    from ..model.run_folder import RunFolder

    begun = TrainSettings()
    if arguments.resume:
        saved = load_checkpoint(RunFolder(arguments.out).checkpoint)
        begun = dataclasses.replace(saved.settings, minutes=None)  # A limit of time is of one sitting.
    numbers = {name: getattr(arguments, name) for name in _OF_RECIPE}
    recipe = (
        begun.recipe.changed(**numbers)
        if arguments.recipe in (None, begun.recipe.name)
        else choose_recipe(arguments.recipe, **numbers)
    )
    of_run = {name: getattr(arguments, name) for name in _OF_RUN if getattr(arguments, name) is not None}
    return dataclasses.replace(begun, recipe=recipe, **of_run)
