"""`train-observer`: trains the automatic landmark observer of `evaluate` on virtual subjects."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..model.ranges import SEED
from ..progress import terminal_or_silent
from .options import Number, whole

# Least, default, what it is; each subject is rendered in three settings.
_COUNTS = {
    "subjects": (1, 12, "virtual subjects to learn from"),
    "images": (3, 240, "images of each subject"),
    "iterations": (1, 600, "steps of training"),
    "trial-images": (3, 400, "images of each of three more subjects, for thresholds and for measuring"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `train-observer`. The defaults take about five minutes of one slow core."""
    parser.add_argument("--out", type=Path, required=True, help="observer to write (.safetensors)")
    for name, (least, default, purpose) in _COUNTS.items():
        parser.add_argument(
            f"--{name}",
            type=whole(least),
            default=default,
            metavar="N",
            help=f"{purpose} (default {default})",
        )
    parser.add_argument(
        "--seed", type=Number(SEED, whole=True), default=0, help="of images, weights and order (default 0)"
    )


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Train and measure; returns what it was measured at."""
    from ..evaluation.observer.training import ObserverSettings, train_observer

    settings = ObserverSettings(
        subjects=arguments.subjects,
        images=arguments.images,
        iterations=arguments.iterations,
        trial_images=arguments.trial_images,
        seed=arguments.seed,
    )
    return train_observer(arguments.out, settings, terminal_or_silent())


def show(result: dict[str, Any]) -> None:
    """Print the result for a person."""
    print(
        f"{result['observer']}: trained on {result['images']} images of {len(result['subjects'])} subjects, "
        f"{result['iterations']} steps, seed {result['seed']}; measured on subject {result['subject']}:"
    )
    for setting in ("plain", "hard"):
        values = result[setting]
        print(
            f"  {setting}: {_percent(values['located_share'])} of {values['visible']} visible landmarks located, "
            f"median {_mm(values['median_mm'])}, {_percent(values['within_5mm_share'])} of all within 5 mm; "
            f"{_percent(values['false_alarm_share'])} located where they are not"
        )
    print(result["intended_use"])


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"


def _mm(distance: float | None) -> str:
    return "–" if distance is None else f"{distance:.1f} mm"
