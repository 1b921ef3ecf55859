"""The tabs of USGanTraining with real processes behind: what goes on, what is left afterwards, and what survives."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import numpy as np
import pytest

from USGanSimLib.evaluation.study.blind_set import Card, write_blind_set
from USGanSimLib.model.run_folder import RunFolder


@pytest.fixture
def data(tab, python_slicer, tmp_path):
    """The tab Data with a small recording of the virtual phantom chosen."""
    from USGanSimLib.cli import main

    assert (
        main(["phantom", "--out", str(tmp_path / "p.igs.mha"), "--frames", "30", "--size", "80x60", "--json"])
        == 0
    )
    data = tab("DataSection")
    data._add([tmp_path / "p.igs.mha"])
    data.parameters.dataCalibration = tmp_path / "p.calibration.json"
    data.parameters.dataFolder = tmp_path / "set"
    data.parameters.dataExclusionMm = 0  # So few frames are all near one that is held out.
    yield data
    data.runner.cleanup()


def test_data_looks_and_prepares_and_hands_the_set_over(data, until, tmp_path):
    data.ui.lookButton.click()
    until(lambda: not data.runner.running)
    assert not (tmp_path / "set").exists()
    assert not data.ui.pictureLabel.pixmap.isNull()
    assert "30 of 30 can be used" in data.ui.resultLabel.text
    data.ui.prepareButton.click()
    until(lambda: not data.runner.running)
    assert (tmp_path / "set" / "dataset.json").is_file(), data.ui.stateLabel.text
    assert data.parameters.trainDataset == data.parameters.evaluateDataset == tmp_path / "set"


def test_data_tells_a_refusal_in_words(data, until, tmp_path):
    data.parameters.dataRecordings = str(tmp_path / "missing.igs.mha")
    data.ui.prepareButton.click()
    until(lambda: not data.runner.running)
    assert "missing.igs.mha" in data.ui.stateLabel.text
    assert data.ui.prepareButton.enabled


def test_closing_the_scene_ends_what_data_started(data, harness, until, tmp_path):
    data.ui.lookButton.click()
    number = data.runner._process.processId()
    assert number
    harness.slicer.mrmlScene.Clear()
    assert not data.runner.running
    until(lambda: is_gone(number))


@pytest.fixture
def sheet_folder(tmp_path):
    """A real-or-simulated study of four pictures."""
    cards = [
        Card(
            np.full((30, 40), 60 * k, np.uint8),
            {"sigma_mm": 0.0},
            {"kind": ("real", "simulated")[k % 2], "sigma_mm": 0.0},
        )
        for k in range(4)
    ]
    write_blind_set(
        tmp_path / "study",
        tmp_path / "study.key.json",
        "real-or-simulated",
        {"mm_per_px": [1, 1]},
        cards,
        ("image", "answer"),
        seed=0,
    )
    return tmp_path / "study"


def answers(folder):
    return [line.split(",")[1] for line in (folder / "answers.csv").read_text(encoding="utf-8").split()[1:]]


def test_keys_answer_a_study_which_can_be_interrupted(tab, harness, sheet_folder):
    evaluate, qt = tab("EvaluateSection"), harness.qt
    evaluate.parameters.studyFolder = sheet_folder
    evaluate.ui.answerButton.click()
    window = evaluate.study.window.window
    harness.process_events(0.1)
    for name in ("R", "Right", "Escape"):
        qt.QTest.keyClick(window, getattr(qt.Qt, f"Key_{name}"))
        harness.process_events(0.05)
    assert evaluate.study.window is None
    assert answers(sheet_folder) == ["real", "simulated", "", ""]
    assert "2 of 4" in evaluate.ui.studyLabel.text
    evaluate.ui.answerButton.click()
    window = evaluate.study.window.window
    harness.process_events(0.1)
    for name in ("S", "Backspace", "Left", "S"):
        qt.QTest.keyClick(window, getattr(qt.Qt, f"Key_{name}"))
        harness.process_events(0.05)
    assert answers(sheet_folder) == ["real", "simulated", "real", "simulated"]
    assert evaluate.study.window is None


def test_the_keys_of_a_study_are_nobody_elses(tab, harness, sheet_folder):
    evaluate, qt = tab("EvaluateSection"), harness.qt
    evaluate.parameters.studyFolder = sheet_folder
    evaluate.ui.answerButton.click()
    harness.process_events(0.1)
    qt.QTest.keyClick(evaluate.ui.blurEdit, qt.Qt.Key_R)
    harness.process_events(0.05)
    assert answers(sheet_folder) == [""] * 4
    harness.slicer.mrmlScene.Clear()
    assert evaluate.study.window is None


def test_a_landmark_is_marked_by_a_point_in_the_scene(tab, harness, tmp_path):
    scene = harness.slicer.mrmlScene
    cards = [Card(np.full((30, 40), 9, np.uint8), {"landmark": "crux"}, {}) for _ in range(3)]
    write_blind_set(
        tmp_path / "marks",
        tmp_path / "marks.key.json",
        "landmarks",
        {"mm_per_px": [0.5, 0.25]},
        cards,
        ("image", "landmark", "outcome", "u_px", "v_px"),
        seed=0,
    )
    evaluate = tab("EvaluateSection")
    evaluate.parameters.studyFolder = tmp_path / "marks"
    evaluate.ui.answerButton.click()
    assert "<b>crux</b>" in evaluate.ui.markLabel.text
    evaluate.ui.markPlacedButton.click()
    assert "Click on the landmark first" in evaluate.ui.markLabel.text
    evaluate.study.reading.marks.AddControlPoint(-5.0, -2.0, 0.0)
    evaluate.ui.markPlacedButton.click()
    evaluate.ui.markAbsentButton.click()
    evaluate.ui.markWrongButton.click()
    lines = (tmp_path / "marks" / "answers.csv").read_text(encoding="utf-8").split("\n")[1:4]
    assert [line.strip() for line in lines] == [
        "0001,crux,measured,10.00,8.00",
        "0002,crux,unclear,,",
        "0003,crux,wrong region,,",
    ]
    assert evaluate.study.reading is None
    assert scene.GetNumberOfNodesByClass("vtkMRMLMarkupsFiducialNode") == 0


def test_the_only_image_that_streams_is_chosen_for_the_recording(training_module, harness, tab):
    scene = harness.slicer.mrmlScene
    pin = tab("PinSection")
    assert pin.ui.pinRecordButton.toolTip == "In the tab Record: Choose the volume of the images."
    scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "CT")
    image = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Image_Image")
    training_module.widgetRepresentation().exit()
    training_module.widgetRepresentation().enter()
    assert tab("RecordSection").ui.imageSelector.currentNode() is image


def test_how_large_a_study_will_be_is_said_before_it_is_made(tab):
    evaluate = tab("EvaluateSection")
    words = evaluate.ui.studySizeLabel
    # Real and simulated ones of five blurs, three seconds each.
    assert words.text == "= 200 pictures, about 10 min to answer"
    evaluate.parameters.studyCount, evaluate.parameters.studyBlurMm = 100, "1, 0,0"
    assert words.text == "= 400 pictures, about 20 min to answer"
    evaluate.parameters.studyKind = "landmarks"
    assert words.text == "= 200 pictures, about 33 min to answer"


def test_a_blur_that_is_no_number_is_told_before_the_study_is_made(tab, tmp_path):
    evaluate = tab("EvaluateSection")
    parameters = evaluate.parameters
    parameters.evaluateModels, parameters.evaluateDataset = str(tmp_path / "a.safetensors"), tmp_path
    parameters.studyFolder, parameters.studyBlurMm = tmp_path / "study", "2;1"
    assert "“2;1” is no list of numbers" in evaluate.ui.makeButton.toolTip
    assert not evaluate.ui.makeButton.enabled
    assert evaluate.ui.studySizeLabel.text == ""


def test_a_report_that_is_there_is_shown(tab, tmp_path):
    columns = [{"key": "landmark_mean_mm", "heading": "mean of the measured, mm", "digits": 2}]
    rows = [
        {
            "name": "real image",
            "frames": 5,
            "landmark_mean_mm": 1.234,
            "landmark_mean_mm_ci_low": 1.0,
            "landmark_mean_mm_ci_high": 2.0,
        }
    ]
    evaluate = tab("EvaluateSection")
    evaluate.parameters.evaluateFolder = tmp_path
    assert not evaluate.ui.openButton.enabled
    (tmp_path / "report.html").touch()
    (tmp_path / "report.json").write_text(
        json.dumps({"tables": [{"title": "Landmarks", "note": "", "columns": columns}], "rows": rows}),
        encoding="utf-8",
    )
    evaluate.show()
    text = evaluate.ui.tableBrowser.toPlainText()
    assert "mean of the measured, mm" in text
    assert "1.23" in text
    assert "2.00" not in text
    assert evaluate.ui.openButton.enabled
    (tmp_path / "report.json").write_text("nothing", encoding="utf-8")
    os.utime(tmp_path / "report.json", (1, 1))
    evaluate.show()
    assert "is no report" in evaluate.ui.tableBrowser.toPlainText()


@pytest.fixture
def train(tab, python_slicer, tmp_path):
    """The tab Train with a training set and a new run folder chosen, and a training that its script plays."""
    train = tab("TrainSection")
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "dataset.json").write_text("{}", encoding="utf-8")
    train.parameters.trainDataset, train.parameters.trainRun = tmp_path / "set", tmp_path / "run"
    return train


class Played:
    """A training that is played: it lives until it is told to end."""

    def __init__(self, run):
        self.run, self.lives, self.words = run, True, []

    def __call__(self, words, log):
        self.words = words
        log.parent.mkdir(parents=True, exist_ok=True)
        log.touch()
        return self

    def alive(self):
        return self.lives

    def steps(self, last):
        self.run.create()
        self.run.config.write_text(
            json.dumps(
                {"settings": {"iterations": 100}, "dataset": {"folder": str(self.run.path.parent / "set")}}
            ),
            encoding="utf-8",
        )
        lines = [f"{step},{1 / step},0.5,2" for step in range(1, last + 1)]
        self.run.metrics.write_text(
            "\n".join(["step,loss_g,accuracy_real,seconds", *lines, ""]), encoding="utf-8"
        )


@pytest.fixture
def played(train):
    played = Played(RunFolder(train.parameters.trainRun))
    before, train.logic.startAlone = train.logic.startAlone, played
    yield played
    train.logic.startAlone = before


@pytest.mark.parametrize(
    ("recipe", "said", "channels", "wide"),
    [("beams", "beams and speckle inside", 32, False), ("paper", "Hu et al.", 512, True)],
)
def test_the_chosen_recipe_is_told_with_its_own_numbers(tab, recipe, said, channels, wide):
    train = tab("TrainSection")
    train.parameters.trainRecipe = recipe
    train.show()
    assert said in train.ui.recipeInfoLabel.text
    assert f"{channels} in the generator" in train.ui.widthComboBox.toolTip
    assert train.ui.widthComboBox.enabled == wide
    assert train.ui.batchSpinBox.toolTip.endswith(f"{recipe} has {6 if recipe == 'beams' else 36}")


def test_a_training_is_started_watched_stopped_and_can_be_resumed(train, played):
    train.ui.startButton.click()
    assert played.words[0] == "train"
    assert "loads PyTorch" in train.ui.stateLabel.text
    train.ui.stopButton.click()  # Before it has begun: the request must reach it nevertheless.
    with played.run.training():
        played.steps(10)
        train.tick()
        assert played.run.stop_file.requested
    played.lives = False
    played.run.checkpoint.touch()
    played.run.model.touch()
    train.tick()
    assert "Stopped at iteration 10 of 100" in train.ui.stateLabel.text
    assert str(played.run.model) in train.parameters.evaluateModels
    train.ui.resumeButton.click()
    assert "--resume" in played.words


def test_a_training_goes_on_when_the_scene_closes_and_is_found_again(train, played, harness):
    train.ui.startButton.click()
    with played.run.training():
        played.steps(5)
        harness.slicer.mrmlScene.Clear()
        assert not played.run.stop_file.requested
        assert train.parameters.trainRun == played.run.path
        assert "Iteration 5 of 100" in train.ui.stateLabel.text
    assert not train._status.resumable


def test_a_run_that_is_chosen_brings_what_it_began_with(train, tmp_path):
    run = RunFolder(tmp_path / "earlier")
    run.create()
    (tmp_path / "other set").mkdir()
    (tmp_path / "other set" / "dataset.json").write_text("{}", encoding="utf-8")
    run.config.write_text(
        json.dumps(
            {
                "dataset": {"folder": str(tmp_path / "other set")},
                "settings": {"iterations": 777, "recipe": {"name": "regression", "batch": 12}},
            }
        ),
        encoding="utf-8",
    )
    train.parameters.trainRun = run.path
    parameters = train.parameters
    assert (parameters.trainRecipe, parameters.trainIterations, parameters.trainBatch) == (
        "regression",
        777,
        12,
    )
    assert parameters.trainDataset == tmp_path / "other set"


def test_a_process_that_dies_at_once_is_told(train, played):
    train.ui.startButton.click()
    played.run.log.write_text("ModuleNotFoundError: No module named 'torch'\n", encoding="utf-8")
    played.lives = False
    train.tick()
    assert "No module named" in train.ui.stateLabel.text


def test_curves_come_up_in_the_plot_view(train, played, harness):
    train.ui.startButton.click()
    with played.run.training():
        played.steps(20)
        train.tick()
        train.ui.plotComboBox.currentIndex = 2
        chart = harness.slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLPlotChartNode")
        assert chart.GetTitle() == "Training scores"
        selection = harness.slicer.app.applicationLogic().GetSelectionNode()
        assert selection.GetActivePlotChartID() == chart.GetID()
    train.ui.plotComboBox.currentIndex = 0


def test_nothing_of_the_tabs_ticks_after_another_module_is_shown(tab, training_module, harness):
    train = tab("TrainSection")
    assert train._timer.active
    training_module.widgetRepresentation().exit()
    assert not train._timer.active
    harness.slicer.mrmlScene.Clear()
    assert not train._timer.active


def test_a_reload_leaves_no_timer_window_or_observer_of_the_panel_before(
    training_panel, training_module, harness
):
    from harness_common import growth, left

    harness.slicer.util.reloadScriptedModule("USGanTraining")
    training_module.widgetRepresentation().enter()
    before = left(harness)
    harness.slicer.util.reloadScriptedModule("USGanTraining")
    training_module.widgetRepresentation().enter()
    assert growth(before, left(harness)) == []


def is_gone(number):
    """Whether a process has ended; one that nobody has asked about yet still has its number."""
    time.sleep(0.02)
    try:
        return Path(f"/proc/{number}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True
