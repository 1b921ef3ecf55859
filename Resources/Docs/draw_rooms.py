"""Draws rooms.svg: the rings and rooms of the library and the arrows between them, as the imports have it.

    python Resources/Docs/draw_rooms.py        # writes rooms.svg beside this file; `make docs` does so too

What is imported is read by the test that holds the rings (Testing/Python/static/test_import_table.py), so that picture
and rule cannot differ. Files at the library's root are one room, `base`, which all may import; what they import stands
beside their names. An arrow that follows from others (a → c where a → b → c) is left out.
"""

from __future__ import annotations

import ast
import re
import sys
from dataclasses import dataclass
from html import escape
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "Testing" / "Python" / "static"))

from test_import_table import LIBRARY, imports_of  # noqa: E402

PICTURE = Path(__file__).with_name("rooms.svg")
BASE = "base"
WIDTH, ROW_HEIGHT, BOX_HEIGHT, TOP = 1160, 96, 60, 14
Arrow = tuple[str, str]


@dataclass(frozen=True)
class Place:
    """Where a room is drawn: its row from above, and its left and right border in pixels."""

    row: int
    left: int
    right: int

    @property
    def top(self) -> int:
        return TOP + 24 + self.row * ROW_HEIGHT

    @property
    def bottom(self) -> int:
        return self.top + BOX_HEIGHT


@dataclass(frozen=True)
class Band:
    """A ring as a coloured band: its words and where they stand, the rooms in it, its colour."""

    words: str
    words_left: int
    rooms: tuple[str, ...]
    colour: str


PLACES = {
    "commands": Place(0, 30, 1130),
    "gui": Place(1, 180, 860),
    "mrml": Place(2, 30, 450),
    "evaluation": Place(2, 530, 965),
    "ml": Place(2, 1000, 1130),
    "link": Place(3, 30, 150),
    "calibration": Place(3, 200, 600),
    "phantom": Place(3, 650, 800),
    "recording": Place(4, 30, 1130),
    "model": Place(5, 30, 1130),
    "geometry": Place(6, 30, 1130),
    BASE: Place(7, 30, 1130),
}
BANDS = (
    Band("gui: + qt (torch inside functions)", 180, ("gui",), "#f6e3e8"),
    Band("command line: torch, slicer and vtk inside functions alone", 30, ("commands",), "#f4ecd8"),
    Band("mrml: + slicer, vtk; never torch", 122, ("mrml",), "#e2eedd"),
    Band("ml, evaluation: + torch", 530, ("evaluation", "ml"), "#e9e3f4"),
    Band(
        "core: numpy, scipy, pillow",
        830,
        ("link", "calibration", "phantom", "recording", "model", "geometry", BASE),
        "#deebf5",
    ),
)


@dataclass(frozen=True)
class Plan:
    """The rooms as the files have it. Names of sub-rooms are paths, `evaluation/study`.

    files    room → its Python files, `__init__` apart
    words    room → how its docstring begins
    imports  (from, to) for every two rooms, or sub-rooms of one room, of which one imports the other
    of_base  file at the root → the rooms that it imports
    """

    files: dict[str, list[str]]
    words: dict[str, str]
    imports: frozenset[Arrow]
    of_base: dict[str, list[str]]

    @property
    def rooms(self) -> list[str]:
        """The rooms that stand at the library's root."""
        return [room for room in self.files if "/" not in room]

    @property
    def arrows(self) -> set[Arrow]:
        """Between rooms, without those that follow from others."""
        return reduced({(_top(a), _top(b)) for a, b in self.imports if _top(a) != _top(b)})

    def inside(self, room: str) -> list[str]:
        """The sub-rooms of a room, of neighbours the imported one first."""
        return sorted((name for name in self.files if name.startswith(f"{room}/")), key=self._order)

    def between(self, importing: str, imported: str) -> bool:
        """Whether two sub-rooms of one room are joined by an arrow that does not follow from others."""
        return (importing, imported) in reduced(self._beside(importing))

    def _order(self, name: str) -> list[tuple[int, str]]:
        parts = name.split("/")
        ways = ["/".join(parts[:depth]) for depth in range(2, len(parts) + 1)]
        return [(len(_reached(way, self._beside(way))), way) for way in ways]

    def _beside(self, name: str) -> set[Arrow]:
        """Arrows between a sub-room and its neighbours in the same room, what is inside them counted as theirs."""
        depth, room = name.count("/") + 1, name.rpartition("/")[0] + "/"
        inner = {arrow for arrow in self.imports if all(f"{end}/".startswith(room) for end in arrow)}
        lifted = {(_lifted(a, depth), _lifted(b, depth)) for a, b in inner}
        return {(a, b) for a, b in lifted if a != b and room not in (f"{a}/", f"{b}/")}


def read_plan(library: Path) -> Plan:
    """The plan of a library. Circles between rooms are left to the tests."""
    files: dict[str, list[str]] = {}
    words = {BASE: "files at the root of the library"}
    imports, of_base = set(), {}
    for file in sorted(library.rglob("*.py")):
        room = _room(file.relative_to(library).parts, library)
        if file.stem in (
            "__main__",
            "cli",
        ):  # They stand for the ring of the commands, and import those alone.
            continue
        files.setdefault(room, [])
        others = {_room(imported.parts, library) for imported in imports_of(file, library) if imported.own}
        if file.stem != "__init__":
            files[room].append(file.stem)
        elif room != BASE:
            words[room] = re.split(r"[.:;] |[.:]$", _docstring(file), maxsplit=1)[0]
        if room == BASE:
            of_base[file.stem] = sorted({_top(other) for other in others - {BASE}})
        else:
            imports |= {(room, other) for other in others - {room}}
    return Plan(files, words, frozenset(imports), of_base)


