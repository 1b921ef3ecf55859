"""Which device does the arithmetic, and what to call it."""

from __future__ import annotations

import platform
from pathlib import Path

import torch

from ..errors import UserError

DEVICES = ("auto", "cpu", "cuda", "mps")


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
        raise UserError(f"PyTorch {torch.__version__} finds no {name} device on this machine.",
                        "Use --device cpu, or install a PyTorch build for the GPU.")
    return torch.device(name)


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
