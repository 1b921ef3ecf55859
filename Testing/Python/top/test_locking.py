"""A file that one process holds."""

from __future__ import annotations

import subprocess
import sys

import pytest

from USGanSimLib import locking
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


def test_who_waited_for_a_file_that_its_holder_removed_does_not_hold_it_beside_the_next(
    tmp_path, monkeypatch
):
    """A holds. B has opened the file and waits. A ends and removes it; C makes a new one. B and C may not both hold."""
    path, answers = tmp_path / "LOCK", {}
    take = locking._take

    def take_late(descriptor: int) -> bool:
        """B's first try comes when A has ended and C holds."""
        monkeypatch.setattr(locking, "_take", take)
        first.__exit__(None, None, None)
        answers["C"] = third.__enter__()
        return take(descriptor)

    first, third = holding(path), holding(path)
    assert first.__enter__()
    monkeypatch.setattr(locking, "_take", take_late)
    with holding(path) as held:
        answers["B"] = held
    third.__exit__(None, None, None)
    assert sum(answers.values()) == 1, answers


def test_three_processes_that_take_turns_never_hold_together(tmp_path):
    """Each adds one to a number in a file while it holds: two at once would lose an addition."""
    (tmp_path / "count").write_text("0")
    program = (
        "import sys; from pathlib import Path; from USGanSimLib.locking import holding\n"
        "folder, done = Path(sys.argv[1]), 0\n"
        "while done < 60:\n"
        "    with holding(folder / 'LOCK') as held:\n"
        "        if held:\n"
        "            count = int((folder / 'count').read_text())\n"
        "            (folder / 'count').write_text(str(count + 1))\n"
        "            done += 1\n"
    )
    processes = [subprocess.Popen([sys.executable, "-c", program, str(tmp_path)]) for _ in range(3)]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    assert (tmp_path / "count").read_text() == "180"
