"""A file that one process holds."""

from __future__ import annotations

import subprocess
import sys

import pytest

from USGanSimLib.locking import holding, is_held

HOLDER = (
    "import sys, time; from pathlib import Path; from USGanSimLib.locking import holding\n"
    "with holding(Path(sys.argv[1])) as held:\n    print(held, flush=True); time.sleep(60)"
)


@pytest.fixture
def other_process(tmp_path):
    """A process that holds the file, and says so."""
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path / "LOCK")], stdout=subprocess.PIPE)
    assert process.stdout.readline().strip() == b"True"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_what_another_process_holds_cannot_be_taken(other_process, tmp_path):
    assert is_held(tmp_path / "LOCK")
    with holding(tmp_path / "LOCK") as held:
        assert not held
    assert is_held(tmp_path / "LOCK")


def test_a_killed_process_lets_go(other_process, tmp_path):
    other_process.kill()
    other_process.wait()
    assert not is_held(tmp_path / "LOCK")
    with holding(tmp_path / "LOCK") as held:
        assert held


def test_nothing_is_left_afterwards(tmp_path):
    with holding(tmp_path / "LOCK") as held:
        assert held
    assert list(tmp_path.iterdir()) == []
    assert not is_held(tmp_path / "LOCK")
