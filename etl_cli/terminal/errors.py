"""The error that the command reports as one message."""

from __future__ import annotations

from collections.abc import Sequence


class UserError(Exception):
    """An error that you can correct.

    Message and remedy, the next step, are one line each, even with texts from elsewhere. Further lines follow
    each of them, such as the last ones of a log, or commands.
    """

    def __init__(
        self, message: str, remedy: str = "", *, lines: Sequence[str] = (), remedy_lines: Sequence[str] = ()
    ) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.lines = tuple(lines)
        self.remedy_lines = tuple(remedy_lines)

    def __str__(self) -> str:
        """The message, and the remedy on a line of its own; further lines are indented."""
        parts = [self.message, *map(_indented, self.lines), self.remedy, *map(_indented, self.remedy_lines)]
        return "\n".join(part for part in parts if part)


def _indented(line: str) -> str:
    return f"  {line}"
