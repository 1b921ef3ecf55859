"""The recorder on real nodes: every image once, with the pose of its own moment, whatever the order."""

from __future__ import annotations

import numpy as np
import pytest

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

import vtk  # noqa: E402

from USGanSimLib.errors import UserError  # noqa: E402
from USGanSimLib.mrml.recorder.recorder import Recorder  # noqa: E402
from USGanSimLib.recording.sequence_file import read_sweep  # noqa: E402

START_1970_S = 1_700_000_000.0


def test_every_image_is_recorded_once_with_its_pose_and_both_stamps(source, record, numbers_of, posed):
    recorder = record(source)
    for number in range(1, 40):
        source.step()
        source.send_pose(number)
        source.send_image(number)
    arrivals_s = [START_1970_S + 100 + number / 60 for number in range(1, 40)]
    sweep = read_sweep(recorder.stop())
    assert numbers_of(sweep) == posed(sweep) == list(range(1, 40))
    np.testing.assert_allclose(
        sweep.timestamps_s, [source.stamp_s(number) for number in range(1, 40)], atol=1e-6
    )
    recorded_s = [float(text) - START_1970_S for text in sweep.frame_fields["ArrivalTimestamp"]]
    np.testing.assert_allclose(recorded_s, np.array(arrivals_s) - START_1970_S, atol=2e-6)
    assert sweep.image_valid.all()


@pytest.mark.parametrize("late", [1, 3])
def test_stamps_pair_rightly_when_the_image_comes_before_its_pose(source, record, late, numbers_of, posed):
    """Half of a sender's frames, and poses that are `late` frames behind."""
    recorder = record(source)
    for number in range(1, 40):
        source.step()
        source.send_image(number)
        if number > late - 1:
            source.send_pose(number - late + 1)
    for number in range(40 - late + 1, 40):
        source.send_pose(number)
    sweep = read_sweep(recorder.stop())
    assert numbers_of(sweep) == posed(sweep) == list(range(1, 40))


def test_without_stamps_the_pose_that_came_before_the_image_is_its_pose(unstamped, record, numbers_of, posed):
    recorder = record(unstamped)
    for number in range(1, 40):
        unstamped.step()
        unstamped.send_pose(number)
        unstamped.clock.now_s += 0.004
        unstamped.send_image(number)
    feedback = recorder.feedback()
    sweep = read_sweep(recorder.stop())
    assert numbers_of(sweep) == posed(sweep) == list(range(1, 40))
    np.testing.assert_allclose(np.diff(sweep.timestamps_s), 1 / 60 + 0.004, atol=1e-5)
    assert feedback.warnings == ()


def test_other_changes_of_the_image_node_are_no_frames(source, record, numbers_of):
    recorder = record(source)
    source.send_pose(1)
    source.send_image(1)
    source.image.SetName("Renamed")
    source.image.SetAttribute("Note", "hello")
    source.image.CreateDefaultDisplayNodes()
    source.image.Modified()
    assert recorder.feedback().offered == 1
    assert numbers_of(read_sweep(recorder.stop())) == [1]


def test_images_set_in_every_way_that_slicer_has_are_frames(
    scene, nodes, clock, tmp_path, an_image, numbers_of
):
    image = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Image")
    recorder = Recorder(image, {}, clock=clock)
    recorder.start(tmp_path / "x.igs.mhd")
    slicer.util.updateVolumeFromArray(image, an_image(1)[None])
    slicer.util.arrayFromVolume(image)[0] = an_image(2)
    slicer.util.arrayFromVolumeModified(image)
    fresh = vtk.vtkImageData()
    fresh.DeepCopy(image.GetImageData())
    image.SetAndObserveImageData(fresh)
    slicer.util.arrayFromVolume(image)[0] = an_image(4)
    image.GetImageData().Modified()
    numbers = numbers_of(read_sweep(recorder.stop()))
    # updateVolumeFromArray announces its image before its pixels are in; what comes last is whole.
    assert sorted(set(numbers)) == [1, 2, 4]
    assert numbers[-1] == 4


def test_invalid_poses_and_images_are_recorded_as_such_with_their_status(source, record, posed):
    recorder = record(source)
    for number in range(1, 7):
        source.step()
        source.send_pose(number, "OUT_OF_VIEW" if number == 3 else "OK")
        source.send_image(number, ImageStatus="INVALID" if number == 5 else "OK")
    feedback = recorder.feedback()
    sweep = read_sweep(recorder.stop())
    assert posed(sweep) == [1, 2, None, 4, 5, 6]
    assert sweep.image_valid.tolist() == [True] * 4 + [False, True]
    assert sweep.frame_fields["ProbeToTrackerTransformStatus"][2] == "OUT_OF_VIEW"
    assert feedback.valid_share == {"ProbeToTracker": pytest.approx(5 / 6)}
    assert feedback.tracked_share == pytest.approx(5 / 6)


