"""The objects that a stage of a run has staged, in the order in which they were written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from etl_cli.runs.staged import staged_keys, staged_lines

if TYPE_CHECKING:
    from etl_cli.aws.deployment import Pipeline

# As runtime/etl/staging/keys.py names them.
_NUMBERED = re.compile(r"(?P<segment>\d{4,})-(?P<part>\d{4,})\.json")


def segments(pipeline: Pipeline, stage: str, run: str) -> dict[int, list[str]]:
    """The keys of what a stage staged, part by part, by segment; empty when it has staged nothing, or it has expired.

    Args:
        pipeline: where to look.
        stage: ``extract`` or ``transform``.
        run: the run's timestamp.
    """
    prefix = f"{stage}/{run}/"
    found: list[tuple[int, int, str]] = []
    for key in staged_keys(pipeline, prefix):
        name = key.removeprefix(prefix)
        numbered = _NUMBERED.fullmatch(name)
        if numbered:
            found.append((int(numbered["segment"]), int(numbered["part"]), key))
        elif name == "data.json":
            found.append((0, 0, key))
    parts: dict[int, list[str]] = {}
    for segment, _, key in sorted(found):
        parts.setdefault(segment, []).append(key)
    return parts


def lines(pipeline: Pipeline, keys: Iterable[str]) -> Iterator[bytes]:
    """Stream the records of several objects, a line of JSON each."""
    for key in keys:
        yield from staged_lines(pipeline, key)
