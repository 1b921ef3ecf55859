"""The sections of the module USGanSim for mock probe, recording and registration, pressed like a person would."""

from __future__ import annotations

import csv
import os
import shutil
import types
from pathlib import Path

import numpy as np
import pytest
import slicer
import vtk
from safetensors.numpy import save_file

from USGanSimLib import sample_data
from USGanSimLib.errors import UserError
from USGanSimLib.geometry.conditioning import CoordinateNormalisation
from USGanSimLib.geometry.image_geometry import Crop, ImageGeometry
from USGanSimLib.geometry.pose_distance import PoseRange
from USGanSimLib.geometry.transforms import TransformTrack
from USGanSimLib.model.info import METADATA_KEY, ModelInfo
from USGanSimLib.mrml.sequence_bridge import import_sweep
from USGanSimLib.recording.sequence_file import read_sweep, write_sweep
from USGanSimLib.recording.sweep import TrackedSweep

WIDTH_PX, HEIGHT_PX = 32, 24
IMAGE_TO_PROBE = np.diag([0.5, 0.5, 1, 1])
IMAGE_TO_PROBE[0, 3] = -7.75


def trained() -> PoseRange:
    """Poses fanned and slid along z."""
    poses = np.tile(IMAGE_TO_PROBE, (40, 1, 1))
    poses[:, 2, 3] = np.linspace(0, 60, 40)
    return PoseRange.of_training_poses(poses, WIDTH_PX, HEIGHT_PX)


class PlaceRenderer:
    """Grey levels that tell z, two a millimetre."""

    width_px, height_px, image_to_probe, pose_range = WIDTH_PX, HEIGHT_PX, IMAGE_TO_PROBE, trained()

    def render(self, image_to_reference: np.ndarray) -> np.ndarray:
        return np.full((HEIGHT_PX, WIDTH_PX), round(2 * image_to_reference[2, 3]) % 256, np.uint8)

    def sample(self, image_to_reference: np.ndarray, n: int) -> np.ndarray:
        return np.stack([self.render(image_to_reference)] * n)


