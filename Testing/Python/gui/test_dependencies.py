"""What is installed is told without importing it; what is missing is asked for once and told in words."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import subprocess
import sys

import pytest


@pytest.fixture
def dependencies():
    from USGanSimLib.gui import dependencies

    return dependencies


@pytest.fixture
def installed(dependencies, monkeypatch):
    """The versions that packages seem to have; None: not installed."""
    versions = {}

    def version(name):
        if versions.get(name) is None:
            raise importlib.metadata.PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr(dependencies.importlib.metadata, "version", version)
    monkeypatch.setitem(sys.modules, "torch", None)
    return versions


@pytest.fixture
def extension(tmp_path, monkeypatch):
    """The extension PyTorch, which notes what it was asked for and gives its `answer`."""
    (tmp_path / "PyTorchUtils.py").write_text(
        "asked, answer = [], 'torch'\n"
        "class PyTorchUtilsLogic:\n"
        "    def installTorch(self, **how):\n"
        "        asked.append(how)\n"
        "        return answer\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(tmp_path)
    import PyTorchUtils

    yield PyTorchUtils
    del sys.modules["PyTorchUtils"]


MODEL_PACKAGES = {"numpy": "2.0", "scipy": "1.14", "pillow": "11.0", "safetensors": "0.4.3"}


def test_the_list_of_packages_is_that_of_the_project(dependencies, repository):
    text = (repository / "pyproject.toml").read_text(encoding="utf-8")
    lists = {
        name: json.loads(found)
        for name, found in re.findall(r"^(dependencies|torch) = (\[.*\])$", text, re.M)
    }
    assert list(dependencies.requirements().values()) == lists["dependencies"]
    assert [f"torch{dependencies.TORCH_REQUIREMENT}"] == lists["torch"]


def test_neither_module_loads_torch(repository):
    program = (
        "import os, sys, standin\nstandin.boot()\n"
        "import USGanSimLib.gui.dependencies as d, USGanSimLib.gui.process_runner\nd.torch_status()\n"
        "print('torch' in sys.modules, flush=True)\nos._exit(0)"
    )
    paths = [str(repository / "USGanSim"), str(repository / "Testing" / "Harness")]
    outcome = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )
    assert outcome.stdout.strip().endswith("False"), outcome.stderr


def test_without_torch_the_status_says_what_works(dependencies, installed):
    text = dependencies.torch_status()
    assert "not installed" in text
    assert "recording, calibration" in text
    assert "extension PyTorch" in text


def test_the_status_says_why_it_is_the_cpu(dependencies, installed, monkeypatch):
    monkeypatch.setattr(dependencies.sys, "platform", "linux")
    installed["torch"] = "2.6.0+cpu"
    monkeypatch.setattr(dependencies.shutil, "which", lambda name: "/usr/bin/nvidia-smi")
    monkeypatch.delitem(sys.modules, "torch")
    assert dependencies.torch_status().startswith(
        "PyTorch 2.6.0+cpu on the CPU: this build of it has no CUDA"
    )
    installed["torch"] = "2.6.0+cu124"
    assert dependencies.torch_status() == "PyTorch 2.6.0+cu124 on the GPU (CUDA)"


def test_a_version_that_is_too_old_is_told_with_the_least(dependencies, installed):
    installed["torch"] = "2.3.1"
    assert "2.3.1 is too old; 2.4 is needed" in dependencies.torch_status()
    with pytest.raises(dependencies.UserError, match="too old"):
        dependencies.ensure_torch()


def test_versions_are_compared_as_numbers(dependencies):
    assert dependencies._at_least("2.13.0+cpu", ">=2.4")
    assert dependencies._at_least("10.0", "pillow>=10")
    assert not dependencies._at_least("0.3.9", "safetensors>=0.4")


def test_torch_is_installed_by_the_extension_after_asking(dependencies, installed, extension):
    installed.update(MODEL_PACKAGES)
    dependencies.ensure_torch()
    assert extension.asked == [{"askConfirmation": True, "torchVersionRequirement": ">=2.4"}]


def test_who_declines_is_told_that_the_rest_works(dependencies, installed, extension):
    extension.answer = None
    with pytest.raises(dependencies.UserError, match="not installed") as refusal:
        dependencies.ensure_torch()
    assert "the rest works" in refusal.value.hint


def test_without_the_extension_it_is_said_how_to_get_it(dependencies, installed):
    with pytest.raises(dependencies.UserError) as refusal:
        dependencies.ensure_torch()
    assert "Extensions Manager" in refusal.value.hint


def test_only_what_is_missing_is_asked_for(dependencies, installed, monkeypatch):
    installed.update(MODEL_PACKAGES, safetensors=None, scipy="1.9")
    asked = []
    monkeypatch.setattr(
        dependencies, "_pip_ensure", lambda lines: (asked.append(lines), installed.update(MODEL_PACKAGES))
    )
    dependencies.ensure_packages("numpy", "scipy", "safetensors")
    assert asked == [["scipy>=1.11", "safetensors>=0.4"]]
    dependencies.ensure_packages("numpy", "scipy", "safetensors")
    assert len(asked) == 1


def test_packages_that_stay_away_are_named(dependencies, installed, monkeypatch):
    monkeypatch.setattr(dependencies, "_pip_ensure", lambda lines: None)
    with pytest.raises(dependencies.UserError, match=r"safetensors>=0\.4"):
        dependencies.ensure_packages("safetensors")


def test_an_older_slicer_asks_and_then_installs(dependencies, installed, monkeypatch):
    monkeypatch.setitem(sys.modules, "slicer.packaging", None)
    said, done = [], []
    monkeypatch.setattr(
        dependencies.slicer.util, "confirmOkCancelDisplay", lambda *words: said.append(words[0]) or True
    )
    monkeypatch.setattr(
        dependencies.slicer.util,
        "pip_install",
        lambda lines: (done.append(lines), installed.update(safetensors="0.5")),
    )
    dependencies.ensure_packages("safetensors")
    assert "safetensors>=0.4" in said[0]
    assert done == [["safetensors>=0.4"]]
