"""`train-observer` as it is called. The training itself is tested in evaluation/test_observer_training.py."""

from __future__ import annotations

import functools
import json
from pathlib import Path

import pytest

from USGanSimLib import cli

pytest.importorskip("torch")

TINY = ["--subjects", "1", "--images", "4", "--iterations", "1", "--trial-images", "4"]


def test_the_observer_is_written_and_its_figures_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from USGanSimLib.evaluation.observer import views as observer_views

    monkeypatch.setattr(
        observer_views, "fetal_body", functools.partial(observer_views.fetal_body, voxel_mm=2.0)
    )
    out = tmp_path / "observer.safetensors"
    assert cli.main(["train-observer", "--out", str(out), *TINY, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["images"], result["subjects"]) == (4, [1001])
    assert {"located_share", "median_mm", "within_5mm_share", "false_alarm_share"} <= result["plain"].keys()
    first = out.read_bytes()
    assert cli.main(["train-observer", "--out", str(out), *TINY]) == 0
    text = capsys.readouterr().out
    assert "measured on subject 1004" in text
    assert "Not for clinical use" in text
    assert out.read_bytes() == first


@pytest.mark.parametrize(
    ("words", "reason"), [(["--images", "0"], "--images: 0 is out"), (["--seed", "-1"], "--seed: -1 is out")]
)
def test_bad_numbers_are_one_line_and_write_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], reason: str
) -> None:
    assert cli.main(["train-observer", "--out", str(tmp_path / "o.safetensors"), *words]) == 2
    error = capsys.readouterr().err
    assert reason in error
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())
