"""USGanSim: a simulated B-mode image that moves with a tracked probe, live, in a volume of the scene.

The work is done by USGanSimLib: this file holds the parameters, the panel and its wiring.
"""

from __future__ import annotations

import importlib.metadata
import tempfile
import unittest.mock
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import slicer
import vtk
from slicer import (
    vtkMRMLLinearTransformNode,
    vtkMRMLMarkupsCurveNode,
    vtkMRMLScalarVolumeNode,
    vtkMRMLSequenceBrowserNode,
)
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.parameterNodeWrapper import WithinRange, parameterNodeWrapper
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
)

from USGanSimLib.errors import UserError
from USGanSimLib.geometry.pose_distance import PoseRange
from USGanSimLib.gui.choices import CurvePlane, Direction, GridPlane, MockMotion, PoseSet, Steadiness
from USGanSimLib.gui.dependencies import ensure_torch, torch_version
from USGanSimLib.gui.panel import ModulePanel, Section
from USGanSimLib.gui.simulation.comparison import ComparisonSection
from USGanSimLib.gui.simulation.inputs import InputsSection
from USGanSimLib.gui.simulation.live_section import LiveSection
from USGanSimLib.gui.simulation.mock_probe.section import MockProbeSection
from USGanSimLib.gui.simulation.recording import RecordingSection
from USGanSimLib.gui.simulation.registration import RegistrationSection
from USGanSimLib.gui.simulation.samples import register
from USGanSimLib.gui.simulation.variation import VariationSection
from USGanSimLib.gui.texts import facts
from USGanSimLib.live import LONGEST_HALF_LIFE_S, SHORTEST_HALF_LIFE_S, PoseState, SamplingRenderer, Variation
from USGanSimLib.model.info import MODEL_SUFFIX, ModelInfo, read_model_header
from USGanSimLib.mrml.live.real_image import DifferenceVolume, View
from USGanSimLib.mrml.live.simulation import Setup, Simulation, calibrated
from USGanSimLib.mrml.transform_chain import volume_to_world
from USGanSimLib.sample_data import sample_model_path


class USGanSim(ScriptedLoadableModule):
    """What the module selector and the help panel show."""

    def __init__(self, parent: Any) -> None:
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = _("USGanSim")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Ultrasound")]
        parent.dependencies = []
        parent.contributors = ["SlicerUSGanSim maintainers"]
        parent.helpText = _(
            "Simulates the ultrasound image at the pose of a tracked probe, live, with a model that was trained on "
            "tracked recordings of a phantom. For research and training. Not for clinical use."
        )
        parent.acknowledgementText = _(
            "Method: Hu, Gibson, Lee, Xie, Barratt, Vercauteren, Noble: Freehand Ultrasound Image Simulation with "
            "Spatially-Conditioned Generative Adversarial Networks, 2017."
        )
        slicer.app.connect("startupCompleted()", registerSampleData)


def registerSampleData() -> None:
    """Offer this module's samples in the Sample Data module; not while the application starts."""
    register(Path(__file__).parent / "Resources" / "Icons")


