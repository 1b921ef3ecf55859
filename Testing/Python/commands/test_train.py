"""`usgansim train` as a person or a parent process meets it: in a child process, with signals and exit codes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from USGanSimLib import cli
from USGanSimLib.geometry.image_geometry import ImageGeometry
from USGanSimLib.ml.training.checkpoint import load_checkpoint
from USGanSimLib.recording.dataset import write_dataset

SMALL = [
    "--recipe",
    "paper",
    "--batch",
    "4",
    "--generator-channels",
    "32",
    "--discriminator-channels",
    "4",
    "--device",
    "cpu",
    "--threads",
    "1",
]


@pytest.fixture
def dataset(tmp_path):
    """The folder of a set of 12 noise images, 32×32."""
    geometry = ImageGeometry(32, 32, np.diag([0.5, 0.5, 1.0, 1.0]))
    poses = np.tile(geometry.image_to_probe, (12, 1, 1))
    poses[:, 2, 3] = np.arange(12)
    images = np.random.default_rng(0).integers(0, 256, (12, 32, 32)).astype(np.uint8)
    return write_dataset(tmp_path / "set", images, poses, geometry, heldout=np.arange(12) > 9).folder


@pytest.fixture
def start(repository, monkeypatch):
    """A function that starts the command in a child process; what is left of it ends with the test."""
    monkeypatch.setenv("PYTHONPATH", str(repository / "USGanSim"))
    children = []

    def child(*words) -> subprocess.Popen:
        command = [sys.executable, "-m", "USGanSimLib", "train", *map(str, words)]
        children.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        return children[-1]

    yield child
    for process in children:
        process.kill()
        process.communicate()


def wait_for_step(run, step: int) -> None:
    deadline_s = time.monotonic() + 120
    while not (run / "metrics.csv").is_file() or len((run / "metrics.csv").read_text().splitlines()) <= step:
        assert time.monotonic() < deadline_s, "the run does not get on"
        time.sleep(0.02)


def metrics(run) -> list[str]:
    return [line.rpartition(",")[0] for line in (run / "metrics.csv").read_text().splitlines()]


def flat(content) -> list[torch.Tensor]:
    if isinstance(content, dict):
        return [tensor for value in content.values() for tensor in flat(value)]
    return [content] if isinstance(content, torch.Tensor) else []


def test_a_killed_run_goes_on_exactly_where_its_checkpoint_is(dataset, start, tmp_path):
    run, whole = tmp_path / "run", tmp_path / "whole"
    child = start(dataset, "--out", run, *SMALL, "--iterations", 100000, "--checkpoint-every", 5)
    wait_for_step(run, 13)
    child.kill()
    assert child.wait() == -signal.SIGKILL
    saved = load_checkpoint(run / "checkpoint.pt").step
    assert saved >= 10
    written = len(metrics(run)) - 1
    assert written > saved or written % 5 == 0
    end = str(max(saved, written) + 4)
    assert cli.main(["train", str(dataset), "--out", str(run), "--resume", "--iterations", end]) == 0
    assert cli.main(["train", str(dataset), "--out", str(whole), *SMALL, "--iterations", end]) == 0
    assert metrics(run) == metrics(whole)
    assert [line.split(",")[0] for line in metrics(run)[1:]] == [str(step) for step in range(1, int(end) + 1)]
    states = [load_checkpoint(folder / "checkpoint.pt").states for folder in (run, whole)]
    tensors = [flat(state) for state in states]
    assert len(tensors[0]) == len(tensors[1]) > 100
    assert all(torch.equal(one, other) for one, other in zip(*tensors, strict=True))


def test_control_c_exits_130_with_one_line_and_a_whole_checkpoint(dataset, start, tmp_path):
    run = tmp_path / "run"
    child = start(dataset, "--out", run, *SMALL, "--iterations", 100000)
    wait_for_step(run, 3)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=60)
    assert child.returncode == 130
    assert err == "usgansim train: interrupted.\n"
    step = load_checkpoint(run / "checkpoint.pt").step
    assert step == len(metrics(run)) - 1
    assert json.loads(out.splitlines()[-1])["event"] == "checkpoint"
    assert not list(run.rglob("*.part"))


def test_progress_is_json_lines_that_end_with_done(dataset, tmp_path, capsys):
    assert cli.main(["train", str(dataset), "--out", str(tmp_path / "run"), *SMALL, "--iterations", "2"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["event"] for line in lines] == ["step", "step", "sample", "checkpoint", "done"]
    assert [(line["step"], line["of"]) for line in lines] == [(1, 2)] + [(2, 2)] * 4
    assert {"loss_d_real", "loss_d_fake", "loss_g"} <= lines[0].keys()
    assert "Not for clinical use" in lines[-1]["intended_use"]


def test_a_resumed_run_keeps_the_settings_it_began_with(dataset, tmp_path):
    begun = ["train", str(dataset), "--out", str(tmp_path / "run")]
    assert cli.main([*begun, *SMALL, "--recipe", "paper-l2", "--iterations", "1", "--seed", "9"]) == 0
    assert cli.main([*begun, "--resume", "--iterations", "2"]) == 0
    settings = load_checkpoint(tmp_path / "run" / "checkpoint.pt").settings
    assert (settings.recipe.name, settings.recipe.batch, settings.seed, settings.iterations) == (
        "paper-l2",
        4,
        9,
        2,
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--recipe", "papre"], "no recipe 'papre'"),
        (["--recipe", "paper", "--batch", "1"], "batch of 1 is too small for batch normalisation"),
        (["--recipe", "paper", "--generator-channels", "48"], "48 generator channels cannot be halved"),
        (["--generator-channels", "17"], "17 generator channels cannot grow by half"),
        (["--generator-channels", "0"], "generator channels 0 cannot be built"),
        (["--discriminator-channels", "0"], "discriminator channels 0 cannot be built"),
        (["--batch", "1"], "batch of 1 is too small for a score"),
        (["--device", "abacus"], "abacus"),
        (["--resume"], "There is no checkpoint"),
    ],
)
def test_bad_input_is_one_line_exit_2_and_an_error_event(words, said, dataset, tmp_path, capsys):
    assert cli.main(["train", str(dataset), "--out", str(tmp_path / "run"), *words]) == 2
    out, err = capsys.readouterr()
    assert len(err.splitlines()) == 1
    assert said in err
    error = json.loads(out)
    assert error["event"] == "error"
    assert said in error["message"]
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "word",
    [
        "--iterations=0",
        "--generator-channels=-32",
        "--threads=-2",
        "--minutes=-1",
        "--minutes=nan",
        "--ema-decay=nan",
    ],
)
def test_a_number_out_of_range_is_refused_before_anything_is_read(word, tmp_path, capsys):
    assert cli.main(["train", str(tmp_path / "no set"), "--out", str(tmp_path / "run"), word]) == 2
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 1)
    assert f"argument {word.split('=')[0]}: {word.split('=')[1]} is out of range" in err
    assert not (tmp_path / "run").exists()


def test_a_folder_that_is_no_training_set_is_refused(tmp_path, capsys):
    assert cli.main(["train", str(tmp_path), "--out", str(tmp_path / "run")]) == 2
    assert "is not a training set" in capsys.readouterr().err


@pytest.mark.slow
def test_under_torchrun_one_process_speaks(dataset, repository, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(repository / "USGanSim"))
    words = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node=2",
        "-m",
        "USGanSimLib",
        "train",
        str(dataset),
        "--out",
        str(tmp_path / "run"),
        *SMALL,
        "--iterations",
        "3",
    ]
    done = subprocess.run(words, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    events = [json.loads(line)["event"] for line in done.stdout.splitlines()]
    assert events == ["step"] * 3 + ["sample", "checkpoint", "done"]
