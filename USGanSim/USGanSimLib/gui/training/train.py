"""The tab Train: starts a training, shows how it goes, stops it with a checkpoint, and goes on with it.

A training is a process of its own that outlives Slicer. The tab only looks into the run's folder (model/run_watch.py),
so that it shows the same for a run of this session, of an earlier one, and of a terminal: closing the module, the scene
or Slicer loses nothing, and choosing the run's folder again brings it back.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from ...errors import UserError
from ...model.recipes import RECIPES
from ...model.run_folder import RunFolder
from ...model.run_watch import RunState, RunStatus, RunWatch
from ...mrml.training.plots import CHARTS, TrainingPlots
from ...recording.dataset import MARKER
from .. import dependencies
from ..panel import Section
from ..process_runner import LIBRARY_PARENT, Alone, without_command_name
from ..texts import duration, in_two_lines, show_picture
from ..troubles import Repeating
from .choice_words import device_words, recipe_words, show_words, width_words
from .command_words import DEVICES, WIDTHS, can_be_narrower, train_words, with_added
from .pace import PacePart

TICK_MS = 500
# A curve need not grow faster than a person reads.
PLOT_EVERY_S = 2.0
_LAST_RUN = "USGanTraining/LastRun"


class TrainSection(Section):
    """Start, Stop, Resume, and the state of the chosen run folder."""

    ui_file = "USGanTrainingTrain.ui"

    @property
    def title(self) -> str:
        return _("Train")

    def setup(self) -> None:
        self._watch: RunWatch | None = None
        self._alone: Alone | None = None
        self._status = RunStatus(RunState.NEW)
        self._refusal = ""
        self._stop_wanted = False
        self._shown_sample: Path | None = None
        self._plotted_at_s = 0.0
        self.pace = PacePart(self)
        self._timer = Repeating(
            self.widget, self.troubles, _("How the training goes is not known"), self.tick, TICK_MS
        )
        self.ui.sampleCaptionLabel.visible = False
        for name in (_("Nothing"), _("Losses"), _("Scores"), _("Texture")):
            self.ui.plotComboBox.addItem(name)
        self.ui.plotComboBox.connect(
            "currentIndexChanged(int)", self.troubles.guarded(_("The plot is not shown"), self._on_plot)
        )
        self.on_press("startButton", self.start)
        self.on_press("stopButton", self.stop)
        self.on_press("resumeButton", self.resume)
        self.on_press("copyButton", self._on_copy)

    def connected(self) -> None:
        show_words(self.ui.recipeComboBox, tuple(RECIPES), recipe_words())
        show_words(self.ui.deviceComboBox, DEVICES, device_words())
        show_words(self.ui.widthComboBox, tuple(WIDTHS), width_words())

    def enter(self) -> None:
        self.ui.torchLabel.text = dependencies.torch_status()
        self._find_last_run()
        self.pace.propose()
        self._timer.start()
        self.tick()

    def exit(self) -> None:
        self._timer.stop()

    def close_scene(self) -> None:
        # The training goes on.
        self._timer.stop()
        self.pace.end()
        self._watch = self._alone = None

    def cleanup(self) -> None:
        self.close_scene()

    def show(self) -> None:
        self._show_recipe(self.parameters.trainRecipe)
        run = self.parameters.trainRun
        if self._watch is None or self._watch.folder.path != run:
            self._refusal, self._stop_wanted, self._alone = "", False, None
            self._watch = RunWatch(run) if run.name else None
            self._status = self._watch.poll() if self._watch else RunStatus(RunState.NEW)
            self._plotted_at_s = 0.0
            self._take_settings()
        self._show_status()

    # What a person does

    def start(self) -> None:
        """Begin a new run."""
        self._begin(resume=False)

    def resume(self) -> None:
        """Go on with the chosen run."""
        self._begin(resume=True)

    def stop(self) -> None:
        """Ask the training to save and end, whoever started it."""
        self._stop_wanted = True
        self._ask_to_stop()
        self.tick()

    def problem(self) -> str:
        """Why a new run cannot begin yet, or nothing."""
        if not (self.parameters.trainDataset / MARKER).is_file():
            return _("Choose a training set, or prepare one in the tab Data")
        if not self.parameters.trainRun.name:
            return _("Choose a folder for the run")
        return ""

    def tick(self) -> None:
        """Look what the run does."""
        if self._watch is None or self.parameters is None:
            return
        before, self._status = self._status, self._watch.poll()
        if self._stop_wanted and self._status.active:
            self._ask_to_stop()
        elif not self._status.active:
            self._stop_wanted = False
        if before.active and not self._status.active:
            self._take_model()
        self._plot()
        self._show_status()

    def _begin(self, resume: bool) -> None:
        folder = RunFolder(self.parameters.trainRun)
        try:
            dependencies.ensure_torch()
            if folder.is_training:
                raise UserError(_("This run is being trained already."), _("Stop it first."))
            if not resume:
                folder.require_new()
            dataset = (_dataset_of(folder) if resume else None) or self.parameters.trainDataset
            if not (dataset / MARKER).is_file():
                raise UserError(_("The run's training set is not where it was."), _("Choose it above."))
            self.pace.end()
            words = train_words(self.parameters, resume, dataset)
            self._alone = self.logic.startAlone(words, folder.log)
        except UserError as error:
            self._refusal = in_two_lines(error)
            self._show_status()
            return
        self._refusal, self._stop_wanted = "", False
        self._watch = RunWatch(folder.path, starting=self._alone.alive)
        qt.QSettings().setValue(_LAST_RUN, str(folder.path))
        self.tick()

    def _ask_to_stop(self) -> None:
        # A training that begins takes an old request away, so it is made again at each look.
        if self._status.state == RunState.RUNNING and self._watch is not None:
            self._watch.folder.stop_file.path.touch()

    def _take_model(self) -> None:
        """A run that ended hands its model to the tab Evaluate."""
        assert self._watch is not None
        if self._watch.folder.model.is_file():
            self.parameters.evaluateModels = with_added(
                self.parameters.evaluateModels, [self._watch.folder.model]
            )
            self.parameters.evaluateDataset = (
                _dataset_of(self._watch.folder) or self.parameters.evaluateDataset
            )

    def _take_settings(self) -> None:
        """A run that is chosen brings what it began with, so that Resume goes on as it was meant."""
        configuration = _configuration(self._watch.folder) if self._watch else {}
        if not configuration or self._watch is None:
            return
        settings, dataset = configuration["settings"], _dataset_of(self._watch.folder)
        recipe = settings.get("recipe", {})
        self.parameters.trainIterations = settings["iterations"]
        if dataset is not None:
            self.parameters.trainDataset = dataset
        if recipe.get("name") in RECIPES:
            self.parameters.trainRecipe, self.parameters.trainBatch = recipe["name"], recipe["batch"]

    def _find_last_run(self) -> None:
        """A training that outlived the last session of Slicer is shown again."""
        last = qt.QSettings().value(_LAST_RUN)
        if last and not self.parameters.trainRun.name and RunFolder(Path(last)).is_training:
            self.parameters.trainRun = Path(last)

    # What is shown

    def _show_recipe(self, name: str) -> None:
        recipe = RECIPES[name]
        words = str(_(recipe.words))
        self.ui.recipeInfoLabel.text = f"{words[:1].upper()}{words[1:]}."
        self.ui.recipeInfoLabel.toolTip = _(recipe.about)
        self.ui.widthComboBox.enabled = can_be_narrower(name)
        self.ui.widthComboBox.toolTip = _(
            "Channels of the networks: full are the recipe's own ({generator} in the generator); fewer are faster, "
            "and draw less well. A recipe that is narrow already has no choice"
        ).format(generator=recipe.shape.generator_channels)
        self.ui.batchSpinBox.toolTip = _("Images that each update looks at; {recipe} has {batch}").format(
            recipe=name, batch=recipe.batch
        )

    def _show_status(self) -> None:
        status, missing = self._status, self.problem()
        self.pace.show(training=status.active)
        is_new = status.state == RunState.NEW
        self.enable(
            "startButton",
            missing or ("" if is_new else _("This folder holds a run: resume it, or choose another folder")),
            _("Train in a process of its own, which goes on when Slicer closes"),
        )
        ends = _("It saves and ends already") if self._stop_wanted else ""
        self.enable(
            "stopButton",
            ends if status.active else _("No training runs in this folder"),
            _("Save, and end after this iteration"),
        )
        self.enable(
            "resumeButton",
            "" if status.resumable else _not_resumed(status),
            _("Go on from the last checkpoint, up to the iterations above"),
        )
        self.ui.progressBar.visible = status.active
        # Without a number the bar is busy.
        self.ui.progressBar.setRange(0, status.of if status.step else 0)
        self.ui.progressBar.value = status.step
        self.ui.stateLabel.text = (
            self._refusal or (missing if is_new else "") or told(status, self._stop_wanted)
        )
        self.ui.warningLabel.text = "<br>".join(status.warnings)
        self.ui.warningLabel.visible = bool(status.warnings)
        if status.sample != self._shown_sample:
            self._shown_sample = status.sample
            show_picture(self.ui.sampleLabel, status.sample)
            self.ui.sampleCaptionLabel.visible = status.sample is not None

    def _on_plot(self, _index: int) -> None:
        self._plotted_at_s = 0.0
        self._plot(bring_up=True)

    def _plot(self, bring_up: bool = False) -> None:
        chart = (None, *CHARTS)[self.ui.plotComboBox.currentIndex]
        if chart is None or self._watch is None or time.monotonic() - self._plotted_at_s < PLOT_EVERY_S:
            return
        self._plotted_at_s = time.monotonic()
        plots, metrics = TrainingPlots(slicer.mrmlScene), self._watch.metrics
        plots.fill(metrics)
        node = plots.chart(chart, metrics)
        if bring_up and node is not None:
            slicer.modules.plots.logic().ShowChartInLayout(node)

    def _on_copy(self) -> None:
        line = " ".join(_quoted(word) for word in train_words(self.parameters))
        slicer.app.clipboard().setText(f'cd "{LIBRARY_PARENT}"\npython -m USGanSimLib {line}')


def told(status: RunStatus, stop_wanted: bool = False) -> str:
    """The state of a run in words."""
    of = {"step": status.step, "of": status.of}
    if stop_wanted and status.active:
        return _("It saves and ends after this iteration ({step} of {of})…").format(**of)
    if status.state == RunState.RUNNING:
        if status.left_s is None:
            return _("The training begins…")
        return _("Iteration {step} of {of}, {left} left. It goes on when Slicer closes.").format(
            left=duration(status.left_s), **of
        )
    if status.state == RunState.FAILED:
        error = UserError(
            _("The training ended at iteration {step} of {of}: {reason}").format(
                reason=without_command_name(status.message), **of
            ),
            status.hint,
        )
        return in_two_lines(error)
    words = {
        RunState.NEW: _("Ready to start."),
        RunState.STARTING: _("The training loads PyTorch and the training set…"),
        RunState.STOPPING: _("It saves and ends after this iteration ({step} of {of})…"),
        RunState.STOPPED: _("Stopped at iteration {step} of {of}. Resume goes on from the last checkpoint."),
        RunState.DONE: _("Finished after {step} iterations. To go on, set more iterations and resume."),
    }
    return words[status.state].format(**of)


def _not_resumed(status: RunStatus) -> str:
    """Why there is nothing to go on with."""
    if status.active:
        return _("It is being trained")
    return (
        _("This folder holds no run yet") if status.state == RunState.NEW else _("The run left no checkpoint")
    )


def _dataset_of(folder: RunFolder) -> Path | None:
    """The training set that a run began with; None where there is no run, or the set is not there any more."""
    configuration = _configuration(folder)
    dataset = Path(configuration["dataset"]["folder"]) if configuration else None
    return dataset if dataset and (dataset / MARKER).is_file() else None


def _configuration(folder: RunFolder) -> dict[str, Any]:
    try:
        configuration: dict[str, Any] = json.loads(folder.config.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return configuration if {"dataset", "settings"} <= configuration.keys() else {}


def _quoted(word: str) -> str:
    return f'"{word}"' if " " in word else word
