"""What a screen may get: text, line breaks, and on a terminal styles and cursor movements of the command's own."""

from __future__ import annotations

import io
import re
import unicodedata
from collections.abc import Callable

from etl_cli.terminal.console import Terminal

# Colours and weights, the movements of what lives, and the cursor shown or hidden: all that rich writes.
_OWN = re.compile(r"\x1b\[[0-9;]*m|\x1b\[[0-9]*A|\x1b\[2K|\x1b\[\?25[lh]|\x1b\[H|\x1b\[2J|\r")
_HIDDEN = re.compile("[\u034f\u115f\u1160\u2800\u3164\uffa0\ufe00-\ufe0f\U000e0100-\U000e01ef]")


def assert_harmless(said: str, *, lines: int | None = None, styles: bool = False) -> None:
    """Nothing in it is obeyed or unseen.

    Args:
        said: what was written.
        lines: how many lines it has, if that is known.
        styles: whether it was written to a terminal, which gets the command's own sequences.
    """
    assert "\x1b]" not in said, "a link, a title or a clipboard"
    text = _OWN.sub("", said) if styles else said
    found = {
        f"U+{ord(char):04X}"
        for char in text
        if char != "\n"
        and (unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp") or _HIDDEN.match(char))
    }
    assert not found
    assert not re.search(r"[\u0300-\u036f]{5}", text)
    if lines is not None:
        assert len(text.removesuffix("\n").split("\n")) == lines


def printed(show: Callable[[Terminal], object], width: int = 100) -> str:
    """The text that a function prints, without blanks at the ends of lines."""
    console = Terminal(file=io.StringIO(), width=width)
    show(console)
    assert isinstance(console.file, io.StringIO)
    return "".join(f"{line.rstrip()}\n" for line in console.file.getvalue().splitlines())
