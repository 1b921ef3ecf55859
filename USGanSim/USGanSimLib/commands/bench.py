"""`bench [MODEL]`: how fast the live path is on this machine, beside the naive one (see ml/benchmark.py)."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np

from ..model.info import INTENDED_USE
from ..model.ranges import THREADS
from ..model.recipes import choose_recipe, recipe_names
from .options import Number, size_px, whole


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `bench`."""
    parser.add_argument(
        "model", type=Path, nargs="?", help="model.safetensors; without it the weights are random"
    )
    parser.add_argument(
        "--recipe",
        default="paper",
        help=f"of the random weights: {recipe_names()} (default %(default)s)",
    )
    parser.add_argument(
        "--size", type=size_px, default="160x120", metavar="WxH", help="of their images (default %(default)s)"
    )
    parser.add_argument(
        "--rounds", type=whole(1), default=50, help="turns of each way to an image (default %(default)s)"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (default %(default)s)")
    parser.add_argument(
        "--threads",
        type=Number(THREADS, whole=True),
        action="append",
        metavar="N",
        help="threads of the CPU, may be given several times (default: one, and all)",
    )


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Returns `device`, `threads` (the fastest for one image) and `results`, a row a variant and thread number."""
    import torch

    from ..ml import benchmark
    from ..ml.devices import MOST_THREADS, choose_device, device_name
    from ..ml.model_file import load_model

    device = choose_device(arguments.device)
    generator, info = (
        load_model(arguments.model)
        if arguments.model
        else benchmark.untrained_model(choose_recipe(arguments.recipe), *arguments.size)
    )
    print(info.intended_use if arguments.model else f"Random weights. {INTENDED_USE}", file=sys.stderr)
    chosen, poses = benchmark.variants(generator, info, device), info.pose_range.poses[: benchmark.MOST_POSES]
    rows: list[dict[str, Any]] = []
    for threads in arguments.threads or ([1] if device.type != "cpu" else sorted({1, MOST_THREADS})):
        torch.set_num_threads(threads)
        rows += benchmark.measure(chosen, poses, arguments.rounds)
    fastest = min((row for row in rows if row["name"] == "renderer"), key=lambda row: float(row["median_ms"]))
    return {
        "device": device_name(device),
        "threads": fastest["threads"],
        "recipe": info.recipe,
        "model": str(arguments.model) if arguments.model else None,
        "results": [*rows, *_mrml_row(info.geometry)],
    }


def show(result: dict[str, Any]) -> None:
    """Print the rows as a table."""
    print(
        f"{result['model'] or 'Random weights'}, recipe {result['recipe']}, on {result['device']}; pose to grey "
        f"levels. Single images are fastest with {result['threads']} thread(s)."
    )
    print(
        f"{'':<32}{'threads':>8}{'median ms':>11}{'p95 ms':>10}{'images/s':>10}{'× naive':>9}{'grey levels off':>17}"
    )
    for row in result["results"]:
        # What has no naive counterpart has no ratio.
        compared = (
            f"{row['images_per_s']:>10.0f}{row['ratio_to_naive']:>9.2f}{row['grey_levels_from_naive']:>17}"
            if row["ratio_to_naive"]
            else ""
        )
        print(
            f"{row['name']:<32}{row['threads']:>8}{row['median_ms']:>11.3f}{row['p95_ms']:>10.3f}{compared}"
        )


def _mrml_row(geometry: Any) -> list[dict[str, Any]]:
    """The part of a tick that is MRML's, where there is a Slicer."""
    try:
        from ..mrml.headless.tick_cost import mrml_tick_seconds
    except ImportError:
        return []
    times_ms = mrml_tick_seconds(width_px=geometry.width_px, height_px=geometry.height_px) * 1e3
    return [
        {
            "name": "MRML part of a tick",
            "batch": 1,
            "width_px": geometry.width_px,
            "height_px": geometry.height_px,
            "dtype": "uint8",
            "threads": 1,
            "median_ms": float(np.median(times_ms)),
            "p95_ms": float(np.percentile(times_ms, 95)),
            "ratio_to_naive": None,
        }
    ]
