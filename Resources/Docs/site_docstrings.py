"""Docstrings as Markdown, an extension of Griffe: columns set with spaces and what is indented stay as they stand."""

from __future__ import annotations

import re
import textwrap
from typing import Any

from griffe import Extension, Object

_COLUMNS = re.compile(r"^( {2,}\S|\S.*? {2,}\S)")


class Columns(Extension):
    """Fences the paragraphs of a docstring that are tables or examples."""

    def on_object(self, *, obj: Object, **kwargs: Any) -> None:
        if obj.docstring:
            obj.docstring.value = as_markdown(obj.docstring.value)


def as_markdown(text: str) -> str:
    """A docstring whose paragraphs with columns are code blocks; lists and prose stay."""
    parts = []
    for paragraph in text.split("\n\n"):
        lines = paragraph.split("\n")
        is_list = any(re.match(r"\s*([-*]|\d+\.) ", line) for line in lines)
        if not is_list and any(_COLUMNS.match(line) for line in lines):
            paragraph = f"```text\n{textwrap.dedent(paragraph)}\n```"
        parts.append(paragraph)
    return "\n\n".join(parts)
