"""Python source as its formatter writes it: names and values of any characters, harmless in ASCII."""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping
from textwrap import wrap
from typing import Any

WIDTH = 120
# Latin-1's letters; nobody takes them for others. All else outside of ASCII is escaped.
_LETTERS = frozenset(map(chr, (*range(0xC0, 0xD7), *range(0xD8, 0xF7), *range(0xF8, 0x100))))
_MOST_IN_COMMENT = 60
_MOST_IN_LINE = 20
# Characters of a part of a text; each takes at most ten as an escape.
_PART = 10


def text_literal(text: str) -> str:
    """A literal of a text, in the quotes that need fewer escapes."""
    quote = "'" if text.count('"') > text.count("'") else '"'
    return quote + "".join(_escaped(char, quote) for char in text) + quote


def literal(value: Any, indent: int = 0) -> str:
    """A literal of a value of an item; maps and lists have a line for each member."""
    inner, outer = " " * (indent + 4), " " * indent
    if isinstance(value, Mapping) and value:
        lines = [line for name, each in value.items() for line in entry(name, literal(each, indent + 4), indent + 4)]
        return "\n".join(["{", *lines, outer + "}"])
    if isinstance(value, list) and value:
        return "\n".join(["[", *(f"{inner}{literal(each, indent + 4)}," for each in value), outer + "]"])
    if isinstance(value, set):
        return "\n".join(["{", *(f"{inner}{literal(each)}," for each in sorted(value)), outer + "}"])
    if isinstance(value, bytes):
        return f'b"{value.decode("ascii")}"'
    return text_literal(value) if isinstance(value, str) else repr(value)


def is_identifier(name: str) -> bool:
    """Whether a name can be an attribute in the body of a class: no keyword, and not changed by Python."""
    return name.isascii() and name.isidentifier() and not keyword.iskeyword(name) and not name.startswith("__")


def comment(text: str, indent: int = 0) -> list[str]:
    """The lines of a comment."""
    return [f"{' ' * indent}# {line}" for line in wrap(text, WIDTH - indent - 2, break_long_words=True)]


def shown(name: str) -> str:
    """A name within a comment or a docstring: in ASCII, short, without quotes and backslashes."""
    plain = re.sub(r"[^ -~]|[\\\"'`]", "?", name)
    return plain if len(plain) <= _MOST_IN_COMMENT else plain[: _MOST_IN_COMMENT - 1] + "~"


def entry(name: str, value: str, indent: int) -> list[str]:
    """The lines of an entry of a dict, whose value has its own lines; a name that is too long has several lines."""
    first, *rest = f"{value},".split("\n")
    margin = " " * indent
    whole = f"{margin}{text_literal(name)}: {first}"
    if len(whole) <= WIDTH:
        return [whole, *rest]
    outer, bracket, inner = first.partition("[")
    opened = f"{margin}{text_literal(name)}: {outer}["
    if bracket and inner and len(opened) <= WIDTH:  # so does the formatter
        return [opened, f"{margin}    {inner.removesuffix('],')}", f"{margin}],"]
    *parts, last = _parts(name)
    return [*(f"{margin}{part}" for part in parts), f"{margin}{last}: {first}", *rest]


def element(text: str, indent: int) -> list[str]:
    """The lines of a text within a list."""
    whole = f"{' ' * indent}{text_literal(text)},"
    if len(whole) <= WIDTH:
        return [whole]
    *parts, last = _parts(text)
    return [f"{' ' * indent}{part}" for part in (*parts, f"{last},")]


class Constants:
    """Names and texts that are too long to stand within a line: each becomes a constant of the module."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def reference(self, text: str) -> str:
        """The literal of a text, or the name of its constant."""
        found = text_literal(text)
        if len(found) <= _MOST_IN_LINE:
            return found
        return self._names.setdefault(text, f"LONG_{len(self._names) + 1}")

    def lines(self) -> list[str]:
        """The definitions, a blank line after each."""
        found: list[str] = []
        for text, name in self._names.items():
            whole = f"{name} = {text_literal(text)}"
            found += [whole] if len(whole) <= WIDTH else [f"{name} = (", *(f"    {part}" for part in _parts(text)), ")"]
            found.append("")
        return found


def _parts(text: str) -> list[str]:
    """Literals of the parts of a text, for lines of their own."""
    return [text_literal(text[start : start + _PART]) for start in range(0, len(text), _PART)]


def _escaped(char: str, quote: str) -> str:
    if char in ("\\", quote):
        return f"\\{char}"
    return char if " " <= char <= "~" or char in _LETTERS else char.encode("unicode_escape").decode()