def test_a_pose_that_plus_did_not_send_is_invalid_and_never_the_one_before(source, record, numbers_of, posed):
    """By default PLUS sends nothing for an invalid transform, so the node keeps its last pose with status OK."""
    recorder = record(source)
    for number in range(1, 40):
        source.step()
        if number % 10 < 7:
            source.send_pose(number)
        source.send_image(number)
    sweep = read_sweep(recorder.stop())
    assert numbers_of(sweep) == list(range(1, 40))
    assert posed(sweep) == [number if number % 10 < 7 else None for number in range(1, 40)]


def test_the_status_that_comes_with_an_image_overrules_a_node_that_was_not_told(unstamped, record, posed):
    recorder = record(unstamped)
    for number in range(1, 7):
        unstamped.step()
        if number < 4:
            unstamped.send_pose(number)
        unstamped.send_image(number, ProbeToTrackerTransformStatus="OK" if number < 4 else "MISSING")
    sweep = read_sweep(recorder.stop())
    assert posed(sweep) == [1, 2, 3, None, None, None]
    assert sweep.frame_fields["ProbeToTrackerTransformStatus"][3:] == ("MISSING",) * 3


def test_without_stamps_a_pose_goes_stale(unstamped, record, posed):
    recorder = record(unstamped, stale_after_s=0.11)
    unstamped.send_pose(1)
    for number in range(1, 21):
        unstamped.send_image(number)
        unstamped.step()
    assert posed(read_sweep(recorder.stop())) == [1] * 7 + [None] * 13
    assert recorder.feedback().valid_share["ProbeToTracker"] == 7 / 20


def test_a_tracker_of_another_rate_gives_the_nearest_pose(source, record, numbers_of, posed):
    """Poses at 60 Hz, images at 25 Hz, on one clock."""
    recorder = record(source)
    events = sorted(
        [(number / 60, "pose", number) for number in range(600)]
        + [(0.003 + number / 25, "image", number) for number in range(240)]
    )
    for at_s, kind, number in events:
        source.clock.now_s = 100 + at_s
        if kind == "pose":
            source.send_pose(number, stamp_s=50 + at_s)
        else:
            source.send_image(number, stamp_s=50 + at_s)
    sweep = read_sweep(recorder.stop())
    assert numbers_of(sweep) == list(range(240))
    assert sweep.transforms["ProbeToTracker"].valid.all()
    pose_s = np.array(posed(sweep)) / 60
    assert np.abs(pose_s - (sweep.timestamps_s - 50)).max() <= 1 / 120 + 1e-6


def test_stamps_of_two_clocks_are_not_compared(source, record, numbers_of, posed):
    recorder = record(source)
    for number in range(1, 10):
        source.step()
        source.send_pose(number, stamp_s=9000 + number)
        source.send_image(number)
    sweep = read_sweep(recorder.stop())
    assert numbers_of(sweep) == posed(sweep) == list(range(1, 10))


def test_a_node_that_is_never_received_is_a_setting_and_never_stale(source, nodes, record, posed):
    calibration = nodes.new("ImageToProbe")
    nodes.move(calibration, 5)
    recorder = record(source, transforms={"ImageToProbe": calibration})
    for number in range(1, 30):
        source.step()
        source.send_image(number)
    sweep = read_sweep(recorder.stop())
    assert posed(sweep, "ImageToProbe") == [5] * 29
    assert posed(sweep) == [None] * 29  # the probe has never been received: its identity is no pose


def test_bad_starts_are_refused_before_anything_is_recorded(source, clock, tmp_path):
    with pytest.raises(UserError, match="'probe' does not name a transform"):
        Recorder(source.image, {"probe": source.probe})
    recorder = Recorder(source.image, {"ProbeToTracker": source.probe}, clock=clock)
    with pytest.raises(UserError, match="There is no folder"):
        recorder.start(tmp_path / "none" / "x.igs.mhd")
    with pytest.raises(UserError, match="Let it end in .igs.mhd"):
        recorder.start(tmp_path / "x.mha")
    recorder.start(tmp_path / "x.igs.mhd")
    with pytest.raises(UserError, match="No image came"):
        recorder.stop()
    assert list(tmp_path.iterdir()) == []


def test_after_stop_nothing_is_observed_and_another_recording_can_begin(
    source, record, tmp_path, numbers_of, posed
):
    recorder = record(source)
    source.send_pose(1)
    source.send_image(1)
    recorder.stop()
    assert not source.image.HasObserver(vtk.vtkCommand.ModifiedEvent)
    source.send_pose(2)
    source.send_image(2)
    recorder.start(tmp_path / "y.igs.mhd")
    source.step()
    source.send_pose(3)
    source.send_image(3)
    sweep = read_sweep(recorder.stop())
    assert numbers_of(sweep) == posed(sweep) == [3]
    assert numbers_of(read_sweep(tmp_path / "x.igs.mhd")) == [1]
