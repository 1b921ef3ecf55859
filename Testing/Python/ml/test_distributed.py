"""Two processes under torchrun, against one process that does the work of both."""

from __future__ import annotations

import csv
import dataclasses
import json
import subprocess
import sys
import threading

import numpy as np
import pytest
import torch

from USGanSimLib.errors import UserError
from USGanSimLib.geometry.field_of_view import FieldOfView
from USGanSimLib.ml.beams.texture import TextureCritic
from USGanSimLib.ml.training.batches import Batches
from USGanSimLib.ml.training.checkpoint import TrainingState
from USGanSimLib.ml.training.distributed import Workers
from USGanSimLib.ml.training.trainer import train
from USGanSimLib.model.recipes import L2, Stage

CPU = torch.device("cpu")
PROCESSES = 2

# What every process does: it trains, and then tells its weights.
SCRIPT = """
import json, pathlib, sys
import torch
from torch import distributed
from USGanSimLib.ml.training.trainer import Trainer
from USGanSimLib.ml.training.distributed import join_workers
from USGanSimLib.model.run_folder import RunFolder
from USGanSimLib.model.settings import TrainSettings
from USGanSimLib.progress import JsonLines, Silent
from USGanSimLib.recording.dataset import open_dataset

dataset, run, settings = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), json.loads(sys.argv[3])
with join_workers("cpu") as workers:
    progress = JsonLines(sys.stdout) if workers.leads else Silent()
    trainer = Trainer(open_dataset(dataset), RunFolder(run), TrainSettings.from_dict(settings), progress,
                               workers, False)
    trainer.fit()
    networks = (trainer.state.generator, trainer.state.discriminator, trainer.state.average)
    mine = torch.cat([p.detach().flatten() for network in networks for p in network.parameters()])
    all_of_them = [torch.empty_like(mine) for _ in range(workers.size)]
    distributed.all_gather(all_of_them, mine)
    if workers.leads:
        print(json.dumps({"event": "weights", "equal": bool(torch.equal(*all_of_them)), "count": len(mine)}))
"""


def losses(run, name: str) -> list[float]:
    with (run / "metrics.csv").open() as stream:
        return [float(line[name]) for line in csv.DictReader(stream)]


@pytest.fixture
def two_processes(tmp_path, repository, monkeypatch):
    """A function that trains with two processes and returns what they printed, line by line."""
    monkeypatch.setenv("PYTHONPATH", str(repository / "USGanSim"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")

    def run(dataset, folder, settings) -> list[dict]:
        (tmp_path / "script.py").write_text(SCRIPT)
        words = [
            sys.executable,
            "-m",
            "torch.distributed.run",
            "--standalone",
            f"--nproc-per-node={PROCESSES}",
            str(tmp_path / "script.py"),
            str(dataset.folder),
            str(folder),
            json.dumps(settings.as_dict()),
        ]
        done = subprocess.run(words, capture_output=True, text=True, timeout=240)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    return run


@pytest.mark.slow
def test_two_processes_keep_equal_weights_and_one_writes_the_losses_of_both(
    make_dataset, tiny, tmp_path, recorder, two_processes
):
    dataset, settings = make_dataset(), tiny(iterations=30)
    lines = two_processes(dataset, tmp_path / "two", settings)
    assert lines[-1] == {"event": "weights", "equal": True, "count": lines[-1]["count"]}
    assert [line["step"] for line in lines if line["event"] == "step"] == list(range(1, 31))
    assert losses(tmp_path / "two", "step") == list(range(1, 31))

    # The first losses of D and of nobody's update: the mean over the two shares, each with its own statistics.
    state = TrainingState.initial(
        settings.recipe, settings.recipe.network(40, 32), FieldOfView.whole((40, 32)), settings.seed, CPU
    )
    shares = [
        Batches(dataset, 4, 100, settings.seed, CPU, rank, PROCESSES).training(0) for rank in range(PROCESSES)
    ]
    logits = [
        state.discriminator(state.generator(b.noise, b.affine), b.affine).detach().numpy() for b in shares
    ]
    expected = np.mean([np.log1p(np.exp(values)).mean() for values in logits])
    assert losses(tmp_path / "two", "loss_d_fake")[0] == pytest.approx(expected, rel=1e-5)

    # And the same curve as one process, but for statistics over half a batch.
    train(dataset, tmp_path / "one", settings, recorder())
    for name in ("loss_d_real", "loss_d_fake", "loss_g"):
        assert losses(tmp_path / "two", name) == pytest.approx(losses(tmp_path / "one", name), rel=0.15)


@pytest.mark.slow
def test_a_run_is_the_same_on_both_before_and_after_the_discriminator_joins(
    make_dataset, tiny, tmp_path, recorder, two_processes
):
    dataset, settings = make_dataset(), tiny("paper-l2", iterations=12)
    stages = (Stage(L2(), 1e-3, 6), *settings.recipe.stages)
    settings = dataclasses.replace(settings, recipe=dataclasses.replace(settings.recipe, stages=stages))
    lines = two_processes(dataset, tmp_path / "two", settings)
    assert lines[-1]["equal"]
    train(dataset, tmp_path / "one", settings, recorder())
    assert losses(tmp_path / "two", "loss_l2") == pytest.approx(losses(tmp_path / "one", "loss_l2"), rel=0.15)


def test_statistics_of_textures_of_two_processes_are_those_of_one_that_sees_both_shares():
    """Each of two processes gets half of a batch; what one gives to be averaged meets what the other gave."""
    critic = [TextureCritic(FieldOfView.whole((64, 48))) for _ in range(3)]
    images = torch.rand(8, 1, 48, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    meeting, given = threading.Barrier(2), [torch.empty(0), torch.empty(0)]

    def process(rank: int) -> None:
        def averaged(values):
            given[rank] = values
            meeting.wait()
            mean = (given[0] + given[1]) / 2
            meeting.wait()
            return mean

        for step in range(8):
            critic[rank].see_real(images[rank::2], step, averaged)
            critic[rank].distance(images[rank::2].flip(2), step, averaged)

    threads = [threading.Thread(target=process, args=(rank,)) for rank in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for step in range(8):
        critic[2].see_real(images, step)
        critic[2].distance(images.flip(2), step)
    first, second, alone = (dict(each.named_buffers()) for each in critic)
    for name, values in alone.items():
        assert torch.equal(first[name], second[name]), name
        assert torch.allclose(first[name], values, atol=1e-5), name


@pytest.mark.parametrize(("batch", "size"), [(36, 5), (4, 4)])
def test_a_batch_that_cannot_be_dealt_out_is_refused(batch, size):
    with pytest.raises(UserError, match=f"batch of {batch} cannot be dealt out evenly to {size} processes"):
        Workers(0, size, CPU).require_shares(batch)


def test_a_batch_that_can_be_dealt_out_is_taken():
    Workers(0, 4, CPU).require_shares(36)
