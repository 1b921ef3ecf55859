"""What is checked of any module with a parameter node: values go to its widgets and back, through a saved scene that is
loaded while the panel is open, through closing; its tests pass; nothing of it is left in the end."""

from __future__ import annotations

import contextlib
import io
import sys
import time
import types
import unittest
from pathlib import Path
from typing import Any

from .problems import problems
from .process import StandIn
from .sample_values import plain, same, two_values

_GENERIC_TEST = "Base/QTCore/Testing/Python/qSlicerModuleGenericTest.py.in"


def wrapper_of(panel: Any) -> Any | None:
    """The wrapped parameter node that a panel is connected to."""
    from slicer.parameterNodeWrapper import isParameterNodeWrapper

    return next((value for value in vars(panel).values() if isParameterNodeWrapper(value)), None)


def connectors_of(wrapper: Any) -> dict[str, Any]:
    """Parameter → what joins it with its widget."""
    return {name: one for mapping in wrapper._parameterGUIs.values() for name, one in mapping.items()}


def fill_scene(stand_in: StandIn) -> None:
    """A volume, a transform and a model, so that selectors have something to show."""
    import numpy as np
    import vtk

    slicer = stand_in.slicer
    z, y, x = np.mgrid[0:40, 0:60, 0:60]
    blob = 100 * np.exp(-((x - 30) ** 2 + (y - 30) ** 2 + (z - 20) ** 2) / 200.0)
    volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "SomeVolume")
    slicer.util.updateVolumeFromArray(volume, blob.astype(np.uint8))
    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "SomeTransform")
    sphere = vtk.vtkSphereSource()
    sphere.SetRadius(25)
    sphere.Update()
    model = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLModelNode", "SomeModel")
    model.SetAndObservePolyData(sphere.GetOutput())
    model.CreateDefaultDisplayNodes()


def check_parameters(stand_in: StandIn, panel: Any) -> None:
    """Each parameter is written by a script and shown; then chosen in its widget, and read by a script."""
    wrapper = wrapper_of(panel)
    if wrapper is None:
        problems.tell("roundtrip", "the panel is connected to no parameter node")
        return
    for name in wrapper.allParameters:
        with problems.phase(f"parameter {name}"):
            first, second = two_values(stand_in.slicer, wrapper.dataType(name), wrapper.getValue(name))
            wrapper.setValue(name, first)
            stand_in.process_events()
            connector = connectors_of(wrapper).get(name)
            if not same(wrapper.getValue(name), first):
                problems.tell("roundtrip", f"{first!r} was written, {wrapper.getValue(name)!r} is read")
            if connector is None:
                problems.tell("note", "no widget shows it")
                continue
            if not same(connector.read(), first):
                problems.tell("roundtrip", f"{first!r} was written, the widget shows {connector.read()!r}")
            connector.write(second)
            stand_in.process_events()
            if not same(wrapper.getValue(name), second):
                problems.tell(
                    "roundtrip", f"{second!r} was chosen in the widget, not {wrapper.getValue(name)!r}"
                )
    problems.facts["parameters checked"] = str(len(wrapper.allParameters))


def check_saved_scene(stand_in: StandIn, panel: Any) -> None:
    """A scene is saved, closed, and loaded while the panel is open: its widgets show what was saved."""
    before = _shown(panel)
    path = Path(stand_in.slicer.app.temporaryPath) / "check.mrml"
    assert stand_in.slicer.mrmlScene.Commit(str(path))
    stand_in.slicer.mrmlScene.Clear(False)
    stand_in.process_events()
    stand_in.slicer.app.ioManager().loadScene(str(path))
    stand_in.process_events()
    after = _shown(panel)
    for name, (value, widget_value) in before.items():
        if not same(after[name][0], value):
            problems.tell("roundtrip", f"{name} was {value!r}, and {after[name][0]!r} is loaded")
        if not same(after[name][1], widget_value):
            problems.tell("roundtrip", f"{name} showed {widget_value!r}, and shows {after[name][1]!r} loaded")
    problems.facts["scene loaded with the panel open"] = f"{len(before)} values compared"


