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
)

from USGanSimLib.commands.info import MODEL_SUFFIX
from USGanSimLib.errors import UserError
from USGanSimLib.gui.facts import facts
from USGanSimLib.gui.module_panel import ModulePanel
from USGanSimLib.gui.section import Section
from USGanSimLib.gui.simulation.live import LiveSection
from USGanSimLib.live import STALE_AFTER_S, LiveStatus, PoseState, Renderer
from USGanSimLib.mrml.live_simulation import LiveSimulation


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


class USGanSimWidget(ModulePanel):
    """The panel: its sections, from top to bottom."""

    def make_logic(self) -> USGanSimLogic:
        return USGanSimLogic()

    def make_sections(self) -> list[Section]:
        return [LiveSection(self)]


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
