"""The names of a segment's counts."""

from __future__ import annotations

import msgspec

from etl import run
from etl_cli.execution.counts import COUNTS, totals
from tests.unit.builders import work


def test_the_command_and_the_functions_have_the_same_names_in_the_same_order() -> None:
    assert COUNTS == run.COUNTS


def test_the_counts_of_segments_are_added_up_by_name() -> None:
    segments = [work(read=2, loaded=1), work(segment=1), work(segment=2, read=3, transform_parts=1)]

    assert totals(msgspec.to_builtins(segments)) == {"read": 5, "transform_parts": 1, "loaded": 1}
