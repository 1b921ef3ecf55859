"""Who may import what: the rings of the library, arrows only inward. Parsed, not trusted; and run once to be sure.

| from \\ may import          | own library                 | other packages                                       |
|----------------------------|-----------------------------|------------------------------------------------------|
| core                       | core                        | numpy, scipy, pillow; pyigtl in link                 |
| ml, evaluation             | core, ml, evaluation        | numpy, scipy, pillow, torch, safetensors             |
| mrml                       | core, mrml                  | numpy, scipy, pillow, slicer, vtk                    |
| cli, commands              | core, evaluation; the rest  | numpy, scipy; the rest in functions                  |
|                            | in functions                |                                                      |
| gui, the module scripts    | core, mrml, gui; ml,        | numpy, slicer, vtk, qt, ctk; torch and the           |
|                            | evaluation in functions     | PyTorch extension, SampleData in functions           |

The rooms within rings are held by test_rooms.py. Nothing that a command imports outside functions may load torch,
evaluation included: that is tried, not parsed.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

LIBRARY = "USGanSimLib"
RING_OF = {
    "geometry": "core",
    "model": "core",
    "recording": "core",
    "calibration": "core",
    "phantom": "core",
    "link": "core",
    "live": "core",
    "expected": "core",
    "uncertainty": "core",
    "errors": "core",
    "files": "core",
    "progress": "core",
    "watched": "core",
    "locking": "core",
    "__init__": "core",
    "sample_data": "core",
    "ml": "ml",
    "evaluation": "evaluation",
    "mrml": "mrml",
    "gui": "gui",
    "cli": "cli",
    "commands": "cli",
    "__main__": "cli",
}


@dataclass(frozen=True)
class Allowed:
    """What a ring may import anywhere, and what only inside functions. Rings begin with a dot."""

    anywhere: frozenset[str]
    in_functions: frozenset[str] = frozenset()


def names(words: str) -> frozenset[str]:
    return frozenset(words.split())


ALLOWED = {
    "core": Allowed(names(".core numpy scipy PIL"), names("h5py pydicom")),
    "ml": Allowed(names(".core .ml .evaluation numpy scipy PIL torch safetensors")),
    "evaluation": Allowed(names(".core .ml .evaluation numpy scipy PIL torch safetensors")),
    "mrml": Allowed(names(".core .mrml numpy scipy PIL slicer vtk")),
    "gui": Allowed(
        names(".core .mrml .gui numpy slicer vtk qt ctk"),
        names(".ml .evaluation torch PyTorchUtils SampleData"),
    ),
    "cli": Allowed(
        names(".core .evaluation .cli numpy scipy"),
        names(".ml .mrml PIL torch safetensors slicer vtk pyigtl"),
    ),
}


@dataclass(frozen=True)
class Import:
    """One imported name: its parts from the library's root (own) or from the top (others), and where it stands."""

    parts: tuple[str, ...]
    own: bool
    relative: bool
    in_function: bool
    line: int


def imports_of(file: Path, library: Path) -> Iterator[Import]:
    """Every import in a file; `from . import a, b` counts as importing a and b."""
    inside = file.is_relative_to(library)
    package = file.relative_to(library).parent.parts if inside else ()
    for node, in_function in statements(ast.parse(file.read_text(encoding="utf-8")), False):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield absolute(alias.name, in_function, node.lineno)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield absolute(str(node.module), in_function, node.lineno)
        elif isinstance(node, ast.ImportFrom):
            if node.level > len(package) + 1 or not inside:
                yield Import(("..",), False, True, in_function, node.lineno)
                continue
            base = (*package[: len(package) + 1 - node.level], *(node.module or "").split("."))
            base = tuple(part for part in base if part)
            for alias in node.names:
                yield Import(base or (alias.name,), True, True, in_function, node.lineno)


def absolute(name: str, in_function: bool, line: int) -> Import:
    first, *rest = name.split(".")
    own = first == LIBRARY
    return Import(tuple(rest) if own else (first,), own, False, in_function, line)


def statements(tree: ast.AST, in_function: bool) -> Iterator[tuple[ast.AST, bool]]:
    for node in ast.iter_child_nodes(tree):
        yield node, in_function
        # What stands under TYPE_CHECKING is never executed, as little as a function when its file is imported.
        put_off = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or (
            isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        )
        yield from statements(node, in_function or put_off)


def ring_of(parts: tuple[str, ...], library: Path) -> str | None:
    """The ring of a module of the library; names that the root package itself defines are core."""
    if not parts:
        return "core"
    if parts[0] in RING_OF:
        return RING_OF[parts[0]]
    is_module = (library / parts[0]).is_dir() or (library / f"{parts[0]}.py").is_file()
    return None if is_module else "core"


def violations(library: Path, scripts: list[Path]) -> list[str]:
    """Everything in the source tree that breaks the table, one line each."""
    found = []
    for file in [*sorted(library.rglob("*.py")), *scripts]:
        inside = file.is_relative_to(library)
        place = file.relative_to(library.parent if inside else file.parent).as_posix()
        own_parts = file.relative_to(library).with_suffix("").parts if inside else ("gui",)
        ring = ring_of(own_parts, library)
        if ring is None:
            found.append(f"{place}: '{own_parts[0]}' has no ring; give it one in RING_OF")
            continue
        for imported in imports_of(file, library):
            reason = objection(imported, ring, own_parts, library)
            if reason:
                found.append(f"{place}:{imported.line}: {reason}")
    return found


