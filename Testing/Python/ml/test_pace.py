"""Some iterations of every stage are timed, and nothing is left of them."""

from __future__ import annotations

import json
import time

import pytest

from USGanSimLib import cli
from USGanSimLib.ml.training import pace
from USGanSimLib.ml.training.objectives import objective_of


@pytest.fixture
def slow_steps(monkeypatch):
    """Every iteration of a later stage than the first takes so much longer."""
    made = []

    def of(objective, networks):
        one = objective_of(objective, networks)
        step, wait_s = one.step, 0.05 if made else 0.0
        made.append(objective)

        def slow(batch, number):
            time.sleep(wait_s)
            return step(batch, number)

        one.step = slow
        return one

    monkeypatch.setattr("USGanSimLib.ml.training.trainer.objective_of", of)


def test_every_stage_is_timed_for_itself(make_dataset, tiny, slow_steps):
    settings = tiny("beams")
    measured = pace.measure_pace(make_dataset(), settings, seconds_a_stage=0.2)
    assert [first for first, _seconds in measured.stages] == [0, 1000, 3000]
    first_s, *later_s = (seconds for _first, seconds in measured.stages)
    assert min(later_s) > 0.05
    assert first_s > 0


def test_the_command_says_how_far_the_minutes_reach_and_writes_nothing(
    make_dataset, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(
        "USGanSimLib.ml.training.pace.measure_pace",
        lambda dataset, settings: pace.Pace(((0, 1.0), (100, 2.0))),
    )
    folder = make_dataset().folder
    before = sorted(tmp_path.rglob("*"))
    words = ["train", str(folder), "--pace", "--iterations", "1000", "--minutes", "10", "--device", "cpu"]
    assert cli.main([*words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (told["event"], told["step"], told["seconds"], told["all_seconds"]) == ("pace", 350, 600, 1900)
    assert told["stages"] == [
        {"from_iteration": 0, "seconds": 1.0},
        {"from_iteration": 100, "seconds": 2.0},
    ]
    assert sorted(tmp_path.rglob("*")) == before


def test_a_training_without_a_folder_is_refused(make_dataset, capsys):
    assert cli.main(["train", str(make_dataset().folder)]) == 2
    assert "Give --out" in capsys.readouterr().err
