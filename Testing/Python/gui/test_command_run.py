"""A command with what is shown while it runs."""

from __future__ import annotations

import pytest


@pytest.fixture
def command_run(harness):
    """Makes a CommandRun of a ProcessRunner, or of the runner given."""
    import qt

    from USGanSimLib.gui.command_run import CommandRun
    from USGanSimLib.gui.process_runner import ProcessRunner
    from USGanSimLib.gui.troubles import Troubles

    owner, troubles = qt.QWidget(), Troubles(lambda: None)
    yield lambda *shown, runner=None: CommandRun(owner, troubles, runner or ProcessRunner(), *shown)
    owner.deleteLater()


@pytest.fixture
def shown(harness):
    """A panel with what a CommandRun shows."""
    import qt

    panel = qt.QWidget()
    layout = qt.QVBoxLayout(panel)
    label, bar, button = qt.QLabel(), qt.QProgressBar(), qt.QPushButton("Stop")
    for part in (label, bar, button):
        layout.addWidget(part)
    panel.show()
    yield label, bar, button
    panel.close()


def test_bar_and_button_are_there_while_the_command_runs(command_run, python_slicer, shown, until):
    label, bar, button = shown
    run, ends = command_run(label, bar, button), []
    assert not bar.visible
    run.start("Looking", ["info", str(run.folder / "missing.igs.mha")], ends.append)
    assert bar.visible
    assert button.visible
    assert label.text.startswith("Looking, for 0 s so far")
    until(lambda: ends)
    assert not bar.visible
    assert ends[0].code == 2
    assert "missing.igs.mha" in ends[0].message
    run.cleanup()


def test_stop_ends_it_and_says_so(command_run, python_slicer, shown, until, tmp_path):
    run, ends = command_run(*shown), []
    run.start(
        "Scanning", ["phantom", "--out", str(tmp_path / "p.igs.mha"), "--frames", "100000"], ends.append
    )
    shown[2].click()
    until(lambda: ends)
    assert ends[0].message == "Stopped."
    assert not run.running


def test_cleanup_leaves_no_process_and_no_file(command_run, python_slicer, shown, until, tmp_path):
    run = command_run(*shown)
    folder = run.folder
    (folder / "points.csv").write_text("")
    run.start(
        "Scanning",
        ["phantom", "--out", str(tmp_path / "p.igs.mha"), "--frames", "100000"],
        lambda ended: 1 / 0,
    )
    run.cleanup()
    assert not run.running
    assert not folder.exists()


def test_a_command_that_nobody_watches_shows_nothing(command_run):
    from USGanSimLib.gui.process_runner import Ended

    class Runner:
        running = False

        def start(self, words, on_event, on_end):
            on_end(Ended(0, {"done": 1}, [], False))

    ends = []
    command_run(runner=Runner()).start("", ["info"], ends.append)
    assert ends[0].result == {"done": 1}