@parameterNodeWrapper
class USGanSimParameterNode:
    """
    modelFile - the model, a .safetensors file.
    probe - transform whose frame is the probe.
    reference - transform whose frame is the model's Reference; none where that is the world.
    calibrationFile, imageToProbe - ImageToProbe of this probe; neither: the model's.
    output - the volume of the simulated image; none: made at Start.
    movedByHand - the probe's transform may stand still without being lost.
    steadiness - how much of the jitter of a tracked probe is taken out.
    sliceFollows - the red slice view looks at the simulated image.
    variation - what the noise does from image to image.
    halfLifeS - seconds in which a drifting sample loses half of its likeness.
    samples - how many samples of a pose are drawn side by side.
    realImage - the volume of the real image; none: nothing is compared.
    comparison - how the two are looked at.
    blendPercent - how much of the real image is seen over the simulated one.
    mock… - the mock probe: what moves it, its handle, its offset from a trained pose.
    replay…, play… - the recording to replay, and how.
    record…, snapshotFiles - where the simulated stream is recorded to, and as what.
    poseSet, pose…, curve…, grid… - the poses of a simulated set.
    simulatedSet, preoperativeVolume, voxelSizeMm, exportFolder - what is done with it.
    """

    modelFile: Path
    probe: vtkMRMLLinearTransformNode
    reference: vtkMRMLLinearTransformNode
    calibrationFile: Path
    imageToProbe: vtkMRMLLinearTransformNode
    output: vtkMRMLScalarVolumeNode
    movedByHand: bool = False
    steadiness: Steadiness = Steadiness.OFF
    sliceFollows: bool = True
    variation: Variation = Variation.FIXED
    halfLifeS: Annotated[float, WithinRange(SHORTEST_HALF_LIFE_S, LONGEST_HALF_LIFE_S)] = 3.0
    samples: Annotated[int, WithinRange(2, 24)] = 6
    realImage: vtkMRMLScalarVolumeNode
    comparison: View = View.SIDE_BY_SIDE
    blendPercent: Annotated[float, WithinRange(0, 100)] = 50.0

    mockMotion: MockMotion = MockMotion.SWEEP
    mockHandle: bool = True
    mockAcrossMm: Annotated[float, WithinRange(-100, 100)]
    mockDepthMm: Annotated[float, WithinRange(-100, 100)]
    mockOutMm: Annotated[float, WithinRange(-100, 100)]
    mockTiltDeg: Annotated[float, WithinRange(-89, 89)]
    mockRockDeg: Annotated[float, WithinRange(-180, 180)]
    mockTurnDeg: Annotated[float, WithinRange(-180, 180)]
    replayFile: Path
    replayImages: bool = True
    playSpeed: Annotated[float, WithinRange(0.1, 4)] = 1.0
    playLoop: bool = True

    recordFolder: Path
    recordName: str = "simulated"
    recordAsFile: bool = True
    recordAsSequence: bool = True
    snapshotFiles: bool = False

    poseSet: PoseSet = PoseSet.CURVE
    poseCurve: vtkMRMLMarkupsCurveNode
    curvePlane: CurvePlane = CurvePlane.ACROSS
    curveUp: Direction = Direction.ANTERIOR
    curveSpacingMm: Annotated[float, WithinRange(0.05, 50)] = 1.0
    poseBrowser: vtkMRMLSequenceBrowserNode
    poseFile: Path
    gridPlane: GridPlane = GridPlane.PROBE
    gridAcrossMm: Annotated[float, WithinRange(0, 100)]
    gridDepthMm: Annotated[float, WithinRange(0, 100)]
    gridOutMm: Annotated[float, WithinRange(0, 100)] = 10.0
    gridTiltDeg: Annotated[float, WithinRange(0, 89)] = 10.0
    gridRockDeg: Annotated[float, WithinRange(0, 180)]
    gridTurnDeg: Annotated[float, WithinRange(0, 180)]
    gridSteps: Annotated[int, WithinRange(1, 99)] = 5
    simulatedSet: vtkMRMLSequenceBrowserNode
    preoperativeVolume: vtkMRMLScalarVolumeNode
    voxelSizeMm: Annotated[float, WithinRange(0.1, 10)] = 0.5
    exportFolder: Path


class USGanSimWidget(ModulePanel):
    """The panel: its sections, from top to bottom."""

    def make_logic(self) -> USGanSimLogic:
        return USGanSimLogic()

    def make_sections(self) -> list[Section]:
        return [
            InputsSection(self),
            MockProbeSection(self),
            LiveSection(self),
            VariationSection(self),
            ComparisonSection(self),
            RecordingSection(self),
            RegistrationSection(self),
        ]


