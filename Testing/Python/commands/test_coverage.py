"""`coverage`: volumes of sweeps whose extent is known, and landmarks that were and were not passed."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from USGanSimLib.cli import main
from USGanSimLib.geometry.transforms import TransformTrack
from USGanSimLib.recording.sequence_file import write_sweep
from USGanSimLib.recording.sweep import TrackedSweep

COUNT = 41


@pytest.fixture
def swept(tmp_path):
    """Images of 40×30 mm (1 mm a pixel) moved by 40 mm across their plane; two landmarks, one of them far away."""
    poses = np.tile(np.eye(4), (COUNT, 1, 1))
    poses[:, 2, 3] = np.arange(COUNT)
    write_sweep(
        tmp_path / "sweep.igs.mha",
        TrackedSweep(
            np.full((COUNT, 31, 41), 9, np.uint8),
            np.arange(COUNT) / 10,
            {"ProbeToReference": TransformTrack(poses, np.ones(COUNT, bool))},
            np.ones(COUNT, bool),
        ),
    )
    (tmp_path / "CAL.json").write_text(json.dumps({"image_to_probe": np.eye(4).tolist()}))
    (tmp_path / "l.landmarks.json").write_text(
        json.dumps(
            {"frame": "Reference", "unit": "mm", "landmarks": {"near": [20, 15, 20], "far": [200, 15, 20]}}
        )
    )
    return tmp_path


def words(folder, *more: str) -> list[str]:
    return ["coverage", str(folder / "sweep.igs.mha"), "--out", str(folder / "seen.png"), *more]


def test_volume_and_thin_landmarks_are_told(swept, capsys):
    assert (
        main(
            words(
                swept,
                "--calibration",
                str(swept / "CAL.json"),
                "--landmarks",
                str(swept / "l.landmarks.json"),
                "--json",
            )
        )
        == 0
    )
    result = json.loads(capsys.readouterr().out)
    assert result["poses"] == COUNT
    # From 0 to 40, 30 and 40 mm the images reach 9, 7 and 9 voxels of 5 mm.
    assert result["swept_ml"] == pytest.approx(9 * 7 * 9 * 0.125)
    near, far = result["landmarks"]
    assert near["frames"] > 0
    assert near["angle_deg"] == 0
    assert far["frames"] == 0
    assert far["advice"].startswith("seen in 0 frames; pass over it again")
    assert Image.open(swept / "seen.png").size[0] > 1000


def test_a_person_reads_which_landmarks_are_thin(swept, capsys):
    assert (
        main(
            words(
                swept,
                "--calibration",
                str(swept / "CAL.json"),
                "--landmarks",
                str(swept / "l.landmarks.json"),
            )
        )
        == 0
    )
    out = capsys.readouterr().out
    assert "  far: seen in 0 frames; pass over it again" in out
    assert "0 of 2 landmarks were seen enough" in out


def test_without_a_calibration_or_a_pose_nothing_is_drawn(swept, capsys):
    assert main(words(swept)) == 2
    assert "calibration" in capsys.readouterr().err
    assert main(words(swept, "--calibration", str(swept / "CAL.json"), "--reference-frame", "Table")) == 2
    assert "Table" in capsys.readouterr().err
    assert not (swept / "seen.png").exists()
