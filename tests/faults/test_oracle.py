"""The counting counts: every difference is reported, each as its kind."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from tests.etl_pipeline.values import Item
from tests.faults.catalogue import FAULTS
from tests.faults.oracle import Count, Expected, Records, count, dynamodb_json, expect, key_of, record_aside
from tests.faults.suite import Row
from tests.faults.table import by_fault, table

START, END = "2024-01-14T01:45:00Z", "2024-01-15T02:00:00Z"


def item(name: str, timestamp: str = "2024-01-14T12:00:00Z", **attributes: dict[str, Any]) -> Item:
    return {
        "id": {"S": name},
        "timestamp": {"S": timestamp},
        "name": {"S": name},
        "value": {"N": "7"},
        **attributes,
    }


UNTIMED: Item = {"id": {"S": "untimed"}, "value": {"N": "1"}}
EXPECTED = expect([item("a"), item("b"), item("old", "2024-01-14T01:44:59Z")], [UNTIMED], [item("large")], START, END)
RIGHT = list(EXPECTED.loaded.items())
ASIDE = list(EXPECTED.rejected.items())
(A, B), (U, L) = RIGHT, ASIDE


def test_what_is_right_counts_nothing() -> None:
    assert count(EXPECTED, RIGHT[::-1], ASIDE) == Count()


@pytest.mark.parametrize(
    ("destination", "quarantine", "figures"),
    [
        ([], [], (4, 0, 0, 0)),
        ([B], ASIDE, (1, 0, 0, 0)),
        (RIGHT, [U], (1, 0, 0, 0)),
        ([A, B, (("a", "2024-01-14T12:00:01Z"), A[1])], ASIDE, (0, 1, 0, 0)),
        ([A, B, (("c", A[0][1]), A[1])], ASIDE, (0, 1, 0, 0)),
        ([A, A, B], ASIDE, (0, 1, 0, 0)),
        (RIGHT, [U, L, L, U], (0, 2, 0, 0)),
        (RIGHT, [U, L, (("old", "2024-01-14T01:44:59Z"), b"")], (0, 1, 0, 0)),
        ([A, (B[0], B[1].replace(b"7", b"7.0"))], ASIDE, (0, 0, 1, 0)),
        (RIGHT, [U, (L[0], L[1].replace(b"load", b"transform"))], (0, 0, 1, 0)),
        ([A, B, L], [U], (0, 0, 1, 0)),
        ([A], [U, L, B], (0, 0, 1, 0)),
        ([A, B, L], ASIDE, (0, 0, 0, 1)),
        (RIGHT, [U, L, A], (0, 0, 0, 1)),
    ],
    ids=[
        "nothing",
        "an item is missing",
        "a rejected item is missing",
        "a second key",
        "another id",
        "twice in the table",
        "twice in quarantine",
        "set aside though of no window",
        "another number",
        "another stage",
        "loaded though refused",
        "set aside though good",
        "refused and loaded",
        "loaded and set aside",
    ],
)
def test_what_is_wrong_is_counted_and_named(
    destination: Records, quarantine: Records, figures: tuple[int, int, int, int]
) -> None:
    found = count(EXPECTED, destination, quarantine)

    assert found.figures == figures
    assert len(found.named) == min(3, sum(figures))
    assert Row("a fault", count=found).findings == found.named


def test_the_oracle_expects_the_windows_items_transformed() -> None:
    (key, record), _ = RIGHT
    assert [key for key, _ in RIGHT] == [("a", "2024-01-14T12:00:00Z"), ("b", "2024-01-14T12:00:00Z")]
    assert record == (
        b'{"as_of": {"S": "2024-01-15T02:00:00Z"}, "date": {"S": "2024-01-14"}, "id": {"S": "a"}, '
        b'"name": {"S": "a"}, "size": {"S": "small"}, "timestamp": {"S": "2024-01-14T12:00:00Z"}, "value": {"N": "7"}}'
    )
    assert key == ("a", "2024-01-14T12:00:00Z")
    assert ASIDE[0] == (("untimed", ""), record_aside("transform", UNTIMED))
    assert b'"as_of"' in ASIDE[1][1]


@pytest.mark.parametrize(
    ("timestamp", "inside"),
    [
        ("2024-01-14T01:44:59.999999Z", False),
        ("2024-01-14T01:45:00Z", True),
        ("2024-01-15T01:59:59.999999Z", True),
        ("2024-01-15T02:00:00Z", False),
    ],
)
def test_a_window_is_half_open(timestamp: str, inside: bool) -> None:
    assert bool(expect([item("a", timestamp)], [], [], START, END).loaded) is inside


def test_bytes_are_compared_and_not_the_order_of_what_has_none() -> None:
    one = item("a", numbers={"NS": ["1", "2"]}, map={"M": {"x": {"B": b"\x00"}, "y": {"L": [{"N": "1"}, {"N": "2"}]}}})
    same = {name: one[name] for name in reversed(one)}
    same |= {"numbers": {"NS": ["2", "1"]}, "map": {"M": {"y": one["map"]["M"]["y"], "x": {"B": "AA=="}}}}
    assert dynamodb_json(one) == dynamodb_json(same)
    for other in ({"N": "7.0"}, {"S": "7"}, {"L": [{"N": "7"}]}):
        assert dynamodb_json(one) != dynamodb_json(one | {"value": other})
    swapped = {"M": {"x": {"B": b"\x00"}, "y": {"L": [{"N": "2"}, {"N": "1"}]}}}
    assert dynamodb_json(one) != dynamodb_json(one | {"map": swapped})


def test_the_key_of_an_item_without_a_time() -> None:
    assert key_of(UNTIMED) == ("untimed", "")


def test_runs_of_a_window_count_the_worst_and_rounds_add_up() -> None:
    one, other = Count(1, 0, 2, 0, ["x"]), Count(0, 3, 2, 1, ["x", "y"])
    assert one.most(other) == Count(1, 3, 2, 1, ["x", "y"])
    assert one.plus(other) == Count(1, 3, 4, 1, ["x", "y"])


def test_the_rounds_of_a_fault_are_one_row() -> None:
    rows = [Row("a", 1, 2, Count(lost=1)), Row("b", 1, 1), Row("a", 3, 4, Count(), ["late"])]

    first, second = by_fault(rows)

    assert (first.fault, first.injected, first.runs, first.count.lost, first.problems) == ("a", 4, 6, 1, ["late"])
    assert (second.fault, second.findings) == ("b", [])


def test_the_table_tells_what_was_counted_in_80_columns() -> None:
    rows = [Row(fault.name, 1_234, 2, Count(3, 4, 5, 6)) for fault in FAULTS] + [Row(FAULTS[0].name, 1, 1)]
    console = Console(width=80, file=io.StringIO())

    console.print(table(rows, "seed 7"))

    assert isinstance(console.file, io.StringIO)
    header, *lines = [line.split() for line in console.file.getvalue().splitlines() if line.strip(" ─╶╴")]
    assert header == ["Fault", "Injected", "Runs", "Lost", "Duplicated", "Wrong", "Both"]
    assert lines[0] == [*FAULTS[0].name.split(), "1,235", "3", "3", "4", "5", "6"]
    assert [" ".join(line[:-6]) for line in lines[:-2]] == [fault.name for fault in FAULTS]
    assert lines[-2][0] == "all"
    assert lines[-2][3] == f"{3 * len(FAULTS)}"
    assert lines[-1] == ["seed", "7"]


def test_each_fault_has_a_name_of_its_own() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)


def test_nothing_expected_and_nothing_found() -> None:
    assert count(Expected({}, {}), [], []).figures == (0, 0, 0, 0)
