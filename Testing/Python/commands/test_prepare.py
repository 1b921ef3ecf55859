"""`usgansim prepare` as a person or a script calls it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from USGanSimLib.cli import main
from USGanSimLib.geometry.transforms import TransformTrack
from USGanSimLib.recording.dataset import open_dataset
from USGanSimLib.recording.sequence_file import read_sweep, write_sweep
from USGanSimLib.recording.session import create_session
from USGanSimLib.recording.sweep import TrackedSweep

FRAMES, RATE_HZ, SPEED_MM_S = 30, 10, 25.0


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    """A recording of speckle under a probe that moves along x, and its calibration, as the words of a command."""
    frames = np.zeros((FRAMES, 60, 80), np.uint8)
    frames[:, 10:50, 20:70] = np.random.default_rng(2).integers(0, 256, (FRAMES, 40, 50))
    times_s = np.arange(FRAMES) / RATE_HZ
    poses = np.tile(np.eye(4), (FRAMES, 1, 1))
    poses[:, 0, 3] = SPEED_MM_S * times_s
    image_valid = np.arange(FRAMES) != 4
    track = TransformTrack(poses, np.ones(FRAMES, bool))
    write_sweep(tmp_path / "a.igs.mha", TrackedSweep(frames, times_s, {"ProbeToTable": track}, image_valid))
    (tmp_path / "CAL.json").write_text(
        json.dumps({"image_to_probe": np.diag([0.5, 0.5, 0.5, 1]).tolist(), "image_size_px": [80, 60]})
    )
    return [
        "prepare",
        str(tmp_path / "a.igs.mha"),
        "--calibration",
        str(tmp_path / "CAL.json"),
        "--out",
        str(tmp_path / "set"),
        "--size",
        "40x30",
        "--reference-frame",
        "Table",
    ]


def test_the_result_is_json_on_standard_output(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        main(
            [*words, "--crop", "20,10,50,40", "--lag-s", "0.1", "--holdout", "0.5", "--blocks", "1", "--json"]
        )
        == 0
    )
    result = json.loads(capsys.readouterr().out)
    assert (result["frames_in"], result["frames_out"], result["train"], result["heldout"]) == (30, 28, 14, 14)
    assert result["excluded"] == {
        "image_invalid": 1,
        "pose_invalid": 0,
        "outside_recording": 1,
        "pose_gap": 0,
    }
    assert (result["size"], result["crop"], result["lag_s"]) == ([40, 30], [20, 10, 50, 40], 0.1)
    assert result["mm_per_px"] == pytest.approx([0.5 * 50 / 40, 0.5 * 40 / 30])
    dataset = open_dataset(Path(result["out"]))
    assert result["sha256"] == dataset.sha256
    assert dataset.reference_frame == "Table"
    # The first column of pixels is centred 20 + 0.125 source pixels from the edge's pixel, half a millimetre each.
    np.testing.assert_allclose(
        dataset.poses[:, 0, 3], SPEED_MM_S * (dataset.timestamps_s + 0.1) + 0.5 * 20.125
    )


def test_a_session_is_prepared_with_its_own_calibration(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session = create_session(tmp_path / "today")
    for name in ("kept", "left-out"):
        session = session.begin(name)
        write_sweep(session.path(name), read_sweep(tmp_path / "a.igs.mha"), compress=False)
        session = session.finish(name, FRAMES)
    session = session.discard("left-out").with_calibration(tmp_path / "CAL.json")
    (tmp_path / "CAL.json").unlink()
    assert main(["prepare", str(session.folder), *words[4:], "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["frames_in"] == FRAMES
    assert main([*words[:2], *words[4:]]) == 2
    assert "There are 0 calibrations" in capsys.readouterr().err


def test_a_lag_is_read_from_a_lag_file(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "LAG.json").write_text('{"lag_s": -0.03, "ci_s": [-0.04, -0.02], "method": "x"}')
    assert main([*words, "--lag-s", str(tmp_path / "LAG.json"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["lag_s"] == -0.03


def test_a_negative_lag_can_be_written_as_a_number(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "--lag-s", "-0.03", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["lag_s"] == -0.03


def test_a_person_reads_counts_crop_and_place(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "--crop", "tight"]) == 0
    said = capsys.readouterr().out
    assert "29 of 30 frames used: 23 to train on, 6 held out" in said
    assert "left out: 1, where the image is invalid" in said
    assert "ultrasound found: 50×40 at (20, 10)" in said
    assert str(tmp_path / "set") in said


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--crop", "1,2,3"], "'1,2,3' is no crop"),
        (["--crop", "1,2,0,5"], "has no area"),
        (["--crop", "60,0,30,30"], "leaves the image of 80×60"),
        (["--size", "big"], "'big' is no size like 160x120"),
        (["--size", "4x4"], "4×4 px is too small"),
        (["--lag-s", "soon"], "'soon' is neither a number nor a file"),
        (["--lag-s", "nan"], "The lag is nan s"),
        (["--lag-s", "100"], "None of 30 frames can be used"),
        (["--holdout", "1"], "--holdout: 1 is out"),
        (["--blocks", "0"], "--blocks: 0 is out"),
        (["--split", "sweeps"], "one sweep"),
        (["--probe-frame", "Stylus"], "no transform StylusTo|no coordinate frame 'Stylus'"),
        (["--reference-frame", "Reference"], "no coordinate frame 'Reference'"),
        (["--calibration", "missing.json"], "missing.json cannot be read"),
    ],
)
def test_bad_input_is_one_clear_line_and_leaves_nothing(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], message: str
) -> None:
    assert main([*words, *more]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert any(part in captured.err for part in message.split("|"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["CAL.json", "a.igs.mha"]


@pytest.mark.parametrize("content", ["{}", "[1]", "0.02, 0.03", '{"lag_s": "soon"}', '{"lag_s": null}'])
def test_a_file_without_a_lag_is_refused(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    (tmp_path / "LAG.json").write_text(content)
    assert main([*words, "--lag-s", str(tmp_path / "LAG.json")]) == 2
    assert "no LAG.json" in capsys.readouterr().err


def test_a_missing_recording_is_named(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words[:1], str(tmp_path / "b.igs.mha"), *words[2:]]) == 2
    assert "b.igs.mha" in capsys.readouterr().err
