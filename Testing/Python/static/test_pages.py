"""What the pages say is there: links and anchors, files, functions, commands with their options, make targets.

Pages are all Markdown files of the repository. Paths in backticks count from the repository's root, from the library's,
or from the page's own folder; a bare file name is one of any file.
"""

from __future__ import annotations

import argparse
import importlib
import json
import pkgutil
import re
import shlex
import tokenize
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from USGanSimLib import cli
from USGanSimLib.geometry.field_of_view import FieldOfView
from USGanSimLib.model.recipes import RECIPES
from USGanSimLib.recording import dataset

FOLDERS = (".", "Resources", "Resources/Docs", "USGanSim/Resources/Models")
LIBRARY = Path("USGanSim") / "USGanSimLib"
# Made by a command, a panel's folder in either module, and files of other projects.
NOT_OURS = (
    *("build/docs", "Resources/UI"),
    *("scripts/extension_ai_analysis.py", "header.md", "transform.md"),
)
# Words with something to be put in.
PLACEHOLDER = re.compile(r"NAME|FILE|…|[*<>{}$=]")
# Of another project, with its name before it.
FOREIGN = re.compile(r"(?:PlusLib|OpenIGTLink[^,]*), [\w./-]+\.md")


def pages_of(repository: Path) -> dict[str, str]:
    """Page → its text."""
    files = [file for folder in FOLDERS for file in sorted((repository / folder).glob("*.md"))]
    return {file.relative_to(repository).as_posix(): file.read_text(encoding="utf-8") for file in files}


@pytest.fixture(scope="module")
def pages(repository) -> dict[str, str]:
    found = pages_of(repository)
    assert {"README.md", "CONTRIBUTING.md", "SECURITY.md", "Resources/Docs/slicer.md"} <= set(found)
    return found


def prose(text: str) -> str:
    return re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)


