"""The CMake lists ship what is on the disk: configured against a small stand-in for Slicer, assembled, imported."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

MODULES = ("USGanSim", "USGanTraining")
# Nothing is compiled: any program passes for a compiler that is never run.
NO_COMPILERS = [
    f"-DCMAKE_{language}_COMPILER{rest}"
    for language in ("C", "CXX")
    for rest in (f"={sys.executable}", "_ID_RUN=1", "_FORCED=1", "_WORKS=1")
]

# What slicer-core lacks; the harness runs the files that need it (test_module_panels.py).
ONLY_IN_SLICER = ["slicer.i18n", "slicer.ScriptedLoadableModule"]

IMPORT_ALL = """
import importlib, sys
folder, absent, names = sys.argv[1], sys.argv[2].split(","), sys.argv[3:]
for name in names:
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        if error.name is None or not {error.name, error.name.partition(".")[0]} & set(absent):
            raise
        print("left out", name, error.name)
    else:
        assert module.__file__.startswith(folder), module.__file__
"""


def cmake() -> str:
    beside_python = shutil.which("cmake", path=str(Path(sys.executable).parent))
    found = beside_python or shutil.which("cmake")
    if found is None:
        pytest.skip("cmake is not installed (pip install cmake)")
    return found


def configure(source: Path, build: Path) -> subprocess.CompletedProcess[str]:
    """Configure the extension; the stand-in copies what the lists name to build/lib/qt-scripted-modules."""
    stand_in = source / "Testing" / "CMake"
    return subprocess.run(
        [
            cmake(),
            "-S",
            str(source),
            "-B",
            str(build),
            "-G",
            "Unix Makefiles",
            f"-DCMAKE_MAKE_PROGRAM={sys.executable}",
            f"-DSlicer_DIR={stand_in}",
            *NO_COMPILERS,
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )


def on_disk(source: Path) -> set[str]:
    """What the two modules have to ship: scripts, library files and resources, relative to the module's folder."""
    files = set()
    for module in MODULES:
        folder = source / module
        files |= {
            path.relative_to(folder).as_posix()
            for path in folder.rglob("*")
            if path.is_file() and path.name != "CMakeLists.txt" and "__pycache__" not in path.parts
        }
    return files


def assembled(build: Path) -> set[str]:
    folder = build / "lib" / "qt-scripted-modules"
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def lines_to_add(missing: set[str]) -> str:
    return "Add to the module's CMakeLists.txt:\n" + "\n".join(f"  {name}" for name in sorted(missing))


def copy_of_the_lists(repository: Path, folder: Path) -> Path:
    """A copy of everything that configuring reads."""
    copy = folder / "source"
    for name in (*MODULES, "Testing/CMake"):
        shutil.copytree(repository / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(repository / "CMakeLists.txt", copy)
    return copy


@pytest.fixture(scope="module")
def build(repository, tmp_path_factory):
    folder = tmp_path_factory.mktemp("build")
    outcome = configure(repository, folder)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    return folder


def test_every_file_on_disk_is_listed_and_every_listed_file_is_on_disk(repository, build):
    missing = on_disk(repository) - assembled(build)
    assert not missing, lines_to_add(missing)
    assert assembled(build) <= on_disk(repository)


def test_every_module_of_the_library_imports_from_the_assembled_tree(build, tmp_path):
    folder = build / "lib" / "qt-scripted-modules"
    files = sorted(path.relative_to(folder) for path in (folder / "USGanSimLib").rglob("*.py"))
    names = [
        ".".join(file.with_suffix("").parts).removesuffix(".__init__")
        for file in files
        if file.name != "__main__.py"
    ]
    optional = ("torch", "slicer", "vtk", "pyigtl", "PIL", "safetensors", "qt", "ctk")
    absent = ",".join([name for name in optional if importlib.util.find_spec(name) is None] + ONLY_IN_SLICER)
    outcome = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import sys; sys.path.insert(0, {str(folder)!r})\n{IMPORT_ALL}",
            str(folder),
            absent,
            *names,
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert outcome.returncode == 0, outcome.stderr
    assert len(names) > 20


def test_both_modules_are_built_and_their_tests_registered(build):
    extension = json.loads((build / "extension.json").read_text(encoding="utf-8"))
    assert extension["modules"].split() == list(MODULES)
    assert extension["tests"].split() == ["USGanSim.py", "USGanTraining.py"]


def test_the_catalogue_entry_agrees_with_the_extension(repository, build):
    extension = json.loads((build / "extension.json").read_text(encoding="utf-8"))
    entry = json.loads((repository / "Resources" / "USGanSim.json").read_text(encoding="utf-8"))
    assert entry["build_dependencies"] == extension["depends"].split()
    assert entry["category"] == extension["category"]
    assert entry["scm_url"] == extension["homepage"]
    base = entry["scm_url"].replace("github.com", "raw.githubusercontent.com") + "/main/"
    written_out = (repository / "CMakeLists.txt").read_text(encoding="utf-8")
    for picture in (extension["icon"], *extension["screenshots"].split()):
        assert picture in written_out  # where the index looks for it
        assert (repository / picture.removeprefix(base)).is_file()


def test_no_resource_or_script_of_the_two_modules_has_the_same_name(repository):
    """Slicer merges the folders of all modules into one."""
    per_module = [
        {
            path.relative_to(repository / module)
            for path in (repository / module).rglob("*")
            if path.is_file() and path.name != "CMakeLists.txt" and "__pycache__" not in path.parts
        }
        for module in MODULES
    ]
    assert not per_module[0] & per_module[1]


def test_no_helper_stands_beside_a_module_script(repository):
    """Slicer takes every .py file in a module's folder for a module."""
    for module in MODULES:
        assert [path.name for path in (repository / module).glob("*.py")] == [f"{module}.py"]


def test_a_library_file_that_is_not_listed_is_noticed(repository, tmp_path):
    source = copy_of_the_lists(repository, tmp_path)
    (source / "USGanSim/USGanSimLib/geometry/forgotten.py").touch()
    assert configure(source, tmp_path / "build").returncode == 0
    missing = on_disk(source) - assembled(tmp_path / "build")
    assert "USGanSimLib/geometry/forgotten.py" in missing
    assert "\n  USGanSimLib/geometry/forgotten.py" in lines_to_add(missing)


def test_a_listed_file_that_is_missing_stops_the_build(repository, tmp_path):
    source = copy_of_the_lists(repository, tmp_path)
    (source / "USGanSim/USGanSimLib/errors.py").unlink()
    outcome = configure(source, tmp_path / "build")
    assert outcome.returncode != 0
    assert "USGanSimLib/errors.py" in outcome.stderr
