"""USGanTraining: from tracked recordings of a phantom to a model for USGanSim, in tabs that follow the work.

The work is done by USGanSimLib, the long of it in child processes: this file holds the parameters, the panel and its
wiring.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import slicer
import slicer.util
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

from USGanSimLib.gui.panel import ModulePanel, Section
from USGanSimLib.gui.process_runner import Alone, Ended, ProcessRunner, Runner, start_alone
from USGanSimLib.gui.tabs import Tabs
from USGanSimLib.gui.training.calibrate_lag import LAG_TARGETS, LagSection
from USGanSimLib.gui.training.command_words import DEVICES, REAL_OR_SIMULATED, SIZES, STUDIES, WIDTHS
from USGanSimLib.gui.training.data import DataSection
from USGanSimLib.gui.training.evaluate import EvaluateSection
from USGanSimLib.gui.training.pin.tab import PinSection
from USGanSimLib.gui.training.record.tab import RecordSection
from USGanSimLib.gui.training.train import TrainSection
from USGanSimLib.model.recipes import RECIPES
from USGanSimLib.model.run_folder import RunFolder
from USGanSimLib.mrml.scene import rename_parameters
from USGanSimLib.recording.splits import SPLITS


class USGanTraining(ScriptedLoadableModule):
    """What the module selector and the help panel show."""

    def __init__(self, parent: Any) -> None:
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = _("USGanTraining")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Ultrasound")]
        parent.dependencies = []
        parent.contributors = ["SlicerUSGanSim maintainers"]
        parent.helpText = _(
            "Makes a model for the module USGanSim of tracked ultrasound recordings of a phantom: records, calibrates, "
            "prepares a training set, trains, and evaluates. For research and training. Not for clinical use."
        )
        parent.acknowledgementText = _(
            "Method: Hu, Gibson, Lee, Xie, Barratt, Vercauteren, Noble: Freehand Ultrasound Image Simulation with "
            "Spatially-Conditioned Generative Adversarial Networks, 2017."
        )


# Under these names scenes were saved before the units stood in them.
RENAMED = {
    "pinLag": "pinLagS",
    "maxLag": "maxLagS",
    "pixelWidth": "pixelWidthMm",
    "pixelHeight": "pixelHeightMm",
    "studyBlur": "studyBlurMm",
}


@parameterNodeWrapper
class USGanTrainingParameterNode:
    """
    recordImage, recordProbe, recordReference - nodes of the tab Record: images, and the transforms of the two tools.
    sessionFolder, sweepName - where it records to, and the next sweep.
    sessionCalibration - calibration for the coverage, copied into the session; empty: the session's own.
    coverageLandmarks, showCoverage - points that the sweeps should see; whether the swept volume is shown.
    importBrowser - a sequence to take into the session.
    pinRecording - a tracked recording of a pinhead; pinMost - how many points of it are kept.
    pixelSizeKnown, pixelWidthMm, pixelHeightMm - of a pixel, held fixed where known; pinLagS - of its images.
    calibrationOut - CAL.json to write.
    lagRecording, lagTracker, lagTarget, lagPoints, lagCalibration - of the temporal calibration.
    maxLagS - lags are tried from minus to plus this.
    dataRecordings, evaluateModels - paths, one a line.
    dataCalibration - CAL.json or a PLUS XML with ImageToProbe; empty: the session's.
    dataLagS - an image stamped t shows the pose stamped t + lag, seconds.
    dataSplit, dataHoldoutPercent, dataBlocks, dataExclusionMm - which frames are held out, and left out beside them.
    dataSize - width x height of the training images in pixels.
    dataFolder, trainDataset, evaluateDataset - the training set as each tab sees it.
    trainRun - folder of the run.
    trainRecipe, trainWidth - networks and losses, share of the recipe's channels.
    trainBatch - images an iteration; 0: the recipe's.
    trainIterations, trainMinutes - when the training ends; 0 minutes: no limit.
    trainDevice - auto, cpu, cuda or mps.
    evaluateObserver, evaluateLandmarks, evaluateClassifier - what judges the images beside plain measures.
    evaluateFolder - the report.
    studyKind, studyCount, studyBlurMm, studyFolder - a study by a person; the blur's SDs, with commas.
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
    pinRecording: Path
    pinMost: Annotated[int, WithinRange(8, 1000)] = 40
    pixelSizeKnown: bool = False
    pixelWidthMm: Annotated[float, WithinRange(0.001, 20)] = 0.1
    pixelHeightMm: Annotated[float, WithinRange(0.001, 20)] = 0.1
    pinLagS: Annotated[float, WithinRange(-1, 1)] = 0.0
    calibrationOut: Path
    lagRecording: Path
    lagTracker: Path
    lagTarget: Annotated[str, Choice(LAG_TARGETS), Default(LAG_TARGETS[0])]
    lagPoints: Path
    lagCalibration: Path
    maxLagS: Annotated[float, WithinRange(0.05, 2)] = 0.4
    dataRecordings: str
    dataCalibration: Path
    dataLagS: Annotated[float, WithinRange(-2, 2)] = 0.0
    dataSplit: Annotated[str, Choice(SPLITS), Default(SPLITS[0])]
    dataHoldoutPercent: Annotated[float, WithinRange(0, 90)] = 20.0
    dataBlocks: Annotated[int, WithinRange(1, 50)] = 2
    dataExclusionMm: Annotated[float, WithinRange(0, 50)] = 2.0
    dataSize: Annotated[str, Choice(SIZES), Default(SIZES[0])]
    dataFolder: Path
    trainDataset: Path
    trainRun: Path
    trainRecipe: Annotated[str, Choice(tuple(RECIPES)), Default(next(iter(RECIPES)))]
    trainIterations: Annotated[int, WithinRange(1, 1_000_000)] = 10_000
    trainMinutes: Annotated[float, WithinRange(0, 100_000)] = 0.0
    trainDevice: Annotated[str, Choice(DEVICES), Default(DEVICES[0])]
    trainWidth: Annotated[str, Choice(tuple(WIDTHS)), Default(next(iter(WIDTHS)))]
    trainBatch: Annotated[int, WithinRange(0, 1024)] = 0
    evaluateDataset: Path
    evaluateModels: str
    evaluateObserver: Path
    evaluateLandmarks: Path
    evaluateClassifier: bool = False
    evaluateFolder: Path
    studyKind: Annotated[str, Choice(STUDIES), Default(REAL_OR_SIMULATED)]
    studyCount: Annotated[int, WithinRange(1, 1000)] = 20
    studyBlurMm: str = "2,1.5,1,0.5,0"
    studyFolder: Path


