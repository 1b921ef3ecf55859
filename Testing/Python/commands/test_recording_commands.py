"""`recover`, `compress`, `import` and `export` as a person runs them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from USGanSimLib.cli import main
from USGanSimLib.geometry.transforms import TransformTrack
from USGanSimLib.recording.calibration_file import read_calibration
from USGanSimLib.recording.live_file import LiveFile
from USGanSimLib.recording.sequence_file import read_sweep, write_sweep
from USGanSimLib.recording.sweep import TrackedSweep


def answer(capsys, *words):
    """Exit code, the JSON result (or None), and what stands on standard error."""
    code = main([*map(str, words), "--json"])
    out, err = capsys.readouterr()
    return code, json.loads(out) if out else None, err


@pytest.fixture
def live(tmp_path):
    live = LiveFile(tmp_path / "x.igs.mhd", 64, 48)
    for number in range(9):
        live.append(
            np.full((48, 64), number, np.uint8),
            number / 30,
            {"ProbeToReference": (np.eye(4), number != 4)},
            True,
            {"ArrivalTimestamp": str(number)},
        )
    return live


def files(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("what", ["", "x.igs.recording", "x.igs.mhd"])
def test_recover_takes_a_folder_or_a_file(live, tmp_path, capsys, what):
    live.close()
    code, result, _ = answer(capsys, "recover", tmp_path / what)
    assert code == 0
    assert result == {"recovered": [{"file": str(tmp_path / "x.igs.mhd"), "frames": 9, "cut_bytes": 0}]}
    assert len(read_sweep(tmp_path / "x.igs.mhd")) == 9


def test_recover_prints_for_a_person(live, tmp_path, capsys):
    live.close()
    with (tmp_path / "x.igs.raw").open("ab") as pixels:
        pixels.write(b"1234567")
    assert main(["recover", str(tmp_path)]) == 0
    assert capsys.readouterr().out.endswith(
        "x.igs.mhd: 9 frames; an incomplete last one was cut off (7 bytes).\n"
    )


def test_recover_says_what_cannot_be_recovered(tmp_path, capsys, live):
    code, _, err = answer(capsys, "recover", tmp_path / "y.igs.mhd")
    assert code == 2
    assert "no y.igs.recording" in err
    code, _, err = answer(capsys, "recover", tmp_path)
    assert code == 2
    assert "x.igs.recording is still being recorded" in err
    assert len(err.strip().splitlines()) == 1


def test_compress_makes_one_file_that_reads_the_same(live, tmp_path, capsys):
    before = read_sweep(live.finish())
    code, result, _ = answer(capsys, "compress", tmp_path / "x.igs.mhd")
    assert code == 0
    assert files(tmp_path) == ["x.igs.mha", "x.igs.mhd", "x.igs.raw"]
    after = read_sweep(tmp_path / "x.igs.mha")
    assert np.array_equal(after.frames, before.frames)
    assert after.frame_fields == before.frame_fields
    assert result["frames"] == 9
    assert result["bytes"] == (tmp_path / "x.igs.mha").stat().st_size < result["bytes_before"] / 2
    assert result["removed"] == []


def test_compress_removes_the_original_only_when_asked_and_equal(live, tmp_path, capsys, monkeypatch):
    live.finish()
    from USGanSimLib.commands import compress

    real, other = compress.read_sweep, []

    def spoilt(path):
        sweep = real(path)
        other.append(sweep.transforms["ProbeToReference"].valid)
        other[0][2] = False
        return sweep

    monkeypatch.setattr(compress, "read_sweep", spoilt)
    code, _, err = answer(
        capsys, "compress", tmp_path / "x.igs.mhd", "--remove", "--out", tmp_path / "y.igs.mha"
    )
    assert code == 2
    assert "the original was kept" in err
    assert files(tmp_path) == ["x.igs.mhd", "x.igs.raw"]
    monkeypatch.undo()
    code, result, _ = answer(capsys, "compress", tmp_path / "x.igs.mhd", "--remove")
    assert (code, len(result["removed"])) == (0, 2)
    assert files(tmp_path) == ["x.igs.mha"]


def test_compress_overwrites_nothing(live, tmp_path, capsys):
    live.finish()
    answer(capsys, "compress", tmp_path / "x.igs.mhd")
    for words in (["x.igs.mha"], ["x.igs.mhd"]):
        code, _, err = answer(capsys, "compress", tmp_path / words[0])
        assert code == 2
        assert "x.igs.mha exists already" in err
    code, _, err = answer(capsys, "compress", tmp_path / "x.igs.mhd", "--out", tmp_path / "x.zip")
    assert code == 2
    assert "x.zip is not the name of a recording" in err


def test_import_writes_recording_and_calibration(tmp_path, capsys):
    h5py = pytest.importorskip("h5py", reason="h5py is not installed")
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file["frames"] = np.zeros((5, 6, 8), np.uint8)
        file["tforms"] = np.tile(np.eye(4), (5, 1, 1))
    rows = ["0.25,0,0,0", "0,0.2,0,0", "0,0,1,0", "0,0,0,1", "1,0,0,5", "0,1,0,0", "0,0,1,0", "0,0,0,1"]
    (tmp_path / "calib_matrix.csv").write_text(
        "\n".join(["pixel_to_mm", *rows[:4], "image_to_tool", *rows[4:]])
    )
    out = tmp_path / "scan.igs.mha"
    code, result, _ = answer(
        capsys,
        "import",
        tmp_path / "scan.h5",
        "--out",
        out,
        "--calibration",
        tmp_path / "calib_matrix.csv",
        "--rate",
        10,
    )
    assert (code, result["frames"], result["rate_hz"]) == (0, 5, 10)
    assert read_sweep(out).timestamps_s.tolist() == [0, 0.1, 0.2, 0.3, 0.4]
    calibration = read_calibration(tmp_path / "scan.calibration.json")
    assert calibration.image_size_px == (8, 6)
    np.testing.assert_allclose(calibration.image_to_probe @ (0, 0, 0, 1), (5.25, 0.2, 0, 1))
    code, _, err = answer(capsys, "import", tmp_path / "none.h5", "--out", tmp_path / "y.igs.mha")
    assert code == 2
    assert "no such file" in err


def test_images_and_their_table_go_out_and_come_back_as_the_same_recording(tmp_path, capsys):
    frames = np.random.default_rng(0).integers(0, 256, (5, 6, 8), np.uint8)
    poses = np.tile(np.eye(4), (5, 1, 1))
    poses[:, 0, 3] = np.arange(5) / 7
    sweep = TrackedSweep(
        frames,
        np.arange(5) / 10,
        {"ProbeToReference": TransformTrack(poses, np.arange(5) != 2)},
        np.ones(5, bool),
    )
    write_sweep(tmp_path / "a.igs.mha", sweep)
    code, result, _ = answer(capsys, "export", tmp_path / "a.igs.mha", "--out", tmp_path / "images")
    assert (code, result["images"], result["heldout"]) == (0, 5, None)
    table = tmp_path / "images" / "poses.csv"
    words = ["--poses", table, "--transform", "ProbeToReference", "--out", tmp_path / "b.igs.mha"]
    code, result, _ = answer(capsys, "import", tmp_path / "images", *words)
    assert (code, result["frames"], result["with_pose"], result["matched_by"]) == (0, 5, 4, "name")
    again = read_sweep(tmp_path / "b.igs.mha")
    assert np.array_equal(again.frames, frames)
    assert np.array_equal(again.transforms["ProbeToReference"].matrices[[0, 1, 3, 4]], poses[[0, 1, 3, 4]])

    code, _, err = answer(capsys, "import", tmp_path / "images", *words)
    assert code == 2
    assert "exists already" in err
    assert answer(capsys, "import", tmp_path / "images", *words, "--force")[0] == 0
    code, _, err = answer(capsys, "export", tmp_path / "a.igs.mha", "--out", tmp_path, "--force")
    assert code == 2
    assert "holds other files" in err
    code, _, err = answer(
        capsys, "export", tmp_path / "a.igs.mha", "--transform", "ProbeToMars", "--out", tmp_path / "c"
    )
    assert code == 2
    assert "no coordinate frame 'Mars'" in err
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--transform", "ProbeToReference"], "Images need a table of poses"),
        (["--poses", "p.csv"], "what these are cannot be told"),
        (["--poses", "p.csv", "--transform", "Sideways"], "does not name a transform"),
    ],
)
def test_import_asks_for_what_it_cannot_tell(tmp_path, capsys, monkeypatch, words, said):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(np.zeros((6, 8), np.uint8)).save("a.png")
    Path("p.csv").write_text("tx_mm,ty_mm,tz_mm,qx,qy,qz,qw\n1,2,3,0,0,0,1\n")
    code, _, err = answer(capsys, "import", ".", *words, "--out", "x.igs.mha")
    assert code == 2
    assert said in err
    assert not Path("x.igs.mha").exists()
