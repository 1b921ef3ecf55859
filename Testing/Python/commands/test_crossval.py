"""`crossval` as it is called: baselines over folds, a model a fold, going on where it ended."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from USGanSimLib import cli
from USGanSimLib.geometry.image_geometry import ImageGeometry
from USGanSimLib.recording.dataset import Dataset, write_dataset

WIDTH_PX, HEIGHT_PX, COUNT = 80, 60, 18


@pytest.fixture
def moving_bar(tmp_path: Path) -> Dataset:
    """A bar that moves 1 mm, a pixel, from frame to frame."""
    images = np.zeros((COUNT, HEIGHT_PX, WIDTH_PX), np.uint8)
    poses = np.tile(np.eye(4), (COUNT, 1, 1))
    for frame in range(COUNT):
        images[frame, 4:20, 6 + frame] = 200
        poses[frame, 0, 3] = -frame
    return write_dataset(tmp_path / "set", images, poses, ImageGeometry(WIDTH_PX, HEIGHT_PX, np.eye(4)))


def test_the_baselines_are_measured_in_every_fold(moving_bar, tmp_path, capsys) -> None:
    out = tmp_path / "folds"
    assert (
        cli.main(
            [
                "crossval",
                str(moving_bar.folder),
                "--folds",
                "3",
                "--exclusion-mm",
                "1.5",
                "--out",
                str(out),
                "--json",
            ]
        )
        == 0
    )
    printed, written = json.loads(capsys.readouterr().out), json.loads((out / "report.json").read_text())
    assert {**written, "report": str(out / "report.html")} == printed
    assert (written["kind"], written["split"], written["exclusion_mm"]) == ("cross-validation", "blocks", 1.5)
    assert [(fold["heldout_frames"], fold["excluded_frames"]) for fold in written["folds"]] == [
        (6, 1),
        (6, 2),
        (6, 1),
    ]
    rows = {row["name"]: row for row in written["rows"]}
    assert (rows["real image"]["frames"], rows["real image"]["mae_grey"]) == (COUNT, 0)
    # Wherever the nearest bar stands, it is not on the real one: 2 · 16 pixels of 200.
    assert rows["nearest training frame"]["mae_grey"] == pytest.approx(200 * 32 / (WIDTH_PX * HEIGHT_PX))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folds", "set"]


@pytest.mark.slow
def test_a_recipe_is_trained_once_a_fold_and_a_second_call_trains_nothing(moving_bar, tmp_path) -> None:
    pytest.importorskip("torch")
    words = [
        "crossval",
        str(moving_bar.folder),
        "--folds",
        "2",
        "--out",
        str(tmp_path / "folds"),
        "--recipe",
        "regression",
        "--iterations",
        "2",
        "--batch",
        "4",
        "--generator-channels",
        "32",
        "--device",
        "cpu",
    ]
    assert cli.main(words) == 0
    rows = json.loads((tmp_path / "folds" / "report.json").read_text())["rows"]
    assert rows[-1]["name"] == "regression"
    assert rows[-1]["frames"] == COUNT
    models = sorted((tmp_path / "folds-runs").glob("fold_*/metrics.csv"))
    before = [path.read_text() for path in models]
    assert [text.count("\n") for text in before] == [3, 3], "a header and two iterations"
    assert cli.main(words) == 0
    assert [path.read_text() for path in models] == before


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--folds", "1"], "--folds: 1 is out of range"),
        (["--split", "sweeps"], "There is one sweep"),
        (["--exclusion-mm", "-1"], "--exclusion-mm: -1 is out of range"),
        (["--exclusion-mm", "90"], "No training frame is left"),
        (["--minutes", "3"], "--minutes is for training"),
        (["--recipe", "none"], "There is no recipe 'none'"),
        (["--recipe", "paper", "--generator-channels", "17"], "17 generator channels"),
    ],
)
def test_bad_words_are_one_line_and_leave_nothing(moving_bar, tmp_path, capsys, words, reason) -> None:
    assert cli.main(["crossval", str(moving_bar.folder), "--out", str(tmp_path / "folds"), *words]) == 2
    error = capsys.readouterr().err
    assert reason in error
    assert error.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["set"]
