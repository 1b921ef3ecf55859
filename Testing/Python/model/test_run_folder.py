from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from USGanSimLib.errors import UserError
from USGanSimLib.model.run_folder import MetricsFile, RunFolder


def test_metrics_have_a_header_and_carry_32_bit_numbers_exactly(tmp_path):
    import numpy as np

    value = float(np.float32(1 / 3))
    MetricsFile(tmp_path / "metrics.csv", ["loss_g"], 0).append(1, {"loss_g": value})
    header, line = (tmp_path / "metrics.csv").read_text().splitlines()
    assert header == "step,loss_g"
    assert float(np.float32(line.split(",")[1])) == value


def test_resuming_drops_later_lines_and_one_that_was_cut_short(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text("step,a,b\n1,0.1,1\n2,0.2,2\n3,0.3,3\n4,0.")
    MetricsFile(path, ["a", "b"], 2).append(3, {"a": 7, "b": 8})
    assert path.read_text() == "step,a,b\n1,0.1,1\n2,0.2,2\n3,7,8\n"


def test_what_an_iteration_does_not_have_is_left_empty(tmp_path):
    path = tmp_path / "metrics.csv"
    MetricsFile(path, ["loss_g", "loss_l2"], 0).append(1, {"loss_l2": 0.5})
    MetricsFile(path, ["loss_g", "loss_l2"], 1).append(2, {"loss_g": 1, "loss_l2": 0.25})
    assert path.read_text() == "step,loss_g,loss_l2\n1,,0.5\n2,1,0.25\n"


def test_a_new_run_begins_a_new_metrics_file(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text("step,a\n1,0.1\n")
    MetricsFile(path, ["a"], 0)
    assert path.read_text() == "step,a\n"


def test_a_folder_with_other_files_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(UserError, match="holds other files"):
        RunFolder(tmp_path).require_new()


def test_a_file_in_the_place_of_the_run_is_refused(tmp_path):
    (tmp_path / "run").write_text("")
    with pytest.raises(UserError, match="is a file"):
        RunFolder(tmp_path / "run").require_new()


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="could not be written"):
        RunFolder(tmp_path / "file" / "run").create()


def test_an_old_request_to_stop_is_taken_away(tmp_path):
    (tmp_path / "STOP").touch()
    RunFolder(tmp_path).create()
    assert not (tmp_path / "STOP").exists()


def test_two_trainings_of_one_run_are_refused(tmp_path):
    folder = RunFolder(tmp_path / "run")
    with folder.training():
        assert RunFolder(tmp_path / "run").is_training
        with pytest.raises(UserError, match="being trained already"), RunFolder(tmp_path / "run").training():
            pass
    assert not folder.is_training


def test_the_log_of_a_panel_and_the_lock_do_not_spoil_a_new_run(tmp_path):
    folder = RunFolder(tmp_path)
    folder.log.touch()
    with folder.training():
        folder.require_new()


def test_every_line_of_metrics_can_be_read_while_the_file_is_open(tmp_path):
    path = tmp_path / "metrics.csv"
    with contextlib.closing(MetricsFile(path, ["a"], 0)) as metrics:
        for step in (1, 2, 3):
            metrics.append(step, {"a": step / 4})
            assert path.read_text().splitlines()[-1] == f"{step},{step / 4}"
    metrics.append(4, {"a": 1})
    metrics.close()
    assert path.read_text() == "step,a\n1,0.25\n2,0.5\n3,0.75\n4,1\n"


def test_metrics_on_a_full_disk_are_said_in_one_line_and_closing_says_no_more(tmp_path):
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no disk that is always full")
    metrics = MetricsFile(tmp_path / "metrics.csv", ["a"], 0)
    (tmp_path / "metrics.csv").unlink()
    (tmp_path / "metrics.csv").symlink_to(full)
    with pytest.raises(UserError, match="disk is full") as caught:
        metrics.append(1, {"a": 1})
    assert "\n" not in str(caught.value)
    metrics.close()


def test_lines_of_metrics_that_are_none_are_dropped_when_a_run_goes_on(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_bytes(b"step,a\n1,0.25\nx,1\n\xff\xfe,2\n2,0.5\n3,1\n")
    MetricsFile(path, ["a"], 2)
    assert path.read_text() == "step,a\n1,0.25\n2,0.5\n"
