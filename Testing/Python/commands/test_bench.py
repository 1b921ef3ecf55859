"""`bench`: the rows that other people's scripts read."""

from __future__ import annotations

import json

import pytest
import torch

from USGanSimLib.cli import main
from USGanSimLib.ml import benchmark
from USGanSimLib.ml.benchmark import untrained_model
from USGanSimLib.ml.model_file import save_model
from USGanSimLib.model.recipes import choose_recipe

KEYS = {"name", "batch", "width_px", "height_px", "dtype", "median_ms", "p95_ms", "ratio_to_naive"}


@pytest.fixture(autouse=True)
def threads_kept():
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model.safetensors"
    generator, info = untrained_model(choose_recipe("regression", generator_channels=32), 40, 32)
    save_model(path, generator.state_dict(), info)
    return path


def test_a_model_is_measured_and_agrees_with_the_naive_path(model, capsys):
    assert main(["bench", str(model), "--rounds", "2", "--threads", "1", "--device", "cpu", "--json"]) == 0
    said = capsys.readouterr()
    result = json.loads(said.out)
    assert "Not for clinical use." in said.err
    assert result["device"].startswith("cpu (")
    assert (result["threads"], result["recipe"], result["model"]) == (1, "regression", str(model))
    network = [row for row in result["results"] if row["name"] != "MRML part of a tick"]
    assert [(row["name"], row["batch"]) for row in network if "renderer" in row["name"]] == [
        ("renderer", 1),
        ("renderer, new noise each time", 1),
        ("renderer, 8 samples", 8),
        ("renderer, 36 samples", 36),
    ]
    for row in result["results"]:
        assert row.keys() >= KEYS
        assert (row["width_px"], row["height_px"]) == (40, 32)
        assert 0 < row["median_ms"] <= row["p95_ms"]
    assert max(row["grey_levels_from_naive"] for row in network) <= 1


@pytest.mark.parametrize("recipe", ["beams", "paper-fig1"])
def test_random_weights_of_a_recipe_are_measured_without_a_model(recipe, capsys):
    words = ["bench", "--recipe", recipe, "--size", "32x32", "--rounds", "1", "--device", "cpu"]
    assert main([*words, "--threads", "1"]) == 0
    said = capsys.readouterr()
    assert said.out.startswith(f"Random weights, recipe {recipe}, on cpu")
    assert "Random weights. " in said.err


def test_each_number_of_threads_has_its_rows_and_the_fastest_is_named(model, capsys, monkeypatch):
    def measure(chosen, poses, rounds):
        threads = torch.get_num_threads()
        return [{"name": "renderer", "threads": threads, "median_ms": {1: 3.0, 2: 2.0, 3: 4.0}[threads]}]

    monkeypatch.setattr(benchmark, "measure", measure)
    words = [word for threads in ("1", "2", "3") for word in ("--threads", threads)]
    assert main(["bench", str(model), "--device", "cpu", "--json", *words]) == 0
    result = json.loads(capsys.readouterr().out)
    assert [row["threads"] for row in result["results"] if row["name"] == "renderer"] == [1, 2, 3]
    assert result["threads"] == 2


def test_the_mrml_part_of_a_tick_is_measured_where_there_is_a_slicer(model, capsys):
    pytest.importorskip("slicer", reason="slicer-core is not installed")
    assert main(["bench", str(model), "--rounds", "1", "--threads", "1", "--device", "cpu", "--json"]) == 0
    last = json.loads(capsys.readouterr().out)["results"][-1]
    assert last["name"] == "MRML part of a tick"
    assert 0 < last["median_ms"] < 5


@pytest.mark.parametrize(
    "words",
    [
        ["--rounds", "0"],
        ["--threads", "0"],
        ["--recipe", "none"],
        ["--size", "wide"],
        ["missing.safetensors"],
    ],
)
def test_what_cannot_be_measured_is_refused_in_one_line(words, capsys):
    assert main(["bench", "--device", "cpu", *words]) == 2
    error = capsys.readouterr().err
    assert len(error.strip().splitlines()) == 1
    assert error.startswith("usgansim bench: ")


@pytest.mark.slow
def test_the_renderer_of_the_paper_is_1_6_times_as_fast_as_the_naive_path(capsys):
    assert main(["bench", "--rounds", "40", "--device", "cpu", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["results"]
    single = [row for row in rows if row["name"] == "renderer"]
    assert max(row["ratio_to_naive"] for row in single) >= 1.6
    assert max(row["grey_levels_from_naive"] for row in single) <= 1
