"""The writing thread: every frame goes somewhere, in order, and nobody waits for the disk."""

from __future__ import annotations

import shutil
import threading
import time

import numpy as np
import pytest

from USGanSimLib.errors import UserError
from USGanSimLib.recording import frame_writer
from USGanSimLib.recording.frame_writer import Frame, FrameWriter
from USGanSimLib.recording.live_file import LiveFile, recover
from USGanSimLib.recording.sequence_file import read_sweep


def a_frame(number: int) -> Frame:
    return Frame(
        np.full((6, 8), number % 251, np.uint8), float(number), {"ProbeToTracker": (np.eye(4), True)}
    )


@pytest.fixture
def live(tmp_path):
    (tmp_path / "session").mkdir()
    return LiveFile(tmp_path / "session" / "x.igs.mhd", 8, 6)


class SlowDisk:
    """Holds every append until it is opened."""

    def __init__(self, live, monkeypatch) -> None:
        self._gate, self._append = threading.Event(), live.append
        monkeypatch.setattr(live, "append", self)

    def __call__(self, *words) -> None:
        assert self._gate.wait(5.0)
        self._append(*words)

    def open(self) -> None:
        self._gate.set()


def until(condition) -> bool:
    end = time.monotonic() + 3.0
    while not condition() and time.monotonic() < end:
        time.sleep(0.005)
    return bool(condition())


def test_all_frames_are_written_in_order(live):
    writer = FrameWriter(live)
    assert all(writer.put(a_frame(number)) for number in range(300))
    sweep = read_sweep(writer.stop())
    assert sweep.timestamps_s.tolist() == list(range(300))
    assert np.array_equal(sweep.frames[:, 0, 0], np.arange(300) % 251)
    assert (writer.counts.offered, writer.counts.written, writer.counts.dropped) == (300, 300, 0)


def test_a_slow_disk_holds_nobody_up_and_what_does_not_fit_is_counted(live, monkeypatch):
    disk = SlowDisk(live, monkeypatch)
    writer = FrameWriter(live, most_waiting_bytes=10 * 48)
    began_s = time.monotonic()
    taken = [writer.put(a_frame(0))]
    assert until(lambda: writer.counts.waiting == 1 and not writer._queue)  # in the thread's hand
    taken += [writer.put(a_frame(number)) for number in range(1, 30)]
    assert time.monotonic() - began_s < 2.0
    counts = writer.counts
    assert counts.offered == counts.written + counts.waiting + counts.dropped == 30
    assert counts.waiting == sum(taken) == 11
    disk.open()
    assert read_sweep(writer.stop()).timestamps_s.tolist() == list(range(11))
    assert writer.counts == type(counts)(30, 11, 0, 19)


def test_a_full_disk_ends_the_recording_with_a_sentence_and_a_readable_file(live, monkeypatch):
    whole, left = live.append, [5]

    def fills_up(*words) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise UserError("The disk is full.", "Free some space.")
        whole(*words)

    monkeypatch.setattr(live, "append", fills_up)
    writer = FrameWriter(live)
    for number in range(20):
        writer.put(a_frame(number))
    assert until(lambda: writer.problem)
    assert writer.problem == "The disk is full. Free some space. 5 frames are kept."
    assert not writer.put(a_frame(20))
    assert read_sweep(writer.stop()).timestamps_s.tolist() == list(range(5))
    counts = writer.counts
    assert (counts.offered, counts.written, counts.waiting, counts.dropped) == (21, 5, 0, 16)


def test_a_disk_that_is_full_from_the_beginning_leaves_nothing_but_the_reason(live, tmp_path, monkeypatch):
    monkeypatch.setattr(live, "append", lambda *_: (_ for _ in ()).throw(UserError("The disk is full.")))
    writer = FrameWriter(live)
    writer.put(a_frame(0))
    with pytest.raises(UserError, match="^The disk is full. 0 frames are kept.$"):
        writer.stop()
    assert list((tmp_path / "session").iterdir()) == []


def test_a_moved_folder_is_told_with_what_to_do(live, tmp_path, monkeypatch):
    monkeypatch.setattr(frame_writer, "SYNC_EVERY_S", 0.05)
    writer = FrameWriter(live)
    writer.put(a_frame(0))
    assert until(lambda: writer.counts.written == 1)
    (tmp_path / "session").rename(tmp_path / "moved")
    assert until(lambda: "was moved" in writer.problem)
    with pytest.raises(
        UserError, match="1 frames are kept. .* was moved while recording.*'usgansim recover'"
    ):
        writer.stop()
    assert recover(tmp_path / "moved" / "x.igs.recording").frames == 1


def test_a_deleted_folder_is_noticed_within_a_sync_and_loses_nothing(live, tmp_path, monkeypatch):
    monkeypatch.setattr(frame_writer, "SYNC_EVERY_S", 0.05)
    writer = FrameWriter(live)
    for number in range(10):
        writer.put(a_frame(number))
    assert until(lambda: writer.counts.written == 10)
    shutil.rmtree(tmp_path / "session")
    assert until(lambda: writer.problem)
    assert "no longer there, after 10 frames" in writer.problem
    assert read_sweep(writer.stop()).timestamps_s.tolist() == list(range(10))


def test_what_is_written_reaches_the_disk_every_second_also_in_a_pause(live, monkeypatch):
    monkeypatch.setattr(frame_writer, "SYNC_EVERY_S", 0.05)
    synced = []
    sync = live.sync
    monkeypatch.setattr(live, "sync", lambda: (synced.append(live.frames), sync()))
    writer = FrameWriter(live)
    writer.put(a_frame(0))
    assert until(lambda: synced.count(1) >= 2)
    assert writer.disk_free_bytes > 0
    writer.stop()


def test_no_frame_at_all_is_said(live, tmp_path):
    writer = FrameWriter(live)
    with pytest.raises(UserError, match="has no frame"):
        writer.stop()
    assert list((tmp_path / "session").iterdir()) == []
