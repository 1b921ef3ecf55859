"""Recordings on disk while they grow: whole ones, killed ones, a full disk, a folder that goes."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from USGanSimLib import locking
from USGanSimLib.errors import UserError
from USGanSimLib.recording import live_file
from USGanSimLib.recording.live_file import LiveFile, recover, unfinished
from USGanSimLib.recording.sequence_file import read_sweep, write_sweep


def a_pose(number: int) -> np.ndarray:
    pose = np.eye(4)
    pose[0, 3] = number / 3
    return pose


def an_image(number: int) -> np.ndarray:
    return np.full((6, 8), number % 251, np.uint8)


def append(live: LiveFile, first: int, last: int) -> None:
    for number in range(first, last):
        live.append(
            an_image(number),
            10 + number / 60,
            {"ProbeToTracker": (a_pose(number), number % 5 != 2)},
            number % 7 != 3,
            {"ArrivalTimestamp": str(number)},
        )


def assert_frames(path, count: int) -> None:
    sweep = read_sweep(path)
    assert len(sweep) == count
    numbers = np.arange(count)
    assert np.array_equal(sweep.frames, np.stack([an_image(number) for number in numbers]))
    assert sweep.timestamps_s.tolist() == [10 + number / 60 for number in range(count)]
    assert np.array_equal(sweep.image_valid, numbers % 7 != 3)
    track = sweep.transforms["ProbeToTracker"]
    assert np.array_equal(track.valid, numbers % 5 != 2)
    assert track.matrices.tobytes() == np.stack([a_pose(number) for number in numbers]).tobytes()
    assert sweep.frame_fields["ArrivalTimestamp"] == tuple(map(str, range(count)))


@pytest.fixture
def live(tmp_path):
    return LiveFile(tmp_path / "x.igs.mhd", 8, 6, {"Operator": "Ann"})


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_finished_recording_reads_as_it_was_appended(live, tmp_path):
    append(live, 0, 20)
    assert names(tmp_path) == ["x.igs.raw", "x.igs.recording"]
    assert live.bytes == sum(path.stat().st_size for path in tmp_path.iterdir())
    assert live.finish() == tmp_path / "x.igs.mhd"
    assert names(tmp_path) == ["x.igs.mhd", "x.igs.raw"]
    assert_frames(tmp_path / "x.igs.mhd", 20)
    assert read_sweep(tmp_path / "x.igs.mhd").header["Operator"] == "Ann"


def test_finishing_moves_no_pixel(live, tmp_path):
    append(live, 0, 20)
    before = (tmp_path / "x.igs.raw").stat().st_ino
    live.finish()
    assert (tmp_path / "x.igs.raw").stat().st_ino == before


def test_vtk_reads_the_finished_recording(live, tmp_path):
    vtk_image = pytest.importorskip("vtkmodules.vtkIOImage", reason="VTK is not installed")
    numpy_support = pytest.importorskip("vtkmodules.util.numpy_support")
    append(live, 0, 20)
    reader = vtk_image.vtkMetaImageReader()
    reader.SetFileName(str(live.finish()))
    reader.Update()
    pixels = numpy_support.vtk_to_numpy(reader.GetOutput().GetPointData().GetScalars())
    assert pixels.tobytes() == np.stack([an_image(number) for number in range(20)]).tobytes()


@pytest.mark.parametrize("name", ["x.igs.recording", "x.igs.mhd"])
@pytest.mark.parametrize(
    ("cut_index", "cut_pixels", "whole"),
    [(0, 0, 20), (1, 0, 19), (0, 1, 19), (3, 47, 19), (3, 48 * 3, 17), (600, 0, 17)],
)
def test_a_recording_cut_anywhere_is_recovered_to_its_last_whole_frame(
    live, tmp_path, name, cut_index, cut_pixels, whole
):
    append(live, 0, 20)
    live.close()
    for part, cut in (("x.igs.recording", cut_index), ("x.igs.raw", cut_pixels)):
        os.truncate(tmp_path / part, (tmp_path / part).stat().st_size - cut)
    found = recover(tmp_path / name)
    assert (found.path, found.frames) == (tmp_path / "x.igs.mhd", whole)
    assert_frames(found.path, whole)
    assert found.cut_bytes > 0 or whole == 20


def test_zeros_at_the_end_of_the_index_as_after_a_power_cut_are_left_out(live, tmp_path):
    append(live, 0, 20)
    live.close()
    with (tmp_path / "x.igs.recording").open("ab") as index:
        index.write(b"\0" * 3000)
    assert recover(tmp_path / "x.igs.mhd").frames == 20
    assert_frames(tmp_path / "x.igs.mhd", 20)


def test_a_program_killed_while_finishing_is_recovered_too(live, tmp_path, monkeypatch):
    append(live, 0, 20)
    monkeypatch.setattr("pathlib.Path.replace", lambda *_: (_ for _ in ()).throw(OSError(errno.EIO, "gone")))
    with pytest.raises(UserError):
        live.finish()
    monkeypatch.undo()
    assert recover(unfinished(tmp_path)[0]).frames == 20
    assert_frames(tmp_path / "x.igs.mhd", 20)


def test_more_than_ten_thousand_frames_are_recovered(tmp_path):
    live = LiveFile(tmp_path / "x.igs.mhd", 1, 1)
    for number in range(10_005):
        live.append(np.full((1, 1), number % 256, np.uint8), number / 60, {})
    live.close()
    assert recover(tmp_path / "x.igs.mhd").frames == 10_005
    assert np.array_equal(read_sweep(tmp_path / "x.igs.mhd").frames.ravel(), np.arange(10_005) % 256)


KILLED = """
import sys, time, numpy as np
from pathlib import Path
from USGanSimLib.recording.frame_writer import Frame, FrameWriter
from USGanSimLib.recording.live_file import LiveFile
writer = FrameWriter(LiveFile(Path(sys.argv[1]), 64, 48))
for number in range(10_000):
    image = np.full((48, 64), number % 251, np.uint8)
    writer.put(Frame(image, number / 100, {"ProbeToTracker": (np.eye(4), True)}))
    print(number, flush=True)
    time.sleep(0.01)