@pytest.fixture
def model(tmp_path):
    info = ModelInfo(
        recipe="place",
        network={},
        geometry=ImageGeometry(WIDTH_PX, HEIGHT_PX, IMAGE_TO_PROBE),
        source_size_px=(WIDTH_PX, HEIGHT_PX),
        crop=Crop(0, 0, WIDTH_PX, HEIGHT_PX),
        reference_frame="Reference",
        normalisation=CoordinateNormalisation((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
        pose_range=trained(),
        training_set_sha256="ab" * 32,
        seed=1,
        iterations=1,
        software_version="0.1",
    )
    path = tmp_path / "model.safetensors"
    save_file({"a": np.zeros(1, np.float32)}, path, {METADATA_KEY: info.to_json()})
    return path


def nodes() -> list[str]:
    """What is in the scene that nobody made, and what somebody left; subject hierarchy and cameras come and go."""
    scene = slicer.mrmlScene
    kinds = (
        "vtkMRMLTransformNode",
        "vtkMRMLVolumeNode",
        "vtkMRMLModelNode",
        "vtkMRMLSequenceNode",
        "vtkMRMLSequenceBrowserNode",
        "vtkMRMLMarkupsNode",
    )
    found = (scene.GetNthNode(number) for number in range(scene.GetNumberOfNodes()))
    return sorted(node.GetName() for node in found if any(node.IsA(kind) for kind in kinds))


@pytest.fixture
def story(harness, panel, model, until):
    """The panel in an empty scene, with a model whose renderer needs no torch; closed in the end."""
    slicer.mrmlScene.Clear()
    harness.process_events(0.02)
    before = nodes()
    panel.logic._loadRenderer = lambda path: PlaceRenderer()
    panel.logic._renderers.clear()
    panel.parameters.modelFile = model
    yield {type(section).__name__.removesuffix("Section"): section for section in panel.sections}
    slicer.mrmlScene.Clear()
    harness.process_events(0.05)
    assert nodes() == before
    assert not panel.logic.simulation.live.running


@pytest.fixture
def live(story, panel, until):
    """A running simulation whose probe goes along the trained sweep."""
    story["MockProbe"].ui.moveButton.click()
    until(lambda: panel.parameters.probe is not None)
    story["Live"].ui.startButton.click()
    until(lambda: panel.logic.simulation.image_to_reference is not None)
    return panel.logic.simulation


def test_two_clicks_show_an_image_that_moves_inside_the_trained_range(live, until):
    first = live.image_to_reference[2, 3]
    until(lambda: abs(live.image_to_reference[2, 3] - first) > 2)
    assert live.live.status.state.name == "GOOD"
    assert live.nearest.rms_mm < 3


def test_pause_and_sliders_move_the_probe_by_hand(live, story, panel, until):
    from USGanSimLib.gui.choices import MockMotion

    section, parameters = story["MockProbe"], panel.parameters
    section.ui.moveButton.click()
    parameters.mockMotion = MockMotion.HAND
    section.ui.resetButton.click()
    before = live.image_to_reference
    section.ui.outSlider.value = 4.0
    until(lambda: not np.allclose(live.image_to_reference, before))
    assert parameters.mockOutMm == 4
    face = np.array([15.5, 0, 0, 1])
    until(lambda: abs(np.linalg.norm((live.image_to_reference - section.hand.mock.base) @ face) - 4) < 0.05)
    assert "from the nearest trained pose" in section.ui.mockStateLabel.text
    section.ui.resetButton.click()
    assert parameters.mockOutMm == 0


def test_the_mock_probe_follows_another_reference_and_another_model(
    live, story, panel, model, until, tmp_path
):
    section, parameters = story["MockProbe"], panel.parameters
    section.ui.moveButton.click()
    reference = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "ReferenceToRas")
    parameters.reference = reference
    assert parameters.probe.GetParentTransformNode() is reference
    before = section.hand.mock
    parameters.modelFile = shutil.copy(model, tmp_path / "other.safetensors")
    assert section.hand.mock is not before
    assert section.hand.mock.node is before.node


def test_dragging_the_handle_is_shown_by_the_sliders(live, story, panel):
    from USGanSimLib.gui.choices import MockMotion

    section = story["MockProbe"]
    section.ui.moveButton.click()
    panel.parameters.mockMotion = MockMotion.HAND
    section.ui.resetButton.click()
    assert panel.parameters.probe.GetDisplayNode().GetEditorVisibility()
    matrix = slicer.util.arrayFromTransformMatrix(panel.parameters.probe)
    matrix[2, 3] += 7.5
    slicer.util.updateTransformMatrixFromArray(panel.parameters.probe, matrix)
    assert section.ui.outSlider.value == pytest.approx(7.5)
    matrix[2, 3] += 1000
    slicer.util.updateTransformMatrixFromArray(panel.parameters.probe, matrix)
    assert section.ui.outSlider.value == 100
    assert slicer.util.arrayFromTransformMatrix(panel.parameters.probe)[2, 3] == pytest.approx(matrix[2, 3])


def test_a_recording_is_replayed_at_its_own_pace_with_its_images(live, story, panel, until, tmp_path):
    from USGanSimLib.gui.choices import MockMotion

    matrices = np.tile(np.eye(4), (30, 1, 1))
    matrices[:, 2, 3] = np.arange(30)
    write_sweep(
        tmp_path / "real.igs.mha",
        TrackedSweep(
            np.zeros((30, HEIGHT_PX, WIDTH_PX), np.uint8) + np.arange(1, 31, dtype=np.uint8)[:, None, None],
            np.arange(30) / 10,
            {"ProbeToReference": TransformTrack(matrices, np.ones(30, bool))},
            np.ones(30, bool),
        ),
    )
    section, parameters = story["MockProbe"], panel.parameters
    parameters.replayFile, parameters.playSpeed = tmp_path / "real.igs.mha", 4.0
    parameters.mockMotion = MockMotion.REPLAY
    section.ui.moveButton.click()
    until(lambda: parameters.probe.GetAttribute("TransformStatus") == "OK")
    until(lambda: live.image_to_reference is not None and live.image_to_reference[2, 3] > 5)
    real = slicer.mrmlScene.GetFirstNodeByName("RecordedUltrasound")
    place = slicer.util.arrayFromTransformMatrix(real.GetParentTransformNode())
    assert slicer.util.arrayFromVolume(real).max() == place[2, 3] + 1
    assert parameters.realImage is real
    parameters.playSpeed = 1.0


def test_record_writes_the_stream_with_its_poses_and_shows_it(live, story, panel, until, tmp_path):
    section, parameters = story["Recording"], panel.parameters
    assert not section.ui.recordButton.enabled
    parameters.recordFolder = tmp_path
    section.ui.recordButton.click()
    until(lambda: section._recording.feedback().counts.written > 10)
    section.ui.recordButton.click()
    until(lambda: not section._finishing.running)
    sweep = read_sweep(tmp_path / "simulated.igs.mha")
    z_mm = sweep.transforms["ImageToReference"].matrices[:, 2, 3]
    assert np.array_equal(sweep.frames.max(axis=(1, 2)), np.rint(2 * z_mm).astype(np.uint8))
    assert "images recorded" in section.ui.recordStateLabel.text
    browser = slicer.mrmlScene.GetFirstNodeByName("simulated")
    assert len(import_sweep(browser)) == len(sweep)
    assert not list(tmp_path.glob("*.igs.mhd"))


def test_stopping_the_simulation_finishes_its_recording(live, story, panel, until, tmp_path):
    section = story["Recording"]
    panel.parameters.recordFolder = tmp_path
    section.ui.recordButton.click()
    until(lambda: section._recording.feedback().counts.written > 3)
    story["Live"].ui.startButton.click()
    until(lambda: not section._finishing.running)
    assert "images recorded" in section.ui.recordStateLabel.text
    assert section.ui.recordButton.text == "Record"
    assert len(read_sweep(tmp_path / "simulated.igs.mha")) > 3


def test_closing_the_scene_while_recording_keeps_what_there_is(live, story, panel, until, tmp_path):
    section = story["Recording"]
    panel.parameters.recordFolder = tmp_path
    section.ui.recordButton.click()
    until(lambda: section._recording.feedback().counts.written > 5)
    slicer.mrmlScene.Clear()
    assert len(read_sweep(tmp_path / "simulated.igs.mhd")) > 5


def test_a_grid_around_the_probe_becomes_a_set_a_volume_and_a_table(live, story, panel, until, tmp_path):
    from USGanSimLib.gui.choices import PoseSet

    story["MockProbe"].ui.moveButton.click()
    section, parameters = story["Registration"], panel.parameters
    parameters.poseSet, parameters.gridOutMm, parameters.gridTiltDeg, parameters.gridSteps = (
        PoseSet.GRID,
        20,
        0,
        21,
    )
    section.ui.countButton.click()
    assert section.ui.poseCountLabel.text.startswith("21 poses")
    section.ui.simulateButton.click()
    until(lambda: parameters.simulatedSet is not None and not section._work.running)
    sweep = import_sweep(parameters.simulatedSet)
    assert np.array_equal(
        sweep.frames.max(axis=(1, 2)),
        np.rint(2 * sweep.transforms["ImageToRas"].matrices[:, 2, 3]).astype(np.uint8),
    )
    parameters.voxelSizeMm = 1.0
    section.ui.compoundButton.click()
    until(lambda: not section._work.running)
    volume = slicer.mrmlScene.GetFirstNodeByName(f"{parameters.simulatedSet.GetName()} compounded")
    assert volume.GetSpacing() == (1, 1, 1)
    parameters.exportFolder = tmp_path
    section.ui.exportButton.click()
    until(lambda: not section._work.running)
    with (tmp_path / "Grid_simulated.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 21
    assert len(read_sweep(tmp_path / "Grid_simulated.igs.mha")) == 21


def test_a_cancelled_set_leaves_no_node(live, story, panel, harness):
    from USGanSimLib.gui.choices import PoseSet

    story["MockProbe"].ui.moveButton.click()
    section, parameters = story["Registration"], panel.parameters
    parameters.poseSet, parameters.gridTiltDeg, parameters.gridSteps = PoseSet.GRID, 20, 51
    harness.process_events(0.05)
    before = slicer.mrmlScene.GetNumberOfNodes()
    section.ui.simulateButton.click()
    harness.process_events(0.1)
    section.ui.simulateButton.click()
    assert not section._work.running
    assert parameters.simulatedSet is None
    assert slicer.mrmlScene.GetNumberOfNodes() == before


def test_what_is_missing_is_said_on_the_button(story, panel):
    from USGanSimLib.gui.choices import PoseSet

    section, parameters = story["Registration"], panel.parameters
    parameters.poseSet = PoseSet.CURVE
    assert not section.ui.simulateButton.enabled
    assert section.ui.simulateButton.toolTip == "Choose a curve, or draw one"
    curve = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsCurveNode", "skin")
    parameters.poseCurve = curve
    assert section.ui.simulateButton.enabled
    section.ui.countButton.click()
    assert "0 points" in section.ui.poseCountLabel.text
    for x_mm in (0, 30):
        curve.AddControlPoint(vtk.vtkVector3d(x_mm, 0, 0))
    section.ui.countButton.click()
    assert "31 poses" in section.ui.poseCountLabel.text


@pytest.fixture
def samples(model, tmp_path, monkeypatch):
    """The samples registered, made of the model and a recording here."""
    from USGanSimLib.gui.simulation import samples

    matrices = np.tile(np.eye(4), (50, 1, 1))
    matrices[:, 2, 3] = np.arange(50)
    write_sweep(
        tmp_path / "scan.igs.mha",
        TrackedSweep(
            np.full((50, HEIGHT_PX, WIDTH_PX), 7, np.uint8),
            np.arange(50) / 20,
            {"ProbeToReference": TransformTrack(matrices, np.ones(50, bool))},
            np.ones(50, bool),
        ),
    )

    def scanned(_folder, progress):
        for step in range(3):
            progress.emit("step", step=step + 1, of=3)
        return types.SimpleNamespace(recording=tmp_path / "scan.igs.mha")

    monkeypatch.setattr(sample_data, "sample_model_path", lambda: model)
    monkeypatch.setattr(sample_data, "sample_scan", scanned)
    monkeypatch.syspath_prepend(
        str(Path(os.environ["SLICER_SOURCE"]) / "Modules" / "Scripted" / "SampleData")
    )
    samples.register(tmp_path)
    return {source.sampleName: source for source in slicer.modules.sampleDataSources["USGanSim"]}


def test_sample_data_offers_the_model_with_a_probe_that_moves(samples, story, panel, until):
    source = samples["Simulated ultrasound"]
    assert source.thumbnailFileName.endswith("USGanSimSampleModel.png")
    source.customDownloader(source)
    until(lambda: panel.parameters.probe is not None)
    assert panel.logic.problem(panel.parameters) == ""
    story["Live"].ui.startButton.click()
    until(lambda: panel.logic.simulation.image_to_reference is not None)


def test_sample_data_offers_a_scan_that_is_replayed_with_its_images(samples, story, panel, until):
    source = samples["Virtual phantom scan"]
    source.customDownloader(source)
    until(lambda: panel.parameters.probe is not None)
    real = slicer.mrmlScene.GetFirstNodeByName("RecordedUltrasound")
    until(lambda: slicer.util.arrayFromVolume(real).max() == 7)
    assert panel.logic.problem(panel.parameters) == ""


def test_one_press_of_try_it_in_the_empty_panel_brings_an_image_that_moves(samples, story, panel, until):
    button = story["Inputs"].ui.tryButton
    panel.parameters.modelFile = Path()
    assert not button.isHidden()
    button.click()
    until(lambda: panel.logic.simulation.image_to_reference is not None)
    first = panel.logic.simulation.image_to_reference
    until(lambda: not np.allclose(panel.logic.simulation.image_to_reference, first))
    assert button.isHidden()
    assert story["Live"].ui.startButton.text == "Stop"


def test_try_it_without_the_sample_model_says_so_and_starts_nothing(story, panel, monkeypatch):
    def missing():
        raise UserError("No sample model is installed.")

    monkeypatch.setattr(sample_data, "sample_model_path", missing)
    story["Inputs"].ui.tryButton.click()
    assert story["Inputs"].ui.modelLabel.text == "No sample model is installed."
    assert not panel.logic.simulation.live.running
