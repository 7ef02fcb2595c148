"""Foreign text is printable: by itself, and whichever way it reaches a terminal."""

from __future__ import annotations

import io
import re
import shlex
import subprocess
import sys
import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.panel import Panel
from rich.segment import Segment, Segments
from rich.spinner import Spinner
from rich.style import Style
from rich.table import Table
from rich.text import Text as RichText

from etl_cli.terminal import console
from etl_cli.terminal.console import Terminal, Text, print_error, print_json, print_page, printing_to_stderr
from etl_cli.terminal.errors import UserError
from etl_cli.terminal.printable import MOST, printable, shell_words, visible_lines, wrapped
from tests.cli.screens import assert_harmless
from tests.hostile_texts import HOSTILE, ORDINARY, SURROGATES

ALL = HOSTILE | SURROGATES


def in_a_table(text: str) -> Table:
    table = Table(text, title=text, caption=text)
    table.add_row(text)
    table.add_row(Text(text))
    table.add_row(RichText(text))
    return table


WAYS: dict[str, Callable[[str], RenderableType]] = {
    "string": lambda text: text,
    "text": Text,
    "assembled": lambda text: Text.assemble("a", (text, "bold"), Text(text)),
    "text of rich's own": RichText,
    "styled text of rich's own": lambda text: RichText.assemble("ab", (text, "red"), text),
    "added up": lambda text: Text("a") + text,
    "table": in_a_table,
    "padding": lambda text: Padding(text, (0, 2)),
    "group": lambda text: Group(text, RichText(text)),
    "panel": lambda text: Panel(RichText(text)),
    "segments": lambda text: Segments([Segment(text.replace("\n", "")), Segment("\n")]),
    "linked segments": lambda text: Segments([Segment(text.replace("\n", ""), Style(link="https://evil.example"))]),
    "spinner": lambda text: Spinner("dots", Text(text)),
}


@pytest.mark.parametrize("name", ALL)
def test_hostile_text_is_made_visible(name: str) -> None:
    shown = printable(ALL[name])

    assert_harmless(shown, lines=1)
    assert printable(shown) == shown
    assert len(shown) <= MOST


@given(st.text(st.characters(exclude_categories=()), max_size=80))
def test_any_text_is_made_visible(text: str) -> None:
    shown = printable(text)

    assert_harmless(shown, lines=1)
    assert printable(shown) == shown
    assert visible_lines(shown) == shown


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert printable(text) == text


def test_the_end_that_is_cut_off_is_told() -> None:
    assert printable("x" * 100, 40) == "x" * 22 + "… (100 characters)"
    assert printable("\n" * 30, 40) == r"\n" * 11 + "… (30 characters)"
    assert printable("x" * 40, 40) == "x" * 40


def test_marks_do_not_pile_up() -> None:
    marks = [char for char in printable(HOSTILE["combining flood"]) if unicodedata.combining(char)]

    assert len(marks) == 4


@pytest.mark.parametrize("on_terminal", [True, False])
@pytest.mark.parametrize("way", WAYS)
def test_no_way_to_a_terminal_lets_it_through(way: str, on_terminal: bool) -> None:
    for text in ALL.values():
        stream = io.StringIO()
        Terminal(file=stream, width=80, force_terminal=on_terminal).print(WAYS[way](text))

        assert_harmless(stream.getvalue(), styles=on_terminal)


@pytest.mark.parametrize("name", ["line feed", "next line", "both", "line separator"])
@pytest.mark.parametrize("way", ["string", "text", "assembled", "text of rich's own", "added up"])
def test_a_line_stays_one_line(name: str, way: str) -> None:
    stream = io.StringIO()
    Terminal(file=stream, width=80).print(WAYS[way](ALL[name]))

    assert_harmless(stream.getvalue(), lines=1)


@pytest.mark.parametrize("name", ALL)
def test_what_is_done_meanwhile_is_text_too(name: str) -> None:
    stream = io.StringIO()
    terminal = Terminal(file=stream, width=80, force_terminal=True)
    with terminal.status(ALL[name]) as status:
        status.update(ALL[name])
    with Live(Text(ALL[name]), console=terminal):
        print(ALL[name].replace("\n", ""))

    assert_harmless(stream.getvalue(), styles=True)


@pytest.mark.parametrize("name", ALL)
def test_a_column_is_as_wide_as_its_text_is_printed(name: str) -> None:
    stream = io.StringIO()
    table = Table.grid()
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_row(ALL[name], Text(ALL[name]))
    terminal = Terminal(file=stream, width=60)
    terminal.print(table)

    assert all(Text(line).cell_len <= 60 for line in stream.getvalue().split("\n"))
    assert all(len(line) <= 60 for line in wrapped(ALL[name], 60) if " " in line)


@pytest.mark.parametrize("cell", [str, Text])
def test_a_text_is_made_printable_before_it_is_measured(cell: Callable[[str], RenderableType]) -> None:
    stream = io.StringIO()
    table = Table.grid()
    table.add_row(cell("\x1b\n\u202e" * 3), "|")
    Terminal(file=stream, width=80).print(table)

    assert stream.getvalue().rstrip() == r"\x1b\n\u202e" * 3 + "|"


@pytest.mark.parametrize("indent", [2, None])
@pytest.mark.parametrize("name", ALL)
def test_json_is_exact_and_has_nothing_to_obey(
    name: str, indent: int | None, capsys: pytest.CaptureFixture[str]
) -> None:
    import json

    print_json({ALL[name]: [ALL[name]]}, indent=indent)
    said = capsys.readouterr().out

    assert json.loads(said) == {ALL[name]: [ALL[name]]}
    assert re.fullmatch(r"[ -~\n]+", said)


def test_a_page_is_printed_without_anything_to_obey(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    print_page("<p>\u2714 \x1b[31m\x9b\n</p>")

    assert capsysbinary.readouterr().out == b"<p>\xe2\x9c\x94 \\x1b[31m\\x9b\n</p>"


def test_words_for_a_shell_are_one_line_with_their_meaning() -> None:
    texts = [text.replace("\0", "") for text in HOSTILE.values()]
    lines = [shell_words("printf", r"%s\0", text) for text in texts]
    script = "\n".join(lines)
    said = subprocess.run(
        ["/bin/bash", "-s"], input=script.encode(), capture_output=True, check=True, env={"LC_ALL": "C.UTF-8"}
    )

    assert [visible_lines(line).count("\n") for line in lines] == [0] * len(lines)
    for line in lines:
        assert_harmless(printable(line, len(line)), lines=1)
    assert said.stdout.decode().split("\0")[:-1] == texts


def test_plain_words_are_quoted_as_ever() -> None:
    assert shell_words("etl", "show", "a b", "Müller") == shlex.join(["etl", "show", "a b", "Müller"])


def test_what_others_print_goes_aside(capsys: pytest.CaptureFixture[str]) -> None:
    with printing_to_stderr():
        print("seen \x1b[31m", file=sys.stdout)
    said = capsys.readouterr()

    assert (said.out, said.err) == ("", "seen \\x1b[31m\n")


@pytest.mark.parametrize("name", ALL)
def test_foreign_texts_add_no_lines_to_an_error(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = f"a{ALL[name]}\n  error: begin anew"
    file = io.StringIO()
    monkeypatch.setattr(console, "err", Terminal(file=file, width=80, soft_wrap=True))
    print_error(UserError(text, text, lines=[text], remedy_lines=[text]))

    assert file.getvalue().count("\n") == 4
    assert_harmless(file.getvalue())
