"""The one error that is meant for a person: what is wrong, with the number, and what to do about it."""

from __future__ import annotations


class UserError(Exception):
    """Bad input, told in one line.

    `message` says what is wrong with the number that shows it; `hint` says what to do. The command line prints both
    and exits 2; a panel shows the message with the hint beneath it.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()
