"""Results appear whole or not at all: write beside the target, then replace it in one step."""

from __future__ import annotations

import contextlib
import errno
import json
import math
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .errors import UserError


@contextlib.contextmanager
def replacing_file(path: Path) -> Iterator[Path]:
    """Yield a path beside `path` to write to; on success it becomes `path`, on any failure it is removed.

    Raises UserError where the folder is missing or the disk is full.
    """
    part = _partial_path(path)
    with _explained(path):
        try:
            yield part
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)


@contextlib.contextmanager
def replacing_files(folder: Path) -> Iterator[Path]:
    """Yield a new folder inside `folder` to write files to that belong together, under their own names; on success all
    of them move up into `folder`, on any failure none does.

    Raises UserError where `folder` is missing, the disk is full, or a folder has the name of one of the files.
    """
    part = _partial_path(folder.absolute() / "files")
    with _explained(folder):
        try:
            part.mkdir()
            yield part
            files = sorted(part.iterdir())
            for target in (folder / file.name for file in files):
                if target.is_dir():
                    raise UserError(
                        f"{target} is a folder; a file is to be written there.", "Choose another name."
                    )
            for file in files:
                file.replace(folder / file.name)
        finally:
            shutil.rmtree(part, ignore_errors=True)


@contextlib.contextmanager
def replacing_folder(path: Path, marker: str) -> Iterator[Path]:
    """Yield a new folder beside `path` to fill; on success it becomes `path`, on any failure it is removed.

    An existing `path` is replaced only when it is empty or holds the file `marker`, so that a wrong `--out` never
    deletes a folder that is not ours. Raises UserError otherwise.
    """
    if path.exists() and not path.is_dir():
        raise UserError(f"{path} is a file; a folder is to be written there.", "Choose another --out.")
    if path.is_dir() and any(path.iterdir()) and not (path / marker).is_file():
        raise UserError(
            f"{path} holds other files (no {marker} in it).", "Choose another --out, or an empty folder."
        )
    part = _partial_path(path)
    with _explained(path):
        try:
            part.mkdir()
            yield part
            _replace_folder(part, path)
        finally:
            shutil.rmtree(part, ignore_errors=True)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON to `path`, whole or not at all."""
    with replacing_file(path) as part:
        part.write_text(strict_json(value, indent=2) + "\n", encoding="utf-8")


def strict_json(value: Any, indent: int | None = None) -> str:
    """JSON that every reader takes: numbers that are none (NaN, infinity) are null."""
    return json.dumps(_finite(value), indent=indent, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    return [_finite(one) for one in value] if isinstance(value, list | tuple) else value


def disk_error(error: OSError, path: Path) -> UserError:
    """The sentence for an operating-system error while writing `path`."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return UserError(f"The disk is full: {path} could not be written.", "Free some space and run again.")
    return UserError(
        f"{path} could not be written: {error.strerror or error}.",
        "Check that its folder exists and can be written to.",
    )


def _partial_path(path: Path) -> Path:
    whole = path.absolute()  # The name of "." is empty.
    if not whole.name:
        raise UserError(f"{path} cannot be replaced.", "Choose another name to write to.")
    return whole.with_name(f".{whole.name}.{uuid.uuid4().hex[:8]}.part")


def _replace_folder(part: Path, path: Path) -> None:
    # A non-empty folder cannot be replaced in one step, so the old one moves aside first.
    if path.exists():
        old = _partial_path(path)
        path.replace(old)
        part.replace(path)
        shutil.rmtree(old, ignore_errors=True)
    else:
        part.replace(path)


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise disk_error(error, path) from error
