"""The one module that prints: text and tables for people, JSON for programs, errors as one message.

All text is printable when it reaches a terminal. It is no markup, and has no line break, control character or link of
its own. `Text` and strings are made printable before their width is measured. `Terminal` checks each text again when it
renders it, and each segment when it writes it. Other modules may not use Rich's Text and Console, print(), typer.echo()
or the standard streams (ruff, in pyproject.toml).
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from itertools import islice
from typing import Any, Self, TextIO

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.status import Status
from rich.style import StyleType
from rich.text import Span as StyledSpan
from rich.text import Text as RichText

from etl_cli.terminal.errors import UserError
from etl_cli.terminal.output import Output
from etl_cli.terminal.printable import MOST, printable, visible_lines


class Text(RichText):
    """A printable line of text from anywhere, with styles of this command's own."""

    def __init__(self, text: str = "", style: StyleType = "", **layout: Any) -> None:
        """Make a line; ``layout`` is Rich's: ``justify``, ``overflow``, ``no_wrap``, ``end``."""
        super().__init__(printable(text), style, **layout)

    def append(self, text: RichText | str, style: StyleType | None = None) -> Self:
        """Add text from anywhere."""
        super().append(printable(text) if isinstance(text, str) else text, style)
        return self

    @classmethod
    def assemble(cls, *parts: str | RichText | tuple[str, StyleType], **layout: Any) -> Self:
        """Make a line of several parts: texts, or texts with their styles."""
        line = cls(**layout)
        for part in parts:
            line.append(*part) if isinstance(part, tuple) else line.append(part)
        return line


class Terminal(Console):
    """A terminal, a file or a pipe. Text that it prints can't control it."""

    def __init__(self, *, styled: bool = True, **options: Any) -> None:
        """Make a terminal with Rich's options; even if ``styled``, colours need a terminal, and no NO_COLOR."""
        super().__init__(color_system="auto" if styled else None, markup=False, emoji=False, highlight=False, **options)

    @property
    def lives(self) -> bool:
        """Whether the output can move: never in a file or a pipe, not even with FORCE_COLOR."""
        return self.is_terminal and not self.is_dumb_terminal and (self._force_terminal is True or self.file.isatty())

    def render_str(self, text: str, **options: Any) -> Text:
        """Make a line of a string, also in a cell or a title; it is never markup."""
        layout = {name: options.get(name) for name in ("justify", "overflow")}
        return Text(text, options.get("style", ""), **layout)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render anything, with all of its parts printable."""
        return super().render(_line(renderable) if isinstance(renderable, RichText) else renderable, options)

    def print(self, *objects: Any, **options: Any) -> None:
        """Print; the terminal breaks a line that is too long, and nothing is cut off."""
        super().print(*objects, **({"crop": False} | options))

    def status(self, status: RenderableType, **options: Any) -> Status:
        """Show a line about the work in progress."""
        return _Status(self.render_str(status) if isinstance(status, str) else status, console=self, **options)

    def _render_buffer(self, buffer: Iterable[Segment]) -> str:
        return super()._render_buffer(map(_safe, buffer))


class _Status(Status):
    """A status whose strings are text, not markup."""

    def update(self, status: RenderableType | None = None, **options: Any) -> None:
        super().update(Text(status) if isinstance(status, str) else status, **options)


def _line(text: RichText) -> RichText:
    """The same text, printable, with its styles in place."""
    plain = text.plain
    if len(plain) <= MOST and printable(plain) == plain:
        return text
    line = text.blank_copy()
    for part in text.divide({at for span in text.spans for at in (span.start, span.end)}):
        shown = printable(part.plain)
        styles = [StyledSpan(0, len(shown), span.style) for span in part.spans]
        line.append_text(RichText(shown, spans=styles))
    return line


def _safe(segment: Segment) -> Segment:
    """A segment without hidden characters and links; Rich's own cursor movements stay."""
    text, style, control = segment
    if control:
        return segment
    return Segment(visible_lines(text), style.update_link(None) if style and style.link else style)


out = Terminal(soft_wrap=True)
err = Terminal(soft_wrap=True, stderr=True)


# Parts of a JSON document, mostly a few characters each, that are written at once.
_PARTS = 10_000


class Lazy:
    """A part of a document that is made when it is printed. An item takes a hundred times its bytes in memory."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self.make = make


def print_json(value: Any, *, indent: int | None = 2) -> None:
    """Print a value as JSON and nothing else; in a single line if ``indent`` is None.

    All but printable ASCII is escaped: the output is exact, and no terminal obeys it.
    """
    waiting = ""
    parts = json.JSONEncoder(indent=indent, allow_nan=False, default=_made).iterencode(value)
    while some := "".join(islice(parts, _PARTS)):
        *lines, waiting = f"{waiting}{some}".rsplit("\n", 1)  # the output strips blanks at the ends of lines
        sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.write(f"{waiting}\n")


def _made(value: Any) -> Any:
    if isinstance(value, Lazy):
        return value.make()
    raise TypeError(f"JSON has no {type(value).__name__}")


def print_page(page: str) -> None:
    """Print a page of HTML and nothing else, always in UTF-8."""
    content = visible_lines(page).encode()
    if isinstance(sys.stdout, Output):
        sys.stdout.write_bytes(content)
    else:
        sys.stdout.buffer.write(content)


def print_table(rows: Mapping[str, object], *, indent: int = 2) -> None:
    """Print names and values in two columns, without the values that are None."""
    shown = {name: str(value) for name, value in rows.items() if value is not None}
    width = max(map(len, shown), default=0)
    for name, value in shown.items():
        out.print(Text.assemble(" " * indent, (name.ljust(width), "dim"), "  ", value))


def print_error(error: UserError) -> None:
    """Print an error and its remedy on the error output."""
    err.print(Text.assemble(("error: ", "bold red"), error.message))
    for line in error.lines:
        err.print(f"  {line}")
    if error.remedy:
        err.print(error.remedy)
    for line in error.remedy_lines:
        err.print(f"  {line}")


@contextmanager
def printing_to_stderr() -> Iterator[None]:
    """Send the output of foreign code to the error output, printable."""
    aside = _ToStderr(sys.stderr)
    with redirect_stdout(aside), redirect_stderr(aside):
        yield


class _ToStderr(io.TextIOBase):
    """Passes text on to another output."""

    def __init__(self, output: TextIO) -> None:
        # A running spinner puts a proxy before the output. Its console finds the output by this name. Without the proxy
        # there is no lock that a child process could inherit.
        self.rich_proxied_file = self._output = getattr(output, "rich_proxied_file", output)

    def write(self, text: str) -> int:
        self._output.write(visible_lines(text))
        return len(text)

    def flush(self) -> None:
        self._output.flush()
