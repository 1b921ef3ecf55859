"""The picture of the rooms (Resources/Docs/draw_rooms.py): of the imports as they are, with the arrows that matter."""

from __future__ import annotations

import importlib.util
import sys
import xml.etree.ElementTree as ElementTree

import pytest


@pytest.fixture(scope="module")
def draw_rooms(repository):
    path = repository / "Resources" / "Docs" / "draw_rooms.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    before = list(sys.path)
    sys.modules[path.stem] = module  # Its dataclasses look themselves up.
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path[:] = before
    yield module
    del sys.modules[path.stem]


def test_the_picture_is_that_of_the_imports(draw_rooms):
    now = draw_rooms.draw()
    ElementTree.fromstring(now)
    assert draw_rooms.PICTURE.read_text(encoding="utf-8") == now, (
        "draw it anew: python Resources/Docs/draw_rooms.py"
    )


SOURCES = {
    "errors.py": "",
    "watch.py": "from .low import a",
    "low/__init__.py": '"""Numbers: sums and such. Core."""',
    "low/a.py": "from ..errors import UserError",
    "middle/b.py": "from ..low.a import x\nfrom .first import c",
    "middle/first/c.py": "",
    "middle/second/d.py": "from ..first import c\nfrom ...errors import UserError",
    "high/e.py": "from ..middle import b\ndef f():\n    from ..low import a",
    "cli.py": "from . import errors",
}


@pytest.fixture
def plan(draw_rooms, tmp_path):
    for name, source in SOURCES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(source, encoding="utf-8")
    return draw_rooms.read_plan(tmp_path)


def test_rooms_are_folders_with_the_files_in_them(plan):
    assert plan.files == {
        "base": ["errors", "watch"],
        "low": ["a"],
        "middle": ["b"],
        "middle/first": ["c"],
        "middle/second": ["d"],
        "high": ["e"],
    }
    assert plan.words == {"base": "files at the root of the library", "low": "Numbers"}
    assert plan.of_base == {"errors": [], "watch": ["low"]}


def test_arrows_that_follow_from_others_are_left_out(plan):
    # high → low is an import, and follows from high → middle → low.
    assert ("high", "low") in plan.imports
    assert plan.arrows == {("high", "middle"), ("middle", "low"), ("low", "base")}


def test_sub_rooms_stand_in_the_order_of_their_arrows(plan, draw_rooms):
    assert plan.inside("middle") == ["middle/first", "middle/second"]
    assert plan.between("middle/second", "middle/first")
    assert not plan.between("middle/first", "middle/second")


def test_a_room_without_a_place_is_named(plan, draw_rooms):
    with pytest.raises(ValueError, match="give high, low, middle a place"):
        draw_rooms.drawing(plan)
