"""Hostile records and transformations, end to end: each record is loaded exactly, or set aside with its reason."""

import json
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from enum import IntEnum
from random import Random
from types import SimpleNamespace
from typing import Any, TypedDict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.model.errors import RejectedError
from etl.user.contract import Checker
from tests.fakes.dynamodb import Item
from tests.fakes.pipeline import FakePipeline
from tests.unit.builders import MinimalContract, item, run, staged, user_code
from tests.unit.hostile import SECRET, repeated
from tests.unit.values import ITEMS, comparable_item, nested, without_nulls

TIMESTAMP = "20240116T020000123Z"


def outcome(items: list[Item], transform: Any, contract: type = MinimalContract) -> tuple[list[Item], list[Any]]:
    """The destination's items and the records in quarantine after a run."""
    pipeline = FakePipeline(items)
    module = SimpleNamespace(Contract=contract, transform=transform, AGGREGATES=[])
    with pipeline.deployed({"REJECT_THRESHOLD_PERCENT": "100"}, module):
        pipeline.run()
    return pipeline.dynamodb.tables["destination"], staged(pipeline.s3, f"quarantine/{TIMESTAMP}/")


def keep(record: dict[str, Any], _: Any) -> Any:
    return record


# What DynamoDB can hold and nobody expects.

CONTROLS = "".join(map(chr, range(32))) + "\x7f\x85\u2028\u2029\ufeff\uffff"
CONTENTS: list[dict[str, Any]] = [
    {"$binary": {"S": "!!"}},
    {"a": {"M": {"$binary": {"S": "!!"}}}},
    {"a": {"M": {"$set": {"L": [{"M": {"$map": {"M": {"$map": {"N": "1"}}}}}]}}}},
    {"a": {"M": {"$map": {"M": {"$set": {"SS": ["x"]}}}}}},
    {'"],\n[{\\': {"S": '"],\n[{\\'}},
    {"},\n{": {"S": "},\n{"}, "]\n": {"S": "\n]\n"}},
    {CONTROLS[1:]: {"S": CONTROLS}},
    {"a.b[0].c": {"M": {"x.y": {"M": {"": {"S": ""}}}}}},
    {"S": {"S": "S"}, "N": {"M": {"N": {"N": "1"}}}, "L": {"L": []}, "M": {"M": {}}},
    {"n": {"N": "9.9999999999999999999999999999999999999E+125"}, "m": {"N": "-1E-130"}, "z": {"N": "-0"}},
    {"n": {"NS": ["12345678901234567890123456789012345678", "-0.00000000000000000000000000000000000001"]}},
    {"b": {"B": ""}, "s": {"SS": [""]}, "e": {"S": ""}, "bs": {"BS": ["", "AA=="]}},
    {"d": nested(32), "m": nested(32, "M")},
    {"x" * 10_000: {"M": {"y" * 10_000: {"S": "z"}}}},
    {"t": {"S": "x" * 399_000}},
    {"t": {"L": [{"N": str(n)} for n in range(20_000)]}},
    {"😀\U0010ffff": {"S": "名前\u0301"}},
    {"__class__": {"S": "x"}, "self": {"NULL": True}, "None": {"L": [{"NULL": True}]}},
    {"null": {"S": "null"}, "true": {"BOOL": False}, "NaN": {"S": "NaN"}, "1e5": {"S": "1e5"}},
]


def check_nothing_is_lost(contents: list[dict[str, Any]]) -> None:
    """Each item is at the destination as it was, but for NULLs, or in quarantine with its own bytes."""
    items = [
        item(n) | {name: value for name, value in each.items() if name not in ("id", "timestamp")}
        for n, each in enumerate(contents)
    ]
    loaded, rejected = outcome(items, keep)
    where = {each["id"]["S"]: each for each in loaded}
    for record in rejected:
        assert record["item"] in items
        assert record["reason"]
    lost = [each for each in items if each["id"]["S"] not in where]
    assert len(lost) == len(rejected)
    for each in items:
        if each not in lost:
            assert comparable_item(where[each["id"]["S"]]) == comparable_item(without_nulls(each))


@pytest.mark.parametrize("content", CONTENTS, ids=range(len(CONTENTS)))
def test_a_hostile_item_is_loaded_as_it_was(content: dict[str, Any]) -> None:
    check_nothing_is_lost([content])
    assert len(outcome([item(1) | content], keep)[0]) == 1


@settings(max_examples=40)
@given(st.lists(ITEMS, min_size=1, max_size=8))
def test_whatever_dynamodb_holds_is_loaded_as_it_was_or_set_aside(contents: list[dict[str, Any]]) -> None:
    check_nothing_is_lost(contents)


