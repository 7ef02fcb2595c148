"""Foreign text for people: in one line, every character visible, nothing that a terminal obeys.

Foreign are items, ids, names, reasons, errors of AWS, and lines of logs: their authors decide on their contents.
"""

from __future__ import annotations

import re
import shlex
import unicodedata
from collections.abc import Iterator
from textwrap import wrap

# The most characters of a text on a terminal, and of a value among an item's other values.
MOST = 20_000
MOST_OF_VALUE = 2_000
# The most marks on one letter. Vietnamese has two, Hebrew three; a flood of them covers the lines above.
_MOST_MARKS = 4
# Letters, marks and symbols that are invisible: Unicode's Default_Ignorable_Code_Point (file DerivedCoreProperties.txt)
# without its format characters, and the empty braille pattern.
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)


def printable(text: str, most: int = MOST) -> str:
    r"""A text in one line of visible characters; others become ``\x1b``, ``\n``, ``\u202e``.

    People read the notation; it can't be parsed, since a backslash stays as it is. Programs get JSON. A text that would
    have more characters than ``most`` loses its end, and the result says so.
    """
    if len(text) <= most and text.isascii() and text.isprintable():
        return text
    shown, length = [], 0
    for part in _visible(text[: most + 1], _MOST_MARKS):  # no mark joins earlier output
        shown.append(part)
        length += len(part)
    if len(text) <= most and length <= most:
        return "".join(shown)
    rest = f"… ({len(text):,} characters)"
    while shown and length > most - len(rest):
        length -= len(shown.pop())
    return "".join(shown) + rest


def visible_lines(text: str) -> str:
    """A text with its own line breaks, and every other character visible."""
    if text.isascii() and text.replace("\n", "").isprintable():
        return text
    return "\n".join("".join(_visible(line)) for line in text.split("\n"))


def wrapped(text: str, width: int) -> list[str]:
    """A text in lines of a width, at least one line; its own line breaks and tabs become blanks."""
    flat = printable(re.sub(r"[\n\t]+", " ", text))
    return wrap(flat, max(width, 1), break_long_words=False, break_on_hyphens=False) or [""]


def shell_words(*words: str) -> str:
    r"""Words for a shell in one line to copy, with hidden characters as bash reads them: ``$'a\u001b'``."""
    return " ".join(map(_shell_word, words))


def is_hidden(char: str) -> bool:
    """Whether a character is hidden: controls, formats, surrogates, private and unassigned ones."""
    return not (char.isprintable() or unicodedata.category(char) == "Zs") or _INVISIBLE.match(char) is not None


def escaped(char: str) -> str:
    r"""A character as ``\n``, ``\x1b``, ``\u202e`` or ``\U000e0041``."""
    return char.encode("unicode_escape").decode()


def _visible(text: str, marks: int = 0) -> Iterator[str]:
    """The characters of a text, with hidden ones escaped; ``marks`` of them join earlier output."""
    for char in text:
        marks = marks + 1 if unicodedata.category(char).startswith("M") else 0
        yield escaped(char) if marks > _MOST_MARKS or is_hidden(char) else char


def _shell_word(word: str) -> str:
    if not any(map(is_hidden, word)):
        return shlex.quote(word)
    return "$'" + "".join(map(_shell_char, word)) + "'"


def _shell_char(char: str) -> str:
    if char in "\\'":
        return f"\\{char}"
    if not is_hidden(char):
        return char
    return f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}"
