"""What the site has beside the pages of this folder, made while `make docs` builds it (hooks of MkDocs).

- the screenshots, and CONTRIBUTING.md and SECURITY.md, from their places in the repository
- a page with the options of every command, from its parser
- an API page for every room of the library, from the docstrings

Links in pages are those of the repository; what the site has is linked there, the rest on the repository's web page.
"""

from __future__ import annotations

import argparse
import os
import posixpath
import re
import sys
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

REPOSITORY = Path(__file__).resolve().parents[2]
# For this file's imports alone: MkDocs takes it back.
sys.path.insert(0, str(REPOSITORY / "USGanSim"))

from draw_rooms import PICTURE, draw  # noqa: E402

from USGanSimLib import cli  # noqa: E402

LIBRARY = "USGanSimLib"
DOCS, SCREENSHOTS = "Resources/Docs", "Resources/Screenshots"
# Pages that stand elsewhere in the repository: their name in the site.
ELSEWHERE = {"CONTRIBUTING.md": "contributing.md", "SECURITY.md": "security.md"}
OPTIONS = "options.md"
_LINK = re.compile(r"(\]\()([^)#\s:]+)(#[^)\s]*)?(\))")


def on_config(config: Any) -> Any:
    """The rest of the table of contents."""
    config.nav += [
        {"Options of every command": OPTIONS},
        {"Contributing": ELSEWHERE["CONTRIBUTING.md"]},
        {"Security": ELSEWHERE["SECURITY.md"]},
        {"API reference": [{title: name} for title, (name, _) in _api_pages().items()]},
    ]
    return config


def on_pre_build(config: Any) -> None:
    """The picture of the rooms as the imports are now."""
    if PICTURE.read_text(encoding="utf-8") != (now := draw()):
        PICTURE.write_text(now, encoding="utf-8")


def on_files(files: Files, config: Any) -> Files:
    """What does not lie in this folder."""
    for picture in sorted((REPOSITORY / SCREENSHOTS).glob("*.png")):
        name = f"Screenshots/{picture.name}"
        files.append(File.generated(config, name, abs_src_path=str(picture)))
    for source, name in ELSEWHERE.items():
        files.append(File.generated(config, name, content=(REPOSITORY / source).read_text(encoding="utf-8")))
    files.append(File.generated(config, OPTIONS, content=_options_page()))
    for name, content in _api_pages().values():
        files.append(File.generated(config, name, content=content))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Links of the repository as links of the site."""
    stood = {name: source for source, name in ELSEWHERE.items()}
    place = stood.get(page.file.src_uri, f"{DOCS}/{page.file.src_uri}")

    def linked(match: re.Match[str]) -> str:
        opening, target, anchor, closing = match.groups(default="")
        return opening + _in_site(place, target, str(config.repo_url)) + anchor + closing

    return _LINK.sub(linked, markdown)


def _in_site(place: str, target: str, repository: str) -> str:
    """Where a link of the page that stands at `place` leads; both places in the repository."""
    path = posixpath.normpath(posixpath.join(posixpath.dirname(place), target))
    if path in ELSEWHERE:
        return ELSEWHERE[path]
    for folder, name in ((DOCS, ""), (SCREENSHOTS, "Screenshots/")):
        if path.startswith(f"{folder}/"):
            return name + path.removeprefix(f"{folder}/")
    return f"{repository}/blob/main/{path}"


def _api_pages() -> dict[str, tuple[str, str]]:
    """Title → file name and Markdown, a page for every room."""
    library = REPOSITORY / "USGanSim" / LIBRARY
    pages = {}
    for folder in sorted({file.parent for file in library.rglob("*.py")}):
        parts = folder.relative_to(library).parts
        room = "/".join(parts) or "the root"
        modules = [file for file in sorted(folder.glob("*.py")) if file.stem not in ("__init__", "__main__")]
        dotted = ".".join((LIBRARY, *parts))
        content = [f"# {room}", f"::: {dotted}\n    options: {{members: [], show_root_heading: false}}"]
        for module in modules:
            content += [
                f"## `{module.name}`",
                f"::: {dotted}.{module.stem}\n    options: {{show_root_heading: false}}",
            ]
        pages[room] = (f"api/{'-'.join(parts) or 'root'}.md", "\n\n".join(content) + "\n")
    return pages


def _options_page() -> str:
    """`--help` of every command."""
    os.environ["COLUMNS"] = "110"
    parts = ["# Options of every command", "What `usgansim COMMAND --help` prints."]
    for command in cli.COMMANDS:
        for words, parser in _parsers(cli._parser([command]), [command]):
            parts += [f"## `{' '.join(words)}`", f"```text\n{parser.format_help()}```"]
    return "\n\n".join(parts) + "\n"


def _parsers(
    parser: argparse.ArgumentParser, words: list[str]
) -> list[tuple[list[str], argparse.ArgumentParser]]:
    """The parser of a command, or those of its sub-commands where it has some."""
    found = _choices(parser)[words[0]]
    subs = _choices(found)
    return [([*words, name], sub) for name, sub in subs.items()] if subs else [(words, found)]


def _choices(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    return next(
        (
            dict(action.choices)
            for action in parser._actions
            if isinstance(action, argparse._SubParsersAction)
        ),
        {},
    )