class USGanTrainingWidget(ModulePanel):
    """The panel: a tab for each step of the work."""

    def make_logic(self) -> USGanTrainingLogic:
        return USGanTrainingLogic()

    def make_sections(self) -> list[Section]:
        record = RecordSection(self)
        pin = PinSection(self, record)
        return [
            record,
            pin,
            LagSection(self, pin),
            DataSection(self),
            TrainSection(self),
            EvaluateSection(self),
        ]

    def setup(self) -> None:
        self.tabs = Tabs()
        ModulePanel.setup(self)

    def place(self, section: Section) -> None:
        if not self.tabs.widget.count:
            self.layout.addWidget(self.tabs.widget)
        self.tabs.add(section.widget, section.title)


class USGanTrainingLogic(ScriptedLoadableModuleLogic):
    """Starts the commands that do the work.

    `makeRunner` makes what runs a command and waits for its end, `startAlone` starts a training, which goes on by
    itself; a test gives others that start nothing.
    """

    def __init__(
        self,
        makeRunner: Callable[[], Runner] = ProcessRunner,
        startAlone: Callable[[Sequence[str], Path], Alone] = start_alone,
    ) -> None:
        ScriptedLoadableModuleLogic.__init__(self)
        self._parameters: USGanTrainingParameterNode | None = None
        self.makeRunner = makeRunner
        self.startAlone = startAlone

    def getParameterNode(self) -> USGanTrainingParameterNode:
        node = super().getParameterNode()
        rename_parameters(node, RENAMED)
        # One for each node: in Slicer 5.10 a wrapper never takes its observers from the node.
        if self._parameters is None or self._parameters.parameterNode is not node:
            self._parameters = USGanTrainingParameterNode(node)
        return self._parameters


