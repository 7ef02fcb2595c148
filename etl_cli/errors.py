"""The error that the command reports as one message."""

from __future__ import annotations


class UserError(Exception):
    """Something that the person at the keyboard can put right.

    Attributes:
        message: what is wrong, and where.
        remedy: what to do next; may be empty.
    """

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        """The message, and the remedy on a line of its own."""
        return f"{self.message}\n{self.remedy}" if self.remedy else self.message
