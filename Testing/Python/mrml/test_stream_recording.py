"""The simulated stream recorded: every image with the pose that it was simulated at, as a file and in the scene."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

from USGanSimLib.errors import UserError  # noqa: E402
from USGanSimLib.mrml.recorder.stream_recording import (  # noqa: E402
    StreamRecording,
    free_name,
    save_snapshot,
    take_snapshot,
)
from USGanSimLib.mrml.sequence_bridge import exporting_sweep, import_sweep, sequences_logic, show_sequences  # noqa: E402
from USGanSimLib.recording.sequence_file import read_sweep  # noqa: E402

COUNT = 25


@pytest.fixture
def logic(scene):
    logic = sequences_logic(scene)
    yield logic
    logic.SetMRMLScene(None)


@pytest.fixture
def reference(nodes):
    node = nodes.new("ReferenceToRas")
    nodes.move(node, 500)
    return node


@pytest.fixture
def live(simulate, nodes, reference):
    probe = nodes.new("ProbeToReference", reference)
    live = simulate(probe, reference)
    return live


def recorded(scene, live, nodes, folder, renderer, count=COUNT):
    """A recording of images whose grey level is the x of their pose; the probe moves on after every image."""
    recording = StreamRecording(scene, live.volume, renderer.image_to_probe)
    recording.start(folder, "simulated")
    for x_mm in range(1, count + 1):
        nodes.move(live.probe, x_mm)
        live.tick()
        # The probe is elsewhere when the image is written to disk.
        nodes.move(live.probe, 200)
    return recording


def finished(recording, **wanted):
    steps = recording.finishing(recording.stop(), **wanted)
    shares = []
    while True:
        try:
            shares.append(next(steps))
        except StopIteration as end:
            assert shares == sorted(shares)
            assert shares[-1] == pytest.approx(1)
            return end.value


def test_every_image_has_the_pose_that_it_was_simulated_at(scene, live, nodes, renderer, tmp_path, logic):
    recording = recorded(scene, live, nodes, tmp_path, renderer)
    result = finished(recording, as_file=True, as_sequence=True)
    assert result.frames == COUNT
    for sweep in (read_sweep(result.path), import_sweep(result.browser)):
        greys = sweep.frames.max(axis=(1, 2))
        assert greys.tolist() == list(range(1, COUNT + 1))
        probe = sweep.graph().track("Probe", "Reference").matrices
        np.testing.assert_allclose(probe[:, 0, 3], greys, atol=1e-9)
        images = sweep.transforms["ImageToReference"].matrices
        np.testing.assert_allclose(images, probe @ renderer.image_to_probe, atol=1e-9)
        np.testing.assert_allclose(sweep.transforms["ReferenceToRas"].matrices[:, 0, 3], 500)
        assert sweep.image_valid.all()
        assert (np.diff(sweep.timestamps_s) > 0).all()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["simulated.igs.mha"]


def test_the_sequence_shows_each_image_at_its_place_whatever_item_is_chosen(
    scene, live, nodes, renderer, tmp_path, logic, image_to_world
):
    result = finished(recorded(scene, live, nodes, tmp_path, renderer), as_file=False, as_sequence=True)
    volume = show_sequences(logic, result.browser, "ImageToReference")
    for item in (0, 24, 7, 13):
        result.browser.SetSelectedItemNumber(item)
        logic.UpdateProxyNodesFromSequences(result.browser)
        assert slicer.util.arrayFromVolume(volume).max() == item + 1
        assert image_to_world(volume)[0, 3] - renderer.image_to_probe[0, 3] == pytest.approx(item + 1)
    assert list(tmp_path.iterdir()) == []


def test_images_that_are_dimmed_because_tracking_was_lost_are_invalid(scene, live, nodes, renderer, tmp_path):
    recording = StreamRecording(scene, live.volume, renderer.image_to_probe)
    recording.start(tmp_path, "simulated")
    for status in ("OK", "OK", "OUT_OF_VIEW", "OK"):
        nodes.receive(live.probe, [[1, 0, 0, 30], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]], status)
        live.tick()
    sweep = read_sweep(finished(recording, as_file=True, as_sequence=False).path)
    assert sweep.image_valid.tolist() == [True, True, False, True]
    assert sweep.frames.max(axis=(1, 2)).tolist() == [30, 30, 15, 30]


def test_left_off_halfway_nothing_is_half_there_and_the_raw_recording_stays(
    scene, live, nodes, renderer, tmp_path, logic
):
    recording = recorded(scene, live, nodes, tmp_path, renderer)
    raw = recording.stop()
    for stop_after in (5, 60, 130):
        steps = recording.finishing(raw, as_file=True, as_sequence=True)
        for _ in range(stop_after):
            next(steps)
        steps.close()
        assert len(read_sweep(raw)) == COUNT
        assert not (tmp_path / "simulated.igs.mha").exists()
    assert not list(tmp_path.glob("*.part"))
    before = nodes.names()
    steps = exporting_sweep(scene, read_sweep(raw), "half")
    for _ in range(COUNT + 10):
        next(steps)
    assert any("half ImageToReference" in name for name in nodes.names())
    steps.close()
    assert sorted(set(nodes.names()) ^ set(before)) == []
    assert nodes.count() == len(before)


def test_a_full_disk_is_told_in_a_sentence_and_the_raw_recording_stays(
    scene, live, nodes, renderer, tmp_path, monkeypatch
):
    recording = recorded(scene, live, nodes, tmp_path, renderer)
    raw = recording.stop()

    def full(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("USGanSimLib.recording.sequence_file.SweepWriter._write_pixels", full)
    with pytest.raises(UserError, match="The disk is full"):
        list(recording.finishing(raw, as_file=True, as_sequence=False))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["simulated.igs.mhd", "simulated.igs.raw"]


def test_a_name_that_is_taken_gets_a_number(tmp_path):
    assert free_name(tmp_path, "heart") == "heart"
    (tmp_path / "heart.igs.mha").touch()
    (tmp_path / "heart_2.png").touch()
    assert free_name(tmp_path, "heart") == "heart_3"


def test_names_and_folders_that_cannot_be_are_refused(tmp_path):
    for name in ("", "  ", "a/b", "why?"):
        with pytest.raises(UserError, match="is no file name"):
            free_name(tmp_path, name)
    with pytest.raises(UserError, match="There is no folder"):
        free_name(tmp_path / "gone", "heart")


def test_a_recording_without_an_image_says_so_and_leaves_nothing(scene, live, renderer, tmp_path):
    recording = StreamRecording(scene, live.volume, renderer.image_to_probe)
    recording.start(tmp_path, "simulated")
    with pytest.raises(UserError, match="No image came"):
        recording.stop()
    assert list(tmp_path.iterdir()) == []


def test_a_snapshot_stays_where_it_was_taken(scene, live, nodes, image_to_world):
    nodes.move(live.probe, 7)
    live.tick()
    before = image_to_world(live.volume)
    snapshot = take_snapshot(scene, live.volume, "snapshot")
    nodes.move(live.probe, 90)
    live.tick()
    np.testing.assert_allclose(image_to_world(snapshot), before)
    assert slicer.util.arrayFromVolume(snapshot).max() == 7
    assert before[0, 3] != image_to_world(live.volume)[0, 3]


def test_a_snapshots_files_hold_its_pixels_and_its_place_in_ras(scene, live, nodes, image_to_world, tmp_path):
    nodes.move(live.probe, 7)
    live.tick()
    snapshot = take_snapshot(scene, live.volume, "snapshot")
    picture = save_snapshot(tmp_path, snapshot, "model.safetensors")
    with Image.open(picture) as image:
        assert np.array_equal(np.asarray(image), slicer.util.arrayFromVolume(snapshot)[0])
    told = json.loads((tmp_path / "snapshot.json").read_text(encoding="utf-8"))
    np.testing.assert_allclose(told["image_to_ras"], image_to_world(snapshot))
    np.testing.assert_allclose(
        np.array(told["image_to_ras"])[0, 3] - np.array(told["image_to_reference"])[0, 3], 500
    )
    assert (told["state"], told["model"]) == ("GOOD", "model.safetensors")
    assert save_snapshot(tmp_path, snapshot, "model.safetensors").name == "snapshot_2.png"
