"""Progress as JSON lines, on a terminal, and the STOP file."""

from __future__ import annotations

import io
import json
from pathlib import Path

from USGanSimLib.progress import JsonLines, Silent, StopFile, Terminal


class Flushed(io.StringIO):
    """Remembers what had been flushed."""

    seen = ""

    def flush(self) -> None:
        self.seen = self.getvalue()


def test_each_event_is_one_flushed_json_line() -> None:
    stream = Flushed()
    progress = JsonLines(stream)
    progress.emit("step", step=3, of=100, loss_d=0.7)
    assert json.loads(stream.seen) == {"event": "step", "step": 3, "of": 100, "loss_d": 0.7}
    progress.emit("done")
    assert [json.loads(line)["event"] for line in stream.seen.splitlines()] == ["step", "done"]


def test_on_a_terminal_steps_overwrite_each_other_and_other_events_stay() -> None:
    stream = io.StringIO()
    progress = Terminal(stream)
    progress.emit("step", step=10, loss_d=0.123456)
    progress.emit("step", step=9)
    progress.emit("done", seconds=2.0)
    first, second, done = stream.getvalue().split("\r")[1:]
    assert first == "step step=10 loss_d=0.1235"
    assert second.rstrip() == "step step=9"
    assert len(second) == len(first), "the shorter line must wipe out the longer one"
    assert done.rstrip() == "done seconds=2"
    assert done.endswith("\n")


def test_silent_progress_says_nothing(capfd) -> None:  # type: ignore[no-untyped-def]
    Silent().emit("step", step=1)
    assert capfd.readouterr() == ("", "")


def test_a_stop_file_asks_for_the_end_until_it_is_cleared(tmp_path: Path) -> None:
    stop = StopFile(tmp_path)
    assert not stop.requested
    (tmp_path / "STOP").touch()
    assert stop.requested
    stop.clear()
    assert not stop.requested
    stop.clear()
