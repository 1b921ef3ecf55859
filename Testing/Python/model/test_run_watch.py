"""The state of a training, told from files as a training writes them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from USGanSimLib.model.run_folder import MetricsFile, RunFolder
from USGanSimLib.model.run_watch import RunState, RunWatch


@pytest.fixture
def folder(tmp_path):
    """A run of 10 iterations of which 4 are done."""
    folder = RunFolder(tmp_path / "run")
    folder.create()
    folder.config.write_text(json.dumps({"settings": {"iterations": 10, "minutes": None}}), encoding="utf-8")
    folder.checkpoint.touch()
    metrics = MetricsFile(folder.metrics, ["loss_g", "seconds"], 0)
    for step in range(1, 5):
        metrics.append(step, {"loss_g": step / 10, "seconds": 2.0})
    return folder


def say(folder, *events):
    with folder.log.open("a", encoding="utf-8") as stream:
        stream.writelines(f"{event if isinstance(event, str) else json.dumps(event)}\n" for event in events)


def test_a_folder_without_a_run_is_new(tmp_path):
    assert RunWatch(tmp_path / "nothing").poll().state == RunState.NEW


def test_a_process_that_loads_is_starting(tmp_path):
    status = RunWatch(tmp_path / "nothing", starting=lambda: True).poll()
    assert (status.state, status.active) == (RunState.STARTING, True)


def test_who_trains_is_seen_with_its_progress_and_time_left(folder):
    with folder.training():
        status = RunWatch(folder.path).poll()
    assert (status.state, status.step, status.of, status.resumable) == (RunState.RUNNING, 4, 10, False)
    assert status.left_s == pytest.approx(6 * 2.0)


def test_a_limit_of_minutes_bounds_the_time_left(folder):
    folder.config.write_text(json.dumps({"settings": {"iterations": 10, "minutes": 0.1}}), encoding="utf-8")
    with folder.training():
        assert RunWatch(folder.path).poll().left_s == pytest.approx(6.0, abs=0.5)


def test_a_request_to_stop_is_seen(folder):
    with folder.training():
        folder.stop_file.path.touch()
        assert RunWatch(folder.path).poll().state == RunState.STOPPING


def test_a_run_that_ended_early_can_go_on(folder):
    status = RunWatch(folder.path).poll()
    assert (status.state, status.resumable, status.active) == (RunState.STOPPED, True, False)


def test_a_run_with_all_its_iterations_and_a_model_is_done(folder):
    metrics = MetricsFile(folder.metrics, ["loss_g", "seconds"], 4)
    for step in range(5, 11):
        metrics.append(step, {"loss_g": 0.0, "seconds": 1.0})
    assert RunWatch(folder.path).poll().state == RunState.STOPPED
    folder.model.touch()
    assert RunWatch(folder.path).poll().state == RunState.DONE


def test_an_error_is_told_in_the_words_of_the_training(folder):
    say(
        folder,
        {"event": "step", "step": 4},
        {"event": "error", "message": "The disk is full.", "hint": "Free some."},
        "usgansim train: The disk is full. Free some.",
    )
    status = RunWatch(folder.path).poll()
    assert (status.state, status.message, status.hint) == (RunState.FAILED, "The disk is full.", "Free some.")


def test_a_crash_is_told_by_its_last_line(folder):
    say(folder, {"event": "step", "step": 4}, "Traceback (most recent call last):", "MemoryError: 3 GB")
    assert RunWatch(folder.path).poll().message == "MemoryError: 3 GB"


def test_a_training_that_goes_on_after_a_failure_has_none(folder):
    say(folder, {"event": "error", "message": "x"})
    watch = RunWatch(folder.path)
    assert watch.poll().state == RunState.FAILED
    say(folder, {"event": "step", "step": 5})
    assert watch.poll().state == RunState.STOPPED


def test_warnings_are_kept_once(folder):
    warning = {"event": "warning", "message": "The discriminator wins."}
    say(folder, warning, {"event": "step"}, warning, {"event": "done"})
    assert RunWatch(folder.path).poll().warnings == ("The discriminator wins.",)


def test_the_newest_panel_is_named(folder):
    for step in (10, 250, 1000):
        (folder.samples / f"step_{step:06d}.png").touch()
    assert RunWatch(folder.path).poll().sample.name == "step_001000.png"


def test_metrics_are_read_on_and_anew_after_resuming(folder):
    watch = RunWatch(folder.path)
    watch.poll()
    np.testing.assert_allclose(watch.metrics.columns["loss_g"], [0.1, 0.2, 0.3, 0.4])
    with folder.metrics.open("a", encoding="utf-8") as stream:
        stream.write("5,0.5,2\n6,0.")
    watch.poll()
    assert len(watch.metrics) == 5
    MetricsFile(folder.metrics, ["loss_g", "seconds"], 2).append(3, {"loss_g": 9.0, "seconds": 1.0})
    watch.poll()
    np.testing.assert_allclose(watch.metrics.columns["loss_g"], [0.1, 0.2, 9.0])


def test_thinning_keeps_means_and_skips_gaps(folder):
    folder.metrics.write_text("step,a\n1,\n2,1\n3,3\n4,5\n5,7\n", encoding="utf-8")
    watch = RunWatch(folder.path)
    watch.poll()
    steps, values = watch.metrics.thinned("a", 2)
    np.testing.assert_allclose(steps, [2.5, 4.5])
    np.testing.assert_allclose(values, [2.0, 6.0])
