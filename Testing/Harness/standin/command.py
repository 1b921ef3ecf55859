"""The command line: runs one module with checks and scripts, and tells what went wrong."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from . import checks
from .pictures import four_views, panel_beside_views, panel_picture
from .problems import problems
from .process import StandIn, boot

_APP_PICTURE = (1280, 800)


def main() -> None:
    """Parse, run, print; exits 1 where something was wrong."""
    parser = argparse.ArgumentParser(description="Run a scripted module of Slicer without Slicer.")
    parser.add_argument("--module", type=Path, required=True, help="the module's script")
    parser.add_argument("--script", type=Path, help="run with harness, slicer, widget, panel, module")
    parser.add_argument("--fill", action="store_true", help="put some nodes into the scene first")
    parser.add_argument("--no-checks", action="store_true")
    parser.add_argument("--run-tests", action="store_true", help="the module's own and the generic ones")
    parser.add_argument("--no-main-window", action="store_true")
    parser.add_argument("--screenshot", type=Path, help="picture of the panel")
    parser.add_argument("--app-screenshot", type=Path, help="picture of the panel beside views")
    parser.add_argument("--json", type=Path, help="write what is told here, too")
    arguments = parser.parse_args()
    stand_in = boot(main_window=not arguments.no_main_window)
    with problems.phase("load"):
        run(stand_in, arguments)
    serious = problems.serious()
    print(problems.text())
    if arguments.json:
        report = {"facts": problems.facts, "ok": not serious, "events": problems.events}
        arguments.json.write_text(json.dumps(report, indent=1), encoding="utf-8")
    sys.stdout.flush()
    # Qt, VTK and MRML are not taken down in an order that works.
    os._exit(int(bool(serious)))


def run(stand_in: StandIn, arguments: argparse.Namespace) -> None:
    """All that the command line asks for, in phases."""
    module = stand_in.load_module(arguments.module)
    stand_in.slicer.app.startupCompleted.emit()
    if arguments.fill:
        checks.fill_scene(stand_in)
    panel = module.widgetRepresentation()
    panel.enter()
    stand_in.process_events()
    widget = panel.self()
    if not arguments.no_checks:
        _check(stand_in, widget)
    if arguments.script:
        with problems.phase(f"script {arguments.script.name}"):
            _run_script(stand_in, module, arguments.script)
    with problems.phase("pictures"):
        _take_pictures(stand_in, panel, arguments)
    checks.check_stray_attributes(stand_in, panel)
    if arguments.run_tests:
        with problems.phase("tests"):
            checks.run_generic_tests(stand_in, module)
            checks.run_own_tests(stand_in, module)
    if not arguments.no_checks:
        with problems.phase("end"):
            checks.check_end(stand_in, module, widget)


def _check(stand_in: StandIn, widget: Any) -> None:
    with problems.phase("parameters"):
        checks.check_parameters(stand_in, widget)
    with problems.phase("saved scene"):
        checks.check_saved_scene(stand_in, widget)
    with problems.phase("closed scene"):
        checks.check_closed_scene(stand_in, widget)


def _run_script(stand_in: StandIn, module: Any, script: Path) -> None:
    names = {
        "harness": stand_in,
        "slicer": stand_in.slicer,
        "module": module,
        "panel": module.widgetRepresentation(),
        "widget": module.widgetRepresentation().self(),
        "__file__": str(script),
        "__name__": "__main__",
    }
    exec(compile(script.read_text(encoding="utf-8"), str(script), "exec"), names)


def _take_pictures(stand_in: StandIn, panel: Any, arguments: argparse.Namespace) -> None:
    if arguments.screenshot:
        panel_picture(stand_in, panel, arguments.screenshot)
    if arguments.app_screenshot:
        places = four_views(_APP_PICTURE[0] - 430, _APP_PICTURE[1])
        panel_beside_views(stand_in, panel, arguments.app_screenshot, places, _APP_PICTURE, labels=True)
