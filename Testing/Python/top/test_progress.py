"""Progress as JSON lines, on a terminal, and the STOP file."""

from __future__ import annotations

import io
import json
from pathlib import Path

from USGanSimLib.progress import JsonLineReader, JsonLines, Silent, StopFile, Terminal


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


def test_lines_that_arrive_in_pieces_are_read_as_they_were_written():
    text = (
        '{"event": "step", "step": 1}\nusgansim: ein Fähnchen\n{"broken": \n\n{"event": "done"}\r\n'.encode()
    )
    reader, objects, texts = JsonLineReader(), [], []
    for start in range(0, len(text), 3):  # 3 cuts through the ä, which has two bytes.
        some, other = reader.feed(text[start : start + 3])
        objects += some
        texts += other
    assert objects == [{"event": "step", "step": 1}, {"event": "done"}]
    assert texts == ["usgansim: ein Fähnchen", '{"broken": ']


def test_of_a_line_that_was_written_over_the_last_state_is_read():
    assert JsonLineReader().feed(b"10 %\r20 %\r30 %\n") == ([], ["30 %"])


def test_a_last_line_without_its_end_is_read_at_the_end():
    reader = JsonLineReader()
    assert reader.feed(b'{"a": 1}') == ([], [])
    assert reader.end() == ([{"a": 1}], [])
