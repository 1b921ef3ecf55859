"""The tab Train says what this computer can do, before anyone waits for it; boxes show words."""

from __future__ import annotations

import pytest


class Timed:
    """A runner whose command ends when it is told to."""

    running = False

    def start(self, words, on_event, on_end):
        self.words, self._on_end, self.running = words, on_end, True

    def end(self, code=0, **result):
        from USGanSimLib.gui.process_runner import Ended

        self.running = False
        self._on_end(Ended(code, result, ["usgansim train: There is no training set."], stopped=False))

    def stop(self):
        self.running = False

    cleanup = stop


@pytest.fixture
def computer(monkeypatch):
    """Says whether there is a GPU."""
    return lambda gpu: monkeypatch.setattr("USGanSimLib.gui.dependencies.has_gpu", lambda: gpu)


@pytest.fixture
def fresh(training_module, harness, training_panel, tab):
    """The tab Train in a scene of its own, entered anew."""

    def enter():
        representation = training_module.widgetRepresentation()
        representation.exit()
        tab("TrainSection").pace._proposed_to = None
        representation.enter()
        return tab("TrainSection")

    return enter


def test_on_a_cpu_minutes_of_the_default_recipe_are_proposed_once(computer, fresh):
    computer(gpu=False)
    train = fresh()
    assert (train.parameters.trainRecipe, train.parameters.trainMinutes) == ("beams", 30)
    assert "shows anatomy after minutes; 30 are a good beginning" in train.ui.paceLabel.text
    train.parameters.trainMinutes = 0
    train.panel.exit()
    train.panel.enter()
    assert train.parameters.trainMinutes == 0


def test_on_a_gpu_nothing_is_limited_unless_the_cpu_is_chosen(computer, fresh):
    computer(gpu=True)
    train = fresh()
    assert train.parameters.trainMinutes == 0
    assert train.ui.paceLabel.text == ""
    train.parameters.trainDevice = "cpu"
    assert "on a cpu" in train.ui.paceLabel.text.lower()


def test_what_somebody_chose_is_left_alone_and_a_recipe_for_gpus_is_told(computer, fresh):
    computer(gpu=False)
    train = fresh()
    train.parameters.trainMinutes, train.parameters.trainIterations = 0, 500
    train = fresh()
    assert train.parameters.trainMinutes == 0
    train.parameters.trainRecipe = "paper"
    assert "wants a GPU" in train.ui.paceLabel.text


def test_iterations_are_timed_and_the_minutes_are_told_in_iterations(computer, fresh, tmp_path):
    computer(gpu=False)
    train = fresh()
    assert train.ui.paceButton.toolTip == "Choose a training set"
    (tmp_path / "dataset.json").write_text("{}", encoding="utf-8")
    train.parameters.trainDataset = tmp_path
    train.pace.run.runner = runner = Timed()
    train.ui.paceButton.click()
    assert runner.words[:2] == ["train", str(tmp_path)]
    assert "--pace" in runner.words
    assert "--iterations" not in runner.words
    assert "--minutes" not in runner.words
    assert not train.ui.paceButton.enabled
    assert "Some iterations are timed" in train.ui.paceLabel.text
    runner.end(stages=[{"from_iteration": 0, "seconds": 1.0}, {"from_iteration": 1000, "seconds": 2.0}])
    # 1,000 in the first 1,000 of 1,800 s, 400 in the rest; 1,000 s and 18,000 s for all.
    assert train.ui.paceLabel.text == (
        "Timed here: 1 s an iteration, 2 s from 1000 on. 30 min are about 1400 of 10000 iterations; all of them "
        "would take 5 h 16 min."
    )
    train.parameters.trainIterations = 100
    assert train.ui.paceLabel.text.endswith("100 iterations take about 2 min.")
    train.parameters.trainBatch = 4
    assert "Timed" not in train.ui.paceLabel.text
    train.ui.paceButton.click()
    runner.end(code=2)
    assert "There is no training set" in train.ui.paceLabel.text


def test_boxes_show_words_and_keep_what_the_command_line_says(training_module, training_panel):
    from USGanSimLib.gui.training.calibrate_lag import LAG_TARGETS
    from USGanSimLib.gui.training.command_words import DEVICES, SIZES, STUDIES, WIDTHS
    from USGanSimLib.model.recipes import RECIPES
    from USGanSimLib.recording.splits import SPLITS

    choices = {
        "lagTargetComboBox": LAG_TARGETS,
        "splitComboBox": SPLITS,
        "sizeComboBox": SIZES,
        "recipeComboBox": tuple(RECIPES),
        "deviceComboBox": DEVICES,
        "widthComboBox": tuple(WIDTHS),
        "kindComboBox": STUDIES,
    }
    for _time in range(2):
        for section in training_panel.sections:
            for name, box in vars(section.ui).items():
                if name not in choices:
                    continue
                shown = [box.itemText(index) for index in range(box.count)]
                assert len(shown) == len(choices[name])
                assert not set(shown) & set(choices[name]), name
        # The boxes are filled anew when the module is entered.
        training_module.widgetRepresentation().exit()
        training_module.widgetRepresentation().enter()
    train = next(one for one in training_panel.sections if type(one).__name__ == "TrainSection")
    train.ui.recipeComboBox.currentIndex = 1
    assert train.parameters.trainRecipe == "paper"
