"""Every key of JSON that a command prints or writes is in the contracts, and none that nobody makes.

Keys are read from the source, so that those that come under a condition alone count too; and commands are run, whose
keys must stand in the row of their own.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from USGanSimLib import cli

MODEL = "USGanSim/Resources/Models/virtual_phantom.safetensors"
# File → the functions that return the keys, and the dataclasses whose fields are keys.
MADE_IN = {
    "calibration/pinhead/quality.py": ("_parameter_sd",),
    "calibration/pinhead/verdict.py": ("as_dict",),
    "commands/bench.py": ("run", "_mrml_row"),
    "commands/calibrate.py": ("run",),
    "commands/calibrate_detect.py": ("run",),
    "commands/calibrate_pinhead.py": ("run",),
    "commands/calibrate_temporal.py": ("run",),
    "commands/compress.py": ("run",),
    "commands/coverage.py": ("run",),
    "commands/crossval.py": ("run", "_about"),
    "commands/demonstration/journey.py": ("journey", "reported"),
    "commands/demonstration/live.py": ("run_live_demo", "_figures"),
    "commands/evaluate.py": ("run",),
    "commands/import.py": ("run",),
    "commands/info.py": ("run",),
    "commands/phantom.py": ("run",),
    "commands/recover.py": ("run",),
    "commands/replay.py": ("run", "_figures"),
    "commands/serve.py": ("_figures",),
    "commands/simulate.py": ("run",),
    "commands/study.py": ("_make", "_score"),
    "commands/train.py": ("run",),
    "evaluation/measures/metrics.py": ("Column",),
    "evaluation/observer/landmark_measure.py": ("about",),
    "evaluation/observer/observed.py": ("observer_tests",),
    "evaluation/observer/training.py": ("train_observer", "measured"),
    "evaluation/report/exclusion_curve.py": ("_point",),
    "evaluation/report/page.py": ("as_json",),
    "evaluation/study/comparison.py": ("as_dict",),
    "evaluation/study/facts.py": ("about_dataset", "about_truth", "about_model"),
    "evaluation/study/models.py": ("open_models",),
    "geometry/field_of_view.py": ("as_dict",),
    "link/replay.py": ("as_dict",),
    "live.py": ("PoseCounts",),
    "ml/benchmark.py": ("measure",),
    "ml/training/trainer.py": ("_finish", "_configuration"),
    "phantom/scanning.py": ("write_truth",),
    "recording/calibration_file.py": ("calibration_json",),
    "recording/coverage.py": ("LandmarkView",),
    "recording/dataset.py": ("Source",),
    "recording/describe.py": ("_recording", "_training_set", "_model"),
    "recording/prepare.py": ("summary", "prepare_sweeps"),
    "recording/prepare_look.py": ("look",),
    "recording/splits.py": ("as_dict",),
}


@pytest.fixture(scope="module")
def page(repository) -> str:
    return (repository / "Resources/Docs/contracts.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def library(repository) -> Path:
    return repository / "USGanSim" / "USGanSimLib"


def told(text: str) -> set[str]:
    return set(re.findall(r"`([a-z][a-z0-9_]*)`", text))


def keys(node: ast.AST) -> Iterator[str]:
    """Of dictionaries that are written out, what is added to them, and the fields of a class."""
    if isinstance(node, ast.Dict):
        yield from (key.value for key in node.keys if isinstance(key, ast.Constant))
    elif isinstance(node, ast.Assign):
        subscripts = [target for target in node.targets if isinstance(target, ast.Subscript)]
        yield from (target.slice.value for target in subscripts if isinstance(target.slice, ast.Constant))
    elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "update":
        yield from (keyword.arg for keyword in node.keywords if keyword.arg)
    elif isinstance(node, ast.ClassDef):
        yield from (field.target.id for field in node.body if isinstance(field, ast.AnnAssign))


def test_every_key_that_is_made_is_told(page, library):
    untold = {}
    for file, names in MADE_IN.items():
        tree = ast.parse((library / file).read_text(encoding="utf-8"))
        found = {node.name: node for node in ast.walk(tree) if getattr(node, "name", None) in names}
        assert set(found) == set(names), file
        made = {key for makers in found.values() for node in ast.walk(makers) for key in keys(node)}
        if made - told(page):
            untold[file] = sorted(made - told(page))
    assert untold == {}


def test_no_key_is_told_that_nobody_makes(page, library):
    tables = page[page.index("## Results of commands") : page.index("## Long work")]
    files = library.rglob("*.py")
    words = {word for file in files for word in re.findall(r"\w+", file.read_text(encoding="utf-8"))}
    assert told(tables) - words == set()


def test_every_command_has_its_row(page):
    results = page[page.index("## Results of commands") : page.index("## Files of results")]
    firsts = re.findall(r"^\| (`[^|]+) \|", results, re.MULTILINE)
    assert {words.split()[0] for first in firsts for words in re.findall(r"`([^`]+)`", first)} == set(
        cli.COMMANDS
    )


def keys_within(value: Any) -> set[str]:
    """Of an object and of the objects in its lists; not of `field` and `metrics`, which are told elsewhere."""
    if isinstance(value, list):
        return {key for one in value for key in keys_within(one)}
    if not isinstance(value, dict):
        return set()
    return set(value) | {
        key for part in value.values() if isinstance(part, list) for key in keys_within(part)
    }


RUNS = {
    "`phantom`": "phantom --frames 40 --seed 3 --out p.igs.mha",
    "`info` of a recording": "info p.igs.mha",
    "`info` of a model": "info MODEL",
    "`coverage`": "coverage p.igs.mha --calibration p.calibration.json --landmarks p.landmarks.json --out c.png",
    "`compress`": "compress p.igs.mha --out c.igs.nrrd",
    "`prepare`": "prepare p.igs.mha --calibration p.calibration.json --holdout 0.3 --out dataset",
    "`info` of a training set": "info dataset",
    "`simulate`": "simulate MODEL --poses p.igs.mha --out s.igs.mha",
    "`study make`": "study make real-or-simulated MODEL --dataset dataset --count 4 --out study --key key.json",
    "`info` of several files": "info p.igs.mha dataset",
}


@pytest.mark.slow
def test_what_commands_print_is_in_their_rows(repository, page, tmp_path, monkeypatch, capsys):
    rows = dict(re.findall(r"^\| (`[^|]+) \| (.*) \|$", page, re.MULTILINE))
    monkeypatch.chdir(tmp_path)
    for row, words in RUNS.items():
        capsys.readouterr()
        assert cli.main([*words.replace("MODEL", str(repository / MODEL)).split(), "--json"]) == 0
        result = json.loads(capsys.readouterr().out)
        printed = set(result) if row == "`info` of several files" else keys_within(result)
        assert printed - told(rows[row]) == set(), row