def code(text: str) -> list[str]:
    """What stands in backticks, and the lines of blocks of code."""
    blocks = re.findall(r"^```[^\n]*\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    lines = [line.strip() for block in blocks for line in block.splitlines()]
    return [*re.findall(r"`([^`\n]+)`", prose(text)), *lines]


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub and MkDocs make them."""
    headings = re.findall(r"^#+ +(.+?) *$", prose(text), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def bad_links(repository: Path, page: str, text: str) -> Iterator[str]:
    for target, anchor in re.findall(r"\]\(([^)#\s]*)(?:#([^)\s]*))?\)", prose(text)):
        if re.match(r"[a-z]+:", target):
            continue
        file = (repository / page).parent / target if target else repository / page
        if not file.exists():
            yield target
        elif anchor and anchor not in anchors(file.read_text(encoding="utf-8")):
            yield f"{target}#{anchor}"


def examples(text: str) -> list[list[str]]:
    """Every `usgansim COMMAND …` and `python -m USGanSimLib COMMAND …`, as the command's words."""
    found = [re.search(r"(?:usgansim|-m USGanSimLib) ([a-z].*)", line) for line in code(text)]
    return [shlex.split(match[1]) for match in found if match]


def bad_examples(repository: Path, page: str, text: str) -> Iterator[str]:
    for words in examples(text):
        try:
            cli._parser(words).parse_args(words)
        except cli._NotUnderstood as refusal:
            yield str(refusal)


def options_of(parser: argparse.ArgumentParser) -> set[str]:
    subs = [action.choices for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    return set(parser._option_string_actions).union(
        *(options_of(sub) for choices in subs for sub in choices.values())
    )


def options_by_command() -> dict[str, set[str]]:
    return {
        command: options_of(cli._parser([command])._subparsers._group_actions[0].choices[command])
        for command in cli.COMMANDS
    }


def bad_options(repository: Path, page: str, text: str) -> Iterator[str]:
    """`prepare --exclusion-mm 2` names an option of that command, `--exclusion-mm` one of any."""
    own = options_by_command()
    for words in (line.removeprefix("usgansim ").split() for line in code(text)):
        known = own.get(words[0]) if words else None
        if words and words[0].startswith("--"):
            known = set().union(*own.values())
        if known is not None:
            yield from (f"{words[0]} {word}" for word in words if word.startswith("--") and word not in known)


def bad_targets(repository: Path, page: str, text: str) -> Iterator[str]:
    makefile = (repository / "Makefile").read_text(encoding="utf-8")
    for line in code(text):
        if match := re.match(r"make ([a-z]+)((?: [A-Z]+=\S*)*)", line):
            if not re.search(rf"^{match[1]}:", makefile, re.MULTILINE):
                yield f"make {match[1]}"
            variables = re.findall(r"([A-Z]+)=", match[2])
            yield from (f"{name}=" for name in variables if f"$({name})" not in makefile)


def is_there(repository: Path, page: str, path: str) -> bool:
    above = (repository / page).parents
    roots = (repository, repository / LIBRARY, *above[: above.index(repository)])
    folders = ("USGanSim", "USGanTraining", "Testing", "Resources")
    return any((root / path).exists() for root in roots) or (
        "/" not in path and any(any((repository / folder).rglob(path)) for folder in folders)
    )


def bad_paths(repository: Path, page: str, text: str) -> Iterator[str]:
    """Python and Markdown files, and all that would lie in one of our folders."""
    words = {word.strip(".,:;()") for line in code(text) for word in line.split()}
    shapes = r"[\w./-]+\.(?:py|md|ui|svg)|(?:USGanSim|USGanTraining|Testing|Resources|\.ci)/[\w./-]*"
    for path in sorted(word for word in words if re.fullmatch(shapes, word)):
        if not (PLACEHOLDER.search(path) or path in NOT_OURS or is_there(repository, page, path)):
            yield path


def bad_names(repository: Path, page: str, text: str) -> Iterator[str]:
    """`ml/renderer.py` `ModelRenderer.load`: the file has that name."""
    for path, names in re.findall(r"`([\w/]+\.py)`((?:,? `[A-Za-z_.]+`)+)", prose(text)):
        files = [root / path for root in (repository, repository / LIBRARY) if (root / path).is_file()]
        source = files[0].read_text(encoding="utf-8") if files else ""
        for name in (name for name in re.findall(r"`([\w.]+)`", names) if not name.endswith(".py")):
            last = name.rpartition(".")[2]
            if not re.search(rf"^\s*(?:(?:def|class) {last}\b|{last}\b.* = )", source, re.MULTILINE):
                yield f"{path} {name}"


@pytest.fixture
def lag_file(tmp_path, monkeypatch):
    """The one file that an example's options read while they are parsed."""
    (tmp_path / "lag.json").write_text('{"lag_s": 0.02}', encoding="utf-8")
    monkeypatch.chdir(tmp_path)


CHECKS = (bad_links, bad_examples, bad_options, bad_targets, bad_paths, bad_names)


@pytest.mark.usefixtures("lag_file")
@pytest.mark.parametrize("check", CHECKS)
def test_what_the_pages_point_to_is_there(repository, pages, check):
    assert [f"{page}: {bad}" for page, text in pages.items() for bad in check(repository, page, text)] == []


PLANTED = """
# A page
[gone](nowhere.md), [no such heading](README.md#no-such-heading), [fine](README.md#measured), [here](#a-page)
`usgansim info --colour red`, `prepare --colour 2`, `--no-such-option`, `make coffee`, `make test COLOUR=1`
`Testing/Python/no_such_folder`, `geometry/no_such_file.py`, `geometry/transforms.py` `no_such_function`
```
usgansim phantom --frames many --out p.igs.mha
```
"""


def test_every_planted_fault_is_found_and_nothing_else(repository):
    text = PLANTED.replace("#measured", "#commands")
    found = {
        check.__name__: list(check(repository, "page.md", text.replace("#a-page", ""))) for check in CHECKS
    }
    assert found["bad_links"] == ["nowhere.md", "README.md#no-such-heading", ""]
    unknown, no_number = found["bad_examples"]
    assert "--colour" in unknown
    assert "--frames" in no_number
    assert found["bad_options"] == ["info --colour", "prepare --colour", "--no-such-option --no-such-option"]
    assert found["bad_targets"] == ["make coffee", "COLOUR="]
    assert found["bad_paths"] == ["Testing/Python/no_such_folder", "geometry/no_such_file.py"]
    assert found["bad_names"] == ["geometry/transforms.py no_such_function"]


def test_every_command_has_an_example_in_the_readme_or_in_its_own_docstring(pages):
    in_readme = {words[0] for words in examples(pages["README.md"])}
    for name in set(cli.COMMANDS) - in_readme:
        module = importlib.import_module(f"USGanSimLib.commands.{name.replace('-', '_')}")
        own = examples(module.__doc__ or "")
        assert any(words[0] == name for words in own), name
        assert not list(bad_examples(Path(), name, module.__doc__ or ""))
    assert in_readme <= set(cli.COMMANDS)


def test_the_routes_through_the_code_name_their_functions(pages):
    assert len(re.findall(r"`[\w/]+\.py` `[A-Za-z_.]+`", pages["CONTRIBUTING.md"])) >= 8


def test_citations_in_code_resolve(repository):
    """`Resources/Docs/method.md`, `losses.py`: wherever a comment or docstring sends the reader."""
    bad = []
    for folder in ("USGanSim", "USGanTraining", "Testing", "Resources"):
        for file in sorted({*(repository / folder).rglob("*.py")} - {Path(__file__)}):
            place = file.relative_to(repository).as_posix()
            with file.open("rb") as stream:
                tokens = [token.string for token in tokenize.tokenize(stream.readline)]
            words = "\n".join(text for text in tokens if text.startswith(("#", '"""')))
            for path in re.findall(r"(?<![\w./*<-])[\w./-]+\.(?:py|md)\b", FOREIGN.sub("", words)):
                if not (PLACEHOLDER.search(path) or path in NOT_OURS or is_there(repository, place, path)):
                    bad.append(f"{place}: {path}")
    assert bad == []


def test_the_readme_is_short_and_leads_to_every_page(repository, pages):
    assert len(pages["README.md"].splitlines()) <= 170
    contents = (repository / "mkdocs.yml").read_text(encoding="utf-8")
    for page in (file.name for file in (repository / "Resources" / "Docs").glob("*.md")):
        assert page == "index.md" or f"(Resources/Docs/{page}" in pages["README.md"], page
        assert f": {page}\n" in contents, page


def test_every_section_of_a_panel_is_in_the_guide(repository, pages):
    guide = pages["Resources/Docs/slicer.md"]
    named = {*re.findall(r"\*[^*\n]+\*", guide), *re.findall(r"^### .+", guide, re.MULTILINE)}
    titles = [
        widget.findtext("property[@name='text']/string")
        for file in sorted(repository.glob("USGan*/Resources/UI/*.ui"))
        for widget in ElementTree.parse(file).iter("widget")
        if widget.get("class") == "ctkCollapsibleButton"
    ]
    assert len(titles) > 15
    assert [title for title in titles if not {f"*{title}*", f"### {title}"} & named] == []


def test_every_recipe_is_explained(pages):
    for page in ("Resources/Docs/command-line.md", "Resources/Docs/method.md"):
        assert [name for name in RECIPES if f"`{name}`" not in pages[page]] == [], page


def test_every_number_of_a_report_is_explained(pages):
    """Tables are the classes with a title and columns in measures/ and observer/, and those of the classifiers, whose
    columns are made for the observers that there are."""
    from USGanSimLib.evaluation import measures, observer
    from USGanSimLib.evaluation.observer.realness import control
    from USGanSimLib.evaluation.study.sensitivity import Sensitivity

    members = [
        member
        for room in (measures, observer)
        for module in pkgutil.iter_modules(room.__path__, f"{room.__name__}.")
        for member in vars(importlib.import_module(module.name)).values()
    ]
    tables = {member for member in members if isinstance(getattr(member, "columns", None), tuple)}
    assert len(tables) >= 10
    page = pages["Resources/Docs/evaluation.md"]
    words = [(table.title, *(f"`{column.key}`" for column in table.columns)) for table in tables]
    titles = [control.RealnessControl.title, control.EachObserver.title, Sensitivity.title]
    image = SimpleNamespace(field=FieldOfView.whole((40, 30)))
    keys = [control.accuracy_column(sigma_mm).key for sigma_mm in control.SIGMAS_MM]
    keys += [control.accuracy_column(0, each.key).key for each in control.all_observers(image)]
    words.append((*titles, *(f"`{key}`" for key in keys)))
    assert [word for of_table in words for word in of_table if word not in page] == []


def test_every_key_of_a_model_and_every_column_of_a_training_set_is_in_the_contracts(repository, pages):
    page = pages["Resources/Docs/contracts.md"]
    with (repository / "USGanSim/Resources/Models/virtual_phantom.safetensors").open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    keys = json.loads(header["__metadata__"]["usgansim"])
    assert len(keys) > 15
    assert [key for key in keys if f"`{key}`" not in page] == []
    columns = re.findall(r"^(\w+\.npy) ", dataset.__doc__, re.MULTILINE)
    assert len(columns) == 9
    assert [name for name in columns if f"`{name}`" not in page] == []