def _shown(panel: Any) -> dict[str, tuple[Any, Any]]:
    """Parameter → (its value, what its widget shows)."""
    wrapper = wrapper_of(panel)
    if wrapper is None:
        return {}
    return {
        name: (plain(wrapper.getValue(name)), plain(connector.read()))
        for name, connector in connectors_of(wrapper).items()
    }


def check_closed_scene(stand_in: StandIn, panel: Any) -> None:
    """The scene is closed while the panel is open: the panel goes on with a node of the scene."""
    stand_in.slicer.mrmlScene.Clear(False)
    stand_in.process_events()
    wrapper = wrapper_of(panel)
    if wrapper is None or wrapper.parameterNode.GetScene() is not stand_in.slicer.mrmlScene:
        problems.tell("roundtrip", "the panel is left without a parameter node of the scene")
    elif not connectors_of(wrapper):
        problems.tell("roundtrip", "the panel is no longer connected to its parameter node")


def check_stray_attributes(stand_in: StandIn, widget: Any) -> None:
    """No attribute was set on an object of Qt that has none of this name; Slicer refuses that."""
    for one in [widget, *widget.findChildren()]:
        if type(one).__module__.startswith("PySide6"):
            for name in vars(one) if hasattr(one, "__dict__") else ():
                if not name.startswith("_") and not hasattr(type(one), name):
                    problems.tell("pythonqt", f"{name} was set on {one.className()} {one.objectName}")


def check_end(stand_in: StandIn, module: Any, panel: Any) -> None:
    """Left, entered with another scene, and unloaded: no observer stays."""
    widget = module.widgetRepresentation()
    widget.exit()
    stand_in.slicer.mrmlScene.Clear(False)
    stand_in.process_events()
    widget.enter()
    stand_in.process_events()
    widget.exit()
    stand_in.slicer.app.moduleManager().moduleAboutToBeUnloaded.emit(module.name)
    stand_in.process_events()
    left = list(getattr(panel, "Observations", ()))
    if left:
        problems.tell("leak", f"{len(left)} observers are left: {left[:5]}")


def run_own_tests(stand_in: StandIn, module: Any) -> None:
    """The module's tests as "Reload and Test" runs them, and each alone."""
    stand_in.slicer.mrmlScene.Clear(False)
    stand_in.process_events()
    began_s = time.monotonic()
    try:
        stand_in.slicer.selfTests[module.name](msec=0)
        problems.facts["tests (runTest)"] = f"passed in {time.monotonic() - began_s:.1f} s"
    except Exception as error:
        problems.facts["tests (runTest)"] = f"failed: {error}"
        problems.tell("test", f"runTest: {error}")
    cls = getattr(sys.modules[module.name], f"{module.name}Test")
    _run("each test alone", unittest.defaultTestLoader.loadTestsFromTestCase(cls))


def run_generic_tests(stand_in: StandIn, module: Any) -> None:
    """The tests that Slicer makes of a template for every module."""
    text = (stand_in.source / _GENERIC_TEST).read_text(encoding="utf-8")
    text = text.replace("@MODULENAME@", module.name).replace("@MODULENAME_LC@", module.name.lower())
    script = types.ModuleType(f"qSlicer{module.name}ModuleGenericTest")
    script.__file__ = f"{script.__name__}.py"
    sys.modules[script.__name__] = script
    exec(compile(text, script.__file__, "exec"), vars(script))
    _run("generic tests", unittest.defaultTestLoader.loadTestsFromModule(script))


def _run(name: str, tests: unittest.TestSuite) -> None:
    with contextlib.redirect_stdout(io.StringIO()):
        result = unittest.TextTestRunner(stream=io.StringIO(), verbosity=0).run(tests)
    failed = [*result.failures, *result.errors]
    problems.facts[name] = f"{result.testsRun} run, {len(failed)} failed"
    for test, text in failed:
        problems.tell("test", f"{test.id()}: {text.strip().splitlines()[-1]}", text)
