"""USGanTraining: from tracked recordings of a phantom to a model for USGanSim.

So far: what is in a recording, and the commands that make a training set and a model of it. The work is done by
USGanSimLib: this file holds the parameters, the panel and its wiring.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.parameterNodeWrapper import Choice, Default, WithinRange, parameterNodeWrapper
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

import USGanSimLib
from USGanSimLib.gui.facts import facts

RECIPES = ("paper", "paper-fig1", "paper-l2", "regression")


class USGanTraining(ScriptedLoadableModule):
    """What the module selector and the help panel show."""

    def __init__(self, parent: Any) -> None:
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = _("USGanTraining")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Ultrasound")]
        parent.dependencies = []
        parent.contributors = ["SlicerUSGanSim maintainers"]
        parent.helpText = _(
            "Shows what is in a tracked ultrasound recording and gives the commands that make a training set and a "
            "model of it, for the module USGanSim. For research and training. Not for clinical use.")
        parent.acknowledgementText = _(
            "Method: Hu, Gibson, Lee, Xie, Barratt, Vercauteren, Noble: Freehand Ultrasound Image Simulation with "
            "Spatially-Conditioned Generative Adversarial Networks, 2017.")


@parameterNodeWrapper
class USGanTrainingParameterNode:
    """
    recordingFile - a tracked recording, .igs.mha, .igs.mhd or .igs.nrrd.
    calibrationFile - CAL.json or a PLUS XML with ImageToProbe.
    outputFolder - where the training set and the run go.
    recipe - which networks and losses.
    iterations - updates of each network.
    """

    recordingFile: Path
    calibrationFile: Path
    outputFolder: Path
    recipe: Annotated[str, Choice(RECIPES), Default(RECIPES[0])]
    iterations: Annotated[int, WithinRange(1, 1_000_000)] = 10_000


class USGanTrainingWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The panel."""

    def __init__(self, parent: Any = None) -> None:
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic: USGanTrainingLogic | None = None
        self._parameters: USGanTrainingParameterNode | None = None
        self._guiTag: Any = None
        self._describedRecording: Path | None = None

    def setup(self) -> None:
        ScriptedLoadableModuleWidget.setup(self)
        panel = slicer.util.loadUI(self.resourcePath("UI/USGanTraining.ui"))
        self.layout.addWidget(panel)
        self.ui = slicer.util.childWidgetVariables(panel)
        panel.setMRMLScene(slicer.mrmlScene)
        self.logic = USGanTrainingLogic()
        self.ui.copyButton.connect("clicked()", self.onCopy)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self.onSceneEndClose)

    def cleanup(self) -> None:
        self.setParameters(None)
        self.removeObservers()

    def enter(self) -> None:
        self.setParameters(self.logic.getParameterNode())

    def exit(self) -> None:
        self.setParameters(None)

    def onSceneStartClose(self, caller: Any, event: str) -> None:
        self.setParameters(None)

    def onSceneEndClose(self, caller: Any, event: str) -> None:
        if self.parent.isEntered:
            self.enter()

    def setParameters(self, parameters: USGanTrainingParameterNode | None) -> None:
        """Connect the panel to a parameter node, or to none."""
        if self._parameters is not None:
            self._parameters.disconnectGui(self._guiTag)
            self.removeObserver(self._parameters, vtk.vtkCommand.ModifiedEvent, self.onParametersModified)
        self._parameters = parameters
        if parameters is not None:
            self._guiTag = parameters.connectGui(self.ui)
            self.clearUnchosenPaths()
            self.addObserver(parameters, vtk.vtkCommand.ModifiedEvent, self.onParametersModified)
            self.onParametersModified()

    def clearUnchosenPaths(self) -> None:
        """An empty Path is written as '.', which nobody chose."""
        for edit in (self.ui.recordingPathEdit, self.ui.calibrationPathEdit, self.ui.outputPathEdit):
            if edit.currentPath == ".":
                edit.currentPath = ""

    def onParametersModified(self, caller: Any = None, event: Any = None) -> None:
        if self._parameters.recordingFile != self._describedRecording:
            self._describedRecording = self._parameters.recordingFile
            with slicer.util.WaitCursor():
                self.ui.recordingFactsLabel.text = self.logic.recordingFacts(self._describedRecording)
        problem = self.logic.problem(self._parameters)
        self.ui.commandsEdit.plainText = problem or self.logic.commands(self._parameters)
        self.ui.copyButton.enabled = not problem
        self.ui.copyButton.toolTip = problem or _("Copy the commands to the clipboard")

    def onCopy(self) -> None:
        slicer.app.clipboard().setText(self.ui.commandsEdit.plainText)


