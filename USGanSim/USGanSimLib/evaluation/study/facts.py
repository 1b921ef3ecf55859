"""What a report was measured on: facts for report.json, and the same facts in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ...geometry.image_geometry import corner_distance_mm
from ...model.info import ModelInfo
from ...recording.dataset import Dataset
from ..measures.points import Truth
from ..predictors.predictor import NearestTrainingFrame
from .seen_before import poses_of_these_recordings

_HASH_LETTERS = 16


def about_dataset(dataset: Dataset) -> dict[str, Any]:
    """The training set, its split, and how far held-out poses are from training poses."""
    apart_mm = NearestTrainingFrame(dataset).distances_mm()
    return {
        "split": dataset.split,
        "exclusion_mm": dataset.exclusion.rms_mm,
        "exclusion": dataset.exclusion.as_dict(),
        "excluded_frames": int(dataset.excluded.sum()),
        "dataset": str(dataset.folder),
        "dataset_sha256": dataset.sha256,
        "sources": [source.name for source in dataset.sources],
        "training_frames": len(dataset.train_indices),
        "heldout_frames": len(dataset.heldout_indices),
        "width_px": dataset.geometry.width_px,
        "height_px": dataset.geometry.height_px,
        "mm_per_px": list(dataset.geometry.mm_per_px),
        "lag_s": dataset.lag_s,
        "heldout_to_training_rms_mm": {
            "min": float(apart_mm.min()),
            "median": float(np.median(apart_mm)),
            "max": float(apart_mm.max()),
        },
    }


def about_truth(dataset: Dataset, truth: Truth) -> dict[str, Any]:
    """How many true points there are."""
    heldout = [int(index) for index in dataset.heldout_indices if int(index) in truth.by_frame]
    return {
        "heldout_frames": len(heldout),
        "heldout_points": truth.count(heldout),
        "cut_off_by_crop": truth.cut_off,
    }


def about_model(path: Path, info: ModelInfo, dataset: Dataset) -> dict[str, Any]:
    """A model and its fit to the training set. `warnings` are sentences that a reader must see; `trained_here` says
    whether it was trained on this split, and `known_poses` how many of the training poses that its file keeps are of
    these recordings."""
    heldout = dataset.poses[dataset.heldout_indices]
    outside = sum(not info.pose_range.contains(info.pose_range.nearest(pose)) for pose in heldout)
    trained_here, known_poses = dataset.split_sha256 in (info.split_sha256, info.training_set_sha256), 0
    warnings = []
    if not trained_here:
        known_poses = poses_of_these_recordings(info, dataset)
        if known_poses:
            warnings.append(
                f"{path} was trained on frames of these recordings, but not on this split ({known_poses} of the "
                f"{len(info.pose_range.poses)} training poses in its file are theirs; training set "
                f"{_short(info.training_set_sha256)}, not {_short(dataset.sha256)}). It has seen held-out frames or "
                "their neighbours: its numbers say nothing about new views."
            )
    elif info.training_set_sha256 != dataset.sha256:
        warnings.append(
            f"{path} was trained on the same split with an exclusion of {info.exclusion_mm:g} mm, the "
            f"baselines here with {dataset.exclusion.rms_mm:g} mm."
        )
    if outside:
        warnings.append(
            f"{outside} of {len(heldout)} held-out poses lie outside the trained range of {path}."
        )
    return {
        "file": str(path),
        "recipe": info.recipe,
        "iterations": info.iterations,
        "seed": info.seed,
        "software_version": info.software_version,
        "training_set_sha256": info.training_set_sha256,
        "exclusion_mm": info.exclusion_mm,
        "trained_here": trained_here,
        "known_poses": known_poses,
        "training_poses_kept": len(info.pose_range.poses),
        "corner_distance_mm": corner_distance_mm(info.geometry, dataset.geometry),
        "poses_outside_range": outside,
        "intended_use": info.intended_use,
        "warnings": warnings,
    }


def in_words(details: dict[str, Any]) -> dict[str, str]:
    """Heading → sentence, from the facts above (`points` and `models` where there are any)."""
    x_mm, y_mm = details["mm_per_px"]
    apart_mm = details["heldout_to_training_rms_mm"]
    apart = (
        f"{apart_mm['min']:.2f} to {apart_mm['max']:.2f} mm, median {apart_mm['median']:.2f} mm "
        f"(RMS displacement of the pixels)"
    )
    words = {
        "Training set": f"{Path(details['dataset']).name}, hash {_short(details['dataset_sha256'])}",
        "Recordings": ", ".join(details["sources"]) or "not known",
        "Frames": f"{details['heldout_frames']} held out (split by {details['split']}), "
        f"{details['training_frames']} to train on",
        "Images": f"{details['width_px']}×{details['height_px']} px of {x_mm:.3f}×{y_mm:.3f} mm",
        "From a held-out pose to the nearest training pose": f"{apart}. {_exclusion_in_words(details)}",
    }
    points = details.get("points")
    if points:
        words["True points"] = (
            f"{points['heldout_points']} in {points['heldout_frames']} held-out frames; the crop "
            f"cut off {points['cut_off_by_crop']} in all frames"
        )
    for model in details["models"]:
        words[model["name"]] = (
            f"{model['samples']} images a pose (noise seed {model['sample_seed']}); "
            f"{model['iterations']} iterations, training seed {model['seed']}, training set "
            f"{_short(model['training_set_sha256'])}. {_origin_in_words(model)}"
            f"{model['intended_use']}"
        )
    return words


def _origin_in_words(model: dict[str, Any]) -> str:
    if model["trained_here"] or model["known_poses"]:
        return ""
    return (
        f"It was trained on other recordings: none of the {model['training_poses_kept']} training poses in its "
        "file lies on the path of these. "
    )


def _exclusion_in_words(details: dict[str, Any]) -> str:
    rules = [f"within {details['exclusion_mm']:g} mm of one"] if details["exclusion_mm"] else []
    if details["exclusion"]["jitter"] is not None:
        rules.append("within the 95 % confidence region of the tracker's jitter")
    if not rules:
        return "No training frame was left out for being near."
    return f"{details['excluded_frames']} training frames were left out: {', or '.join(rules)}."


def _short(sha256: str) -> str:
    return sha256[:_HASH_LETTERS]
