"""The module scripts, their panels (.ui) and icons, read without Qt; and run in the stand-in for Slicer."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from PIL import Image

MODULES = ("USGanSim", "USGanTraining")
SECTIONS = {"USGanSim": "simulation", "USGanTraining": "training"}  # folders of USGanSimLib/gui
MOST_LINES = 500
TEMPLATE_WORDS = ("TemplateKey", "TODO", "John Doe", "This is an example", "AnyWare", "Ideally you should")


@pytest.fixture(params=MODULES)
def script(request, repository) -> Path:
    return repository / request.param / f"{request.param}.py"


def panels_of(script: Path) -> dict[str, ElementTree.Element]:
    """The .ui files of a module by name."""
    return {
        file.name: ElementTree.parse(file).getroot()
        for file in sorted((script.parent / "Resources" / "UI").glob("*.ui"))
    }


def sections_of(script: Path, repository: Path) -> dict[str, Path]:
    """ui_file of each section of a module → the section's source file, in a folder of its own where it has parts."""
    folder = repository / "USGanSim" / "USGanSimLib" / "gui" / SECTIONS[script.stem]
    found = {}
    for file in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "ui_file":
                found[ast.literal_eval(node.value)] = file
    return found


def parameter_names(script: Path) -> set[str]:
    """The fields of the class that parameterNodeWrapper decorates."""
    for node in ast.parse(script.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef) and any(
            ast.unparse(mark) == "parameterNodeWrapper" for mark in node.decorator_list
        ):
            return {field.target.id for field in node.body if isinstance(field, ast.AnnAssign)}
    raise AssertionError("no parameterNodeWrapper class")


def widgets_used(section: Path) -> set[str]:
    """NAME of every self.ui.NAME in the source of a section, and of its parts."""
    in_a_folder = section.parent.name not in SECTIONS.values()
    return {
        node.attr
        for file in (section.parent.glob("*.py") if in_a_folder else [section])
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "self.ui"
    }


def test_every_panel_has_its_section_and_the_other_way_round(script, repository):
    assert panels_of(script).keys() == sections_of(script, repository).keys()


def test_every_widget_that_a_section_names_is_in_its_panel(script, repository):
    panels = panels_of(script)
    for ui_file, source in sections_of(script, repository).items():
        assert widgets_used(source) <= {widget.get("name") for widget in panels[ui_file].iter("widget")}, (
            source
        )


def test_every_parameter_has_its_widget_and_the_other_way_round(script):
    connected = [
        entry.findtext("string")
        for panel in panels_of(script).values()
        for entry in panel.iter("property")
        if entry.get("name") == "SlicerParameterName"
    ]
    assert sorted(connected) == sorted(parameter_names(script))


def test_every_input_has_a_tooltip(script):
    bare = [
        widget.get("name")
        for panel in panels_of(script).values()
        for widget in panel.iter("widget")
        if any(entry.get("name") == "SlicerParameterName" for entry in widget.findall("property"))
        and not widget.findtext("property[@name='toolTip']/string")
    ]
    assert bare == []


def test_every_mrml_widget_is_given_the_scene(script):
    for panel in panels_of(script).values():
        needing = {
            widget.get("name")
            for widget in panel.iter("widget")
            if widget.get("class") in ("qMRMLNodeComboBox", "qMRMLPlotWidget")
        }
        given = {
            link.findtext("receiver")
            for link in panel.iter("connection")
            if link.findtext("slot") == "setMRMLScene(vtkMRMLScene*)"
        }
        assert needing == given


def test_nothing_is_left_of_a_template_and_the_script_stays_thin(script):
    text = script.read_text(encoding="utf-8")
    assert [word for word in TEMPLATE_WORDS if word in text] == []
    assert len(text.splitlines()) <= MOST_LINES


def test_the_icon_is_128_pixels_square(script):
    with Image.open(script.parent / "Resources" / "Icons" / f"{script.stem}.png") as icon:
        assert icon.size == (128, 128)


def test_the_module_says_that_it_is_not_for_clinical_use(script, repository):
    panel = repository / "USGanSim" / "USGanSimLib" / "gui" / "panel.py"
    for place in (script, panel):  # in the help, and below the sections
        assert "Not for clinical use" in place.read_text(encoding="utf-8")


@pytest.fixture
def in_the_harness(repository, harness_environment, tmp_path):
    """A function that gives the harness's report of a module."""

    def run(script: Path, *options: str, **environment: str) -> dict:
        subprocess.run(
            [
                sys.executable,
                str(repository / "Testing/Harness/run.py"),
                "--module",
                str(script),
                "--json",
                str(tmp_path / "report.json"),
                *options,
            ],
            timeout=900,
            check=False,
            env={**harness_environment, **environment},
        )
        report: dict = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
        assert report["ok"], report["events"]
        return report

    return run


@pytest.mark.slow
def test_the_module_runs_without_a_problem_in_the_harness(script, in_the_harness):
    report = in_the_harness(script, "--run-tests", "--fill")
    assert "passed" in report["facts"]["tests (runTest)"]


@pytest.mark.slow
def test_a_session_is_recorded_and_its_probe_calibrated_in_the_harness(repository, tmp_path, in_the_harness):
    in_the_harness(
        repository / "USGanTraining" / "USGanTraining.py",
        "--script",
        str(repository / "Testing/Harness/record_and_calibrate.py"),
        USGANSIM_SCREENSHOTS=str(tmp_path),
    )
    # Small enough for the repository, where the same pictures lie.
    pictures = list(tmp_path.glob("USGanTraining-*.png"))
    assert {one.name for one in pictures} == {
        one.name for one in (repository / "Resources/Screenshots").glob("USGanTraining-[RC]*.png")
    }
    assert max(one.stat().st_size for one in pictures) < 300_000


def test_every_press_of_a_button_is_guarded(repository):
    """What a slot raises is printed by Qt where few people look; Troubles.on_press tells it."""
    folder = repository / "USGanSim" / "USGanSimLib" / "gui"
    connected = [
        str(file.relative_to(folder))
        for file in sorted(folder.rglob("*.py"))
        if '"clicked()"' in file.read_text(encoding="utf-8")
    ]
    assert connected == ["troubles.py"]
