"""What the recorder refuses, and what it says while it records."""

from __future__ import annotations

import shutil
import time

import numpy as np
import pytest

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

from USGanSimLib.errors import UserError  # noqa: E402
from USGanSimLib.mrml.recorder.feedback import RecorderState  # noqa: E402
from USGanSimLib.mrml.recorder.recorder import Recorder  # noqa: E402
from USGanSimLib.recording.sequence_file import read_sweep  # noqa: E402


def test_an_image_of_another_size_is_refused_visibly_and_nothing_is_lost(
    source, record, an_image, numbers_of, posed
):
    recorder = record(source)
    for number in range(1, 8):
        source.step()
        source.send_pose(number)
        source.send_image(number, image=an_image(number, 20, 10) if 3 <= number <= 5 else None)
        if number == 4:
            feedback = recorder.feedback()
    assert feedback.state is RecorderState.REFUSING
    assert feedback.detail == (
        "The image size changed from 12×8 to 20×10 px: stop, and start anew. 2 of 4 images are refused."
    )
    assert recorder.feedback().state is RecorderState.RECORDING
    assert recorder.feedback().refused == 3
    sweep = read_sweep(recorder.stop())
    assert numbers_of(sweep) == posed(sweep) == [1, 2, 6, 7]


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.zeros((1, 8, 12), np.int16), "1 components of type short"),
        (np.zeros((3, 8, 12), np.uint8), "a volume of 12×8×3"),
    ],
)
def test_what_is_no_grey_image_is_refused_with_the_reason(scene, clock, tmp_path, array, said):
    image = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Image")
    recorder = Recorder(image, {}, clock=clock)
    recorder.start(tmp_path / "x.igs.mhd")
    slicer.util.updateVolumeFromArray(image, array)
    assert recorder.feedback().state is RecorderState.REFUSING
    assert said in recorder.feedback().detail
    with pytest.raises(UserError):
        recorder.stop()
    assert list(tmp_path.iterdir()) == []


def test_odd_time_stamps_are_kept_counted_and_said(source, record):
    recorder = record(source)
    for number, stamp_s in enumerate([1.0, 1.02, 1.04, 1.04, 1.06, 1.03, 1.08, 4.08, 4.1], start=1):
        source.step()
        source.send_pose(number, stamp_s=stamp_s)
        source.send_image(number, stamp_s=stamp_s)
    assert recorder.feedback().warnings == (
        "1 time stamps repeat the one before.",
        "1 time stamps are earlier than the one before.",
        "1 time stamps jump (longest step 3.00 s, usual 0.020 s).",
    )
    assert len(read_sweep(recorder.stop())) == 9


def test_feedback_tells_rate_disk_and_time_left(source, record, tmp_path):
    recorder = record(source)
    assert recorder.feedback().state is RecorderState.WAITING
    for number in range(1, 61):
        source.step()
        source.send_pose(number)
        source.send_image(number)
    feedback = recorder.feedback()
    assert (feedback.state, feedback.offered, feedback.counts.offered) == (RecorderState.RECORDING, 60, 60)
    assert feedback.rate_hz == pytest.approx(60)
    assert feedback.duration_s == pytest.approx(59 / 60)
    free = shutil.disk_usage(tmp_path).free
    assert feedback.disk_free_bytes == pytest.approx(free, rel=0.05)
    assert feedback.minutes_left == pytest.approx(feedback.disk_free_bytes / (60 * 96) / 60)
    source.clock.now_s += 3
    assert (recorder.feedback().state, recorder.feedback().detail) == (RecorderState.STALLED, "none for 3 s")


def test_a_removed_node_is_told(source, scene, record):
    recorder = record(source)
    source.send_pose(1)
    source.send_image(1)
    scene.RemoveNode(source.probe)
    assert recorder.feedback().state is RecorderState.STALLED
    assert recorder.feedback().detail == "ProbeToTracker was removed from the scene"
    assert len(read_sweep(recorder.stop())) == 1


def test_a_disk_that_fills_up_is_told_and_keeps_the_frames_before(source, record, monkeypatch, numbers_of):
    from USGanSimLib.recording.live_file import LiveFile

    append = LiveFile.append

    def fills_up(self, *words):
        if self.frames == 5:
            raise UserError("The disk is full.", "Free some space.")
        append(self, *words)

    monkeypatch.setattr(LiveFile, "append", fills_up)
    recorder = record(source)
    for number in range(1, 12):
        source.step()
        source.send_pose(number)
        source.send_image(number)
        time.sleep(0.01)
    feedback = recorder.feedback()
    assert feedback.state is RecorderState.FAILED
    assert feedback.detail == "The disk is full. Free some space. 5 frames are kept."
    assert feedback.counts.dropped == 6
    assert "6 images were lost" in feedback.warnings[-1]
    assert numbers_of(read_sweep(recorder.stop())) == [1, 2, 3, 4, 5]


def test_an_error_while_an_image_is_taken_is_told_and_the_next_one_is_recorded(
    source, record, numbers_of, monkeypatch
):
    recorder = record(source)

    def refuse(node):
        raise MemoryError("3 GB")

    for number in range(1, 5):
        if number == 2:
            monkeypatch.setattr("USGanSimLib.mrml.recorder.recorder.own_stamp", refuse)
        source.step()
        source.send_pose(number)
        source.send_image(number)
        if number == 2:
            assert recorder.feedback().state is RecorderState.REFUSING
            assert "could not be taken (MemoryError: 3 GB)." in recorder.feedback().detail
            monkeypatch.undo()
    assert numbers_of(read_sweep(recorder.stop())) == [1, 3, 4]
