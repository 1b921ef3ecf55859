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
from slicer import (
    vtkMRMLLinearTransformNode,
    vtkMRMLMarkupsFiducialNode,
    vtkMRMLScalarVolumeNode,
    vtkMRMLSequenceBrowserNode,
)
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.parameterNodeWrapper import Choice, Default, WithinRange, parameterNodeWrapper
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
)

import USGanSimLib
from USGanSimLib.gui.facts import facts
from USGanSimLib.gui.module_panel import ModulePanel
from USGanSimLib.gui.section import Section
from USGanSimLib.gui.tabs import Tabs, use_label
from USGanSimLib.gui.training.commands import CommandsSection
from USGanSimLib.gui.training.record import RecordSection

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
    recordImage, recordProbe, recordReference - nodes of the tab Record: images, and the transforms of the two tools.
    sessionFolder, sweepName - where it records to, and the next sweep.
    sessionCalibration - calibration for the coverage, copied into the session; empty: the session's own.
    coverageLandmarks, showCoverage - points that the sweeps should see; whether the swept volume is shown.
    importBrowser - a sequence to take into the session.
    recordingFile - a tracked recording, .igs.mha, .igs.mhd or .igs.nrrd.
    calibrationFile - CAL.json or a PLUS XML with ImageToProbe.
    outputFolder - where the training set and the run go.
    recipe - which networks and losses.
    iterations - updates of each network.
    """

    recordImage: vtkMRMLScalarVolumeNode
    recordProbe: vtkMRMLLinearTransformNode
    recordReference: vtkMRMLLinearTransformNode
    sessionFolder: Path
    sweepName: str = "sweep"
    sessionCalibration: Path
    coverageLandmarks: vtkMRMLMarkupsFiducialNode
    showCoverage: bool = True
    importBrowser: vtkMRMLSequenceBrowserNode
    recordingFile: Path
    calibrationFile: Path
    outputFolder: Path
    recipe: Annotated[str, Choice(RECIPES), Default(RECIPES[0])]
    iterations: Annotated[int, WithinRange(1, 1_000_000)] = 10_000


class USGanTrainingWidget(ModulePanel):
    """The panel: a tab for each step of the work."""

    def make_logic(self) -> USGanTrainingLogic:
        return USGanTrainingLogic()

    def make_sections(self) -> list[Section]:
        return [RecordSection(self), CommandsSection(self)]

    def setup(self) -> None:
        self.tabs = Tabs()
        ModulePanel.setup(self)

    def place(self, section: Section) -> None:
        if not self.tabs.widget.count:
            self.layout.addWidget(self.tabs.widget)
            self.layout.addWidget(use_label())
        self.tabs.add(section.widget, section.title)


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
