"""The error that is meant for a person."""

from __future__ import annotations

import pickle

from USGanSimLib.errors import UserError


def test_message_and_hint_are_one_line() -> None:
    assert (
        str(UserError("2 of 3 frames are missing.", "Copy the file again."))
        == "2 of 3 frames are missing. Copy the file again."
    )
    assert str(UserError("Nothing is there.")) == "Nothing is there."


def test_an_error_survives_the_way_from_a_child_process() -> None:
    error = pickle.loads(pickle.dumps(UserError("message", "hint")))
    assert (error.message, error.hint) == ("message", "hint")
