"""`--exclusion-mm` and `--jitter`: numbers, a recording at rest, or some frames of one."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from USGanSimLib.commands.options import add_exclusion_options, chosen_exclusion
from USGanSimLib.errors import UserError
from USGanSimLib.geometry.transforms import TransformTrack
from USGanSimLib.recording.sequence_file import write_sweep
from USGanSimLib.recording.splits import Exclusion
from USGanSimLib.recording.sweep import TrackedSweep


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """300 frames: the probe moves, rests from frame 100 to 299, jittering by 0.3 mm and 0.2°, one frame invalid."""
    random = np.random.default_rng(0)
    poses = np.tile(np.eye(4), (300, 1, 1))
    poses[:, :3, :3] = Rotation.from_rotvec(np.deg2rad(random.normal(0, 0.2, (300, 3)))).as_matrix()
    poses[:, :3, 3] = random.normal(0, 0.3, (300, 3))
    poses[:100, 0, 3] += np.linspace(-80, 0, 100)
    valid = np.arange(300) != 150
    poses[150, :3, 3] = 1000
    path = tmp_path / "rest.igs.mha"
    write_sweep(
        path,
        TrackedSweep(
            np.zeros((300, 2, 2), np.uint8),
            np.arange(300) / 30.0,
            {"ProbeToReference": TransformTrack(poses, valid)},
            np.ones(300, bool),
        ),
    )
    return path


def chosen(*words: str) -> Exclusion | None:
    parser = argparse.ArgumentParser()
    add_exclusion_options(parser)
    return chosen_exclusion(parser.parse_args(words))


def test_nothing_asked_for_is_nothing() -> None:
    assert chosen() is None


def test_numbers_are_sds_in_mm_and_degrees() -> None:
    exclusion = chosen("--exclusion-mm", "2", "--jitter", "0.25,0.1")
    assert exclusion.rms_mm == 2
    np.testing.assert_allclose(np.sqrt(np.diag(exclusion.jitter)), [np.deg2rad(0.1)] * 3 + [0.25] * 3)


def test_the_jitter_of_the_frames_at_rest_is_measured_without_the_invalid_one(recording: Path) -> None:
    exclusion = chosen("--jitter", f"{recording}:100-299")
    sds = np.sqrt(np.diag(exclusion.jitter))
    np.testing.assert_allclose(sds[3:], 0.3, rtol=0.15)
    np.testing.assert_allclose(np.rad2deg(sds[:3]), 0.2, rtol=0.15)
    assert exclusion.rms_mm == 0


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("{}", "The probe moves in"),
        ("{}:50-60", "has 11 valid poses"),
        ("{}:200-300", "no frames 200 to 300"),
        ("0.1,0", "makes no sense"),
        ("1e,2", "'1e,2' is no jitter"),
        ("-1,2", "makes no sense"),
        ("1e308,1e308", "makes no sense"),
        ("1e-320,1e-320", "makes no sense"),
        ("none", "cannot be read"),
    ],
)
def test_what_gives_no_jitter_is_refused(recording: Path, words: str, reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        chosen(f"--jitter={words.format(recording)}")
