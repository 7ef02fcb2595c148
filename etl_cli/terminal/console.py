"""The one place that prints: text and tables for people, JSON for programs, errors as one message.

Whatever reaches a terminal is printable, whichever way it came. No text is markup, none has a line break, a control
character or a link of its own. `Text` and strings are made so before their width is measured; `Terminal` looks at
each text once more when it renders it, and at each segment when it writes it. Elsewhere rich's own Text and Console,
print(), typer.echo() and the standard streams are forbidden (ruff, in pyproject.toml).
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from itertools import islice
from typing import IO, Any, Self, TextIO

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
    """A line of text, with styles of this command's own; whatever it is made of becomes printable."""

    def __init__(self, text: str = "", style: StyleType = "", **layout: Any) -> None:
        """Make a line.

        Args:
            text: from anywhere.
            style: of the whole line.
            layout: rich's: ``justify``, ``overflow``, ``no_wrap``, ``end``.
        """
        super().__init__(printable(text), style, **layout)

    def append(self, text: RichText | str, style: StyleType | None = None) -> Self:
        """Add text, from anywhere as well."""
        super().append(printable(text) if isinstance(text, str) else text, style)
        return self

    @classmethod
    def assemble(cls, *parts: str | RichText | tuple[str, StyleType], **layout: Any) -> Self:
        """A line of several parts, each a text or a text with its style."""
        line = cls(**layout)
        for part in parts:
            line.append(*part) if isinstance(part, tuple) else line.append(part)
        return line


class Terminal(Console):
    """A terminal, a file or a pipe. It prints text, and obeys none."""

    def __init__(
        self,
        *,
        stderr: bool = False,
        soft_wrap: bool = False,
        file: IO[str] | None = None,
        width: int | None = None,
        force_terminal: bool | None = None,
        styled: bool = True,
    ) -> None:
        """Find out where it prints to.

        Args:
            stderr: the error output instead of the output.
            soft_wrap: leave long lines to the terminal, which breaks them.
            file: another place to print to.
            width: in columns; that of the terminal if left out.
            force_terminal: whether it is one, whatever it looks like.
            styled: whether it has colours, where it can.
        """
        # Neither colours nor control sequences are printed where the output is no terminal, or NO_COLOR is set.
        super().__init__(
            stderr=stderr,
            soft_wrap=soft_wrap,
            file=file,
            width=width,
            force_terminal=force_terminal,
            color_system="auto" if styled else None,
            markup=False,
            emoji=False,
            highlight=False,
        )

    @property
    def lives(self) -> bool:
        """Whether what it shows can move, which it can't in a file or a pipe, whatever FORCE_COLOR says."""
        return self.is_terminal and not self.is_dumb_terminal and (self._force_terminal is True or self.file.isatty())

    def render_str(self, text: str, **options: Any) -> Text:
        """A string as a line, also in a cell or a title; it is never markup."""
        layout = {name: options.get(name) for name in ("justify", "overflow")}
        return Text(text, options.get("style", ""), **layout)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Segments of anything that can be shown, and of whatever is in it."""
        return super().render(_line(renderable) if isinstance(renderable, RichText) else renderable, options)

    def print(self, *objects: Any, **options: Any) -> None:
        """Print; a line that is longer than the terminal is wide is broken there, and not cut off."""
        super().print(*objects, **({"crop": False} | options))

    def status(self, status: RenderableType, **options: Any) -> Status:
        """A line that says what is being done."""
        return _Status(self.render_str(status) if isinstance(status, str) else status, console=self, **options)

    def _render_buffer(self, buffer: Iterable[Segment]) -> str:
        return super()._render_buffer(map(_safe, buffer))


class _Status(Status):
    """Takes a string as text, and not as markup."""

    def update(self, status: RenderableType | None = None, **options: Any) -> None:
        super().update(Text(status) if isinstance(status, str) else status, **options)


def _line(text: RichText) -> RichText:
    """The same text, printable; its styles stay where they were."""
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
    """A segment without hidden characters and without a link; rich's own cursor movements stay."""
    text, style, control = segment
    if control:
        return segment
    return Segment(visible_lines(text), style.update_link(None) if style and style.link else style)


out = Terminal(soft_wrap=True)
err = Terminal(soft_wrap=True, stderr=True)


# Parts of a JSON document, most of them a few characters, that are written at once.
_PARTS = 10_000


class Later:
    """A part of a document that is made when it is printed, and then let go: an item takes a hundred times its bytes.

    Args:
        make: makes it.
    """

    def __init__(self, make: Callable[[], Any]) -> None:
        self.make = make


def print_json(value: Any, *, indent: int | None = 2) -> None:
    """Print a value as JSON, with nothing else; in a single line if ``indent`` is None.

    All but printable ASCII is escaped, so that it is exact, and has nothing that a terminal obeys.
    """
    waiting = ""
    parts = json.JSONEncoder(indent=indent, allow_nan=False, default=_made).iterencode(value)
    while some := "".join(islice(parts, _PARTS)):
        *lines, waiting = f"{waiting}{some}".rsplit("\n", 1)  # the output strips blanks at the ends of lines
        sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.write(f"{waiting}\n")


def _made(value: Any) -> Any:
    if isinstance(value, Later):
        return value.make()
    raise TypeError(f"JSON has no {type(value).__name__}")


def print_page(page: str) -> None:
    """Print a page of HTML, which is UTF-8 wherever it goes, with nothing else."""
    content = visible_lines(page).encode()
    if isinstance(sys.stdout, Output):
        sys.stdout.write_bytes(content)
    else:
        sys.stdout.buffer.write(content)


def print_table(rows: Mapping[str, object], *, indent: int = 2) -> None:
    """Print names and values in two columns; values that are None are left out."""
    shown = {name: str(value) for name, value in rows.items() if value is not None}
    width = max(map(len, shown), default=0)
    for name, value in shown.items():
        out.print(Text.assemble(" " * indent, (name.ljust(width), "dim"), "  ", value))


def print_error(error: UserError) -> None:
    """Print what is wrong and what to do next, on the error output."""
    err.print(Text.assemble(("error: ", "bold red"), error.message))
    for line in error.lines:
        err.print(f"  {line}")
    if error.remedy:
        err.print(error.remedy)
    for line in error.remedy_lines:
        err.print(f"  {line}")


@contextmanager
def progress(title: str) -> Iterator[Callable[[str], None]]:
    """Show the latest line of progress beside the title; elsewhere than on a terminal the title alone."""
    if not out.lives:
        out.print(title)
        yield lambda _: None
        return
    width = max(20, out.width - len(title) - 6)
    with out.status(title) as status:
        yield lambda line: status.update(beside(title, printable(" ".join(line.split()))[:width]))


def beside(title: str, detail: str) -> Text:
    """A title, and in a quieter voice how far it is."""
    return Text.assemble(title, "  ", (detail, "dim"))


@contextmanager
def printing_aside() -> Iterator[None]:
    """Whatever code of others prints goes to the error output, printable: it is none of the command's."""
    aside = _Aside(sys.stderr)
    with redirect_stdout(aside), redirect_stderr(aside):
        yield


class _Aside(io.TextIOBase):
    """Passes text on to another output."""

    def __init__(self, output: TextIO) -> None:
        # A spinner that turns meanwhile puts a proxy before the output, and by this name its console finds the output.
        # Past the proxy there is no lock that a child process could inherit.
        self.rich_proxied_file = self._output = getattr(output, "rich_proxied_file", output)

    def write(self, text: str) -> int:
        self._output.write(visible_lines(text))
        return len(text)

    def flush(self) -> None:
        self._output.flush()
