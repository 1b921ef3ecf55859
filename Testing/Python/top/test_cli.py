"""The command line with a command made for the test in place of a real one."""

from __future__ import annotations

import argparse
import errno
import io
import json
import re
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import USGanSimLib
from USGanSimLib import cli
from USGanSimLib.errors import UserError

Run = Callable[[argparse.Namespace], dict[str, Any]]


@pytest.fixture
def a_command(monkeypatch: pytest.MonkeyPatch) -> Callable[[Run], None]:
    """Puts a command with the given `run` in the place of `info`."""

    def install(run: Run) -> None:
        module = types.ModuleType("USGanSimLib.commands.info")
        module.add_arguments = lambda parser: parser.add_argument("word")  # type: ignore[attr-defined]
        module.run = run  # type: ignore[attr-defined]
        module.show = lambda result: print(f"The word is {result['word']}.")  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, module.__name__, module)

    return install


def failing(error: BaseException) -> Run:
    def run(arguments: argparse.Namespace) -> dict[str, Any]:
        raise error

    return run


def test_a_result_is_shown_to_a_person(a_command, capsys) -> None:  # type: ignore[no-untyped-def]
    a_command(lambda arguments: {"word": arguments.word})
    assert cli.main(["info", "probe"]) == 0
    assert capsys.readouterr().out == "The word is probe.\n"


def test_with_json_standard_output_is_the_result_alone(a_command, capsys) -> None:  # type: ignore[no-untyped-def]
    a_command(lambda arguments: {"word": arguments.word, "size_px": [3, 4]})
    assert cli.main(["info", "probe", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"word": "probe", "size_px": [3, 4]}


def test_bad_input_is_one_line_and_exit_2(a_command, capsys) -> None:  # type: ignore[no-untyped-def]
    a_command(failing(UserError("The file has 3 of 9 frames.", "Copy it again.")))
    assert cli.main(["info", "x", "--json"]) == 2
    assert capsys.readouterr() == ("", "usgansim info: The file has 3 of 9 frames. Copy it again.\n")


def test_a_missing_file_is_one_line_with_its_name(a_command, capsys) -> None:  # type: ignore[no-untyped-def]
    a_command(failing(FileNotFoundError(errno.ENOENT, "No such file or directory", "a.igs.mha")))
    assert cli.main(["info", "x"]) == 2
    assert capsys.readouterr().err == "usgansim info: a.igs.mha: No such file or directory.\n"


def test_ctrl_c_is_one_line_and_exit_130(a_command, capsys) -> None:  # type: ignore[no-untyped-def]
    a_command(failing(KeyboardInterrupt()))
    assert cli.main(["info", "x"]) == 130
    assert capsys.readouterr().err == "usgansim info: interrupted.\n"


def test_a_mistake_of_ours_is_one_line_with_its_place_and_exit_70(a_command, capsys) -> None:  # type: ignore[no-untyped-def]
    a_command(failing(ZeroDivisionError("no half of nothing")))
    assert cli.main(["info", "x"]) == 70
    said = capsys.readouterr().err
    assert re.fullmatch(
        r"usgansim info: a mistake of this program, ZeroDivisionError at test_cli\.py:\d+: no half of nothing\. .*\n",
        said,
    )


def test_its_traceback_is_had_for_the_asking(a_command, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("USGANSIM_DEBUG", "1")
    a_command(failing(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        cli.main(["info", "x"])


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory"),
        type("OutOfMemoryError", (RuntimeError,), {})("CUDA out of memory."),
    ],
)
def test_too_little_memory_is_one_line_and_exit_2(a_command, capsys, error) -> None:  # type: ignore[no-untyped-def]
    a_command(failing(error))
    assert cli.main(["info", "x"]) == 2
    assert capsys.readouterr().err == (
        "usgansim info: This takes more memory than there is. Ask for less, or for smaller images.\n"
    )


def test_lines_and_control_characters_of_a_file_stay_within_one_line(a_command, capsys) -> None:  # type: ignore[no-untyped-def]
    a_command(failing(UserError("It says 'a\nb\x1b]0;title\x07 płód\udc80'.")))
    assert cli.main(["info", "x"]) == 2
    assert capsys.readouterr().err == "usgansim info: It says 'a\\nb\\x1b]0;title\\x07 płód\\udc80'.\n"


def test_a_value_of_a_megabyte_makes_no_line_of_a_megabyte(a_command, capsys) -> None:  # type: ignore[no-untyped-def]
    a_command(failing(UserError("x" * 1_000_000)))
    assert cli.main(["info", "x"]) == 2
    assert len(capsys.readouterr().err) < 1100


def test_a_result_is_shown_by_a_terminal_that_lacks_its_letters(a_command, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    bytes_shown = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(bytes_shown, encoding="cp1252"))
    a_command(lambda arguments: {"word": "σ ä"})
    assert cli.main(["info", "x"]) == 0
    sys.stdout.flush()
    assert bytes_shown.getvalue().split() == [b"The", b"word", b"is", b"?", b"\xe4."]


@pytest.mark.parametrize("words", [["nonsense"], [], ["info"], ["info", "a", "--nonsense"]])
def test_words_that_are_not_understood_exit_2(a_command, capsys, words: list[str]) -> None:  # type: ignore[no-untyped-def]
    a_command(lambda arguments: {"word": arguments.word})
    assert cli.main(words) == 2
    told = capsys.readouterr().err
    assert told.startswith("usgansim")
    assert told.count("\n") == 1


def test_help_lists_every_command_and_imports_nothing_heavy() -> None:
    script = (
        "import sys; from USGanSimLib.cli import main\n"
        "try: main(['--help'])\n"
        "finally: print('heavy:', sorted({'torch', 'slicer', 'pyigtl'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(USGanSimLib.__file__).parents[1],
    )
    assert "heavy: []" in done.stdout
    listed = {
        line.split()[0] for line in done.stdout.splitlines() if line.startswith("    ") and line[4] != " "
    }
    assert set(cli.COMMANDS) <= listed
    assert "Not for clinical use" in done.stdout


def test_the_module_runs_and_exits_with_the_code_of_the_command() -> None:
    def run_module(word: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "USGanSimLib", word],
            capture_output=True,
            text=True,
            cwd=Path(USGanSimLib.__file__).parents[1],
            check=False,
        )

    version, unknown = run_module("--version"), run_module("nonsense")
    assert (version.returncode, version.stdout.strip()) == (0, USGanSimLib.__version__)
    assert unknown.returncode == 2
    assert "Traceback" not in unknown.stderr
