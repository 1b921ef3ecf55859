"""`crossval DATASET`: pose-excluded cross-validation of the baselines and, with a recipe, of a model a fold."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .. import __version__
from ..errors import UserError
from ..evaluation.predictors.predictor import ModelImages, Predictor
from ..evaluation.report.page import MARKER, Report
from ..evaluation.report.pictures import frames_to_show, save_frames
from ..evaluation.study.crossval import SPLITS, Fold, cross_validate, fold_masks, pooled, pooled_warnings
from ..evaluation.study.facts import about_dataset
from ..files import replacing_folder
from ..model.recipes import choose_recipe, recipe_names
from ..model.settings import RANGES, TrainSettings
from ..progress import Progress, terminal_or_silent
from ..recording.dataset import Dataset, open_dataset
from ..recording.splits import Exclusion
from .evaluate import add_measure_options, show, suite_options
from .options import Number, add_exclusion_options, chosen_exclusion, whole

__all__ = ["add_arguments", "run", "show"]

_OF_RECIPE = ("batch", "generator_channels", "discriminator_channels")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `crossval`."""
    parser.add_argument("dataset", type=Path, metavar="DATASET", help="folder that 'usgansim prepare' wrote")
    parser.add_argument("--out", type=Path, required=True, help="folder of the report")
    parser.add_argument(
        "--folds",
        type=whole(2, 100_000),
        default=10,
        help="contiguous parts of each sweep (default %(default)s)",
    )
    parser.add_argument(
        "--split",
        choices=SPLITS,
        default="blocks",
        help="hold out parts of every sweep, or one whole sweep a fold (default blocks)",
    )
    add_exclusion_options(parser)
    parser.add_argument(
        "--recipe",
        help=f"also train a model a fold: {recipe_names()}",
    )
    parser.add_argument(
        "--iterations",
        type=Number(RANGES["iterations"], whole=True),
        default=TrainSettings.iterations,
        help=f"of each model, {RANGES['iterations']} (default %(default)s)",
    )
    parser.add_argument(
        "--minutes",
        type=Number(RANGES["minutes"], whole=False),
        help=f"end each training with a model after this time, {RANGES['minutes']}",
    )
    parser.add_argument(
        "--runs",
        type=Path,
        metavar="FOLDER",
        help="folder of the trainings (default OUT-runs); a second call goes on where the first ended",
    )
    for name in _OF_RECIPE:
        parser.add_argument(
            f"--{name.replace('_', '-')}", type=whole(0), metavar="N", help="as for 'usgansim train'"
        )
    add_measure_options(parser)


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure every fold, write the report, and return the content of report.json."""
    options, dataset = suite_options(arguments), open_dataset(arguments.dataset)
    if arguments.minutes is not None and not arguments.recipe:
        raise UserError("--minutes is for training.", "Give a --recipe too.")
    exclusion = chosen_exclusion(arguments, reference_frame=dataset.reference_frame) or dataset.exclusion
    masks = fold_masks(dataset, arguments.split, arguments.folds)
    progress, settings = terminal_or_silent(), _settings(arguments, dataset) if arguments.recipe else None
    runs = arguments.runs or Path(f"{arguments.out}-runs")

    def models(fold: Dataset, number: int) -> Sequence[Predictor]:
        return [_model(fold, runs / f"fold_{number:02d}", settings, arguments, progress)] if settings else []

    with replacing_folder(arguments.out, MARKER) as part:
        folds = cross_validate(
            dataset,
            masks,
            arguments.split,
            exclusion,
            options,
            models,
            arguments.samples,
            arguments.seed,
            progress,
        )
        report = Report(
            title=f"Cross-validation in {len(folds)} folds",
            facts=_in_words(dataset, exclusion, folds),
            warnings=pooled_warnings(folds),
            tables=[*folds[0].tests.measures, *folds[0].tests.controls],
            rows=pooled(folds),
            details={
                "kind": "cross-validation",
                "software_version": __version__,
                "split": arguments.split,
                "exclusion_mm": exclusion.rms_mm,
                "exclusion": exclusion.as_dict(),
                "dataset": str(dataset.folder),
                "settings": settings.as_dict() if settings else None,
                "folds": [_about(fold) for fold in folds],
            },
            pictures=_pictures(part, folds),
        )
        report.write(part)
    return {**report.as_json(), "report": str(arguments.out / "report.html")}


def _settings(arguments: argparse.Namespace, dataset: Dataset) -> TrainSettings:
    recipe = choose_recipe(arguments.recipe, **{name: getattr(arguments, name) for name in _OF_RECIPE})
    # Networks that cannot be built are told now, not after the first fold's baselines.
    recipe.network(dataset.geometry.width_px, dataset.geometry.height_px)
    return TrainSettings(
        recipe=recipe,
        iterations=arguments.iterations,
        seed=arguments.seed,
        device=arguments.device,
        minutes=arguments.minutes,
    )


def _model(
    fold: Dataset,
    run_folder: Path,
    settings: TrainSettings,
    arguments: argparse.Namespace,
    progress: Progress,
) -> Predictor:
    from ..ml.renderer import ModelRenderer
    from ..ml.training.trainer import train
    from ..model.run_folder import RunFolder

    folder = RunFolder(run_folder)
    run_folder.parent.mkdir(parents=True, exist_ok=True)
    # A finished training ends at once; a checkpoint of another set or other settings is refused.
    train(fold, run_folder, settings, progress, resume=folder.checkpoint.exists())
    renderer = ModelRenderer.load(folder.model, device=arguments.device)
    return ModelImages(settings.recipe.name, renderer, fold, arguments.samples, arguments.seed)


def _about(fold: Fold) -> dict[str, Any]:
    facts = about_dataset(fold.dataset)
    kept = (
        "training_frames",
        "heldout_frames",
        "excluded_frames",
        "dataset_sha256",
        "heldout_to_training_rms_mm",
    )
    return {
        **{key: facts[key] for key in kept},
        "rows": [
            {"name": row.name, "frames": row.frames, "samples": row.samples, **row.values}
            for row in fold.rows
        ],
    }


def _in_words(dataset: Dataset, exclusion: Exclusion, folds: Sequence[Fold]) -> dict[str, str]:
    left = [len(fold.dataset.train_indices) for fold in folds]
    rules = [f"within {exclusion.rms_mm:g} mm (RMS displacement of the pixels) of a held-out pose"] * bool(
        exclusion.rms_mm
    ) + ["within the 95 % confidence region of a held-out pose"] * (exclusion.jitter is not None)
    return {
        "Training set": f"{dataset.folder.name}, {len(dataset)} frames of {len(dataset.sources) or 1} recordings",
        "Folds": f"{len(folds)}; every frame is held out once. {min(left)} to {max(left)} frames to train on.",
        "Left out of training": ", and ".join(rules) or "no frame for being near a held-out pose",
        "Numbers": "means over the folds, counts added up; in brackets their 95 % interval by drawing folds. The "
        "notes under the tables count the frames and patches of the first fold.",
    }


def _pictures(folder: Path, folds: Sequence[Fold]) -> dict[str, Path]:
    """A panel of the first, the middle and the last fold."""
    pictures = {}
    for number in sorted({0, len(folds) // 2, len(folds) - 1}):
        fold, path = folds[number], folder / f"fold_{number + 1:02d}.png"
        save_frames(
            path,
            fold.dataset,
            fold.predictors,
            frames_to_show(fold.dataset, fold.tests.truth, 3),
            fold.tests.truth,
        )
        pictures[f"Fold {number + 1}"] = path
    return pictures
