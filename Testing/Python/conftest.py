"""What every test may ask for."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]

# A shell starts background jobs with Ctrl-C ignored, and their children inherit that; the tests send it.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def repository() -> Path:
    """The folder of the whole project."""
    return REPOSITORY


@pytest.fixture(scope="session")
def plus_data() -> Path:
    """The folder of PLUS's public test recordings; the test skips where it is not there.

    The environment variable USGANSIM_TEST_DATA names it, otherwise `shared/data/plus` beside the repository.
    """
    folder = Path(os.environ.get("USGANSIM_TEST_DATA") or REPOSITORY.parent / "shared" / "data" / "plus")
    if not (folder / "SpinePhantomFreehand.igs.mha").is_file():
        pytest.skip(f"PLUS test recordings are not in {folder}; set USGANSIM_TEST_DATA to their folder")
    return folder


@pytest.fixture
def more_data(plus_data: Path) -> Path:
    """The folder `more` beside that of PLUS's recordings: other people's; the test skips where it is not there."""
    folder = plus_data.parent / "more"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there")
    return folder
