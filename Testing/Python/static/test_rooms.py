"""Rooms: which folder of the library may import which, no circle among files or rooms, and no room too full.

Rings are held by test_import_table.py; this table is finer. A room is a folder. What stands beside the rooms at the top
(errors, files, progress, …) serves all, and is not in the table.
"""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

MOST_FILES = {"recording": 25, "commands": 25}
USUALLY_MOST_FILES = 20
MOST_LINES = 400
EVERY_ROOM = "*"

MAY_IMPORT = {
    "geometry": "",
    "model": "geometry",
    "recording/field": "geometry",
    "recording": "recording/field model geometry",
    "recording/exchange": "recording geometry",
    "calibration": "geometry recording",
    "calibration/pinhead": "calibration recording geometry",
    "calibration/lag": "calibration calibration/pinhead recording geometry",
    "phantom": "recording recording/exchange geometry",
    "link": "recording geometry",
    "ml/parts": "",
    "ml/beams": "ml/parts model geometry",
    "ml": "ml/beams ml/parts model geometry",
    "ml/training": "ml ml/beams ml/parts model recording geometry",
    "evaluation": "recording geometry",
    "evaluation/predictors": "evaluation ml model recording recording/exchange geometry",
    "evaluation/measures": "evaluation evaluation/predictors recording geometry",
    "evaluation/observer/realness": "evaluation evaluation/predictors evaluation/measures recording geometry",
    "evaluation/observer": "evaluation evaluation/observer/realness evaluation/predictors evaluation/measures ml model "
    "phantom recording geometry",
    "evaluation/study": "evaluation evaluation/predictors evaluation/measures evaluation/observer "
    "evaluation/observer/realness ml model recording geometry",
    "evaluation/report": "evaluation evaluation/predictors evaluation/measures evaluation/observer evaluation/study "
    "ml/training recording geometry",
    "mrml": "model recording geometry",
    "mrml/live": "mrml model recording recording/field geometry",
    "mrml/recorder": "mrml model recording geometry",
    "mrml/training": "mrml calibration calibration/pinhead model recording geometry",
    "mrml/headless": "mrml mrml/live link model geometry",
    "gui": "mrml recording geometry",
    "gui/simulation/mock_probe": "gui mrml mrml/live model recording geometry",
    "gui/simulation": "gui gui/simulation/mock_probe mrml mrml/live mrml/recorder model recording geometry",
    "gui/training/record": "gui mrml mrml/recorder recording geometry",
    "gui/training/pin": "gui gui/training/record mrml mrml/training calibration/pinhead recording geometry",
    "gui/training": "gui gui/training/pin gui/training/record mrml mrml/training evaluation/report evaluation/study "
    "model recording geometry",
    "commands/demonstration": EVERY_ROOM,
    "commands": EVERY_ROOM,
}


def room_of(parts: tuple[str, ...]) -> str:
    """The folder of a module; empty at the top."""
    return "/".join(parts[:-1])


def imports(library: Path) -> dict[tuple[str, ...], set[tuple[str, ...]]]:
    """Module → the modules of the library that it imports, anywhere in it but where only types are looked at."""
    modules = {path.relative_to(library).with_suffix("").parts: path for path in library.rglob("*.py")}
    found: dict[tuple[str, ...], set[tuple[str, ...]]] = {}
    for module, path in modules.items():
        tree, of_types = ast.parse(path.read_text(encoding="utf-8")), set()
        for node in ast.walk(tree):
            if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
                of_types |= set(ast.walk(node))
        found[module] = set()
        for node in ast.walk(tree):
            if not isinstance(node, ast.ImportFrom) or not node.level or node in of_types:
                continue
            package = module[: len(module) - node.level]
            base = (*package, *filter(None, (node.module or "").split(".")))
            targets = [base] if base in modules else [(*base, alias.name) for alias in node.names]
            found[module] |= {target for target in targets if target in modules}
    return found


def objections(library: Path) -> list[str]:
    """Every import that the table does not allow."""
    found = []
    for module, targets in imports(library).items():
        room = room_of(module)
        if not room:
            continue
        if room not in MAY_IMPORT:
            found.append(f"{'/'.join(module)}: '{room}' is no room; give it a line in MAY_IMPORT")
            continue
        allowed = MAY_IMPORT[room].split()
        for target in sorted(targets):
            other = room_of(target)
            if other and other != room and allowed != [EVERY_ROOM] and other not in allowed:
                found.append(f"{'/'.join(module)}: {room} may not import {'/'.join(target)}")
    return found


@pytest.fixture
def library(repository: Path) -> Path:
    return repository / "USGanSim" / "USGanSimLib"


def test_every_room_imports_what_the_table_allows(library) -> None:
    assert not (found := objections(library)), "\n".join(found)


def test_the_table_itself_has_no_circle() -> None:
    rooms = {room: allowed.split() for room, allowed in MAY_IMPORT.items() if allowed != EVERY_ROOM}
    assert all(other in MAY_IMPORT for others in rooms.values() for other in others)
    order = list(TopologicalSorter(rooms).static_order())
    assert order.index("geometry") < order.index("evaluation/report")


def test_no_file_imports_itself_by_way_of_others(library) -> None:
    # Inside functions too: what a file needs only later it needs all the same.
    graph = {module: targets for module, targets in imports(library).items() if module[-1] != "__init__"}
    try:
        list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(" → ".join("/".join(module) for module in error.args[1]))


def test_no_room_is_too_full_and_no_file_too_long(library) -> None:
    rooms: dict[str, int] = {}
    for path in library.rglob("*.py"):
        room = path.parent.relative_to(library).as_posix()
        rooms[room] = rooms.get(room, 0) + 1
    full = {room: count for room, count in rooms.items() if count > MOST_FILES.get(room, USUALLY_MOST_FILES)}
    assert not full
    long = {
        path.name: lines
        for path in library.rglob("*.py")
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > MOST_LINES
    }
    assert not long


def test_the_checker_finds_planted_faults(tmp_path) -> None:
    planted = {
        "recording/a.py": "from ..evaluation.measures import b",
        "evaluation/measures/b.py": "from ..study.c import x",
        "evaluation/study/c.py": "from ..measures.b import y",
        "attic/d.py": "from ..errors import UserError",
        "errors.py": "",
    }
    for name, source in planted.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(source, encoding="utf-8")
    found = objections(tmp_path)
    assert any("recording may not import evaluation/measures/b" in line for line in found)
    assert any("evaluation/measures may not import evaluation/study/c" in line for line in found)
    assert any("'attic' is no room" in line for line in found)
    assert len(found) == 3
    with pytest.raises(CycleError):
        list(TopologicalSorter(imports(tmp_path)).static_order())