class USGanSimLogic(ScriptedLoadableModuleLogic):
    """Reads a model's facts and runs the live simulation. Poses are mm, column vectors; see USGanSimLib.mrml.

    simulation    the live simulation, its noise and the pose that is held
    loadRenderer  makes a renderer of a model file; a test gives one that needs no torch
    """

    def __init__(self, loadRenderer: Callable[[Path], SamplingRenderer] | None = None) -> None:
        ScriptedLoadableModuleLogic.__init__(self)
        self._loadRenderer = loadRenderer
        self._parameters: USGanSimParameterNode | None = None
        self._renderers: dict[tuple[Path, int], SamplingRenderer] = {}
        self._headers: dict[tuple[Path, int], ModelInfo] = {}
        self.simulation = Simulation(slicer.mrmlScene)

    def getParameterNode(self) -> USGanSimParameterNode:
        node = super().getParameterNode()
        # One for each node: in Slicer 5.10 a wrapper never takes its observers from the node.
        if self._parameters is None or self._parameters.parameterNode is not node:
            self._parameters = USGanSimParameterNode(node)
        return self._parameters

    def modelInfo(self, path: Path) -> ModelInfo | None:
        """What the chosen model says about itself, read once; None where no model is chosen or it is none."""
        if not isModel(path):
            return None
        key = (path, path.stat().st_mtime_ns)
        if key not in self._headers:
            try:
                self._headers = {key: read_model_header(path).info}
            except UserError:
                return None
        return self._headers[key]

    def modelFacts(self, path: Path) -> str:
        """Rich text: what the model file says about itself, or why it is no model. Needs no torch."""
        return facts(path) if isModel(path) else _("A model is a .safetensors file that training wrote.")

    def problem(self, parameters: USGanSimParameterNode) -> str:
        """Why the simulation cannot start yet, or nothing."""
        if not isModel(parameters.modelFile):
            return _("Choose a model file")
        if parameters.probe is None:
            return _("Choose the transform of the probe")
        return self.calibrationProblem(parameters)

    def calibrationProblem(self, parameters: USGanSimParameterNode) -> str:
        """Why the chosen ImageToProbe does not go with the model, with the numbers, or nothing."""
        try:
            self.imageToProbe(parameters)
        except UserError as error:
            return str(error)
        return ""

    def imageToProbe(self, parameters: USGanSimParameterNode) -> Any | None:
        """(4, 4) of the model's pixels after the chosen calibration; None for the model's own. Raises UserError."""
        info = self.modelInfo(parameters.modelFile)
        file = parameters.calibrationFile if parameters.calibrationFile.name else None
        return calibrated(info, file, parameters.imageToProbe) if info else None

    def start(self, parameters: USGanSimParameterNode) -> None:
        """Load the model and follow the probe. Raises UserError where torch or a usable model is missing."""
        for _step in self.starting(parameters):
            pass

    def loading(self, path: Path) -> Generator[str, None, SamplingRenderer]:
        """The renderer of a model, loaded once, in steps: before each that takes time, its words for a person.

        Raises UserError where torch or a usable model is missing.
        """
        key = (path, path.stat().st_mtime_ns if path.is_file() else 0)
        if key not in self._renderers and self._loadRenderer is None:
            yield _("Starting PyTorch…")
            ensure_torch()
            import torch  # noqa: F401 - takes seconds, once
        if key not in self._renderers:
            yield _("Loading the model…")
            self._renderers = {key: (self._loadRenderer or loadModelRenderer)(path)}
        return self._renderers[key]

    def starting(self, parameters: USGanSimParameterNode) -> Iterator[str]:
        """`start` in steps: before each that takes time, its words for a person."""
        path = parameters.modelFile
        renderer = yield from self.loading(path)
        setup = Setup(
            parameters.probe,
            parameters.reference,
            self.imageToProbe(parameters),
            parameters.output,
            path.stem or "SimulatedUltrasound",
            parameters.movedByHand,
        )
        self.vary(parameters)
        self.simulation.start(renderer, setup)
        parameters.output = self.simulation.live.volume

    def vary(self, parameters: USGanSimParameterNode) -> None:
        """Let the noise change, and the hand be steadied, as the parameters say."""
        self.simulation.variation, self.simulation.half_life_s = parameters.variation, parameters.halfLifeS
        self.simulation.steady_s = parameters.steadiness.value

    def stop(self) -> None:
        """Stop following the probe; the last image stays."""
        self.simulation.stop()


def isModel(path: Path) -> bool:
    return path.suffix == MODEL_SUFFIX and path.is_file()


def loadModelRenderer(path: Path) -> SamplingRenderer:
    """The model's renderer; torch is there."""
    from USGanSimLib.ml.renderer import ModelRenderer

    return ModelRenderer.load(path)