class StandInRunner:
    """Runs nothing: keeps what was asked for, and is told what the command says."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.running = False

    def start(
        self,
        words: Sequence[str],
        on_event: Callable[[dict[str, Any]], None],
        on_end: Callable[[Ended], None],
    ) -> None:
        self.words, self.say, self._onEnd, self.running = list(words), on_event, on_end, True

    def end(self, code: int = 0, result: dict[str, Any] | None = None, text: Sequence[str] = ()) -> None:
        self.running = False
        self._onEnd(Ended(code, result or {}, text, stopped=False))

    def stop(self) -> None:
        self.end(-1)

    def cleanup(self) -> None:
        self.running = False


class USGanTrainingTest(ScriptedLoadableModuleTest):
    """The tabs with a stand-in for the commands' processes."""

    def setUp(self) -> None:
        slicer.mrmlScene.Clear()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def runTest(self) -> None:
        for test in (
            self.test_a_sweep_is_recorded_and_the_scene_may_close,
            self.test_a_pin_is_marked_and_judged,
            self.test_the_tab_data_tells_what_prepare_says,
            self.test_a_run_is_seen_in_its_folder,
        ):
            self.setUp()
            test()
            self.doCleanups()

    def section(self, kind: type[Section]) -> Any:
        """A tab of the module's own panel, which is entered, without a process behind."""
        panel = slicer.util.getModuleWidget("USGanTraining")
        panel.enter()
        section = next(section for section in panel.sections if isinstance(section, kind))
        section.runner = StandInRunner()
        return section

    def test_a_sweep_is_recorded_and_the_scene_may_close(self) -> None:
        from USGanSimLib.recording.sequence_file import read_sweep

        record = self.section(RecordSection)
        parameters, scene = record.parameters, slicer.mrmlScene
        self.assertFalse(record.ui.startButton.enabled)
        image = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Image")
        slicer.util.updateVolumeFromArray(image, np.zeros((1, 6, 8), np.uint8))
        parameters.recordProbe = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "ProbeToReference")
        parameters.recordImage, parameters.sessionFolder = image, self.folder / "session"
        parameters.sweepName = "heart"
        record.ui.startButton.click()
        for number in (1, 2, 3):
            slicer.util.arrayFromVolume(image)[:] = number
            slicer.util.arrayFromVolumeModified(image)
        self.assertFalse(record.ui.sessionPathEdit.enabled)
        scene.Clear()
        self.assertIn("heart was finished and kept", record.ui.stateLabel.text)
        frames = read_sweep(self.folder / "session" / "heart.igs.mhd").frames
        self.assertEqual(frames[:, 0, 0].tolist(), [1, 2, 3])
        record.parameters.sweepName = "heart"
        record.parameters.sessionFolder = self.folder / "session"
        self.assertEqual(record.parameters.sweepName, "heart-2")
        self.assertEqual(record.ui.sweepsTable.item(0, 1).text(), "kept")
        record.ui.discardButton.click()
        self.assertEqual(record.ui.sweepsTable.item(0, 1).text(), "discarded")
        record.panel.exit()

    def test_a_pin_is_marked_and_judged(self) -> None:
        from USGanSimLib.geometry.transforms import TransformTrack
        from USGanSimLib.recording.sequence_file import write_sweep
        from USGanSimLib.recording.sweep import TrackedSweep

        recording = self.folder / "pin.igs.mha"
        poses = TransformTrack(np.tile(np.eye(4), (4, 1, 1)), np.ones(4, bool))
        write_sweep(
            recording,
            TrackedSweep(
                np.full((4, 40, 60), 9, np.uint8),
                np.arange(4.0),
                {"ProbeToReference": poses},
                np.ones(4, bool),
            ),
        )
        pin = self.section(PinSection)
        pin.run.runner = StandInRunner()
        pin.parameters.pinRecording = recording
        pin.ui.findButton.click()
        self.assertEqual(pin.run.runner.words[:3], ["calibrate", "detect", str(recording)])
        (pin.run.folder / "found.csv").write_text(
            "frame,u_px,v_px,strength\n0,20,10,9\n2,30,12,9\n", encoding="utf-8"
        )
        pin.panel.exit()  # another module is shown meanwhile
        pin.run.runner.end()
        pin.panel.enter()
        self.assertIn("2 points were found", pin.ui.verdictLabel.text)
        self.assertIn("proposed at (20.0, 10.0) px", pin.ui.pointLabel.text)
        pin.ui.rejectButton.click()
        pin.frames.marking.point.SetNthControlPointPosition(0, -31.0, -13.0, 0.0)
        self.assertIn("Frame 2 of 0 to 3: corrected at (31.0, 13.0) px", pin.ui.pointLabel.text)
        self.assertEqual(
            (self.folder / "pin.pin.csv").read_text(encoding="utf-8").split()[1][:14], "2,31.00,13.00,"
        )
        pin.ui.calibrateButton.click()
        pin.run.runner.end(
            2, text=["usgansim calibrate: 1 points are too few to calibrate; 8 are the least."]
        )
        self.assertIn("Refused", pin.ui.verdictLabel.text)
        self.assertFalse(pin.ui.saveButton.enabled)
        slicer.mrmlScene.Clear()
        self.assertIsNone(pin.frames.marking)
        pin.panel.exit()

    def test_the_tab_data_tells_what_prepare_says(self) -> None:
        data = self.section(DataSection)
        self.assertFalse(data.ui.prepareButton.enabled)
        data.parameters.dataRecordings = str(self.folder / "sweep.igs.mha")
        data.parameters.dataCalibration = self.folder / "calibration.json"
        data.parameters.dataFolder = self.folder / "dataset"
        data.prepare()
        self.assertEqual(data.runner.words[:2], ["prepare", str(self.folder / "sweep.igs.mha")])
        self.assertFalse(data.ui.prepareButton.enabled)
        data.runner.say({"event": "step", "step": 3, "of": 4})
        self.assertEqual((data.ui.progressBar.value, data.ui.progressBar.maximum), (3, 4))
        data.runner.end(2, text=["usgansim prepare: The disk is full."])
        self.assertEqual(data.ui.stateLabel.text, "The disk is full.")
        self.assertTrue(data.ui.prepareButton.enabled)

    def test_a_run_is_seen_in_its_folder(self) -> None:
        train = self.section(TrainSection)
        run = RunFolder(self.folder / "run")
        run.create()
        run.config.write_text('{"settings": {"iterations": 10}}', encoding="utf-8")
        run.metrics.write_text("step,loss_g,seconds\n1,0.5,60\n2,0.4,60\n", encoding="utf-8")
        run.checkpoint.touch()
        with run.training():
            train.parameters.trainRun = run.path
            train.tick()
            self.assertIn("Iteration 2 of 10, 8 min left", train.ui.stateLabel.text)
            self.assertTrue(train.ui.stopButton.enabled)
            train.stop()
            self.assertTrue(run.stop_file.requested)
        train.tick()
        self.assertTrue(train.ui.resumeButton.enabled)
        self.assertIn("Stopped at iteration 2 of 10", train.ui.stateLabel.text)
        train.panel.exit()
