"""The examples of docs/commands.md, each rendered anew by its command's own test, and that of the tutorial."""

from __future__ import annotations

import re

from tests.support import ROOT

_PAGE = ROOT / "docs" / "commands.md"


def example(command: str) -> str:
    """The first block of output below a command's heading, such as that of ``etl runs``; it ends with a line's end."""
    _, _, section = _PAGE.read_text().partition(f"\n## {command}\n")
    found = re.search(r"```text\n(.*?)```", section.partition("\n## ")[0], re.DOTALL)
    assert found, f"{_PAGE} has no block of output below {command}"
    return found[1]


def tutorial() -> str:
    """The first example of docs/transformations.md, which is a whole file."""
    return _code_of_tutorial()[0]


def tutorial_tests() -> str:
    """The tests of that example, from the same page."""
    return next(code for code in _code_of_tutorial() if "def test_" in code)


def _code_of_tutorial() -> list[str]:
    found = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "transformations.md").read_text(), re.DOTALL)
    assert found
    return found
