"""`usgansim train`: trains a model on a training set. The command line's face of `ml.training`.

Progress goes to standard output, one JSON object a line, with --json or where no terminal is; the last line is the
result, with event `done`.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UserError
from ..progress import JsonLines, Progress, Terminal

if TYPE_CHECKING:
    from ..ml.settings import TrainSettings

# Options that set a number of the recipe, and those that set one of the run; None leaves the default, or with
# --resume what the run began with.
_OF_RECIPE = ("batch", "generator_channels", "discriminator_channels", "alone_iterations")
_OF_RUN = (
    "iterations",
    "seed",
    "ema_decay",
    "device",
    "precision",
    "threads",
    "minutes",
    "checkpoint_every",
    "sample_every",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", type=Path, metavar="DATASET", help="folder that 'usgansim prepare' wrote")
    parser.add_argument("--out", type=Path, required=True, metavar="RUN", help="folder of the run")
    parser.add_argument("--resume", action="store_true", help="go on from the run's checkpoint")
    parser.add_argument(
        "--recipe", help="paper, paper-fig1, paper-l2, regression, encoded or scored (default paper)"
    )
    parser.add_argument("--iterations", type=int, help="updates of each network, in all (default 10000)")
    parser.add_argument("--batch", type=int, help="images an iteration, over all processes (default 36)")
    parser.add_argument("--seed", type=int, help="of weights, frame order and noise (default 0)")
    parser.add_argument("--device", help="auto, cpu, cuda or mps (default auto)")
    parser.add_argument("--precision", help="auto, fp32 or bf16; auto takes bf16 where a GPU has it")
    parser.add_argument("--threads", type=int, help="CPU threads")
    parser.add_argument("--minutes", type=float, help="end with a model after this time")
    parser.add_argument("--checkpoint-every", type=int, metavar="N", help="iterations (default 500)")
    parser.add_argument(
        "--sample-every", type=int, metavar="N", help="iterations between panels (default 250)"
    )
    parser.add_argument("--ema-decay", type=float, help="of the average generator (default 0.999)")
    parser.add_argument(
        "--generator-channels",
        type=int,
        metavar="N",
        help="first channels of the generator, for quick runs (default 512)",
    )
    parser.add_argument(
        "--discriminator-channels",
        type=int,
        metavar="N",
        help="first channels of the discriminator, for quick runs (default 32)",
    )
    parser.add_argument(
        "--alone-iterations",
        type=int,
        metavar="N",
        help="iterations with the L2 term alone before the discriminator joins, of all (default 0; "
        "1000 with encoded)",
    )


def run(arguments: argparse.Namespace) -> dict[str, Any]:
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


def show(result: dict[str, Any]) -> None:
    if not sys.stdout.isatty():
        print(json.dumps(result))
        return
    print(f"Trained {result['recipe']} for {result['step']} iterations: {result['model']}")
    for name, value in result["metrics"].items():
        print(f"  {name.replace('_', ' ')}: {value:.4g}")
    print(result["intended_use"])


def _settings(arguments: argparse.Namespace) -> TrainSettings:
    from ..ml.recipes import choose_recipe
    from ..ml.settings import TrainSettings
    from ..ml.training.checkpoint import load_checkpoint
    from ..model.run_folder import RunFolder

    begun = TrainSettings()
    if arguments.resume:
        saved = load_checkpoint(RunFolder(arguments.out).checkpoint)
        begun = dataclasses.replace(saved.settings, minutes=None)  # A limit of time is of one sitting.
    recipe_changes = {name: getattr(arguments, name) for name in _OF_RECIPE}
    if arguments.recipe is None or arguments.recipe == begun.recipe.name:
        given = {name: value for name, value in recipe_changes.items() if value is not None}
        recipe = dataclasses.replace(begun.recipe, **given)
    else:
        recipe = choose_recipe(arguments.recipe, **recipe_changes)
    of_run = {name: getattr(arguments, name) for name in _OF_RUN if getattr(arguments, name) is not None}
    return dataclasses.replace(begun, recipe=recipe, **of_run)
