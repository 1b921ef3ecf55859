"""Whether a model has seen these recordings: its training poses lie on their path or do not."""

from __future__ import annotations

import dataclasses

import numpy as np

from USGanSimLib.evaluation.study.seen_before import poses_of_these_recordings
from USGanSimLib.geometry.image_geometry import Crop, ImageGeometry
from USGanSimLib.geometry.pose_distance import PoseRange
from USGanSimLib.model.info import ModelInfo


def trained_at(dataset, poses, geometry=None) -> ModelInfo:
    geometry = geometry or dataset.geometry
    return ModelInfo(
        recipe="paper",
        network={},
        geometry=geometry,
        source_size_px=dataset.source_size_px,
        crop=Crop(0, 0, 80, 60),
        reference_frame="Reference",
        normalisation=dataset.normalisation,
        pose_range=PoseRange(geometry.width_px, geometry.height_px, poses, 1.0),
        training_set_sha256="f" * 64,
        seed=3,
        iterations=50,
        software_version="0",
    )


def moved(poses, x_mm: float = 0.0, z_mm: float = 0.0):
    result = poses.copy()
    result[:, :3, 3] += [x_mm, 0, z_mm]
    return result


def test_poses_of_the_recording_are_known_and_those_a_little_beside_it_are_not(dotted_set) -> None:
    dataset = dotted_set.dataset
    mixed = np.concatenate([dataset.poses[[2, 7]], moved(dataset.poses[[2, 7, 9]], z_mm=0.05)])
    assert poses_of_these_recordings(trained_at(dataset, mixed), dataset) == 2


def test_poses_at_another_lag_are_known(dotted_set) -> None:
    """The dotted set moves 0.5 mm a frame along x: a third of a frame later the probe is 0.167 mm further on."""
    dataset = dotted_set.dataset
    assert (
        poses_of_these_recordings(trained_at(dataset, moved(dataset.poses[:20], x_mm=0.5 / 3)), dataset) == 20
    )


def test_between_two_sweeps_there_is_no_path(dotted_set) -> None:
    dataset = dotted_set.dataset
    between = moved(dataset.poses[11:12], x_mm=0.25)
    split = dataclasses.replace(dataset, sweep_part=(np.arange(24) > 11).astype(np.int32))
    assert poses_of_these_recordings(trained_at(dataset, between), dataset) == 1
    assert poses_of_these_recordings(trained_at(dataset, between), split) == 0


def test_a_model_of_another_crop_and_calibration_is_recognised(dotted_set) -> None:
    dataset = dotted_set.dataset
    other = ImageGeometry(
        40, 30, np.array([[0.7, 0.1, 0, 3], [-0.1, 0.9, 0, -8], [0, 0, 1, 2], [0, 0, 0, 1.0]])
    )
    probe_to_reference = dataset.poses @ np.linalg.inv(dataset.geometry.image_to_probe)
    info = trained_at(dataset, probe_to_reference[::3] @ other.image_to_probe, other)
    assert poses_of_these_recordings(info, dataset) == 8
