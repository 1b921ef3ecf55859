"""A command that a program watches: progress as JSON lines on standard error, the end of its input ends it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest


@pytest.fixture
def command(tmp_path):
    """A phantom scan that would take hours."""
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "USGanSimLib",
            "phantom",
            "--out",
            str(tmp_path / "p.igs.mha"),
            "--frames",
            "100000",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "USGANSIM_WATCHED": "1"},
    )
    yield process
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        pipe.close()


def test_progress_is_a_json_object_a_line_while_the_input_is_open(command):
    events = [json.loads(command.stderr.readline()) for _ in range(3)]
    assert [event["event"] for event in events] == ["step"] * 3
    assert events[0]["step"] < events[2]["step"] < events[2]["of"]
    assert command.poll() is None


def test_the_end_of_the_input_ends_it_as_an_interrupt_does(command, tmp_path):
    command.stderr.readline()
    command.stdin.close()
    assert command.wait(timeout=30) == 130
    assert list(tmp_path.iterdir()) == []
