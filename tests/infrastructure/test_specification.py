"""Compare docs/specification.md with the template."""

from __future__ import annotations

import json
import re

from tests.infrastructure.synthesis import Synthesized
from tests.support import ROOT

PAGE = (ROOT / "docs" / "specification.md").read_text()


def column(heading: str, number: int) -> set[str]:
    """The code in a column of a section's table."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = [row.split(" | ") for row in section.splitlines() if row.startswith("| ")]
    return {code for row in rows for code in re.findall(r"`([^`]+)`", row[number])}


def test_resources_have_the_specified_names(stack: Synthesized) -> None:
    template = json.dumps(stack.template)
    names = column("Resources", 1)

    assert len(names) == 8
    assert [name for name in names if f'"{name.partition("{")[0]}' not in template] == []


def test_outputs_are_the_specified_ones(stack: Synthesized) -> None:
    assert stack.template["Outputs"].keys() == column("Outputs of the stack", 0)
