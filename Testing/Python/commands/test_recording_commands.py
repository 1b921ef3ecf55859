"""`recover`, `compress` and `import` as a person runs them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from USGanSimLib.cli import main
from USGanSimLib.recording.calibration_file import read_calibration
from USGanSimLib.recording.live_file import LiveFile
from USGanSimLib.recording.sequence_file import read_sweep


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
