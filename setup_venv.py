"""Make `.venv` beside this file ready for running and testing: `python setup_venv.py`.

The versions are those of constraints.txt. Where there is no NVIDIA GPU the CPU build of torch is preferred, which is
far smaller. pip's own configuration on this machine stays in force. Nothing is done when `.venv` is up to date.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
FOLDER = HERE / ".venv"
STAMP = FOLDER / "ready"
SOURCES = [HERE / "pyproject.toml", HERE / "constraints.txt", Path(__file__).resolve()]
# PyTorch's documented place for builds without CUDA (pytorch.org, Get started).
CPU_WHEELS = "https://download.pytorch.org/whl/cpu"
ANSWER_WITHIN_S = 5


def main() -> int:
    """Set up `.venv`; returns the exit code."""
    if sys.version_info < (3, 10):
        print(f"Python 3.10 or newer is needed, this is {sys.version.split()[0]}.", file=sys.stderr)
        return 2
    wanted = hashlib.sha256(b"".join(path.read_bytes() for path in SOURCES)).hexdigest()
    if not (STAMP.is_file() and STAMP.read_text() == wanted):
        STAMP.unlink(missing_ok=True)
        venv.create(FOLDER, with_pip=True)
        try:
            install()
        except subprocess.CalledProcessError as error:
            print(f"pip stopped with code {error.returncode}; its message is above.", file=sys.stderr)
            return 2
    STAMP.write_text(wanted)
    print(f"{FOLDER} is ready: {venv_python()}")
    return 0


def install() -> None:
    """Everything that running and testing need; the project itself as an editable install."""
    pip("pip", "setuptools")
    print("Installing torch, then the rest; this takes minutes the first time.", flush=True)
    # torch alone first, so that the CPU builds' address is asked for nothing else.
    pip("--no-deps", *cpu_build_options(), "torch")
    pip("--no-build-isolation", "-e", f"{HERE}[dev]")


def pip(*words: str) -> None:
    """Run the new environment's pip install with the pinned versions."""
    subprocess.run(
        [
            str(venv_python()),
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "-c",
            str(HERE / "constraints.txt"),
            *words,
        ],
        check=True,
    )


def cpu_build_options() -> list[str]:
    """Options that offer pip the CPU build of torch. It counts as newer than the same version with CUDA, so pip
    takes it where it is offered; where its address does not answer, pip's usual indexes decide."""
    # On Windows and macOS the usual index has no CUDA build.
    if not sys.platform.startswith("linux") or has_nvidia_gpu():
        return []
    try:
        urllib.request.urlopen(f"{CPU_WHEELS}/torch/", timeout=ANSWER_WITHIN_S).close()
    except (urllib.error.URLError, TimeoutError):
        print(f"{CPU_WHEELS} does not answer; torch comes from pip's usual index.")
        return []
    return ["--extra-index-url", CPU_WHEELS]


def has_nvidia_gpu() -> bool:
    """Whether this machine has an NVIDIA driver at work."""
    return shutil.which("nvidia-smi") is not None or Path("/dev/nvidia0").exists()


def venv_python() -> Path:
    """The Python of `.venv`."""
    return FOLDER / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


if __name__ == "__main__":
    sys.exit(main())