"""


def test_kill_9_in_mid_recording_loses_at_most_the_last_second(tmp_path):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path / "x.igs.mhd")],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as child:
        handed_over, killed_s = -1, time.monotonic() + 1.5
        for line in child.stdout:
            handed_over = int(line)
            if time.monotonic() > killed_s and handed_over > 30:
                break
        child.send_signal(signal.SIGKILL)
        handed_over = max([handed_over, *map(int, child.stdout.read().split())])
    found = recover(tmp_path / "x.igs.mhd")
    assert handed_over + 1 - 100 <= found.frames <= handed_over + 2
    sweep = read_sweep(found.path)
    assert np.array_equal(sweep.frames[:, 5, 5], np.arange(found.frames) % 251)
    assert sweep.transforms["ProbeToTracker"].valid.all()


def test_a_recording_in_progress_is_not_recovered(live, tmp_path):
    append(live, 0, 3)
    with pytest.raises(UserError, match="x.igs.recording is still being recorded"):
        recover(tmp_path / "x.igs.recording")
    append(live, 3, 5)
    assert_frames(live.finish(), 5)


class ByteLocks:
    """What Windows does with `msvcrt.locking`: a byte at the place of a descriptor is its own until it is closed."""

    LK_NBLCK = 2

    def __init__(self) -> None:
        self.owners: dict[tuple[int, int], int] = {}

    def locking(self, descriptor: int, mode: int, count: int) -> None:
        key = (os.fstat(descriptor).st_ino, os.lseek(descriptor, 0, os.SEEK_CUR))
        owner = self.owners.get(key)
        # Its own number again: the owner was closed, and the number given to another file.
        if owner not in (None, descriptor) and self._open(owner, key[0]):
            raise PermissionError(errno.EACCES, "Permission denied")
        assert key[1] >= os.fstat(descriptor).st_size, "nobody else could read this byte"
        self.owners[key] = descriptor

    @staticmethod
    def _open(descriptor: int, inode: int) -> bool:
        try:
            return os.fstat(descriptor).st_ino == inode
        except OSError:
            return False


def test_on_windows_too_a_recording_in_progress_is_left_as_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr(locking, "msvcrt", ByteLocks(), raising=False)
    monkeypatch.setattr(locking.sys, "platform", "win32")
    live = LiveFile(tmp_path / "x.igs.mhd", 8, 6)
    append(live, 0, 3)
    with (tmp_path / "x.igs.raw").open("ab") as pixels:
        pixels.write(b"part of a frame")  # what recovering would cut off
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(UserError, match="x.igs.recording is still being recorded"):
        recover(tmp_path / "x.igs.recording")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    live.close()
    assert recover(tmp_path / "x.igs.recording").frames == 3
    assert_frames(tmp_path / "x.igs.mhd", 3)


def test_nothing_to_recover_is_said(tmp_path, live):
    with pytest.raises(UserError, match="there is no y.igs.recording beside it"):
        recover(tmp_path / "y.igs.mhd")
    live.close()
    with pytest.raises(UserError, match="x.igs.recording holds no whole frame"):
        recover(tmp_path / "x.igs.mhd")
    (tmp_path / "x.igs.recording").write_bytes(b"nonsense")
    with pytest.raises(UserError, match="no size of images"):
        recover(tmp_path / "x.igs.mhd")


@pytest.mark.parametrize("existing", ["x.igs.mhd", "x.igs.raw", "x.igs.recording"])
def test_a_recording_is_never_overwritten(tmp_path, existing):
    (tmp_path / existing).write_bytes(b"precious")
    with pytest.raises(UserError, match=f"{existing} exists already"):
        LiveFile(tmp_path / "x.igs.mhd", 8, 6)
    assert names(tmp_path) == [existing]
    assert (tmp_path / existing).read_bytes() == b"precious"


def test_a_missing_folder_and_another_name_are_refused(tmp_path):
    with pytest.raises(UserError, match="could not be written"):
        LiveFile(tmp_path / "none" / "x.igs.mhd", 8, 6)
    with pytest.raises(UserError, match="Let it end in .igs.mhd"):
        LiveFile(tmp_path / "x.igs.mha", 8, 6)
    assert names(tmp_path) == []


def test_a_header_that_takes_more_than_a_line_leaves_nothing(tmp_path):
    with pytest.raises(UserError, match="more than one line"):
        LiveFile(tmp_path / "x.igs.mhd", 8, 6, {"Note": "a\nb"})
    assert names(tmp_path) == []


def test_a_recording_without_a_frame_is_not_kept(live, tmp_path):
    with pytest.raises(UserError, match="x.igs.mhd has no frame"):
        live.finish()
    assert names(tmp_path) == []


def test_an_image_of_another_size_is_refused_and_the_recording_goes_on(live):
    append(live, 0, 4)
    with pytest.raises(UserError, match="An image of 5×7 px cannot follow 4 of 8×6 px"):
        live.append(np.zeros((7, 5), np.uint8), 0.0, {})
    append(live, 4, 6)
    assert_frames(live.finish(), 6)


class FullDisk:
    """Takes `room` bytes, the last ones in a part of a write, and then no more, as a full disk does."""

    def __init__(self, room: int) -> None:
        self.room, self._write = room, live_file._write

    def __call__(self, file, data) -> None:
        view = memoryview(data).cast("B")
        self._write(file, view[: self.room])
        if len(view) > self.room:
            self.room = 0
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.room -= len(view)


@pytest.mark.parametrize("room", [0, 1, 47, 48, 49, 200, 2000])
def test_a_full_disk_keeps_every_frame_before(live, tmp_path, monkeypatch, room):
    append(live, 0, 4)
    monkeypatch.setattr(live_file, "_write", FullDisk(room))
    with pytest.raises(UserError, match="The disk is full"):
        append(live, 4, 30)
    frames = live.frames
    monkeypatch.undo()
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) == live.bytes
    assert_frames(live.finish(), frames)


def test_a_folder_deleted_while_recording_is_made_again_with_every_frame(tmp_path):
    folder = tmp_path / "session"
    folder.mkdir()
    live = LiveFile(folder / "x.igs.mhd", 8, 6)
    append(live, 0, 9)
    shutil.rmtree(folder)
    with pytest.raises(UserError, match="is no longer there, after 9 frames"):
        live.sync()
    assert_frames(live.finish(), 9)


def test_a_folder_moved_while_recording_is_said_and_recovered_where_it_is(tmp_path):
    folder = tmp_path / "session"
    folder.mkdir()
    live = LiveFile(folder / "x.igs.mhd", 8, 6)
    append(live, 0, 9)
    folder.rename(tmp_path / "moved")
    with pytest.raises(UserError, match="was moved while recording. The 9 frames"):
        live.finish()
    assert_frames(recover(tmp_path / "moved" / "x.igs.recording").path, 9)


def test_a_finished_recording_becomes_one_compressed_file(live, tmp_path):
    append(live, 0, 12)
    write_sweep(tmp_path / "y.igs.mha", read_sweep(live.finish()))
    assert_frames(tmp_path / "y.igs.mha", 12)


@pytest.mark.parametrize("name", ["płód.igs.mhd", "心臓.igs.mhd", "a\nb.igs.mhd"])
def test_a_name_that_the_header_could_not_hold_is_refused_before_the_first_frame(tmp_path, name):
    """The header is Latin-1, one line a field, and names the file of the pixels."""
    with pytest.raises(UserError, match="is no name for a recording"):
        LiveFile(tmp_path / name, 8, 6)
    assert names(tmp_path) == []


def test_recovering_under_such_a_name_touches_nothing_and_works_under_another(live, tmp_path):
    append(live, 0, 5)
    live.close()
    for ending in ("igs.raw", "igs.recording"):
        (tmp_path / f"x.{ending}").rename(tmp_path / f"心臓.{ending}")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(UserError, match="is no name for a recording"):
        recover(tmp_path / "心臓.igs.recording")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    for ending in ("igs.raw", "igs.recording"):
        (tmp_path / f"心臓.{ending}").rename(tmp_path / f"heart.{ending}")
    assert_frames(recover(tmp_path / "heart.igs.recording").path, 5)
