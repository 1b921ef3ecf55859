"""Sweeps recorded into a session: kept, discarded, recovered, and readable whatever ends the recording."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

from USGanSimLib.errors import UserError  # noqa: E402
from USGanSimLib.geometry.transforms import TransformTrack  # noqa: E402
from USGanSimLib.mrml.recorder.feedback import RecorderState  # noqa: E402
from USGanSimLib.mrml.recorder.session_recorder import SessionRecorder  # noqa: E402
from USGanSimLib.recording.live_file import LiveFile  # noqa: E402
from USGanSimLib.recording.sequence_file import read_sweep  # noqa: E402
from USGanSimLib.recording.session import DISCARDED, KEPT, RECORDING, open_session  # noqa: E402
from USGanSimLib.recording.sweep import TrackedSweep  # noqa: E402


@pytest.fixture
def image(scene):
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Image_Image")
    slicer.util.updateVolumeFromArray(node, np.zeros((1, 6, 8), np.uint8))
    return node


@pytest.fixture
def send(image, probe, nodes, clock):
    """Send images 1, 2, … with poses that carry the same number, mm along x."""

    def frames(*numbers: int) -> None:
        for number in numbers:
            clock.now_s += 0.2
            nodes.receive(probe, float(number))
            slicer.util.arrayFromVolume(image)[:] = number
            slicer.util.arrayFromVolumeModified(image)

    return frames


@pytest.fixture
def recorder(clock, tmp_path):
    recorder = SessionRecorder(clock)
    recorder.open(tmp_path / "session")
    yield recorder
    recorder.close()


def test_a_new_folder_becomes_a_session_with_the_first_sweep_and_not_before(recorder, image, probe, send):
    assert not recorder.folder.exists()
    recorder.start("heart", image, {"ProbeToReference": probe})
    send(1, 2, 3)
    assert recorder.feedback().offered == 3
    entry = recorder.stop()
    assert (entry.name, entry.state, entry.frames) == ("heart", KEPT, 3)
    sweep = read_sweep(open_session(recorder.folder).path("heart"))
    assert sweep.frames[:, 0, 0].tolist() == [1, 2, 3]
    assert sweep.transforms["ProbeToReference"].matrices[:, 0, 3].tolist() == [1, 2, 3]


def test_names_count_on(recorder, image, probe, send):
    assert recorder.free_name("heart") == "heart"
    for name in ("heart", "heart-2"):
        recorder.start(recorder.free_name("heart"), image, {"ProbeToReference": probe})
        send(1)
        assert recorder.stop().name == name
    assert recorder.free_name("heart-2") == "heart-3"
    assert recorder.free_name("") == "sweep-2"


def test_a_discarded_sweep_stays_and_can_be_kept_again(recorder, image, probe, send):
    recorder.start("heart", image, {"ProbeToReference": probe})
    send(1, 2)
    recorder.stop()
    recorder.discard("heart")
    assert open_session(recorder.folder).sweeps[0].state == DISCARDED
    assert recorder.session.path("heart").is_file()
    recorder.keep("heart")
    assert open_session(recorder.folder).sweeps[0].state == KEPT


def test_without_an_image_nothing_is_entered_and_the_words_say_so(recorder, image, probe):
    recorder.start("heart", image, {"ProbeToReference": probe})
    with pytest.raises(UserError, match="No image came"):
        recorder.stop()
    assert not recorder.recording
    assert open_session(recorder.folder).sweeps == ()


def test_a_recording_that_cannot_start_is_not_entered(recorder, image, probe):
    with pytest.raises(UserError, match="'Probe' does not name a transform"):
        recorder.start("heart", image, {"Probe": probe})
    assert not recorder.recording
    assert open_session(recorder.folder).sweeps == ()


def test_closing_finishes_the_recording_and_leaves_no_observer(recorder, image, probe, send):
    recorder.start("heart", image, {"ProbeToReference": probe})
    send(1, 2)
    recorder.close()
    session = open_session(recorder.folder)
    assert [(sweep.state, sweep.frames) for sweep in session.sweeps] == [(KEPT, 2)]
    send(3)
    assert len(read_sweep(session.path("heart"))) == 2
    for node, event in (
        (image, "ModifiedEvent"),
        (probe, slicer.vtkMRMLTransformableNode.TransformModifiedEvent),
    ):
        assert not node.HasObserver(event)


def test_what_a_crash_left_is_offered_recovered_and_entered(recorder, image, probe, send, clock):
    recorder.start("heart", image, {"ProbeToReference": probe})
    send(1)
    recorder.stop()
    crashed = LiveFile(recorder.folder / "spine.igs.mhd", 8, 6)
    for number in range(4):
        crashed.append(
            np.full((6, 8), number, np.uint8), number / 10, {"ProbeToReference": (np.eye(4), True)}
        )
    crashed.close()
    other = SessionRecorder(clock)
    other.open(recorder.folder)
    assert [path.name for path in other.unfinished()] == ["spine.igs.recording"]
    assert [one.frames for one in other.recover()] == [4]
    assert [(sweep.name, sweep.frames, sweep.recovered) for sweep in other.sweeps] == [
        ("heart", 1, False),
        ("spine", 4, True),
    ]
    assert other.unfinished() == []


def test_the_recording_that_runs_is_not_offered_for_recovery(recorder, image, probe, send):
    recorder.start("heart", image, {"ProbeToReference": probe})
    send(1)
    assert recorder.unfinished() == []


def test_a_complete_sweep_whose_end_was_not_entered_is_kept_when_the_session_is_opened(
    recorder, image, probe, send, clock
):
    recorder.start("heart", image, {"ProbeToReference": probe})
    before = (recorder.folder / "session.json").read_text()
    send(1, 2)
    recorder.stop()
    (recorder.folder / "session.json").write_text(before)
    assert open_session(recorder.folder).sweeps[0].state == RECORDING
    recorder.open(recorder.folder)
    assert [(sweep.state, sweep.frames) for sweep in open_session(recorder.folder).sweeps] == [(KEPT, 2)]


def test_a_folder_that_goes_is_told_and_its_frames_come_back(recorder, image, probe, send):
    recorder.start("heart", image, {"ProbeToReference": probe})
    send(1, 2)
    while recorder.feedback().counts.written < 2:
        pass
    shutil.rmtree(recorder.folder)
    entry = recorder.stop()
    assert entry.frames == 2
    assert len(read_sweep(recorder.session.path("heart"))) == 2
    assert open_session(recorder.folder).sweeps == recorder.sweeps


def test_an_image_of_another_size_is_refused_with_both_sizes(recorder, image, probe, send):
    recorder.start("heart", image, {"ProbeToReference": probe})
    send(1)
    slicer.util.updateVolumeFromArray(image, np.zeros((1, 12, 16), np.uint8))
    feedback = recorder.feedback()
    assert feedback.state is RecorderState.REFUSING
    assert "from 8×6 to 16×12 px" in feedback.detail
    assert recorder.stop().frames == 1


def test_the_poses_of_kept_sweeps_count_together(recorder, image, probe, send):
    for name in ("one", "two", "three"):
        recorder.start(name, image, {"ProbeToReference": probe})
        send(1, 2)
        recorder.stop()
    recorder.discard("two")
    recorder.start("four", image, {"ProbeToReference": probe})
    send(5)
    track = recorder.pose_tracks()["ProbeToReference"]
    assert track.matrices[track.valid][:, 0, 3].tolist() == [1, 2, 1, 2, 5]
    assert recorder.size_px == (8, 6)


def test_a_pose_stands_for_the_frames_until_the_next(recorder, image, probe, nodes, clock):
    recorder.start("heart", image, {"ProbeToReference": probe})
    for number in range(41):  # 40 a second; poses are kept ten times a second
        clock.now_s += 0.025
        nodes.receive(probe, float(number))
        slicer.util.arrayFromVolume(image)[:] = number
        slicer.util.arrayFromVolumeModified(image)
    recorder.stop()
    assert recorder.frames_per_pose == pytest.approx(4, abs=0.3)


def test_a_sweep_from_elsewhere_is_entered_and_reads_the_same(recorder):
    poses = np.tile(np.eye(4), (3, 1, 1))
    sweep = TrackedSweep(
        np.arange(3 * 48, dtype=np.uint8).reshape(3, 6, 8),
        np.arange(3.0),
        {"ProbeToReference": TransformTrack(poses, np.ones(3, bool))},
        np.ones(3, bool),
    )
    recorder.add("given", sweep)
    again = read_sweep(recorder.session.kept_files[0])
    np.testing.assert_array_equal(again.frames, sweep.frames)
    with pytest.raises(UserError, match="has a sweep 'given' already"):
        recorder.add("given", sweep)
    assert len(recorder.sweeps) == 1
