"""From recordings to a judged model in USGanTraining, pressed by a script, with pictures of the tabs.

    python Testing/Harness/run.py --module USGanTraining/USGanTraining.py \
        --no-checks --script Testing/Harness/training_story.py

Takes about five minutes on two cores. Pictures go to the folder USGANSIM_PICTURES (default: Resources/Screenshots),
everything else to USGANSIM_STORY (default: a new folder of the system's temporary ones, kept). USGANSIM_STEPS names
single steps to repeat, such as "evaluate", in the USGANSIM_STORY of an earlier run. USGANSIM_RUN and USGANSIM_DATASET
name a run of hours and its training set, to be shown in the pictures instead of the minutes of this one.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

import slicer
import slicer.util

sys.path.insert(0, str(Path(__file__).resolve().parent))
from harness_common import picture as shoot
from harness_common import press, python_slicer, virtual
from view_pictures import chart_picture

from USGanSimLib.gui.training.data import DataSection
from USGanSimLib.gui.training.evaluate import EvaluateSection
from USGanSimLib.gui.training.train import TrainSection
from USGanSimLib.model.run_watch import RunState, RunWatch
from USGanSimLib.mrml.training.plots import LOSSES, TrainingPlots

REPOSITORY = Path(__file__).resolve().parents[2]
PICTURES = Path(os.environ.get("USGANSIM_PICTURES") or REPOSITORY / "Resources" / "Screenshots")
WORK = Path(os.environ.get("USGANSIM_STORY") or tempfile.mkdtemp(prefix="usgansim-story-"))
BREATH_S = 0.05
qt = harness.qt  # noqa: F821


def until(condition, what, seconds=300.0):
    end_s = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end_s:
            raise TimeoutError(f"{what}: not after {seconds:g} s")
        begun_s = time.thread_time()  # The processor's time: other programs take the wall's.
        harness.process_events()  # noqa: F821
        longest[0] = max(longest[0], time.thread_time() - begun_s)
        time.sleep(BREATH_S)


longest = [0.0]


def tab(kind):
    section = next(section for section in widget.sections if isinstance(section, kind))  # noqa: F821
    widget.tabs.widget.setCurrentWidget(section.widget.parent())  # noqa: F821
    return section


def picture(name):
    PICTURES.mkdir(parents=True, exist_ok=True)
    shoot(harness, panel, PICTURES / f"{name}.png", views=False)  # noqa: F821


def prepare():
    virtual(WORK / "session" / "session", "--session", "--frames", "400", "--size", "160x120")
    data = tab(DataSection)
    data._add(sorted((WORK / "session").rglob("*.igs.mha")))
    parameters = data.parameters
    parameters.dataCalibration = next((WORK / "session").rglob("*.calibration.json"))
    parameters.dataExclusionMm, parameters.dataSize = 1.0, "80x60"
    parameters.dataFolder = WORK / "dataset"
    press(data, "lookButton")
    until(lambda: not data.runner.running, "look")
    picture("USGanTraining-Data")
    press(data, "prepareButton")
    until(lambda: not data.runner.running, "prepare")
    assert parameters.trainDataset == WORK / "dataset", data.ui.stateLabel.text


def train():
    section = tab(TrainSection)
    parameters = section.parameters
    parameters.trainRun = WORK / "run"
    parameters.trainRecipe, parameters.trainWidth, parameters.trainBatch = "paper-l2", "small", 8
    parameters.trainIterations = 80
    section.ui.plotComboBox.currentIndex = 1
    press(section, "startButton")
    until(lambda: section._status.step >= 25, "some iterations")
    press(section, "stopButton")
    until(lambda: section._status.state == RunState.STOPPED, "stop")
    stopped_at = section._status.step
    press(section, "resumeButton")
    until(lambda: section._status.step >= stopped_at + 5, "some more")
    picture("USGanTraining-Train")
    # The scene closes; the training goes on, and the folder brings it back.
    slicer.mrmlScene.Clear()
    assert RunWatch(WORK / "run").poll().active
    harness.process_events(0.2)  # noqa: F821
    assert section.parameters.trainRun == WORK / "run", "the running training was not found again"
    until(lambda: section._status.state == RunState.DONE, "the end", 600)
    plot_picture(section)


def plot_picture(section):
    plots, metrics = TrainingPlots(slicer.mrmlScene), section._watch.metrics
    plots.fill(metrics)
    chart_picture(plots.chart(LOSSES, metrics), PICTURES / "USGanTraining-Losses.png")


def evaluate():
    section = tab(EvaluateSection)
    parameters = section.parameters
    assert parameters.evaluateModels or wanted, "the run did not hand its model over"
    parameters.evaluateModels = str(WORK / "run" / "model.safetensors")
    parameters.evaluateDataset, parameters.evaluateFolder = WORK / "dataset", WORK / "report"
    press(section, "evaluateButton")
    until(lambda: not section.runner.running, "evaluate", 900)
    assert (WORK / "report" / "report.html").is_file(), section.ui.stateLabel.text
    parameters.studyFolder, parameters.studyCount, parameters.studyBlurMm = WORK / "study", 3, "0"
    press(section, "makeButton")
    until(lambda: not section.runner.running, "study")
    answer_by_keys(section)
    press(section, "scoreButton")
    until(lambda: not section.runner.running, "score")
    picture("USGanTraining-Evaluate")


def answer_by_keys(section):
    """Six pictures; after the second a person is called away."""

    def key(name):
        window = section.study.window.window
        qt.QTest.keyClick(window, getattr(qt.Qt, f"Key_{name}"))
        harness.process_events(BREATH_S)  # noqa: F821

    press(section, "answerButton")
    harness.process_events(0.4)  # noqa: F821
    section.study.window.window.grab().save(str(PICTURES / "USGanTraining-Study.png"))
    key("R")
    key("Right")
    key("Escape")
    assert section.study.window is None
    assert "2 of 6" in section.ui.studyLabel.text, section.ui.studyLabel.text
    press(section, "answerButton")
    harness.process_events(0.4)  # noqa: F821
    for name in ("Left", "S", "Backspace", "R", "S", "R"):
        key(name)
    assert section.study.window is None
    assert "6 of 6" in section.ui.studyLabel.text, section.ui.studyLabel.text


def mark_landmarks():
    """Four pictures in the red slice view; one landmark is not to be seen."""
    section = tab(EvaluateSection)
    parameters = section.parameters
    parameters.studyKind, parameters.studyFolder, parameters.studyCount = "landmarks", WORK / "marks", 2
    parameters.evaluateLandmarks = next((WORK / "session").rglob("*.landmarks.json"))
    press(section, "makeButton")
    until(lambda: not section.runner.running, "study")
    press(section, "answerButton")
    harness.process_events(BREATH_S)  # noqa: F821
    section.study.reading.marks.AddControlPoint(-60.0, -40.0, 0.0)
    shoot(harness, panel, PICTURES / "USGanTraining-Landmarks.png")  # noqa: F821
    press(section, "markPlacedButton")
    press(section, "markAbsentButton")
    for _ in range(2):
        section.study.reading.marks.AddControlPoint(-50.0, -30.0, 0.0)
        press(section, "markPlacedButton")
    assert section.study.reading is None
    press(section, "scoreButton")
    until(lambda: not section.runner.running, "score")


def show_longer_run():
    """The pictures of Train and the study again, of a run that took longer than a script should."""
    if "USGANSIM_RUN" not in os.environ:
        return
    run, dataset = Path(os.environ["USGANSIM_RUN"]), Path(os.environ["USGANSIM_DATASET"])
    section = tab(TrainSection)
    section.parameters.trainRun, section.parameters.trainDataset = run, dataset
    for _ in range(5):  # A long table is read in pieces.
        section.tick()
    picture("USGanTraining-Train")
    plot_picture(section)
    section = tab(EvaluateSection)
    parameters = section.parameters
    parameters.evaluateModels, parameters.evaluateDataset = str(run / "model.safetensors"), dataset
    parameters.studyKind, parameters.studyFolder = "real-or-simulated", WORK / "longer"
    parameters.studyCount, parameters.studyBlurMm = 3, "0"
    press(section, "makeButton")
    until(lambda: not section.runner.running, "study")
    press(section, "answerButton")
    harness.process_events(0.4)  # noqa: F821
    section.study.window.window.grab().save(str(PICTURES / "USGanTraining-Study.png"))
    section.study.end()


STEPS = (prepare, train, evaluate, mark_landmarks, show_longer_run)
wanted = os.environ.get("USGANSIM_STEPS", "").split()
python_slicer(WORK / "bin")
for step in (step for step in STEPS if not wanted or step.__name__ in wanted):
    begun_s = time.monotonic()
    step()
    print(
        f"{step.__name__}: {time.monotonic() - begun_s:.0f} s, longest turn of the panel {1000 * longest[0]:.0f} ms",
        flush=True,
    )
