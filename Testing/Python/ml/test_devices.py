"""Which device is chosen, and how many threads."""

from __future__ import annotations

import pytest
import torch

from USGanSimLib.errors import UserError
from USGanSimLib.ml import devices


@pytest.fixture
def only_a_cpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


@pytest.fixture
def work_of(monkeypatch):
    """Makes work that takes so long by the number of threads, of which there are up to four, on a clock of its own."""
    now_s = [0.0]
    monkeypatch.setattr(devices, "MOST_THREADS", 4)
    monkeypatch.setattr(devices.time, "perf_counter", lambda: now_s[0])
    threads = torch.get_num_threads()

    def make(seconds):
        def work():
            now_s[0] += seconds(torch.get_num_threads())

        return work

    yield make
    torch.set_num_threads(threads)


def test_auto_is_the_cpu_where_there_is_no_gpu(only_a_cpu):
    assert devices.choose_device("auto") == torch.device("cpu")


def test_auto_prefers_cuda_to_mps_to_the_cpu(monkeypatch, only_a_cpu):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert devices.choose_device("auto").type == "mps"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert devices.choose_device("auto").type == "cuda"
    assert devices.choose_device("cpu").type == "cpu"


@pytest.mark.parametrize("name", ["cuda", "mps"])
def test_an_absent_device_is_refused_by_name(only_a_cpu, name):
    with pytest.raises(UserError, match=f"finds no {name} device"):
        devices.choose_device(name)


def test_an_unknown_device_is_refused_with_the_choices():
    with pytest.raises(UserError, match=r"'tpu'.*auto, cpu, cuda, mps"):
        devices.choose_device("tpu")


def test_one_thread_is_kept_where_threads_wait_for_each_other(work_of):
    assert devices.use_fastest_threads(work_of(lambda threads: 0.002 * threads), runs=3) == 1
    assert torch.get_num_threads() == 1


def test_all_threads_are_kept_where_the_work_is_shared(work_of):
    assert devices.use_fastest_threads(work_of(lambda threads: 0.012 / threads), runs=3) == 4
    assert torch.get_num_threads() == 4


def test_the_processor_has_a_name():
    assert devices.device_name(torch.device("cpu")).startswith("cpu (")
    assert len(devices.device_name(torch.device("cpu"))) > len("cpu ()")
