"""`phantom`: what it writes and says, and what it refuses."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from USGanSimLib import cli
from USGanSimLib.commands import phantom as command
from USGanSimLib.phantom.body import fetal_body
from USGanSimLib.recording.sequence_file import read_sweep


@pytest.fixture(autouse=True)
def a_coarse_body(monkeypatch):
    """The real anatomy on a coarse grid, for speed."""
    monkeypatch.setattr(command, "fetal_body", lambda subject: fetal_body(subject, 2.0))


@pytest.fixture
def phantom(tmp_path, capsys):
    """Runs `phantom --json` into tmp_path; returns exit code, result and standard error."""

    def run(*words, out="p.igs.mha"):
        code = cli.main(["phantom", "--out", str(tmp_path / out), "--json", *map(str, words)])
        said = capsys.readouterr()
        return code, json.loads(said.out) if code == 0 else None, said.err

    return run


def test_it_writes_a_tracked_recording_with_its_truth_beside_it(phantom, tmp_path):
    code, result, _ = phantom("--frames", 8, "--size", "80x60")
    assert code == 0
    sweep = read_sweep(tmp_path / "p.igs.mha")
    assert (len(sweep.frames), sweep.width_px, sweep.height_px) == (8, 80, 60)
    assert result["frames"] == 8
    assert result["frames_per_s"] > 0
    assert sweep.frame_fields["Sweep"][::2] == ("neurological", "cardiac", "abdominal", "profile")
    assert (np.diff(sweep.timestamps_s) > 0).all()
    assert set(sweep.transforms) == {"ProbeToTracker", "ReferenceToTracker"}
    assert len(json.loads((tmp_path / "p.landmarks.json").read_text())["landmarks"]) == 6
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "p.calibration.json",
        "p.igs.mha",
        "p.landmarks.json",
        "p.landmarks.mrk.json",
        "p.phantom.json",
    ]


def test_a_session_is_a_recording_a_sweep_that_prepare_takes(phantom, tmp_path, capsys):
    code, result, _ = phantom("--frames", 40, "--session", out="s")
    assert code == 0
    assert [path.rsplit("_", 1)[1] for path in result["recordings"]] == [
        "neurological.igs.mha",
        "cardiac.igs.mha",
        "abdominal.igs.mha",
        "profile.igs.mha",
    ]
    assert (
        cli.main(
            [
                "prepare",
                *result["recordings"],
                "--calibration",
                result["calibration"],
                "--out",
                str(tmp_path / "set"),
                "--split",
                "sweeps",
                "--json",
            ]
        )
        == 0
    )
    assert json.loads(capsys.readouterr().out)["frames_out"] >= 36


def test_the_folder_of_a_session_stands_for_its_sweeps_and_calibration(phantom, tmp_path, capsys):
    phantom("--frames", 40, "--session", out="s")
    assert cli.main(["prepare", str(tmp_path / "s"), "--out", str(tmp_path / "set"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["frames_in"] == 40


def test_a_target_comes_with_its_true_pixels(phantom):
    code, result, _ = phantom("--frames", 30, "--target", "wires", "--probe", "linear", "--size", "120x90")
    assert code == 0
    rows = list(csv.DictReader(Path(result["points"]).read_text().splitlines()))
    assert len(rows) == result["n_points"] > 100
    assert all(0 <= float(row["u_px"]) <= 119 and 0 <= float(row["v_px"]) <= 89 for row in rows)
    assert len({row["name"] for row in rows}) == 9


def test_settings_can_be_changed_number_by_number(phantom, tmp_path):
    code, _, _ = phantom(
        "--frames",
        8,
        "--setting",
        "hard",
        "--display",
        "contrast",
        "--lag-s",
        -0.05,
        "--set",
        "pressure_mm=5",
        "--set",
        "calibration_error_mm=0",
    )
    assert code == 0
    numbers = json.loads((tmp_path / "p.phantom.json").read_text())["setting"]
    assert (numbers["pressure_mm"], numbers["calibration_error_mm"], numbers["lag_s"]) == (
        5,
        0,
        -0.05,
    )
    assert (numbers["tone"], numbers["motion_mm"]) == (3.0, 1.2)


def test_repeats_hold_each_pose(phantom, tmp_path):
    code, result, _ = phantom("--frames", 2, "--repeats", 3, "--sweep", "cardiac")
    assert code == 0
    assert result["frames"] == 6
    assert read_sweep(tmp_path / "p.igs.mha").frame_fields["Repeat"] == tuple("012012")


def test_volumes_are_written_when_asked_for(phantom):
    code, result, _ = phantom("--frames", 8, "--volumes")
    assert code == 0
    assert [path.split(".", 1)[1] for path in result["volumes"]] == ["labels.nrrd", "ct.nrrd"]


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--frames", 3], "3 frames"),
        (["--size", "big"], "big"),
        (["--size", "0x0"], "--size: 0x0 is out"),
        (["--set", "pressure_mm"], "pressure_mm"),
        (["--set", "colour=3"], "colour"),
        (["--lag-s", "9"], "--lag-s: 9 is out"),
        (["--repeats", 0], "--repeats"),
        (["--subject", -1], "--subject"),
        (["--target", "wires", "--session"], "--session"),
    ],
)
def test_bad_words_are_refused_in_one_line_and_write_nothing(phantom, tmp_path, words, named):
    code, _, said = phantom(*words)
    assert code == 2
    assert named in said
    assert said.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_name_that_is_no_recording_is_refused(phantom, tmp_path):
    code, _, said = phantom("--frames", 8, out="p.png")
    assert code == 2
    assert "p.png" in said
    assert not list(tmp_path.iterdir())
