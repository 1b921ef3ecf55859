"""`volume MODEL|DATASET`: what a model has learned, or the frames of a training set, as a volume with a mask."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from ..evaluation.predictors.volume import frames_into
from ..expected import SAMPLES, ModelVolume
from ..geometry.compounding import Compounding
from ..geometry.volume_grid import VolumeGrid, grid_around
from ..model.info import MODEL_SUFFIX, read_model_header
from ..progress import terminal_or_silent
from ..recording.dataset import MARKER, open_dataset
from ..recording.exchange.volume_file import write_volume
from .options import number, whole

_ENDING = ".nrrd"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `volume`."""
    parser.add_argument("source", type=Path, help="model (.safetensors), or folder of a training set")
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        help="volume to write (.nrrd), in Reference; NAME.mask.nrrd beside it is 1 where something is known",
    )
    parser.add_argument("--force", action="store_true", help="replace --out where it exists")
    parser.add_argument(
        "--spacing-mm",
        type=number(0, above=True),
        metavar="MM",
        help="size of a voxel (default: that of a pixel; larger where memory asks for it)",
    )
    parser.add_argument(
        "--samples",
        type=whole(2, 1000),
        default=SAMPLES,
        metavar="N",
        help="images of a model whose mean is taken at each pose (default %(default)s)",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (default %(default)s)")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Write the volume and its mask."""
    out = arguments.out
    if out.suffix != _ENDING:
        raise UserError(f"{out.name} is not the name of a volume.", f"Let it end in {_ENDING}.")
    mask = out.with_suffix(f".mask{_ENDING}")
    existing = next((path for path in (out, mask) if path.exists()), None)
    if existing and not arguments.force:
        raise UserError(f"{existing} exists already.", "Choose another --out, or give --force to replace it.")
    of_model = arguments.source.suffix == MODEL_SUFFIX
    grid, grey, known, planes = (_of_model if of_model else _of_dataset)(arguments)
    write_volume(out, grey, grid.origin_mm, grid.spacing_mm)
    write_volume(mask, known.astype(np.uint8), grid.origin_mm, grid.spacing_mm)
    return {
        "file": str(out),
        "mask": str(mask),
        "planes": planes,
        "size": list(grid.shape),
        "spacing_mm": grid.spacing_mm,
        "origin_mm": grid.origin_mm.tolist(),
        "known_share": float(known.mean()),
    }


def show(result: dict[str, Any]) -> None:
    """Print the result for a person."""
    size = "×".join(str(side) for side in result["size"])
    print(
        f"{result['file']}: {size} voxels of {result['spacing_mm']:.3g} mm from {result['planes']} planes; "
        f"{result['known_share']:.0%} of them known ({result['mask']})."
    )


Made = tuple[VolumeGrid, NDArray[np.uint8], NDArray[np.bool_], int]


def _of_model(arguments: argparse.Namespace) -> Made:
    info = read_model_header(arguments.source).info
    from ..ml.renderer import ModelRenderer  # It imports torch, which takes seconds.

    renderer = ModelRenderer.load(arguments.source, device=arguments.device)
    volume = ModelVolume(renderer, info, arguments.spacing_mm, arguments.samples)
    _tell(volume.made(), len(volume.poses))
    return volume.grid, volume.grey, volume.known, len(volume.poses)


def _of_dataset(arguments: argparse.Namespace) -> Made:
    if not (arguments.source / MARKER).is_file():
        raise UserError(
            f"{arguments.source} is neither a model nor a training set.",
            "Give a .safetensors or the folder of a set.",
        )
    dataset = open_dataset(arguments.source)
    frames = dataset.train_indices
    grid = grid_around(dataset.poses[frames], dataset.geometry, arguments.spacing_mm)
    compounding = Compounding(grid.shape, grid.reference_to_voxel)
    _tell(frames_into(compounding, dataset, dataset.field.mask()), len(frames))
    grey = np.rint(compounding.grey.transpose(2, 1, 0)).astype(np.uint8)
    return grid, grey, compounding.known.transpose(2, 1, 0), len(frames)


def _tell(steps: Iterator[int], of: int) -> None:
    progress = terminal_or_silent()
    for done in steps:
        progress.emit("step", step=done, of=of)
