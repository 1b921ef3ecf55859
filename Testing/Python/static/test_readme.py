"""The README's examples are commands that exist, with options that exist."""

from __future__ import annotations

import re
import shlex

import pytest

from USGanSimLib import cli


@pytest.fixture(scope="module")
def examples(repository):
    """Every `usgansim …` of the README, as words."""
    text = (repository / "README.md").read_text(encoding="utf-8")
    lines = re.findall(
        r"^(?:\.venv\\Scripts\\)?usgansim ([a-z].*)$|`usgansim ([a-z][^`]*)`", text, re.MULTILINE
    )
    return [shlex.split(first or second) for first, second in lines]


def test_every_command_has_an_example(examples):
    assert {words[0] for words in examples} == set(cli.COMMANDS)


def test_every_example_is_understood(examples):
    for words in examples:
        arguments = cli._parser(words).parse_args(words)
        assert arguments.command == words[0]


def test_every_file_that_the_readme_points_to_is_there(repository):
    text = (repository / "README.md").read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (repository / target).exists(), target