def _docstring(file: Path) -> str:
    text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return text.partition("\n")[0]


def _room(parts: tuple[str, ...], library: Path) -> str:
    folders: list[str] = []
    for part in parts:
        if not library.joinpath(*folders, part).is_dir():
            break
        folders.append(part)
    return "/".join(folders) or BASE


def _top(room: str) -> str:
    return _lifted(room, 1)


def _lifted(room: str, depth: int) -> str:
    return "/".join(room.split("/")[:depth])


def _reached(start: str, arrows: set[Arrow]) -> set[str]:
    found: set[str] = set()
    waiting = [start]
    while waiting:
        room = waiting.pop()
        new = {b for a, b in arrows if a == room} - found
        found |= new
        waiting.extend(new)
    return found


def reduced(arrows: set[Arrow]) -> set[Arrow]:
    """Without the arrows that follow from others: the ends still reach each other."""
    return {(a, b) for a, b in arrows if b not in _reached(a, arrows - {(a, b)})}


def drawing(plan: Plan) -> str:
    """The picture as SVG. Raises ValueError for a room that has no place in it."""
    without = [room for room in plan.rooms if room not in PLACES]
    if without:
        raise ValueError(f"give {', '.join(without)} a place in PLACES of {Path(__file__).name}")
    height = max(place.bottom for place in PLACES.values()) + TOP + 12
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        'font-family="Helvetica, Arial, sans-serif">',
        "<title>Rooms of USGanSimLib and the arrows between them</title>",
        '<defs><marker id="end" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" '
        'orient="auto"><path d="M0 0 L10 5 L0 10 z" fill="#333"/></marker></defs>',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        *(_band(band) for band in BANDS),
        *(_box(room, plan) for room in plan.rooms),
        *(_arrow(*arrow) for arrow in sorted(plan.arrows)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _band(band: Band) -> str:
    places = [PLACES[room] for room in band.rooms]
    left, right = min(p.left for p in places) - 12, max(p.right for p in places) + 12
    top, bottom = min(p.top for p in places) - 22, max(p.bottom for p in places) + 8
    return (
        f'<rect x="{left}" y="{top}" width="{right - left}" height="{bottom - top}" rx="8" fill="{band.colour}"/>'
        f'<text x="{band.words_left}" y="{top + 15}" font-size="12" fill="#555">{escape(band.words)}</text>'
    )


def _box(room: str, plan: Plan) -> str:
    place, heading = PLACES[room], room
    words = plan.words.get(room, "")
    room_for_words = 12 + 9.5 * len(heading) + 6.5 * len(words) < place.right - place.left - 12
    line = _base_files(plan) if room == BASE else _sub_rooms(plan.inside(room), plan)
    return (
        f'<rect x="{place.left}" y="{place.top}" width="{place.right - place.left}" height="{BOX_HEIGHT}" rx="5" '
        f'fill="white" stroke="#666"/><text x="{place.left + 12}" y="{place.top + 24}" font-size="15">'
        f'<tspan font-weight="bold">{escape(heading)}</tspan>'
        + (f'<tspan dx="12" font-size="13" fill="#555">{escape(words)}</tspan>' if room_for_words else "")
        + f'</text><text x="{place.left + 12}" y="{place.top + 46}" font-size="13">{escape(line)}</text>'
    )


def _base_files(plan: Plan) -> str:
    """The files at the root, those last that import rooms, with these."""
    named = [(plan.of_base[name], name) for name in plan.files[BASE]]
    return ",  ".join(f"{name} → {', '.join(rooms)}" if rooms else name for rooms, name in sorted(named))


def _sub_rooms(subs: list[str], plan: Plan) -> str:
    """Sub-rooms in a row; a ← b where b imports its neighbour a."""
    words = ""
    for before, sub in zip(["", *subs], subs, strict=False):
        joint = "" if not before else " ← " if plan.between(sub, before) else ",  "
        words += f"{joint}{sub.partition('/')[2]}"
    return words


def _arrow(start: str, end: str) -> str:
    """Straight down where there is a way past the boxes between, else slanted; level between neighbours in a row."""
    a, b = PLACES[start], PLACES[end]
    if a.row == b.row:
        y1 = y2 = a.top + BOX_HEIGHT // 2
        x1, x2 = (a.right, b.left) if a.right <= b.left else (a.left, b.right)
    else:
        x1, x2 = _way(a, b)
        y1, y2 = (a.bottom, b.top) if a.row < b.row else (a.top, b.bottom)
    return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="#333" stroke-width="1.6" marker-end="url(#end)"/>'


def _way(a: Place, b: Place) -> tuple[int, int]:
    """The middle of the widest stretch that both boxes share and no box between them covers, or both middles."""
    between = [p for p in PLACES.values() if min(a.row, b.row) < p.row < max(a.row, b.row)]
    shared = range(max(a.left, b.left), min(a.right, b.right))
    free = [x for x in shared if not any(p.left - 12 <= x <= p.right + 12 for p in between)]
    stretches: list[list[int]] = []
    for x in free:
        if not stretches or x > stretches[-1][-1] + 1:
            stretches.append([])
        stretches[-1].append(x)
    widest = max(stretches, key=len, default=[])
    straight = (widest[0] + widest[-1]) // 2 if widest else None
    return (straight or (a.left + a.right) // 2), (straight or (b.left + b.right) // 2)


def draw() -> str:
    """The picture of this repository's library."""
    return drawing(read_plan(REPOSITORY / "USGanSim" / LIBRARY))


if __name__ == "__main__":
    PICTURE.write_text(draw(), encoding="utf-8")
    print(PICTURE)
