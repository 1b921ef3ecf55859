"""Losses that wait on the device: each iteration keeps its line, whenever they are read."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from USGanSimLib.errors import UserError
from USGanSimLib.ml.training import trainer
from USGanSimLib.ml.training.checkpoint import load_checkpoint
from USGanSimLib.ml.training.readings import Readings
from USGanSimLib.ml.training.trainer import train
from USGanSimLib.model.recipes import L2, Stage


def test_readings_come_in_order_with_their_own_names_and_the_mean_of_their_time():
    readings = Readings(3)
    for step in (1, 2, 3):
        assert not readings.due
        names = ("loss_l2",) if step < 3 else ("loss_score", "other")
        readings.add(step, names, torch.arange(len(names)) + float(step), seconds=step)
    assert readings.due
    found = readings.read()
    assert [(reading.step, reading.losses) for reading in found] == [
        (1, {"loss_l2": 1.0}),
        (2, {"loss_l2": 2.0}),
        (3, {"loss_score": 3.0, "other": 4.0}),
    ]
    assert [reading.seconds for reading in found] == pytest.approx([2.0] * 3, abs=0.1)
    assert readings.read() == []


@pytest.fixture
def read_in_fours(monkeypatch):
    """Training that reads losses as on a GPU, four iterations at once."""
    monkeypatch.setattr(trainer, "READ_EVERY", {"cpu": 4})


def test_metrics_are_the_same_however_many_losses_are_read_at_once(
    make_dataset, tiny, tmp_path, recorder, metrics, monkeypatch
):
    dataset, progress = make_dataset(), recorder()
    settings = tiny("paper-l2", iterations=7, checkpoint_every=5)
    stages = (Stage(L2(), 1e-3, 2), *settings.recipe.stages)
    settings = dataclasses.replace(settings, recipe=dataclasses.replace(settings.recipe, stages=stages))
    train(dataset, tmp_path / "one", settings, recorder())
    monkeypatch.setattr(trainer, "READ_EVERY", {"cpu": 4})
    train(dataset, tmp_path / "four", settings, progress)
    assert metrics(tmp_path / "one") == metrics(tmp_path / "four")
    assert [(event, fields["step"]) for event, fields in progress.events if event != "warning"] == [
        *[("step", step) for step in (1, 2, 3, 4, 5)],
        ("checkpoint", 5),
        *[("step", step) for step in (6, 7)],
        ("sample", 7),
        ("checkpoint", 7),
    ]


def test_a_run_that_is_stopped_has_a_line_for_each_of_its_iterations(
    make_dataset, tiny, tmp_path, recorder, metrics, read_in_fours
):
    run = tmp_path / "run"
    # The second iteration is told of with the fourth.
    progress = recorder(lambda event, fields: (run / "STOP").touch() if fields["step"] == 2 else None)
    assert train(make_dataset(), run, tiny(iterations=20), progress)["step"] == 4
    assert [line["step"] for line in metrics(run)] == ["1", "2", "3", "4"]
    assert load_checkpoint(run / "checkpoint.pt").step == 4


def test_a_run_that_diverged_says_at_which_iteration_and_saves_nothing_of_it(
    make_dataset, tiny, tmp_path, recorder, with_stages, read_in_fours
):
    settings = with_stages(tiny("regression", iterations=50, checkpoint_every=3), learning_rate=1e37)
    with pytest.raises(UserError, match=r"(nan|inf) at step 2: training has diverged"):
        train(make_dataset(), tmp_path / "run", settings, recorder())
    assert not (tmp_path / "run" / "checkpoint.pt").exists()
