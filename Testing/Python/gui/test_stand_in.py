"""The stand-in for Slicer does as Slicer does: errors are noticed, views get their sizes late, and what it offers, a
script can call in Slicer. The independent source is Slicer's own: its headers, and the version that it says it is."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
import slicer
import vtk

# Stand-in → header in Slicer's source.
HEADERS = {
    "layouts.qSlicerLayoutManager": (
        "Base/QTGUI/qSlicerLayoutManager.h",
        "Libs/MRML/Widgets/qMRMLLayoutManager.h",
    ),
    "views.SliceWidget": ("Libs/MRML/Widgets/qMRMLSliceWidget.h",),
    "views.ThreeDWidget": ("Libs/MRML/Widgets/qMRMLThreeDWidget.h",),
    "node_selector.qMRMLNodeComboBox": (
        "Libs/MRML/Widgets/qMRMLNodeComboBox.h",
        "Libs/MRML/Widgets/qMRMLWidget.h",
    ),
}
OTHER_LAYOUT, ONE_RED_VIEW = 3, 6  # of vtkMRMLLayoutNode: four views, the red one alone


def failing(*_arguments):
    raise RuntimeError("nobody looks here")


def seen(harness):
    return [told.splitlines()[0] for told in harness.problems.take()]


def test_an_error_in_a_timer_is_noticed(harness, until):
    import qt

    timer = qt.QTimer()
    timer.connect("timeout()", failing)
    timer.singleShot = True
    timer.start(0)
    until(lambda: not timer.active)
    harness.process_events()
    assert seen(harness) == ["exception: slot failing: RuntimeError: nobody looks here"]
    qt.QTimer.singleShot(0, failing)
    harness.process_events(0.05)
    assert seen(harness) == ["exception: slot failing: RuntimeError: nobody looks here"]


def test_an_error_in_an_observer_is_noticed(harness, capsys):
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTextNode", "observed")
    node.AddObserver(vtk.vtkCommand.ModifiedEvent, failing)
    node.Modified()
    slicer.mrmlScene.RemoveNode(node)
    assert seen(harness)[0] == "exception: callback: RuntimeError: nobody looks here"


def test_a_signal_that_does_not_exist_is_noticed(harness):
    import qt

    button = qt.QPushButton()
    assert not button.connect("clicked(QString)", failing)
    assert seen(harness) == ["pythonqt: QPushButton has no signal clicked(QString); Slicer would never call"]


def test_an_attribute_that_cpp_does_not_have_is_refused(harness):
    import ctk

    with pytest.raises(AttributeError, match="takes no new attribute"):
        ctk.ctkCollapsibleButton().colapsed = True


def test_an_action_is_called_with_what_it_takes_until_it_is_disconnected(harness):
    import qt

    calls, box = [], qt.QSpinBox()

    def without():
        calls.append(())

    def with_value(value):
        calls.append(value)

    box.connect("valueChanged(int)", without)
    box.connect("valueChanged(int)", with_value)
    box.value = 3
    assert calls == [(), 3]
    box.disconnect("valueChanged(int)", without)
    box.value = 4
    assert calls == [(), 3, 4]


def test_a_view_gets_the_size_of_its_layout_with_the_next_event_and_not_before(harness):
    manager = slicer.app.layoutManager()
    red = manager.sliceWidget("Red").mrmlSliceNode()
    before = manager.layout
    manager.setLayout(OTHER_LAYOUT)
    harness.process_events()
    small = red.GetDimensions()[:2]
    manager.setLayout(ONE_RED_VIEW)
    assert red.GetDimensions()[:2] == small
    harness.process_events()
    assert red.GetDimensions()[:2] == tuple(2 * size for size in small)
    manager.setLayout(before)
    harness.process_events()


def test_the_whole_image_is_seen_after_show_in_views_that_get_their_sizes_late(harness, live):
    manager, red = slicer.app.layoutManager(), slicer.app.layoutManager().sliceWidget("Red").mrmlSliceNode()
    views, layout = manager.sliceViewNames(), manager.layout
    manager.setLayout(OTHER_LAYOUT)
    harness.process_events()
    before = red.GetDimensions()[:2]
    live["Live"].ui.showButton.click()
    assert red.GetDimensions()[:2] == before
    harness.process_events()
    assert red.GetDimensions()[:2] != before
    # 32×24 pixels of 0.5 mm.
    width_mm, height_mm = red.GetFieldOfView()[:2]
    assert width_mm >= 16.0 - 1e-6
    assert height_mm >= 12.0 - 1e-6
    # The layout found all its views there, and made none.
    assert manager.sliceViewNames() == views
    live["Live"].ui.showButton.click()
    manager.setLayout(layout)
    harness.process_events()


def test_what_is_hidden_in_a_closed_group_stays_hidden_when_it_is_opened(harness):
    import ctk
    import qt

    group = ctk.ctkCollapsibleButton()
    layout = qt.QVBoxLayout(group)
    first, second = qt.QLabel("first"), qt.QLabel("second")
    layout.addWidget(first)
    layout.addWidget(second)
    group.show()
    group.collapsed = True
    assert not first.visible
    first.visible = False
    group.collapsed = False
    assert (first.visible, second.visible) == (False, True)
    group.collapsed = True
    first.show()
    assert not first.visible
    group.collapsed = False
    assert first.visible
    group.close()


def test_the_version_is_that_of_the_source(harness):
    lists = Path(os.environ["SLICER_SOURCE"]) / "CMakeLists.txt"
    if not lists.is_file():
        pytest.skip("the checkout of Slicer has no CMakeLists.txt")
    parts = re.findall(r'set\(Slicer_VERSION_(?:MAJOR|MINOR) "(\d+)"\)', lists.read_text(encoding="utf-8"))
    assert [slicer.app.majorVersion, slicer.app.minorVersion] == [int(part) for part in parts]


def callable_in_slicer(header: Path) -> set[str]:
    """What PythonQt offers of a class and its bases in a header: properties, slots, signals, Q_INVOKABLE functions."""
    text = re.sub(r"//[^\n]*|/\*.*?\*/", "", header.read_text(encoding="utf-8"), flags=re.DOTALL)
    found = set(re.findall(r"Q_PROPERTY\(\s*[\w<>:]+[\s*]+(\w+)", text))
    found |= set(re.findall(r"Q_INVOKABLE[^;(]*?(\w+)\s*\(", text))
    sections = re.split(
        r"((?:public|protected|private)(?:\s+slots|\s+Q_SLOTS)?\s*:|signals\s*:|Q_SIGNALS\s*:)", text
    )
    for head, body in zip(sections[1::2], sections[2::2], strict=True):
        if re.match(r"public\s+(?:slots|Q_SLOTS)|signals|Q_SIGNALS", head):
            found |= set(re.findall(r"(\w+)\s*\(", body))
    return found


@pytest.mark.parametrize("name", HEADERS)
def test_what_a_stand_in_offers_can_be_called_in_slicer(harness, name):
    import importlib

    module, class_name = name.split(".")
    cls = getattr(importlib.import_module(f"standin.{module}"), class_name)
    source = Path(os.environ["SLICER_SOURCE"])
    offered = set().union(*(callable_in_slicer(source / header) for header in HEADERS[name]))
    # Widgets have scene and parent from their bases, and every slot of Qt's own.
    own = {one for one in vars(cls) if not one.startswith("_")} - {"signatures", "staticMetaObject"}
    own -= OF_OURS
    assert sorted(own - offered) == []


# Of the stand-in itself, for its own scripts.
OF_OURS = {"close_views", "validChanged"}