def test_hostile_items_side_by_side_do_not_disturb_each_other() -> None:
    repeated("items", 2, lambda random: check_nothing_is_lost(random.choices(CONTENTS, k=20)))


STAMPS: list[Any] = [
    *({"S": ""}, {"S": "\n"}, {"S": "2024-01-15T10:00:00Z\n"}, {"S": "2024-01-15T10:00:00Z\n2024-01-15T10:00:00Z"}),
    *({"S": "2024-01-15T24:00:00Z"}, {"S": "2024-01-15T10:00:60Z"}, {"S": "٢024-01-15T10:00:00Z"}, {"S": "x" * 1000}),
    *({"N": "1705312800"}, {"NULL": True}, {"B": "AA=="}, {"M": {}}, {"L": []}, {"SS": ["2024-01-15T10:00:00Z"]}),
    *({"BOOL": True}, {"NS": ["1"]}, {"BS": ["AA=="]}),
]


@pytest.mark.parametrize("stamp", STAMPS, ids=range(len(STAMPS)))
def test_a_timestamp_that_is_none_is_set_aside_by_name(stamp: dict[str, Any]) -> None:
    loaded, (rejected,) = outcome([item(1), item(2) | {"timestamp": stamp}, item(3)], keep)

    assert len(loaded) == 2
    assert rejected["field"] == "timestamp"
    assert len(rejected["reason"]) < 500


class Various(TypedDict, total=False):
    """A contract with a type for each of DynamoDB's."""

    id: str
    anything: set  # type: ignore[type-arg]
    score: float
    exact: Decimal
    whole: int
    raw: bytes
    names: set[str]
    inner: dict[str, set[Any]]
    several: list[int | str]


VALUES: list[Any] = [
    *([], [{}], [[1]], {}, {"a": [{}]}, {"a": [1]}, set(), {"x"}, {1}, {b""}, b"", "", None, True, 0, 10**37, 10**400),
    *(
        Decimal("1.5"),
        Decimal("sNaN"),
        Decimal("NaN"),
        Decimal("Infinity"),
        Decimal("1E+99999999"),
        Decimal("-0E-9999"),
    ),
]


@pytest.mark.parametrize("name", [name for name in Various.__annotations__ if name != "id"])
def test_the_contract_takes_or_rejects_any_value_of_any_attribute(name: str) -> None:
    checker = Checker(Various)
    records = [{"id": str(n), name: value} for n, value in enumerate(VALUES)]

    for record, breach in zip(records, checker.check(records), strict=True):
        if breach is not None:
            assert breach.field.startswith(name) or not breach.field, record
            assert len(str(breach)) < 300
        assert (checker.check([record])[0] is None) == (breach is None)


def test_a_list_of_maps_where_a_set_of_anything_is_declared_is_rejected_by_name() -> None:
    (breach,) = Checker(Various).check([{"anything": [{}]}])

    assert str(breach) == "anything: expected a set, got a list"


def test_what_python_itself_refuses_within_a_value_is_rejected() -> None:
    (breach,) = Checker(Various).check([{"inner": {"a": [{}]}}])

    assert str(breach).startswith("record: expected values that the contract allows, got ")
    assert "unhashable type: 'dict'" in str(breach)  # the words around it are Python's own, and differ by version


# What a transformation may do.


class Exit(BaseException):
    pass


class Unspeakable(Exception):  # noqa: N818
    def __str__(self) -> str:
        raise ValueError


class Exiting(Exception):  # noqa: N818
    def __str__(self) -> str:
        raise SystemExit


class Wordless(RejectedError):  # noqa: N818
    def __init__(self) -> None:
        pass


class Text(str):
    __slots__ = ()


class Map(dict[str, Any]):
    pass


class Level(IntEnum):
    LOW = 1


def _raising(error: Callable[[], BaseException]) -> Any:
    def transform(record: dict[str, Any], _: Any) -> Any:
        record.clear()
        raise error()

    return transform


def _spoilt() -> RejectedError:
    error = RejectedError("value", "another", 1)
    error.field, error.expected = 5, Unspeakable()  # type: ignore[assignment]
    return error


def _with(value: Any) -> Any:
    return lambda record, _: record | {"odd": value}


def _around(make: Callable[[Any], Any], levels: int = 0) -> Any:
    value: Any = "core"
    for _ in range(levels):
        value = make(value)
    return _with(value)


def _midway(record: dict[str, Any], _: Any) -> Iterator[Any]:
    yield record
    record["id"] = "other"
    yield record
    raise KeyError(SECRET)


def _itself(record: dict[str, Any], _: Any) -> Any:
    record["itself"] = record
    return record


def _circle(record: dict[str, Any], _: Any) -> Any:
    circle: list[Any] = []
    circle += [circle, circle]
    return record | {"circle": circle}


