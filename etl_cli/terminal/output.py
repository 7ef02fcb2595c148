"""The standard streams. If the output can't be written, the command ends with an exit code of its own.

Python alone would print a traceback, end with 1, or notice only after the command and exit with 120. A verb's own codes
have meanings (`etl plan` ends with 1 if a run doesn't fit), so none of them may stand for a full disk.
"""

from __future__ import annotations

import codecs
import errno
import io
import os
import re
import sys
from collections.abc import Mapping
from typing import Any, TextIO, TypeVar

from rich.cells import cell_len

from etl_cli.terminal.exit_codes import EXIT_READER_GONE, EXIT_UNWRITABLE

# Replacements for signs of this command and of the help's boxes, each as wide, for encodings without them.
_PLAIN: Mapping[int, str] = {
    **dict.fromkeys(range(0x2500, 0x2580), "+"),
    **{ord(sign): plain for sign, plain in zip("✔✘→←…·", "vx><~-", strict=True)},
    **dict.fromkeys(map(ord, "─╌┄┈━═╴╶"), "-"),
    **dict.fromkeys(map(ord, "│┆┊║╎╷╵"), "|"),
    **dict.fromkeys(range(0x2800, 0x2900), "*"),  # a spinner's dots
}
_TRAILING_BLANKS = re.compile(r"[ \t]+(?=\n)")
_STYLES = re.compile(r"\x1b\[[0-9;]*m")
_ERRORS = "etl.plain"
_Stream = TypeVar("_Stream", bound=io.TextIOWrapper)


class OutputError(SystemExit):
    """The output can't be written any more: the command ends as after an interrupt, and tidies up."""


class Output(io.TextIOWrapper):
    """Standard output. A character that its encoding lacks is replaced by one as wide."""

    failed: OutputError | None = None

    def write(self, text: str) -> int:
        """Write a text."""
        try:
            return super().write(text if self.isatty() else _piped(text))
        except OSError as error:
            self.give_up(error)
        return len(text)

    def write_bytes(self, content: bytes) -> None:
        """Write bytes as they are."""
        try:
            self.buffer.write(content)
        except OSError as error:
            self.give_up(error)

    def flush(self) -> None:
        """Write the buffer."""
        if self.closed:
            return
        try:
            super().flush()
        except OSError as error:
            self.give_up(error)

    def give_up(self, error: OSError) -> None:
        """Report the error, unless a reader just stopped reading, as `head` does; later output is lost."""
        _lose(self.fileno())
        if error.errno == errno.EPIPE:
            self.failed = OutputError(EXIT_READER_GONE)
        else:
            self.failed = OutputError(EXIT_UNWRITABLE)
            print(f"error: The output can't be written: {error.strerror}.", file=sys.stderr)
        raise self.failed from None


class ErrorOutput(Output):
    """Standard error. Text that it can't take is lost, since there is no other place for it."""

    def give_up(self, _error: OSError) -> None:
        """Lose this text and all later ones."""
        _lose(self.fileno())


def open_streams() -> None:
    """Replace the standard streams of this process, and open those that the caller has closed."""
    codecs.register_error(_ERRORS, _in_plain_characters)
    for descriptor, access in enumerate((os.O_RDONLY, os.O_RDONLY, os.O_WRONLY)):
        _open_if_closed(descriptor, access)
    sys.stdin = sys.stdin or open(0, encoding="utf-8")  # noqa: SIM115 - it is the process's
    sys.stdout = _replaced(Output, sys.stdout, 1)
    sys.stderr = _replaced(ErrorOutput, sys.stderr, 2)


def close_streams() -> None:
    """Write the buffers while an error can still be reported.

    Raises:
        OutputError: the output can't be written, or couldn't before.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    if isinstance(sys.stdout, Output) and sys.stdout.failed:
        raise sys.stdout.failed


def _piped(text: str) -> str:
    """A text without blanks at the ends of lines, and without styles unless FORCE_COLOR is set.

    Typer's help has styles wherever it detects a continuous integration.
    """
    return _TRAILING_BLANKS.sub("", text if os.environ.get("FORCE_COLOR") else _STYLES.sub("", text))


def _open_if_closed(descriptor: int, access: int) -> None:
    """Keep the numbers of the standard streams from other files; writing to a closed output fails."""
    try:
        os.fstat(descriptor)
    except OSError:
        opened = os.open(os.devnull, access)  # gets the lowest number that is free
        os.dup2(opened, descriptor)
        os.set_inheritable(descriptor, True)


def _replaced(kind: type[_Stream], stream: TextIO | None, descriptor: int) -> _Stream:
    if not isinstance(stream, io.TextIOWrapper):
        return kind(open(descriptor, "wb", closefd=False), errors=_ERRORS)
    layout: dict[str, Any] = {
        "encoding": stream.encoding,
        "line_buffering": stream.line_buffering,
        "write_through": stream.write_through,
    }
    return kind(stream.detach(), errors=_ERRORS, **layout)


def _lose(descriptor: int) -> None:
    """Discard all later output, including Python's own at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


def _in_plain_characters(error: UnicodeError) -> tuple[str, int]:
    """Replace the characters that an encoding lacks; see `codecs.register_error`."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(map(_plain, lacking)), error.end


def _plain(char: str) -> str:
    return _PLAIN.get(ord(char)) or "?" * cell_len(char)
