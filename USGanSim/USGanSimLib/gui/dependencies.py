"""PyTorch and the other packages: what is there, and installing what is missing right before its first use.

    ensure_torch()            before training or simulating
    ensure_packages("pyigtl")
    torch_status()            one line for a panel: which PyTorch, on which device, and why on the CPU

Nothing here imports torch while a module loads. Versions are read from the packages' own records. PyTorch is installed
by the extension PyTorch, which finds the build for the GPU; the other packages by Slicer's pip, after asking.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import slicer.util
from slicer.i18n import tr as _

from ..errors import UserError

REQUIREMENTS_FILE = Path(__file__).resolve().parents[2] / "Resources" / "requirements.txt"
TORCH_REQUIREMENT = ">=2.4"
# What a model needs beside torch; the rest comes with Slicer or is not used in it.
MODEL_PACKAGES = ("numpy", "scipy", "pillow", "safetensors")
_REQUESTER = "USGanSim"


def torch_version() -> str | None:
    """The installed version of torch, or None."""
    return _version("torch")


def torch_status() -> str:
    """One line: which PyTorch, on which device it will work, and why on the CPU if so; or what is missing and what
    works without."""
    version = torch_version()
    if version is None:
        how = (
            _("It is installed at the first use.")
            if _pytorch_extension()
            else _("Install the extension PyTorch to get it.")
        )
        return (
            _(
                "PyTorch is not installed: simulating, training and judging models wait for it; recording, "
                "calibration and training sets work without."
            )
            + " "
            + how
        )
    if not _at_least(version, TORCH_REQUIREMENT):
        return _(
            "PyTorch {version} is too old; {least} is needed. Update it with the module PyTorch Utils."
        ).format(version=version, least=TORCH_REQUIREMENT.removeprefix(">="))
    return _("PyTorch {version} on the {device}").format(version=version, device=_device(version))


def has_gpu() -> bool:
    """Whether PyTorch is there and will find a GPU, as far as that can be told without importing it."""
    version = torch_version()
    return version is not None and not _why_cpu(version)


def ensure_torch() -> None:
    """Install PyTorch and what models need beside it, where they are missing, after asking.

    Raises UserError where the person declines, the extension PyTorch is not there, or the installed version is too old.
    """
    version = torch_version()
    if version is None:
        _install_torch()
    elif not _at_least(version, TORCH_REQUIREMENT):
        raise UserError(torch_status(), _("Restart Slicer after that."))
    ensure_packages(*MODEL_PACKAGES)


def ensure_packages(*names: str) -> None:
    """Install those of the packages in requirements.txt that are missing or too old, after asking.

    Raises UserError where they are still missing then.
    """
    missing = missing_packages(*names)
    if not missing:
        return
    try:
        _pip_ensure(missing)
    except Exception as error:  # pip fails in many ways; each is told as the same fact with its own reason.
        raise _not_installed(missing, str(error)) from error
    if still := missing_packages(*names):
        raise _not_installed(still, _("it was not agreed to"))


def missing_packages(*names: str) -> list[str]:
    """The requirements of the named packages that are not met, as lines of requirements.txt."""
    lines = requirements()
    return [
        lines[name]
        for name in names
        if (version := _version(name)) is None or not _at_least(version, lines[name])
    ]


def requirements() -> dict[str, str]:
    """Package → its line in requirements.txt, such as `scipy>=1.11`."""
    lines = REQUIREMENTS_FILE.read_text(encoding="utf-8").splitlines()
    return {line.partition(">=")[0]: line for line in lines if line and not line.startswith("#")}


def _install_torch() -> None:
    if not _pytorch_extension():
        raise UserError(
            _("PyTorch is not installed in this Slicer, and neither is the extension that installs it."),
            _("Install the extension PyTorch with the Extensions Manager, restart Slicer, and try again."),
        )
    import PyTorchUtils

    try:
        torch = PyTorchUtils.PyTorchUtilsLogic().installTorch(
            askConfirmation=True, torchVersionRequirement=TORCH_REQUIREMENT
        )
    except Exception as error:
        raise UserError(
            _("PyTorch could not be installed: {reason}").format(reason=error),
            _("Check the network, or install it with the module PyTorch Utils."),
        ) from error
    if torch is None:
        raise UserError(
            _("PyTorch was not installed."), _("Simulating and training wait for it; the rest works.")
        )


def _pytorch_extension() -> bool:
    return importlib.util.find_spec("PyTorchUtils") is not None


def _pip_ensure(missing: list[str]) -> None:
    try:
        from slicer.packaging import pip_ensure
    except ImportError:  # Slicer before 5.12
        words = _("These Python packages are to be installed: {packages}. Continue?").format(
            packages=", ".join(missing)
        )
        if slicer.util.confirmOkCancelDisplay(words, _REQUESTER):
            slicer.util.pip_install(missing)
        return
    pip_ensure(missing, requester=_REQUESTER)


def _not_installed(missing: list[str], reason: str) -> UserError:
    return UserError(
        _("Python packages are missing: {packages} ({reason}).").format(
            packages=", ".join(missing), reason=reason
        ),
        _("Try again and agree to install them."),
    )


def _device(version: str) -> str:
    """In words. Until torch is imported, what its build and the machine make of it."""
    torch, why_cpu = sys.modules.get("torch"), _why_cpu(version)
    if why_cpu:
        return _("CPU: {why}").format(why=why_cpu)
    if torch is not None and torch.cuda.is_available():
        return _("GPU {name}").format(name=torch.cuda.get_device_name())
    return _("Apple GPU") if _is_apple(torch) else _("GPU (CUDA)")


def _is_apple(torch: Any | None) -> bool:
    if torch is not None:
        return bool(torch.backends.mps.is_available())
    return sys.platform == "darwin" and platform.machine() == "arm64"


def _why_cpu(version: str) -> str:
    """Why no GPU is used, or nothing where one is."""
    torch = sys.modules.get("torch")
    if (torch is not None and torch.cuda.is_available()) or _is_apple(torch):
        return ""
    has_driver = shutil.which("nvidia-smi") is not None or Path("/dev/nvidia0").exists()
    if not has_driver:
        return _("no NVIDIA driver is found on this machine")
    if version.endswith("+cpu"):
        return _("this build of it has no CUDA; the module PyTorch Utils can install one that has")
    if torch is not None:
        return _("it finds no usable GPU (a driver too old for it, or a GPU in use by others)")
    return ""


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _at_least(version: str, requirement: str) -> bool:
    """Whether `2.13.0+cpu` meets `torch>=2.4`."""
    have, least = (_numbers(text) for text in (version, requirement.rpartition(">=")[2]))
    return have >= least


def _numbers(version: str) -> tuple[int, ...]:
    release = re.match(r"\d+(\.\d+)*", version)
    return tuple(map(int, release[0].split("."))) if release else ()