def _deep(record: dict[str, Any], run: Any) -> Any:
    return _deep(record, run)


LONG = "x" * 10**6
RAISED: list[Callable[[], BaseException]] = [
    *(SystemExit, GeneratorExit, Exit, MemoryError, RecursionError, StopIteration, Unspeakable, Exiting, Wordless),
    *(_spoilt, lambda: SystemExit({"code": 1}), lambda: ValueError(LONG), lambda: ValueError("\ud800")),
    *(lambda: RejectedError(LONG, LONG, LONG), lambda: RejectedError("\ud800", "\ud800", "\ud800")),
]
RETURNED: list[Any] = [
    *(5, 1.5, True, "", "text", b"bytes", object(), int, len, range(3), [[]], [None], [5], {1}, {1: 2}, ["x"], [[{}]]),
    *({"id": 1}, {"id": "", "timestamp": ""}, [{"id": "x"}], Map(id="x", timestamp="y")),
    *({"id": Text("x"), "timestamp": "y"}, {"id": "x", "timestamp": "y", 5: 1}, {"id": "x", "timestamp": None}),
]
SET: list[Any] = [
    *(float("nan"), 1.0, Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"), Decimal("1E+126"), 10**126, -(10**5000)),
    *(1 << 20_000_000, complex(1), bytearray(b"x"), object(), Level.LOW, Text("x"), Map(), (), (1,), set(), {1, "x"}),
    *({None}, {True}, {frozenset()}, {"\ud800": 1}, "\ud800", {1: 1}, {(): 1}, [{"x": [object()]}], {"x": Map()}),
]
BAD: dict[str, Any] = {
    **{f"raises {n}": _raising(error) for n, error in enumerate(RAISED)},
    **{f"returns {n}": lambda *_, value=value: value for n, value in enumerate(RETURNED)},
    **{f"sets {n}": _with(value) for n, value in enumerate(SET)},
    "33 lists": _around(lambda value: [value], 33),
    "33 maps": _around(lambda value: {"a": value}, 33),
    "50,000 lists": _around(lambda value: [value], 50_000),
    "50,000 maps": _around(lambda value: {"a": value, "b": value}, 50_000),
    "yields and raises": _midway,
    "itself": _itself,
    "circle": _circle,
    "recursion": _deep,
    "a generator that exits": lambda *_: (sys.exit() for _ in range(3)),
}
GOOD: dict[str, Any] = {
    "keeps": keep,
    "drops": lambda *_: None,
    "returns nothing": lambda *_: [],
    "1,000 records": lambda record, _: [record | {"n": n} for n in range(1000)],
    "32 lists": _around(lambda value: [value], 32),
    "the largest integer": _with(10**126 - 10**88),
    "a name of 10,000 characters": lambda record, _: record | {"x" * 10_000: 1},
    "a frozen set": _with(frozenset(("a", "b"))),
}


@pytest.mark.parametrize("way", BAD)
def test_a_record_that_a_transformation_fails_on_is_set_aside_and_the_next_one_goes_on(way: str) -> None:
    items = [item(n) for n in range(3)]

    def transform(record: dict[str, Any], run: Any) -> Any:
        return (BAD[way] if record["id"] == "item-0001" else keep)(record, run)

    loaded, (rejected,) = outcome(items, transform)

    assert [each["id"]["S"] for each in loaded] == ["item-0000", "item-0002"]
    assert rejected["item"] == items[1]
    assert len(rejected["reason"]) < 2000
    assert rejected["expected"]


def test_what_exits_is_named_with_its_line() -> None:
    _, (rejected,) = outcome([item(1)], _raising(SystemExit))

    assert rejected["expected"] == "no SystemExit in transform()"
    assert "test_hostile_records.py line" in rejected["got"]


def test_an_interrupt_ends_the_process_as_a_person_wants_it() -> None:
    with pytest.raises(KeyboardInterrupt):
        user_code(_raising(KeyboardInterrupt)).apply({"id": "x"}, run())


def test_good_and_bad_ways_in_any_mixture_lose_no_record() -> None:
    ways = BAD | GOOD

    def case(random: Random) -> None:
        chosen = {f"item-{n:04d}": random.choice(list(ways)) for n in range(40)}
        items = [item(n) for n in range(40)]
        loaded, rejected = outcome(items, lambda record, run: ways[chosen[record["id"]]](record, run))
        bad = [each for each in items if chosen[each["id"]["S"]] in BAD]
        assert sorted((each["item"] for each in rejected), key=json.dumps) == bad
        kept = {name for name, way in chosen.items() if way in GOOD and way not in ("drops", "returns nothing")}
        assert {each["id"]["S"] for each in loaded} == kept

    repeated("mixture", 12, case)
