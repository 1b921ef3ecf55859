"""Whole or not at all: what stays on disk when writing fails."""

from __future__ import annotations

import errno
import io
import json
import os
from pathlib import Path

import numpy as np
import pytest

from USGanSimLib.errors import UserError
from USGanSimLib.files import (
    disk_error,
    replacing_file,
    replacing_files,
    replacing_folder,
    strict_json,
    write_json,
)
from USGanSimLib.progress import JsonLines


def names_in(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_a_file_appears_when_it_is_complete_and_replaces_the_old_one(tmp_path: Path) -> None:
    target = tmp_path / "result.txt"
    target.write_text("old")
    with replacing_file(target) as part:
        part.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert names_in(tmp_path) == ["result.txt"]


@pytest.mark.parametrize("failure", [ValueError("broken"), KeyboardInterrupt()])
def test_a_failure_while_writing_a_file_leaves_the_old_one_alone(
    tmp_path: Path, failure: BaseException
) -> None:
    target = tmp_path / "result.txt"
    target.write_text("old")
    with pytest.raises(type(failure)), replacing_file(target) as part:
        part.write_text("half")
        raise failure
    assert target.read_text() == "old"
    assert names_in(tmp_path) == ["result.txt"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    target = tmp_path / "result.txt"
    with pytest.raises(UserError, match="disk is full") as caught, replacing_file(target) as part:
        part.symlink_to("/dev/full")
        part.write_text("x" * 100_000)
    assert str(target) in caught.value.message
    assert names_in(tmp_path) == []


def test_a_full_disk_in_a_folder_leaves_the_old_folder(tmp_path: Path) -> None:
    target = tmp_path / "set"
    with replacing_folder(target, "mark.json") as part:
        (part / "mark.json").write_text("old")
    with pytest.raises(UserError, match="disk is full"), replacing_folder(target, "mark.json") as part:
        (part / "mark.json").write_text("new")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert (target / "mark.json").read_text() == "old"
    assert names_in(tmp_path) == ["set"]


def test_a_folder_is_replaced_as_a_whole(tmp_path: Path) -> None:
    target = tmp_path / "set"
    for names in (["mark.json", "one"], ["mark.json", "two"]):
        with replacing_folder(target, "mark.json") as part:
            for name in names:
                (part / name).write_text("x")
        assert names_in(target) == names
    assert names_in(tmp_path) == ["set"]


def test_an_interrupted_folder_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), replacing_folder(tmp_path / "set", "mark.json") as part:
        (part / "half").write_text("x")
        raise KeyboardInterrupt
    assert names_in(tmp_path) == []


def test_a_folder_with_somebody_elses_files_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with (
        pytest.raises(UserError, match=r"holds other files \(no mark.json in it\)"),
        replacing_folder(tmp_path, "mark.json"),
    ):
        pass
    assert names_in(tmp_path) == ["thesis.txt"]


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "set").write_text("x")
    with pytest.raises(UserError, match="is a file"), replacing_folder(tmp_path / "set", "mark.json"):
        pass


@pytest.mark.parametrize("name", ["missing/result.json", "."])
def test_a_place_that_cannot_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="could not be written"):
        write_json(Path(name), {})
    assert names_in(tmp_path) == []


def test_json_comes_back_as_it_was_written(tmp_path: Path) -> None:
    value = {"lag_s": 0.1 + 0.2, "names": ["a", "ü"], "none": None}
    write_json(tmp_path / "value.json", value)
    assert json.loads((tmp_path / "value.json").read_text(encoding="utf-8")) == value


def test_other_errors_are_told_in_the_systems_words() -> None:
    error = disk_error(PermissionError(errno.EACCES, "Permission denied"), Path("a/b"))
    assert "b could not be written: Permission denied" in error.message


def test_json_holds_no_number_that_is_none(tmp_path):
    value = {
        "a": float("nan"),
        "b": [1.5, float("inf"), (float("-inf"), 2)],
        "c": {"d": np.float64("nan")},
        "e": "NaN",
    }
    expected = {"a": None, "b": [1.5, None, [None, 2]], "c": {"d": None}, "e": "NaN"}
    write_json(tmp_path / "value.json", value)
    for text in (strict_json(value), (tmp_path / "value.json").read_text()):
        assert json.loads(text, parse_constant=pytest.fail) == expected


def test_progress_lines_hold_no_number_that_is_none():
    stream = io.StringIO()
    JsonLines(stream).emit("step", latency_ms=float("nan"))
    assert json.loads(stream.getvalue(), parse_constant=pytest.fail) == {"event": "step", "latency_ms": None}


def test_files_that_belong_together_appear_together_or_not_at_all(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("old")
    with replacing_files(tmp_path) as part:
        (part / "a.txt").write_text("new")
        (part / "b.txt").write_text("new")
        assert (tmp_path / "a.txt").read_text() == "old"
    assert names_in(tmp_path) == ["a.txt", "b.txt"]
    with pytest.raises(ValueError, match="on the way"), replacing_files(tmp_path) as part:
        (part / "a.txt").write_text("newer")
        raise ValueError("on the way")
    assert (tmp_path / "a.txt").read_text() == "new"
    assert names_in(tmp_path) == ["a.txt", "b.txt"]


def test_a_folder_in_the_place_of_one_of_the_files_keeps_all_of_them_away(tmp_path: Path) -> None:
    (tmp_path / "b.txt").mkdir()
    with pytest.raises(UserError, match="is a folder"), replacing_files(tmp_path) as part:
        (part / "a.txt").write_text("new")
        (part / "b.txt").write_text("new")
    assert names_in(tmp_path) == ["b.txt"]
    with pytest.raises(UserError, match="could not be written"), replacing_files(tmp_path / "nowhere"):
        pass
