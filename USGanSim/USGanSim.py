"""USGanSim: a simulated B-mode image that moves with a tracked probe, live, in a volume of the scene.

The work is done by USGanSimLib: this file holds the parameters, the panel and its wiring.
"""

from __future__ import annotations

import importlib.util
import tempfile
import unittest.mock
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import qt
import slicer
import vtk
from slicer import vtkMRMLLinearTransformNode
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.parameterNodeWrapper import parameterNodeWrapper
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

from USGanSimLib.commands.info import MODEL_SUFFIX
from USGanSimLib.errors import UserError
from USGanSimLib.gui.facts import facts
from USGanSimLib.gui.slice_views import follow
from USGanSimLib.live import STALE_AFTER_S, LiveStatus, PoseState, Renderer
from USGanSimLib.mrml.live_simulation import LiveSimulation

TICK_MS = 15
# Words and figures need not change faster than a person reads.
TICKS_PER_STATUS = 10


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
            "tracked recordings of a phantom. For research and training. Not for clinical use.")
        parent.acknowledgementText = _(
            "Method: Hu, Gibson, Lee, Xie, Barratt, Vercauteren, Noble: Freehand Ultrasound Image Simulation with "
            "Spatially-Conditioned Generative Adversarial Networks, 2017.")


@parameterNodeWrapper
class USGanSimParameterNode:
    """
    modelFile - the model, a .safetensors file.
    probe - transform whose frame is the probe.
    reference - transform whose frame is the model's Reference; none where that is the world.
    movedByHand - the probe's transform may stand still without being lost.
    sliceFollows - the red slice view looks at the simulated image.
    """

    modelFile: Path
    probe: vtkMRMLLinearTransformNode
    reference: vtkMRMLLinearTransformNode
    movedByHand: bool = False
    sliceFollows: bool = True


class USGanSimWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The panel."""

    def __init__(self, parent: Any = None) -> None:
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic: USGanSimLogic | None = None
        self._parameters: USGanSimParameterNode | None = None
        self._guiTag: Any = None
        self._describedModel: Path | None = None
        self._ticks = 0
        self._fitted = False

    def setup(self) -> None:
        ScriptedLoadableModuleWidget.setup(self)
        panel = slicer.util.loadUI(self.resourcePath("UI/USGanSim.ui"))
        self.layout.addWidget(panel)
        self.ui = slicer.util.childWidgetVariables(panel)
        panel.setMRMLScene(slicer.mrmlScene)
        self.logic = USGanSimLogic()
        self._timer = qt.QTimer()
        self._timer.setInterval(TICK_MS)
        self._timer.connect("timeout()", self.onTick)
        self.ui.startButton.connect("clicked()", self.onStartStop)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self.onSceneEndClose)
        self.showStatus()

    def cleanup(self) -> None:
        self.stop()
        self.setParameters(None)
        self.removeObservers()

    def enter(self) -> None:
        self.setParameters(self.logic.getParameterNode())

    def exit(self) -> None:
        # The simulation goes on while the person works in another module.
        self.setParameters(None)

    def onSceneStartClose(self, caller: Any, event: str) -> None:
        self.stop()
        self.setParameters(None)

    def onSceneEndClose(self, caller: Any, event: str) -> None:
        if self.parent.isEntered:
            self.enter()

    def setParameters(self, parameters: USGanSimParameterNode | None) -> None:
        """Connect the panel to a parameter node, or to none."""
        if self._parameters is not None:
            self._parameters.disconnectGui(self._guiTag)
            self.removeObserver(self._parameters, vtk.vtkCommand.ModifiedEvent, self.onParametersModified)
        self._parameters = parameters
        if parameters is not None:
            self._guiTag = parameters.connectGui(self.ui)
            if not parameters.modelFile.name:
                # An empty Path is written as '.', which is no model that anybody chose.
                self.ui.modelPathEdit.currentPath = ""
            self.addObserver(parameters, vtk.vtkCommand.ModifiedEvent, self.onParametersModified)
            self.onParametersModified()

    def onParametersModified(self, caller: Any = None, event: Any = None) -> None:
        self.showModel()
        self.showStartButton()

    def showModel(self) -> None:
        """The facts of the chosen model file; read once for each choice."""
        if self._parameters.modelFile != self._describedModel:
            self._describedModel = self._parameters.modelFile
            self.ui.modelFactsLabel.text = self.logic.modelFacts(self._describedModel)

    def showStartButton(self) -> None:
        problem = "" if self.logic.running else self.logic.problem(self._parameters)
        self.ui.startButton.text = _("Stop") if self.logic.running else _("Start")
        self.ui.startButton.enabled = not problem
        self.ui.startButton.toolTip = problem or _("Simulate at each new pose of the probe")
        for name in ("modelPathEdit", "probeSelector", "referenceSelector", "movedByHandCheckBox"):
            getattr(self.ui, name).enabled = not self.logic.running

    def showStatus(self) -> None:
        self.ui.stateLabel.text = str(self.logic.status)
        self.ui.figuresLabel.text = self.logic.figures()

    def onStartStop(self) -> None:
        if self.logic.running:
            self.stop()
            return
        try:
            with slicer.util.WaitCursor():
                self.logic.start(self._parameters)
        except UserError as error:
            self.ui.stateLabel.text = str(error)
            return
        self._fitted = False
        self._timer.start()
        self.showStartButton()
        self.showStatus()

    def stop(self) -> None:
        self._timer.stop()
        self.logic.stop()
        if self._parameters is not None:
            self.showStartButton()
        self.showStatus()

    def onTick(self) -> None:
        try:
            fresh = self.logic.tick()
        except Exception:
            # Told once, not at every tick.
            self.stop()
            raise
        if fresh and self.ui.sliceFollowsCheckBox.checked:
            self.showSlice()
        self._ticks += 1
        if not self.logic.running:
            self.stop()
        elif self._ticks % TICKS_PER_STATUS == 0:
            self.showStatus()

    def showSlice(self) -> None:
        """Let the red slice view look at the image; it is fitted to the first one."""
        follow(slicer.mrmlScene.GetSingletonNode("Red", "vtkMRMLSliceNode"), self.logic.volume)
        if not self._fitted:
            slicer.util.setSliceViewerLayers(background=self.logic.volume, fit=True)
            self._fitted = True


class USGanSimLogic(ScriptedLoadableModuleLogic):
    """Reads a model's facts and runs the live simulation. Poses are mm, column vectors; see USGanSimLib.mrml.

    `loadRenderer` makes a renderer of a model file; a test gives one that needs no torch.
    """

    def __init__(self, loadRenderer: Callable[[Path], Renderer] | None = None) -> None:
        ScriptedLoadableModuleLogic.__init__(self)
        self._loadRenderer = loadRenderer or loadModelRenderer
        self._live: LiveSimulation | None = None

    def getParameterNode(self) -> USGanSimParameterNode:
        return USGanSimParameterNode(super().getParameterNode())

    @property
    def running(self) -> bool:
        return self._live is not None and self._live.running

    @property
    def status(self) -> LiveStatus:
        return self._live.status if self._live else LiveStatus(PoseState.STOPPED)

    @property
    def volume(self) -> Any | None:
        return self._live.volume if self._live else None

    def modelFacts(self, path: Path) -> str:
        """Rich text: what the model file says about itself, or why it is no model. Needs no torch."""
        if path.suffix != MODEL_SUFFIX:
            return _("A model is a .safetensors file that training wrote.")
        return facts(path)

    def problem(self, parameters: USGanSimParameterNode) -> str:
        """Why the simulation cannot start yet, or nothing."""
        if parameters.modelFile.suffix != MODEL_SUFFIX or not parameters.modelFile.is_file():
            return _("Choose a model file")
        if parameters.probe is None:
            return _("Choose the transform of the probe")
        return ""

    def start(self, parameters: USGanSimParameterNode) -> None:
        """Load the model and follow the probe, in the volume of before if it is still there.

        Raises UserError where torch or a usable model is missing.
        """
        renderer = self._loadRenderer(parameters.modelFile)
        self.stop()
        self._live = LiveSimulation(slicer.mrmlScene, renderer, parameters.probe, parameters.reference,
                                    volume=self.volume,
                                    stale_after_s=None if parameters.movedByHand else STALE_AFTER_S)
        self._live.start()

    def tick(self) -> bool:
        """Simulate the newest pose. Whether there is a new image."""
        return self._live is not None and self._live.tick()

    def stop(self) -> None:
        """Stop following the probe; the last image stays."""
        if self.running:
            self._live.stop()

    def figures(self) -> str:
        """Rate and latency in words."""
        if self._live is None or self._live.latency.total.count == 0:
            return ""
        latency, counts = self._live.latency, self._live.counts
        return _("{rate:.0f} images/s, pose to image {total:.1f} ms (rendering {render:.1f} ms), "
                 "{superseded} of {received} poses replaced by newer ones").format(
            rate=latency.rate_hz, total=latency.total.median_ms, render=latency.render.median_ms,
            superseded=counts.superseded, received=counts.received)


def loadModelRenderer(path: Path) -> Renderer:
    """The model's renderer. Raises UserError where torch is not installed."""
    if importlib.util.find_spec("torch") is None:
        raise UserError(_("PyTorch is not installed in this Slicer; simulating needs it."),
                        _("Install it with the module PyTorch Utils of the extension PyTorch, then press Start again."))
    from USGanSimLib.ml.renderer import ModelRenderer

    return ModelRenderer.load(path)


