"""Every numeric option of every command refuses nonsense where it is parsed: exit code 2, one line, nothing else."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import pytest

from USGanSimLib import cli
from USGanSimLib.commands.options import Number
from USGanSimLib.model.ranges import LARGEST_WHOLE

NONSENSE = ("", "x", "x\ny", "nan", "inf", "-inf", "1e400", "0x10", "1,5")
NO_WHOLE_NUMBERS = ("1.5", "2e0", "99999999999999999999", "1" + "0" * 400)


def options_of(
    parser: argparse.ArgumentParser, words: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], argparse.Action]]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, own in action.choices.items():
                yield from options_of(own, (*words, name))
        else:
            yield words, action


def every_option() -> Iterator[tuple[tuple[str, ...], argparse.Action]]:
    for name in cli.COMMANDS:
        (subparsers,) = [
            action
            for action in cli._parser([name])._actions
            if isinstance(action, argparse._SubParsersAction)
        ]
        yield from options_of(subparsers.choices[name], (name,))


NUMBERS = [
    (words, action.option_strings[0], action.type)
    for words, action in every_option()
    if isinstance(action.type, Number)
]
PATHS = [
    (words, action.option_strings[0])
    for words, action in every_option()
    if action.type is Path and action.option_strings
]


def outside(kind: Number) -> list[str]:
    """Numbers just outside of a range."""
    allowed, texts = kind.allowed, []
    if allowed.least > float("-inf"):
        texts.append(f"{allowed.least if allowed.above else allowed.least - 1:g}")
    if LARGEST_WHOLE != allowed.most < float("inf"):
        texts.append(f"{int(allowed.most) + 1}" if kind.whole else f"{allowed.most * 1.001:g}")
    if allowed.below < float("inf"):
        texts.append(f"{int(allowed.below)}" if kind.whole else f"{allowed.below:g}")
    return texts


@pytest.mark.parametrize(
    ("words", "option", "kind"), NUMBERS, ids=[" ".join((*words, option)) for words, option, _ in NUMBERS]
)
def test_nonsense_is_refused_in_one_line(words, option, kind, capsys, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    bad = [*NONSENSE, *outside(kind), *(NO_WHOLE_NUMBERS if kind.whole else ())]
    for text in bad:
        assert cli.main([*words, f"{option}={text}"]) == 2, (option, text)
        captured = capsys.readouterr()
        assert captured.err.count("\n") == 1, captured.err
        assert option in captured.err
        assert captured.out == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "option", "kind"), NUMBERS, ids=[" ".join((*words, option)) for words, option, _ in NUMBERS]
)
def test_the_range_is_told_in_help(words, option, kind, capsys) -> None:
    with pytest.raises(SystemExit):
        cli.main([*words, "--help"])
    told = " ".join(capsys.readouterr().out.split()).replace("- ", "-")
    assert str(kind.allowed).replace("- ", "-") in told


@pytest.mark.parametrize(
    ("words", "option"), PATHS, ids=[" ".join((*words, option)) for words, option in PATHS]
)
def test_an_empty_word_is_no_path(words, option, capsys, tmp_path, monkeypatch) -> None:
    """As a shell makes of a variable that is not set; pathlib would take it for the current folder."""
    monkeypatch.chdir(tmp_path)
    assert cli.main([*words, f"{option}="]) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert f"argument {option}: an empty word is no path" in captured.err
    assert list(tmp_path.iterdir()) == []


def test_no_option_takes_a_bare_number() -> None:
    """An int or a float would be taken whatever it is."""
    for words, action in every_option():
        assert action.type not in (int, float) or action.choices, (words, action.option_strings)


@pytest.mark.parametrize(
    "words",
    [
        ["prepare", "a.igs.mha", "--out", "b", "--size", "99999x99999"],
        ["prepare", "a.igs.mha", "--out", "b", "--size", "0x120"],
        ["prepare", "a.igs.mha", "--out", "b", "--size", "160"],
        ["prepare", "a.igs.mha", "--out", "b", "--lag-s", "nan"],
        ["prepare", "a.igs.mha", "--out", "b", "--lag-s", "no_such_file.json"],
        ["calibrate", "pinhead", "--points", "p.csv", "--recording", "r", "--out", "c", "--mm-per-px", "0.1"],
        [
            "calibrate",
            "pinhead",
            "--points",
            "p.csv",
            "--recording",
            "r",
            "--out",
            "c",
            "--mm-per-px",
            "0.1,nan",
        ],
        ["train", "a", "--out", "b", "--generator-channels", "-32"],
        ["serve", "m", "--connect", "localhost:99999"],
        ["serve", "m", "--connect", "localhost:" + "9" * 5000],
        ["crossval", "a", "--out", ""],
    ],
)
def test_sizes_lags_and_lists_are_refused_in_one_line(words, capsys) -> None:
    assert cli.main(words) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "name", "value"),
    [
        (["phantom", "--out", "a", "--size", "320×240"], "size", (320, 240)),
        (["prepare", "a", "--out", "b", "--lag-s", "-0.03"], "lag_s", -0.03),
        (["prepare", "a", "--out", "b"], "size", (160, 120)),
        (["replay", "a", "--port", "0"], "port", 0),
        (["simulate", "m", "--poses", "p", "--out", "o", "--seed", "7"], "seed", 7),
    ],
)
def test_good_numbers_are_taken(words, name, value) -> None:
    assert getattr(cli._parser(words).parse_args(words), name) == value
