"""Steps of the demo that are commands of their own: run as the command line runs them, and told on standard error."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..sample_data import sample_observer_path


def step(words: str, *values: str | Path) -> dict[str, Any]:
    """Run `words` (the command and its first words) and `values` as `usgansim WORDS VALUES` would; tells the line and
    what the command prints for a person, and returns its result."""
    name, *first = words.split()
    if name == "calibrate":
        name, first = f"calibrate_{first[0]}", first[1:]
    given = [*first, *map(str, values)]
    print(f"\n$ usgansim {shlex.join([*words.split(), *map(str, values)])}", file=sys.stderr)
    command = importlib.import_module(f".{name}", __package__)
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    with contextlib.redirect_stdout(sys.stderr):
        result: dict[str, Any] = command.run(parser.parse_args(given))
        command.show(result)
    return result


def prepared(folder: Path, recordings: Sequence[Path], calibration: Path) -> Path:
    """A training set of recordings in `folder`."""
    step("prepare", *recordings, "--calibration", calibration, "--exclusion-mm", "2", "--out", folder)
    return folder


def reported(folder: Path, dataset: Path, model: Path, landmarks: Path, device: str) -> dict[str, Any]:
    """The short report of a model beside the baselines in `folder`, as what to add to the demo's result."""
    made = step(
        "evaluate",
        model,
        "--dataset",
        dataset,
        "--observer",
        sample_observer_path(),
        "--landmarks",
        landmarks,
        "--curve",
        "",
        "--device",
        device,
        "--out",
        folder,
    )
    return {"report": made["report"], "rows": made["rows"]}