class USGanSimTest(ScriptedLoadableModuleTest):
    """The logic on a scene of its own, with a renderer that needs neither torch nor a model."""

    def setUp(self) -> None:
        slicer.mrmlScene.Clear()

    def runTest(self) -> None:
        for test in (self.test_the_volume_follows_the_probe, self.test_starting_again_goes_on_in_the_same_volume,
                     self.test_closing_the_scene_ends_the_simulation,
                     self.test_a_file_that_is_no_model_is_told_in_words, self.test_start_waits_for_its_inputs,
                     self.test_without_torch_start_says_what_to_do):
            self.setUp()
            test()

    def started(self) -> tuple[USGanSimLogic, Any]:
        from USGanSimLib.geometry.pose_distance import PoseRange
        from USGanSimLib.mrml.tick_cost import NullRenderer

        imageToProbe = np.diag([0.5, 0.5, 1.0, 1.0])
        renderer = NullRenderer(PoseRange.of_training_poses(imageToProbe[None], 16, 12), imageToProbe)
        logic = USGanSimLogic(loadRenderer=lambda path: renderer)
        parameters = logic.getParameterNode()
        parameters.probe = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "ProbeToReference")
        logic.start(parameters)
        return logic, parameters.probe

    def test_the_volume_follows_the_probe(self) -> None:
        logic, probe = self.started()
        logic.tick()
        self.assertEqual(logic.status.state, PoseState.NO_POSE)
        matrix = vtk.vtkMatrix4x4()
        matrix.SetElement(0, 3, 2.0)
        probe.SetMatrixTransformToParent(matrix)
        logic.tick()
        self.assertEqual(logic.status.state, PoseState.GOOD)
        corner = [0.0, 0.0, 0.0]
        logic.volume.GetParentTransformNode().GetTransformToParent().TransformPoint([4.0, 2.0, 0.0], corner)
        np.testing.assert_allclose(corner, [4.0, 1.0, 0.0])
        self.assertEqual(slicer.util.arrayFromVolume(logic.volume).max(), 128)
        logic.stop()
        self.assertEqual(logic.status.state, PoseState.STOPPED)

    def test_starting_again_goes_on_in_the_same_volume(self) -> None:
        logic, _probe = self.started()
        volume = logic.volume
        logic.start(logic.getParameterNode())
        self.assertIs(logic.volume, volume)
        self.assertEqual(slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode"), 1)

    def test_closing_the_scene_ends_the_simulation(self) -> None:
        logic, _probe = self.started()
        slicer.mrmlScene.Clear()
        logic.tick()
        self.assertFalse(logic.running)

    def test_a_file_that_is_no_model_is_told_in_words(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.safetensors"
            path.write_bytes(b"no model at all")
            self.assertIn("is not a safetensors file", USGanSimLogic().modelFacts(path))

    def test_without_torch_start_says_what_to_do(self) -> None:
        logic = USGanSimLogic()
        with unittest.mock.patch("importlib.util.find_spec", return_value=None):
            self.assertRaisesRegex(UserError, "PyTorch is not installed", logic.start, logic.getParameterNode())
        self.assertFalse(logic.running)

    def test_start_waits_for_its_inputs(self) -> None:
        logic = USGanSimLogic()
        self.assertIn("model", logic.problem(logic.getParameterNode()))
