"""What a report says it was measured on."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from USGanSimLib.evaluation.measures.points import truth_of_dataset
from USGanSimLib.evaluation.study.facts import about_dataset, about_model, about_truth, in_words
from USGanSimLib.geometry.pose_distance import PoseRange
from USGanSimLib.model.info import ModelInfo
from USGanSimLib.recording.dataset import resplit
from USGanSimLib.recording.splits import Exclusion


def an_info(dataset, poses: np.ndarray) -> ModelInfo:
    return ModelInfo(
        recipe="paper",
        network={},
        geometry=dataset.geometry,
        source_size_px=dataset.source_size_px,
        crop=dataset.crop,
        reference_frame="Reference",
        normalisation=dataset.normalisation,
        pose_range=PoseRange.of_training_poses(poses, 80, 60),
        training_set_sha256=dataset.sha256,
        seed=3,
        iterations=50,
        software_version="0",
    )


def test_the_set_is_described_by_its_own_numbers(dotted_set) -> None:
    dataset, points = dotted_set
    facts = about_dataset(dataset)
    assert (facts["training_frames"], facts["heldout_frames"]) == (16, 8)
    assert facts["heldout_to_training_rms_mm"] == pytest.approx({"min": 0.5, "median": 1.25, "max": 2.0})
    assert facts["dataset_sha256"] == dataset.sha256
    only_some = {k: places for k, places in points.items() if k != 10}
    assert about_truth(dataset, truth_of_dataset(dataset, [only_some])) == {
        "heldout_frames": 7,
        "heldout_points": 21,
        "cut_off_by_crop": 0,
    }


def test_a_model_of_this_set_gives_no_warning(dotted_set) -> None:
    dataset = dotted_set.dataset
    facts = about_model(Path("m"), an_info(dataset, dataset.poses[dataset.train_indices]), dataset)
    assert facts["warnings"] == []
    assert facts["poses_outside_range"] == 0


def test_a_model_that_knows_these_recordings_by_another_split_is_warned_of_with_both_hashes(
    dotted_set,
) -> None:
    dataset = dotted_set.dataset
    info = dataclasses.replace(an_info(dataset, dataset.poses), training_set_sha256="f" * 64)
    (warning,) = about_model(Path("m"), info, dataset)["warnings"]
    assert "24 of the 24 training poses" in warning
    assert "f" * 16 in warning
    assert dataset.sha256[:16] in warning


def test_a_model_of_other_recordings_is_said_to_be_one_and_gives_no_warning(dotted_set) -> None:
    dataset = dotted_set.dataset
    beside = dataset.poses.copy()
    beside[:, 2, 3] += 0.3
    info = dataclasses.replace(an_info(dataset, beside), training_set_sha256="f" * 64)
    model = {"name": "m", "samples": 1, "sample_seed": 0, **about_model(Path("m"), info, dataset)}
    assert (model["warnings"], model["trained_here"]) == ([], False)
    words = in_words({**about_dataset(dataset), "points": None, "models": [model]})
    assert "trained on other recordings: none of the 24 training poses" in words["m"]


def test_a_model_of_the_same_split_with_another_exclusion_is_named_as_such(dotted_set) -> None:
    dataset = dotted_set.dataset
    info = dataclasses.replace(
        an_info(dataset, dataset.poses),
        exclusion_mm=1.0,
        split_sha256=dataset.split_sha256,
        training_set_sha256="f" * 64,
    )
    (warning,) = about_model(Path("m"), info, dataset)["warnings"]
    assert "same split with an exclusion of 1 mm, the baselines here with 0 mm" in warning


def test_excluded_frames_are_told_in_numbers_and_words(dotted_set) -> None:
    dataset = resplit(dotted_set.dataset, exclusion=Exclusion(1.1))
    facts = about_dataset(dataset)
    # Frames 0.5 and 1 mm before and after the held-out block.
    assert (facts["exclusion_mm"], facts["excluded_frames"], facts["training_frames"]) == (1.1, 4, 12)
    assert facts["heldout_to_training_rms_mm"]["min"] == pytest.approx(1.5)
    words = in_words({**facts, "points": None, "models": []})
    assert "4 training frames were left out: within 1.1 mm of one." in " ".join(words.values())


def test_poses_outside_the_trained_range_are_counted(dotted_set) -> None:
    dataset = dotted_set.dataset
    # Trained at 0 mm alone, with a margin of 5 mm: the held-out frames lie at 4, 4.5 … 7.5 mm.
    facts = about_model(Path("m"), an_info(dataset, dataset.poses[:1]), dataset)
    assert facts["poses_outside_range"] == 5
    assert "5 of 8 held-out poses" in facts["warnings"][0]


def test_the_words_have_the_numbers(dotted_set) -> None:
    dataset, points = dotted_set
    model = {
        "name": "paper (run/model)",
        "samples": 4,
        "sample_seed": 9,
        **about_model(Path("m"), an_info(dataset, dataset.poses), dataset),
    }
    words = in_words(
        {
            **about_dataset(dataset),
            "points": about_truth(dataset, truth_of_dataset(dataset, [points])),
            "models": [model],
        }
    )
    assert words["Frames"] == "8 held out (split by blocks), 16 to train on"
    assert words["Images"] == "80×60 px of 0.400×0.500 mm"
    assert words["True points"].startswith("24 in 8 held-out frames")
    assert "4 images a pose (noise seed 9); 50 iterations, training seed 3" in words["paper (run/model)"]
    assert "Not for clinical use" in words["paper (run/model)"]
