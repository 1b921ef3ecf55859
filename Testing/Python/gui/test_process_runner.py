"""Commands as child processes: what they say arrives, they end when told to, and nothing of them stays."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time

import pytest


@pytest.fixture
def runner(python_slicer):
    from USGanSimLib.gui.process_runner import ProcessRunner

    runner = ProcessRunner()
    yield runner
    runner.cleanup()


@pytest.fixture
def run(runner, until):
    """Run a command to its end: (its events, how it ended)."""

    def to_the_end(*words):
        events, ends = [], []
        runner.start(words, events.append, ends.append)
        until(lambda: ends)
        assert not runner.running
        return events, ends[0]

    return to_the_end


def leftovers(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_result_and_its_progress_arrive(run, tmp_path):
    events, ended = run("phantom", "--out", str(tmp_path / "p.igs.mha"), "--frames", "40", "--size", "32x24")
    assert (ended.code, ended.message) == (0, "")
    assert ended.result["frames"] == 40
    assert events
    assert {event["event"] for event in events} == {"step"}
    assert events[-1]["step"] == events[-1]["of"]


def test_a_refusal_is_told_in_the_words_of_the_command(run, tmp_path):
    _events, ended = run("info", str(tmp_path / "missing.igs.mha"))
    assert ended.code == 2
    assert ended.message.startswith(str(tmp_path / "missing.igs.mha"))


def test_a_command_that_is_stopped_leaves_nothing_half_written(runner, until, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    events, ends = [], []
    runner.start(
        ["phantom", "--out", str(out / "p.igs.mha"), "--frames", "100000", "--size", "64x48"],
        events.append,
        ends.append,
    )
    until(lambda: len(events) > 2)
    runner.stop()
    until(lambda: ends)
    assert (ends[0].stopped, ends[0].code) == (True, 130)
    assert leftovers(out) == []


def test_cleanup_ends_the_process_and_tells_nobody(runner, until, tmp_path):
    events, ends = [], []
    runner.start(
        ["phantom", "--out", str(tmp_path / "p.igs.mha"), "--frames", "100000"], events.append, ends.append
    )
    number = runner._process.processId()
    until(lambda: events)
    runner.cleanup()
    told = len(events)
    until(lambda: is_gone(number))
    assert (runner.running, len(events), ends) == (False, told, [])


def test_a_process_that_is_killed_from_outside_is_told_as_such(runner, until, tmp_path):
    events, ends = [], []
    runner.start(
        ["phantom", "--out", str(tmp_path / "p.igs.mha"), "--frames", "100000"], events.append, ends.append
    )
    until(lambda: events)
    os.kill(runner._process.processId(), signal.SIGKILL)
    until(lambda: ends)
    assert ends[0].code == -1
    assert ends[0].message


def test_two_commands_at_once_are_refused(runner, tmp_path):
    from USGanSimLib.errors import UserError

    runner.start(["phantom", "--out", str(tmp_path / "p.igs.mha"), "--frames", "100000"], print, print)
    with pytest.raises(UserError, match="running already"):
        runner.start(["info", "x"], print, print)


def test_without_python_slicer_it_is_said(monkeypatch):
    from USGanSimLib.errors import UserError
    from USGanSimLib.gui.process_runner import ProcessRunner

    monkeypatch.setenv("PATH", "")
    with pytest.raises(UserError, match="PythonSlicer"):
        ProcessRunner().start(["info", "x"], print, print)


def test_a_command_that_is_started_alone_writes_to_its_log(python_slicer, until, tmp_path):
    from USGanSimLib.gui.process_runner import start_alone

    log = tmp_path / "log"
    alone = start_alone(
        ["phantom", "--out", str(tmp_path / "p.igs.mha"), "--frames", "8", "--size", "32x24"], log
    )
    assert alone.alive()
    until(lambda: not alone.alive())
    assert '"frames": 8' in log.read_text(encoding="utf-8")


def test_a_command_that_is_started_alone_outlives_who_started_it(python_slicer, until, repository, tmp_path):
    program = (
        "import os, sys; from pathlib import Path; import standin; standin.boot()\n"
        "from USGanSimLib.gui.process_runner import start_alone\n"
        "words = ['phantom', '--out', sys.argv[1], '--frames', '60', '--size', '64x48']\n"
        "start_alone(words, Path(sys.argv[2]))\n"
        "print(os.getpgrp(), flush=True); os._exit(0)"
    )
    paths = [str(repository / "USGanSim"), str(repository / "Testing" / "Harness")]
    parent = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "p.igs.mha"), str(tmp_path / "log")],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )
    group = int(parent.communicate(timeout=60)[0].split()[-1])
    # As a terminal does that closes: whatever is left in the parent's group is hung up.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGHUP)
    assert not (tmp_path / "p.igs.mha").exists()
    until(lambda: '"frames": 60' in (tmp_path / "log").read_text(encoding="utf-8"))
    assert (tmp_path / "p.igs.mha").is_file()


def is_gone(number):
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return True
    time.sleep(0.05)
    return False
