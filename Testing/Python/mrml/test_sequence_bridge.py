"""Recordings as real MRML sequences: stamped samples stay together, there and back."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

from USGanSimLib.errors import UserError  # noqa: E402
from USGanSimLib.geometry.transforms import TransformTrack  # noqa: E402
from USGanSimLib.mrml.sequence_bridge import export_sweep, import_sweep, sequences_logic  # noqa: E402
from USGanSimLib.recording.sweep import TrackedSweep  # noqa: E402

COUNT = 40


def stamped(count: int = COUNT) -> np.ndarray:
    """(count, 4, 4) with the number of the sample as x."""
    matrices = np.tile(np.eye(4), (count, 1, 1))
    matrices[:, 0, 3] = np.arange(count)
    return matrices


@pytest.fixture
def sweep():
    numbers = np.arange(COUNT)
    frames = np.random.default_rng(0).integers(0, 256, (COUNT, 6, 8), np.uint8)
    frames[:, 0, 0] = numbers
    return TrackedSweep(
        frames,
        1234.5 + numbers / 60 + np.random.default_rng(1).uniform(0, 0.004, COUNT),
        {
            "ProbeToReference": TransformTrack(stamped(), numbers % 7 != 2),
            "StylusToReference": TransformTrack(-stamped(), np.zeros(COUNT, bool)),
        },
        numbers % 11 != 5,
        "heart",
        {"ArrivalTimestamp": tuple(str(number) for number in numbers)},
    )


@pytest.fixture
def logic(scene):
    logic = sequences_logic(scene)
    yield logic
    logic.SetMRMLScene(None)


def test_whatever_item_is_shown_image_and_pose_are_of_one_sample(scene, sweep, logic):
    browser = export_sweep(scene, sweep, "heart")
    logic.UpdateProxyNodesFromSequences(browser)
    image = scene.GetFirstNode("heart Image", "vtkMRMLScalarVolumeNode")
    probe = scene.GetFirstNode("heart ProbeToReference", "vtkMRMLTransformNode")
    seen = []
    for item in [*range(COUNT), 17, 3, 39, 0]:
        browser.SetSelectedItemNumber(item)
        logic.UpdateProxyNodesFromSequences(browser)
        shown = slicer.util.arrayFromVolume(image)[0]
        assert np.array_equal(shown, sweep.frames[item])
        assert slicer.util.arrayFromTransformMatrix(probe)[0, 3] == item
        assert (probe.GetAttribute("TransformStatus") == "OK") == sweep.transforms["ProbeToReference"].valid[
            item
        ]
        seen.append(item)
    assert browser.GetNumberOfItems() == COUNT


def test_there_and_back_is_the_same_recording(scene, sweep, logic):
    again = import_sweep(export_sweep(scene, sweep, "heart"))
    assert np.array_equal(again.frames, sweep.frames)
    assert again.timestamps_s.tobytes() == sweep.timestamps_s.tobytes()
    assert np.array_equal(again.image_valid, sweep.image_valid)
    assert again.frame_fields == sweep.frame_fields
    assert again.transforms.keys() == sweep.transforms.keys()
    for name, track in sweep.transforms.items():
        assert np.array_equal(again.transforms[name].valid, track.valid)
        assert again.transforms[name].matrices.tobytes() == track.matrices.tobytes()


def test_stamps_that_repeat_or_go_back_lose_no_frame_and_keep_their_order(scene, sweep, logic):
    stamps_s = sweep.timestamps_s.copy()
    stamps_s[5] = stamps_s[6] = stamps_s[4]
    stamps_s[20] = stamps_s[10]
    odd = dataclasses.replace(sweep, timestamps_s=stamps_s)
    again = import_sweep(export_sweep(scene, odd, "odd"))
    assert np.array_equal(again.frames[:, 0, 0], np.arange(COUNT))
    assert np.array_equal(again.transforms["ProbeToReference"].matrices[:, 0, 3], np.arange(COUNT))
    assert again.timestamps_s.tobytes() == stamps_s.tobytes()


def test_a_calibration_adds_the_pose_of_the_image(scene, sweep, logic):
    image_to_probe = np.diag([0.2, 0.3, 1, 1])
    browser = export_sweep(scene, sweep, "heart", image_to_probe)
    track = import_sweep(browser).transforms["ImageToReference"]
    np.testing.assert_allclose(track.matrices[track.valid], stamped()[track.valid] @ image_to_probe)
    assert np.array_equal(track.valid, sweep.transforms["ProbeToReference"].valid)


def test_sequences_recorded_in_slicer_are_imported_by_index_value(scene, logic, sweep):
    """As a sequence browser records: plain names, a transform that has no item for some images."""
    browser = export_sweep(scene, sweep, "heart")
    sequences = [scene.GetNthNodeByClass(number, "vtkMRMLSequenceNode") for number in range(3)]
    probe = next(one for one in sequences if one.GetName() == "heart ProbeToReference")
    probe.RemoveAttribute("USGanSim.Transform")
    probe.SetName("ProbeToReference-Sequence")
    images = next(one for one in sequences if one.GetName() == "heart Image")
    for number in (4, 8):
        probe.RemoveDataNodeAtValue(images.GetNthIndexValue(number))
    track = import_sweep(browser).transforms["ProbeToReference"]
    assert track.valid.tolist() == [number % 7 != 2 and number not in (4, 8) for number in range(COUNT)]
    assert np.array_equal(track.matrices[track.valid, 0, 3], np.arange(COUNT)[track.valid])


def test_what_does_not_fit_into_memory_or_is_no_recording_is_refused(scene, sweep, logic):
    with pytest.raises(UserError, match="would take 0.0 GB of memory as a sequence"):
        export_sweep(scene, sweep, "heart", most_bytes=100)
    empty = scene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", "empty")
    with pytest.raises(UserError, match="empty has no sequence of images"):
        import_sweep(empty)


def test_without_a_sequences_logic_the_sentence_says_so(scene, sweep, capfd):
    with pytest.raises(UserError, match="The scene has no sequence browsers"):
        export_sweep(scene, sweep, "heart")
    assert scene.GetNumberOfNodesByClass("vtkMRMLSequenceNode") == 0


def test_images_of_two_sizes_are_refused(scene, sweep, logic):
    browser = export_sweep(scene, sweep, "heart")
    item = browser.GetMasterSequenceNode().GetNthDataNode(7)
    slicer.util.updateVolumeFromArray(item, np.zeros((1, 4, 4), np.uint8))
    with pytest.raises(UserError, match="Image 7 of heart has the shape"):
        import_sweep(browser)