class USGanSimTest(ScriptedLoadableModuleTest):
    """The logic on a scene of its own, with a renderer that needs neither torch nor a model."""

    def setUp(self) -> None:
        slicer.mrmlScene.Clear()

    def runTest(self) -> None:
        for test in (
            self.test_the_volume_follows_the_probe,
            self.test_starting_again_goes_on_in_the_same_volume,
            self.test_a_held_pose_stays_and_is_compared_with_a_real_image,
            self.test_a_registration_moves_the_image_into_its_coordinates,
            self.test_the_sample_model_simulates_at_its_trained_poses,
            self.test_closing_the_scene_ends_the_simulation,
            self.test_a_file_that_is_no_model_is_told_in_words,
            self.test_start_waits_for_its_inputs,
            self.test_without_torch_start_says_what_to_do,
            self.test_a_mock_probe_goes_along_the_trained_sweep,
            self.test_the_stream_is_recorded_with_its_poses,
            self.test_images_along_a_curve_become_a_sequence_with_their_true_poses,
        ):
            self.setUp()
            test()

    def started(self) -> tuple[USGanSimLogic, Any]:
        from USGanSimLib.mrml.headless.tick_cost import NullRenderer

        imageToProbe = np.diag([0.5, 0.5, 1.0, 1.0])
        renderer = NullRenderer(PoseRange.of_training_poses(imageToProbe[None], 16, 12), imageToProbe)
        logic = USGanSimLogic(loadRenderer=lambda path: renderer)
        parameters = logic.getParameterNode()
        parameters.probe = slicer.mrmlScene.AddNewNodeByClass(
            "vtkMRMLLinearTransformNode", "ProbeToReference"
        )
        logic.start(parameters)
        return logic, parameters.probe

    def move(self, node: Any, xMm: float) -> None:
        matrix = vtk.vtkMatrix4x4()
        matrix.SetElement(0, 3, xMm)
        node.SetMatrixTransformToParent(matrix)

    def test_the_volume_follows_the_probe(self) -> None:
        logic, probe = self.started()
        logic.simulation.tick()
        self.assertEqual(logic.simulation.live.status.state, PoseState.NO_POSE)
        self.move(probe, 2.0)
        logic.simulation.tick()
        self.assertEqual(logic.simulation.live.status.state, PoseState.GOOD)
        corner = [0.0, 0.0, 0.0]
        logic.simulation.live.volume.GetParentTransformNode().GetTransformToParent().TransformPoint(
            [4.0, 2.0, 0.0], corner
        )
        np.testing.assert_allclose(corner, [4.0, 1.0, 0.0])
        self.assertEqual(slicer.util.arrayFromVolume(logic.simulation.live.volume).max(), 128)
        logic.stop()
        self.assertEqual(logic.simulation.live.status.state, PoseState.STOPPED)

    def test_a_held_pose_stays_and_is_compared_with_a_real_image(self) -> None:
        logic, probe = self.started()
        self.move(probe, 2.0)
        logic.simulation.tick()
        logic.simulation.live.freeze(True)
        self.move(probe, 9.0)
        logic.simulation.tick()
        self.assertEqual(logic.simulation.live.status.state, PoseState.FROZEN)
        np.testing.assert_allclose(logic.simulation.image_to_reference[:3, 3], [2.0, 0.0, 0.0])
        real = slicer.util.addVolumeFromArray(np.full((1, 12, 16), 100, np.uint8), name="Image_Reference")
        real.SetAndObserveTransformNodeID(logic.simulation.live.volume.GetTransformNodeID())
        difference = DifferenceVolume(slicer.mrmlScene, logic.simulation.live.volume)
        self.assertEqual(difference.update(real), 28)
        logic.stop()

    def test_a_registration_moves_the_image_into_its_coordinates(self) -> None:
        logic, probe = self.started()
        registration = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "ReferenceToRas")
        self.move(registration, 100.0)
        probe.SetAndObserveTransformNodeID(registration.GetID())
        parameters = logic.getParameterNode()
        parameters.reference = registration
        logic.start(parameters)
        self.move(probe, 2.0)
        logic.simulation.tick()
        np.testing.assert_allclose(logic.simulation.image_to_reference[:3, 3], [2.0, 0.0, 0.0])
        np.testing.assert_allclose(volume_to_world(logic.simulation.live.volume)[:3, 3], [102.0, 0.0, 0.0])
        logic.stop()

    def test_the_sample_model_simulates_at_its_trained_poses(self) -> None:
        """With the real renderer, where PyTorch is installed."""
        if torch_version() is None:
            return
        logic = USGanSimLogic()
        parameters = logic.getParameterNode()
        parameters.modelFile, parameters.movedByHand = sample_model_path(), True
        parameters.probe = slicer.mrmlScene.AddNewNodeByClass(
            "vtkMRMLLinearTransformNode", "ProbeToReference"
        )
        logic.start(parameters)
        pose, own = logic.simulation.renderer.pose_range.poses[0], logic.simulation.image_to_probe
        slicer.util.updateTransformMatrixFromArray(parameters.probe, pose @ np.linalg.inv(own))
        logic.simulation.tick()
        self.assertEqual(logic.simulation.live.status.state, PoseState.GOOD)
        self.assertLess(logic.simulation.nearest.rms_mm, 1e-3)
        self.assertGreater(slicer.util.arrayFromVolume(logic.simulation.live.volume).std(), 10)
        logic.stop()

    def test_starting_again_goes_on_in_the_same_volume(self) -> None:
        logic, _probe = self.started()
        volume = logic.simulation.live.volume
        logic.start(logic.getParameterNode())
        self.assertIs(logic.simulation.live.volume, volume)
        self.assertEqual(slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode"), 1)

    def test_closing_the_scene_ends_the_simulation(self) -> None:
        logic, _probe = self.started()
        slicer.mrmlScene.Clear()
        logic.simulation.tick()
        self.assertFalse(logic.simulation.live.running)

    def test_a_file_that_is_no_model_is_told_in_words(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.safetensors"
            path.write_bytes(b"no model at all")
            self.assertIn("is not a safetensors file", USGanSimLogic().modelFacts(path))

    def test_without_torch_start_says_what_to_do(self) -> None:
        logic = USGanSimLogic()
        with unittest.mock.patch(
            "importlib.metadata.version", side_effect=importlib.metadata.PackageNotFoundError
        ):
            self.assertRaisesRegex(
                UserError, "PyTorch is not installed", logic.start, logic.getParameterNode()
            )
        self.assertFalse(logic.simulation.live.running)

    def test_start_waits_for_its_inputs(self) -> None:
        logic = USGanSimLogic()
        self.assertIn("model", logic.problem(logic.getParameterNode()))

    def test_a_mock_probe_goes_along_the_trained_sweep(self) -> None:
        from USGanSimLib.geometry.trained_sweep import trained_sweep
        from USGanSimLib.mrml.live.mock_probe import MockProbe
        from USGanSimLib.mrml.live.playing import Player, SweepMotion

        poses = np.tile(np.eye(4), (20, 1, 1))
        poses[:, 2, 3] = np.arange(20) * 3
        poseRange = PoseRange.of_training_poses(poses, 16, 12)
        mock = MockProbe.of_scene(slicer.mrmlScene, poseRange, np.eye(4), None)
        player = Player(SweepMotion(mock, trained_sweep(poseRange)))
        for moment in np.linspace(0, player.motion.duration_s, 9):
            player.seek(moment)
            self.assertTrue(poseRange.covers(mock.pose))

    def test_the_stream_is_recorded_with_its_poses(self) -> None:
        from USGanSimLib.mrml.recorder.stream_recording import StreamRecording
        from USGanSimLib.recording.sequence_file import read_sweep

        logic, probe = self.started()
        with tempfile.TemporaryDirectory() as folder:
            recording = StreamRecording(
                slicer.mrmlScene, logic.simulation.live.volume, logic.simulation.image_to_probe
            )
            recording.start(Path(folder), "stream")
            for x in (1.0, 2.0, 3.0):
                probe.SetMatrixTransformToParent(
                    slicer.util.vtkMatrixFromArray(np.eye(4) + np.eye(4, k=3) * x)
                )
                logic.simulation.tick()
            for _share in recording.finishing(recording.stop(), as_file=True, as_sequence=False):
                pass
            track = read_sweep(Path(folder) / "stream.igs.mha").transforms["ProbeToReference"]
        np.testing.assert_allclose(track.matrices[:, 0, 3], [1, 2, 3])

    def test_images_along_a_curve_become_a_sequence_with_their_true_poses(self) -> None:
        from USGanSimLib.geometry.image_geometry import ImageGeometry
        from USGanSimLib.mrml.planning import curve_plan
        from USGanSimLib.mrml.sequence_bridge import export_sweep, import_sweep
        from USGanSimLib.recording.simulated import simulating

        curve = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsCurveNode", "skin")
        for x in (0.0, 20.0):
            curve.AddControlPoint(vtk.vtkVector3d(x, 0, 0))
        logic, _probe = self.started()
        renderer = logic.simulation.renderer
        geometry = ImageGeometry(16, 12, renderer.image_to_probe)
        plan = curve_plan(curve, geometry, 5.0, np.array([0.0, 1.0, 0.0]), in_plane=True)
        steps = simulating(renderer, plan, np.eye(4), renderer.image_to_probe)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                sweep = import_sweep(export_sweep(slicer.mrmlScene, end.value, "set"))
                break
        faces = sweep.transforms["ImageToRas"].matrices @ [7.5, 0, 0, 1]
        np.testing.assert_allclose(faces[:, :3], [[x, 0, 0] for x in (0, 5, 10, 15, 20)], atol=1e-6)
