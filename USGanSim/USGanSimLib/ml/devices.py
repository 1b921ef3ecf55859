"""Which device does the arithmetic, with how many threads, and what to call it."""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from ..errors import UserError

DEVICES = ("auto", "cpu", "cuda", "mps")

# As the process began: the processor's cores, or what OMP_NUM_THREADS allows.
MOST_THREADS: int = torch.get_num_threads()


def choose_device(name: str = "auto") -> torch.device:
    """`auto` takes a CUDA GPU, else an Apple GPU (mps), else the CPU.

    Raises UserError where a device is asked for by name and is not there.
    """
    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device(next(device for device in ("cuda", "mps", "cpu") if present[device]))
    if name not in present:
        raise UserError(f"There is no device '{name}'.", f"Choose one of {', '.join(DEVICES)}.")
    if not present[name]:
        raise UserError(
            f"PyTorch {torch.__version__} finds no {name} device on this machine.",
            "Use --device cpu, or install a PyTorch build for the GPU.",
        )
    return torch.device(name)


def use_fastest_threads(work: Callable[[], Any], runs: int = 5) -> int:
    """Time `work` on the CPU with 1, 2, 4 … MOST_THREADS threads; keep the fastest for the process and return it.

    More is not always faster: where other programs take the cores (a busy Slicer, say), threads wait for each other at
    each layer, and one alone can be ten times as fast as two.
    """

    def median_s(threads: int) -> float:
        torch.set_num_threads(threads)
        work()
        times_s: list[float] = []
        for _ in range(runs):
            began_s = time.perf_counter()
            work()
            times_s.append(time.perf_counter() - began_s)
        return statistics.median(times_s)

    candidates = {min(2**power, MOST_THREADS) for power in range(MOST_THREADS.bit_length() + 1)}
    fastest: int = min(sorted(candidates), key=median_s)
    torch.set_num_threads(fastest)
    return fastest


def device_name(device: torch.device) -> str:
    """The device in words, for reports of measured times."""
    if device.type == "cuda":
        return f"cuda ({torch.cuda.get_device_name(device)})"
    return f"{device.type} ({_processor_name()})"


def _processor_name() -> str:
    # platform.processor() is empty or just the architecture on Linux.
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