def objection(imported: Import, ring: str, own_parts: tuple[str, ...], library: Path) -> str:
    inside = own_parts != ("gui",)
    if imported.parts == ("..",):
        return "a relative import leaves the library"
    if imported.own and inside and not imported.relative:
        return "the library imports itself relatively"
    if not imported.own and imported.parts[0] in sys.stdlib_module_names:
        return ""
    what = f".{ring_of(imported.parts, library)}" if imported.own else imported.parts[0]
    if what == "pyigtl" and own_parts[0] == "link":
        return ""
    allowed = ALLOWED[ring]
    if what in allowed.anywhere or (imported.in_function and what in allowed.in_functions):
        return ""
    where = " outside a function" if what in allowed.in_functions else ""
    return f"{ring} may not import {'.'.join(imported.parts)} ({what}){where}"


def test_every_import_keeps_to_the_table(repository):
    library = repository / "USGanSim" / LIBRARY
    scripts = [repository / "USGanSim" / "USGanSim.py", repository / "USGanTraining" / "USGanTraining.py"]
    assert not (found := violations(library, scripts)), "\n".join(found)


def test_core_and_command_line_load_no_heavy_package(repository):
    """What parsing cannot see: a core file that pulls in torch through something else."""
    library = repository / "USGanSim" / LIBRARY
    files = [file.relative_to(library).with_suffix("").parts for file in sorted(library.rglob("*.py"))]
    modules = [
        ".".join((LIBRARY, *parts))
        for parts in files
        if RING_OF[parts[0]] in ("core", "cli")
        and parts[0] != "link"
        and parts[-1] not in ("__init__", "__main__")
    ]
    program = (
        f"import importlib, sys\nfor name in {modules!r}: importlib.import_module(name)\n"
        "print(*sorted({'torch', 'slicer', 'vtk', 'pyigtl'} & set(sys.modules)))"
    )
    outcome = subprocess.run(
        [sys.executable, "-c", program], cwd=library.parent, capture_output=True, text=True, timeout=120
    )
    assert outcome.returncode == 0, outcome.stderr
    assert outcome.stdout.strip() == ""


PLANTED = {
    "geometry/a.py": ("import torch", "core may not import torch"),
    "geometry/b.py": ("def f():\n    import torch", "core may not import torch"),
    "recording/l.py": ("import h5py", "core may not import h5py (h5py) outside a function"),
    "recording/c.py": ("import pyigtl", "core may not import pyigtl"),
    "live.py": ("from .ml import renderer", "core may not import ml (.ml)"),
    "calibration/d.py": ("from .. import cli", "core may not import cli (.cli)"),
    "ml/e.py": ("import slicer", "ml may not import slicer"),
    "ml/f.py": ("from ..mrml.scene import x", "ml may not import mrml.scene"),
    "mrml/g.py": ("def f():\n    from ..ml.renderer import ModelRenderer", "mrml may not import ml.renderer"),
    "mrml/h.py": ("import torch.nn", "mrml may not import torch"),
    "commands/i.py": ("import torch", "cli may not import torch (torch) outside a function"),
    "commands/j.py": ("from ..ml import settings", "cli may not import ml (.ml) outside a function"),
    "cli.py": ("class A:\n    import slicer", "cli may not import slicer (slicer) outside a function"),
    "gui/m.py": ("from ..commands.options import lag_s", "gui may not import commands.options (.cli)"),
    "errors.py": ("import requests", "core may not import requests"),
    "files.py": ("from USGanSimLib.errors import UserError", "the library imports itself relatively"),
    "progress.py": ("from ... import other", "a relative import leaves the library"),
    "oddments/k.py": ("import os", "'oddments' has no ring"),
}
INNOCENT = {
    "recording/n.py": "def f():\n    import h5py",
    "link/wire.py": "import pyigtl\nfrom ..errors import UserError",
    "commands/train.py": "def run():\n    import torch\n    from ..ml import settings",
    "commands/show.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from ..ml.settings import A",
    "evaluation/report.py": "import torch\nfrom ..ml.renderer import ModelRenderer\nfrom .. import __version__",
}


def test_the_checker_finds_every_planted_violation_and_nothing_else(tmp_path):
    library = tmp_path / LIBRARY
    for name, source in {**{name: planted for name, (planted, _) in PLANTED.items()}, **INNOCENT}.items():
        (library / name).parent.mkdir(parents=True, exist_ok=True)
        (library / name).write_text(source, encoding="utf-8")
    script = tmp_path / "USGanSim.py"
    script.write_text(
        "import slicer, qt\nimport torch\nfrom .USGanSimLib import live\n"
        "from USGanSimLib.ml import renderer\n"
        "def f():\n    from USGanSimLib.ml import renderer\n    import torch",
        encoding="utf-8",
    )
    found = violations(library, [script])
    expected = {f"{LIBRARY}/{name}": reason for name, (_, reason) in PLANTED.items()}
    for place, reason in expected.items():
        assert any(line.startswith(f"{place}:") and reason in line for line in found), (place, reason, found)
    assert [line.split(":")[1] for line in found if line.startswith("USGanSim.py")] == ["2", "3", "4"]
    assert len(found) == len(PLANTED) + 3