class USGanTrainingLogic(ScriptedLoadableModuleLogic):
    """Reads recordings and writes command lines."""

    def getParameterNode(self) -> USGanTrainingParameterNode:
        return USGanTrainingParameterNode(super().getParameterNode())

    def recordingFacts(self, path: Path) -> str:
        """Rich text: what is in the recording, or why it cannot be used."""
        if not path.name:
            return _("A recording is a PLUS sequence file with images and the probe's transforms.")
        return facts(path)

    def problem(self, parameters: USGanTrainingParameterNode) -> str:
        """What is still to be chosen before there are commands, or nothing."""
        if not parameters.recordingFile.is_file():
            return _("Choose a recording")
        if not parameters.calibrationFile.is_file():
            return _("Choose a calibration")
        if not parameters.outputFolder.name:
            return _("Choose an output folder")
        return ""

    def commands(self, parameters: USGanTrainingParameterNode) -> str:
        """The lines to run in a terminal, in this order; training goes on for hours."""
        dataset, run = parameters.outputFolder / "dataset", parameters.outputFolder / "run"
        return "\n".join([
            f'cd "{Path(USGanSimLib.__file__).parents[1]}"',
            f'PythonSlicer -m USGanSimLib prepare "{parameters.recordingFile}" '
            f'--calibration "{parameters.calibrationFile}" --out "{dataset}"',
            f'PythonSlicer -m USGanSimLib train "{dataset}" --out "{run}" '
            f"--recipe {parameters.recipe} --iterations {parameters.iterations}"])


class USGanTrainingTest(ScriptedLoadableModuleTest):
    """The logic on a recording that the test writes."""

    def setUp(self) -> None:
        slicer.mrmlScene.Clear()

    def runTest(self) -> None:
        for test in (self.test_a_recording_is_described, self.test_a_file_that_is_no_recording_is_told_in_words,
                     self.test_the_commands_hold_every_choice):
            self.setUp()
            test()

    def writtenRecording(self, folder: Path) -> Path:
        from USGanSimLib.geometry.transforms import TransformTrack
        from USGanSimLib.recording.sequence_file import write_sweep
        from USGanSimLib.recording.sweep import TrackedSweep

        poses = np.tile(np.eye(4), (5, 1, 1))
        poses[:, 2, 3] = np.linspace(0, 20, 5)
        sweep = TrackedSweep(np.zeros((5, 8, 10), np.uint8), np.arange(5) / 10.0,
                             {"ProbeToReference": TransformTrack(poses, np.ones(5, bool))}, np.ones(5, bool))
        write_sweep(folder / "sweep.igs.mha", sweep)
        return folder / "sweep.igs.mha"

    def test_a_recording_is_described(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            text = USGanTrainingLogic().recordingFacts(self.writtenRecording(Path(folder)))
        for fact in ("5 in 0.4 s", "10×8 px", "ProbeToReference spans 20.0 mm"):
            self.assertIn(fact, text)

    def test_a_file_that_is_no_recording_is_told_in_words(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "sweep.igs.mha"
            path.write_text("no recording at all")
            text = USGanTrainingLogic().recordingFacts(path)
        self.assertIn("sweep.igs.mha", text)
        self.assertNotIn("<table>", text)

    def test_the_commands_hold_every_choice(self) -> None:
        from USGanSimLib.commands import prepare, train

        logic = USGanTrainingLogic()
        parameters = logic.getParameterNode()
        with tempfile.TemporaryDirectory() as folder:
            self.assertIn("recording", logic.problem(parameters))
            parameters.recordingFile = self.writtenRecording(Path(folder))
            parameters.calibrationFile = parameters.recordingFile
            parameters.outputFolder = Path(folder) / "my phantom"
            parameters.recipe, parameters.iterations = "regression", 123
            self.assertEqual(logic.problem(parameters), "")
            _place, prepareLine, trainLine = logic.commands(parameters).splitlines()
            prepared = parsedBy(prepare, prepareLine)
            trained = parsedBy(train, trainLine)
        self.assertEqual(prepared.recording, [parameters.recordingFile])
        self.assertEqual(prepared.out, trained.dataset)
        self.assertEqual((trained.recipe, trained.iterations), ("regression", 123))


def parsedBy(command: Any, line: str) -> Any:
    """What a command reads from its line, program and command name left out."""
    import argparse
    import shlex

    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return parser.parse_args(shlex.split(line)[4:])
