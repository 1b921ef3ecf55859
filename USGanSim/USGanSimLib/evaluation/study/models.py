"""Models as predictors, with what a report says of each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...model.info import read_model_header
from ...recording.dataset import Dataset
from ..predictors.predictor import ModelImages, PosePredictor, require_comparable
from .facts import about_model


def open_models(
    paths: Sequence[Path], dataset: Dataset, samples: int, seed: int, device: str
) -> tuple[list[PosePredictor], list[dict[str, Any]]]:
    """The models of files, `samples` images a pose, and what the report says of each; all are checked before the first
    is loaded. Raises UserError for a file that is no model or does not fit the set."""
    infos = [(path, read_model_header(path).info) for path in paths]
    for path, info in infos:
        require_comparable(info, dataset, path)
    models: list[PosePredictor] = []
    about = []
    for path, info in infos:
        # torch takes seconds to import; the baselines alone need none of it.
        from ...ml.renderer import ModelRenderer

        name = f"{info.recipe} ({'/'.join(path.parts[-2:])})"
        models.append(ModelImages(name, ModelRenderer.load(path, device=device), dataset, samples, seed))
        about.append(
            {"name": name, "samples": samples, "sample_seed": seed, **about_model(path, info, dataset)}
        )
    return models, about
