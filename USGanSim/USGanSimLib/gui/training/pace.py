"""What the tab Train proposes for this computer, and how long it takes here, measured before anyone waits for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slicer.i18n import tr as _

from ...errors import UserError
from ...model.pace import Pace
from ...model.recipes import DEFAULT_RECIPE
from ...model.settings import TrainSettings
from ...recording.dataset import MARKER
from .. import dependencies
from ..command_run import CommandRun
from ..process_runner import Ended
from ..texts import duration, in_two_lines
from .command_words import pace_words

if TYPE_CHECKING:
    from ..panel import Section

# Of one CPU core; three of them are enough to recognise anatomy (measured.md).
CPU_MINUTES = 30.0


class PacePart:
    """The proposal, the button that times some iterations, and the line with what that says."""

    def __init__(self, section: Section) -> None:
        self._section, self.ui = section, section.ui
        self._proposed_to: Any | None = None
        self._measured: tuple[list[str], Pace] | None = None
        self.run = CommandRun(section.widget, section.troubles, section.logic.makeRunner(), self.ui.paceLabel)
        section.on_press("paceButton", self._on_press)

    @property
    def parameters(self) -> Any:
        return self._section.parameters

    def propose(self) -> None:
        """Where nobody has chosen anything yet, once a scene: on a CPU, minutes that show anatomy in place of a number
        of iterations, which takes hours there."""
        parameters = self.parameters
        if parameters.parameterNode is self._proposed_to:
            return
        self._proposed_to = parameters.parameterNode
        untouched = (parameters.trainRecipe, parameters.trainIterations, parameters.trainMinutes) == (
            DEFAULT_RECIPE.name,
            TrainSettings.iterations,
            0.0,
        )
        if untouched and not parameters.trainRun.name and self._on_cpu():
            parameters.trainMinutes = CPU_MINUTES

    def show(self, training: bool) -> None:
        """Bring button and line up to date; nothing is timed beside a training."""
        missing = "" if (self.parameters.trainDataset / MARKER).is_file() else _("Choose a training set")
        busy = _("It is being timed") if self.run.running else ""
        self._section.enable(
            "paceButton",
            missing or busy or (_("A training runs, which would be slowed down") if training else ""),
            _(
                "Train some iterations of each stage that are not kept, and tell how long all of them take here"
            ),
        )
        if not self.run.running:
            self.ui.paceLabel.text = self._words()

    def end(self) -> None:
        """Leave off timing."""
        self.run.cleanup()

    def _on_press(self) -> None:
        try:
            dependencies.ensure_torch()
        except UserError as error:
            self.ui.paceLabel.text = in_two_lines(error)
            return
        words = pace_words(self.parameters)
        self.run.start(_("Some iterations are timed"), words, lambda ended: self._on_end(words, ended))
        self._section.show()

    def _on_end(self, words: list[str], ended: Ended) -> None:
        if ended.code == 0:
            self._measured = words, Pace.of_list(ended.result["stages"])
        if self.parameters is not None:
            self._section.show()
        if ended.code != 0:
            self.ui.paceLabel.text = ended.message

    def _words(self) -> str:
        parameters = self.parameters
        if self._measured is None or self._measured[0] != pace_words(parameters):
            return _proposal_words(parameters.trainRecipe) if self._on_cpu() else ""
        pace = self._measured[1]
        each = _(", ").join(
            _("{seconds:.2g} s an iteration").format(seconds=seconds)
            if first == 0
            else _("{seconds:.2g} s from {first} on").format(seconds=seconds, first=first)
            for first, seconds in pace.stages
        )
        of, all_s = parameters.trainIterations, pace.seconds_for(parameters.trainIterations)
        limit_s = 60 * parameters.trainMinutes
        if limit_s and limit_s < all_s:
            what = _(
                "{minutes} are about {reached} of {of} iterations; all of them would take {all}."
            ).format(
                minutes=duration(limit_s), reached=pace.iterations_in(limit_s), of=of, all=duration(all_s)
            )
        else:
            what = _("{of} iterations take about {all}.").format(of=of, all=duration(all_s))
        return str(_("Timed here: {each}. {what}").format(each=each, what=what))

    def _on_cpu(self) -> bool:
        device = self.parameters.trainDevice
        return device == "cpu" or (device == "auto" and not dependencies.has_gpu())


def _proposal_words(recipe: str) -> str:
    """For a computer without a GPU."""
    if recipe == DEFAULT_RECIPE.name:
        return str(
            _("On a CPU this recipe shows anatomy after minutes; {minutes:.0f} are a good beginning.").format(
                minutes=CPU_MINUTES
            )
        )
    return str(_("This recipe wants a GPU: nothing is known of what it shows after hours of a CPU."))
