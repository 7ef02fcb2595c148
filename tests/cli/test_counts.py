"""The names of a segment's counts."""

from __future__ import annotations

import msgspec

from etl import run
from etl_cli.execution.counts import COUNTS, rejected, set_aside, totals, untimed_words
from tests.unit.builders import work


def test_the_command_and_the_functions_have_the_same_names_in_the_same_order() -> None:
    assert COUNTS == run.COUNTS


def test_the_counts_of_segments_are_added_up_by_name() -> None:
    segments = [work(read=2, loaded=1), work(segment=1), work(segment=2, read=3, transform_parts=1)]

    assert totals(msgspec.to_builtins(segments)) == {"read": 5, "transform_parts": 1, "loaded": 1}


def test_items_without_a_time_are_set_aside_and_not_rejected() -> None:
    counts = {"rejected_transform": 1, "rejected_load": 2, "untimed": 4, "loaded": 8}

    assert (rejected(counts), set_aside(counts)) == (3, 7)
    assert (untimed_words(1234), untimed_words(0)) == (", 1,234 without a time", "")
