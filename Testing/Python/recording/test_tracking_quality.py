"""Faults planted in a smooth tracked motion are found where they are, and the motion itself is left alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from USGanSimLib.geometry.transforms import TransformTrack
from USGanSimLib.recording.sequence_file import read_sweep
from USGanSimLib.recording.tracking_quality import TrackingQuality, tracking_quality
from USGanSimLib.recording.usable import held_on_purpose

COUNT, RATE_HZ = 400, 20.0
TIMES_S = np.arange(COUNT) / RATE_HZ
NOT_HELD = np.zeros(COUNT, bool)


def a_motion(jitter_mm: float = 0.1, jitter_deg: float = 0.05, still: slice = slice(100, 160)) -> np.ndarray:
    """A hand's sweep of 120 mm and 40°, at rest in `still`, measured with jitter along every axis."""
    random = np.random.default_rng(0)
    progress = np.cumsum(np.where(np.isin(np.arange(COUNT), np.arange(COUNT)[still]), 0, 1)) / COUNT
    matrices = np.tile(np.eye(4), (COUNT, 1, 1))
    turns = np.outer(progress, [30, 20, 10]) + random.normal(0, jitter_deg, (COUNT, 3))
    matrices[:, :3, :3] = Rotation.from_rotvec(turns, degrees=True).as_matrix()
    matrices[:, :3, 3] = np.outer(progress, [100, 60, 20]) + random.normal(0, jitter_mm, (COUNT, 3))
    return matrices


def quality(matrices=None, times_s=TIMES_S, valid=None, held=NOT_HELD) -> TrackingQuality:
    track = TransformTrack(
        a_motion() if matrices is None else matrices, np.ones(COUNT, bool) if valid is None else valid
    )
    return tracking_quality("ProbeToReference", track, times_s, held)


def test_a_hands_sweep_has_nothing_odd_and_its_jitter_is_found() -> None:
    found = quality()
    assert found.sentences() == []
    assert found.rate_hz == pytest.approx(RATE_HZ)
    # Along three axes; of the stillest of some fifty stretches of ten poses, so rather less.
    assert 0.6 * 0.1 * 3**0.5 < found.jitter_mm < 1.1 * 0.1 * 3**0.5
    assert 0.5 * 0.05 * 3**0.5 < found.jitter_deg < 1.5 * 0.05 * 3**0.5
    assert found.words.startswith("100.0% valid; jitter at rest 0.1")


def test_a_probe_that_never_rests_has_no_jitter() -> None:
    found = quality(a_motion(still=slice(0, 0)) * 1.0, times_s=TIMES_S / 4)
    faster = a_motion(still=slice(0, 0))
    faster[:, :3, 3] *= 5
    assert np.isnan(quality(faster).jitter_mm)
    assert found.rate_hz == pytest.approx(4 * RATE_HZ)


def test_poses_that_repeat_to_the_last_bit_are_found_where_they_are() -> None:
    matrices = a_motion()
    matrices[201:216] = matrices[200]
    matrices[301:304] = matrices[300]  # Three may be a camera that is faster than the tracker.
    found = quality(matrices)
    assert np.flatnonzero(found.frozen).tolist() == list(range(201, 216))
    (said,) = found.sentences()
    assert said.startswith(
        "15 of 400 poses of ProbeToReference repeat the one before to the last bit (first: frame 201)"
    )


def test_poses_that_are_held_on_purpose_and_recordings_at_rest_may_repeat() -> None:
    matrices = a_motion()
    matrices[201:216] = matrices[200]
    held = np.zeros(COUNT, bool)
    held[200:216] = True
    assert quality(matrices, held=held).sentences() == []
    assert quality(np.tile(np.eye(4), (COUNT, 1, 1))).sentences() == []


def test_a_jump_is_found_when_it_comes_and_when_it_goes() -> None:
    matrices = a_motion()
    matrices[250, 0, 3] += 200  # 4 m/s at 20 Hz.
    assert np.flatnonzero(quality(matrices).jumped).tolist() == [250, 251]
    turned = a_motion()
    turned[250, :3, :3] = turned[250, :3, :3] @ Rotation.from_rotvec([0, 90, 0], degrees=True).as_matrix()
    assert np.flatnonzero(quality(turned).jumped).tolist() == [250, 251]


def test_gaps_are_steps_far_longer_than_the_usual_one() -> None:
    times_s = TIMES_S.copy()
    times_s[300:] += 1.5
    times_s[310:] += 0.1
    found = quality(times_s=times_s)
    assert np.flatnonzero(found.gap_s).tolist() == [300]
    assert found.sentences() == ["1 gaps in time, the longest of 1.55 s."]


def test_moments_without_a_pose_are_told_as_share_and_longest_run() -> None:
    valid = np.ones(COUNT, bool)
    valid[50:60] = valid[70:100] = False
    found = quality(valid=valid)
    figures = found.as_dict()
    assert figures["valid_share"] == pytest.approx(0.9)
    assert figures["longest_without_s"] == pytest.approx(1.5)
    # What lies on both sides of a hole is no jump.
    assert found.sentences() == []


def test_lengths_in_metres_are_suspected_and_a_place_that_no_tracker_sees_too() -> None:
    metres = a_motion()
    metres[:, :3, 3] /= 1000
    assert "lengths may be in another unit" in quality(metres).sentences()[0]
    far = a_motion()
    far[:, :3, 3] *= 100
    assert any("further than a tracker sees" in said for said in quality(far).sentences())


def test_one_moment_alone_is_nothing_odd() -> None:
    track = TransformTrack(np.eye(4)[None], np.ones(1, bool))
    found = tracking_quality("ProbeToReference", track, np.zeros(1), np.zeros(1, bool))
    assert found.sentences() == []
    assert np.isnan(found.rate_hz)


def test_the_two_gaps_of_a_real_sweep_are_found_where_frames_were_left_out(more_data: Path) -> None:
    sweep = read_sweep(more_data / "liver_sweep.igs.mha")
    found = tracking_quality(
        "ProbeToReference", sweep.probe_to_reference(), sweep.timestamps_s, held_on_purpose(sweep)
    )
    # Twelve of its frames, some 34 ms apart, are missing in either.
    assert found.gap_s[found.gap_s > 0] == pytest.approx([13 * 0.034] * 2, rel=0.4)
    assert (found.frozen.sum(), found.jumped.sum(), found.valid.all()) == (0, 0, True)
