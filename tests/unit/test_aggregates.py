import json
import random
import tracemalloc
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.model.errors import TransformationError
from etl.model.keys import KeyAttribute
from etl.model.rejection import RejectedError
from etl.model.schema import SPECIFIED, Schema
from etl.user.accumulator import MAX_GROUPS, MOST_BYTES, Accumulator, Room, accumulators, partial
from etl.user.aggregates import Aggregate
from etl.values.plain_json import encode
from tests.unit.values import NUMBERS

ALL = ["count", "sum", "min", "max", "avg"]
BY_DAY = Aggregate(name="by_day", by=["day"], of={"value": ALL})


def accumulated(aggregate: Aggregate, records: list[dict[str, Any]]) -> Accumulator:
    accumulator = Accumulator(aggregate)
    accumulator.add([accumulator.prepare(record) for record in records])
    return accumulator


def merged(aggregate: Aggregate, *parts: Accumulator) -> Accumulator:
    """Parts as the gate merges them, by way of staged JSON."""
    whole = Accumulator(aggregate)
    for part in parts:
        whole.merge(part.dump())
    return whole


def test_each_group_has_its_records_and_functions() -> None:
    records = [{"day": "1", "value": 10}, {"day": "2", "value": 5}, {"day": "1", "value": Decimal("0.5")}]

    assert accumulated(BY_DAY, records).results() == [
        {
            "day": "1",
            "records": 2,
            "value_count": 2,
            "value_sum": Decimal("10.5"),
            "value_min": Decimal("0.5"),
            "value_max": 10,
            "value_avg": Decimal("5.25"),
        },
        {
            "day": "2",
            "records": 1,
            "value_count": 1,
            "value_sum": 5,
            "value_min": 5,
            "value_max": 5,
            "value_avg": 5,
        },
    ]


def test_without_attributes_everything_is_one_group() -> None:
    assert accumulated(Aggregate(name="all"), [{}, {"a": 1}]).results() == [{"records": 2}]


def test_without_records_there_is_no_group() -> None:
    assert Accumulator(BY_DAY).results() == []


def test_a_record_without_the_number_counts_as_a_record_alone() -> None:
    (row,) = accumulated(BY_DAY, [{"day": "1", "value": 3}, {"day": "1"}, {"day": "1", "value": None}]).results()

    assert (row["records"], row["value_count"], row["value_avg"]) == (3, 1, 3)


def test_a_group_without_numbers_has_no_minimum_or_average() -> None:
    (row,) = accumulated(BY_DAY, [{"day": "1"}]).results()

    assert (row["value_sum"], row["value_min"], row["value_max"], row["value_avg"]) == (0, None, None, None)


def test_records_without_the_grouping_attribute_are_a_group() -> None:
    assert accumulated(Aggregate(name="a", by=["day"]), [{}, {"day": None}]).results() == [{"day": None, "records": 2}]


def test_a_group_is_by_several_attributes() -> None:
    aggregate = Aggregate(name="a", by=["x", "y"])
    rows = accumulated(aggregate, [{"x": 1, "y": 2}, {"x": 1, "y": 3}, {"x": 1, "y": 2}]).results()

    assert [(row["x"], row["y"], row["records"]) for row in rows] == [(1, 2, 2), (1, 3, 1)]


def test_values_that_only_look_alike_are_groups_of_their_own() -> None:
    values = [1, True, "1", "true", None, "null", "", 0, False]
    rows = accumulated(Aggregate(name="a", by=["x"]), [{"x": value} for value in values]).results()

    assert len(rows) == len(values)


def test_equal_numbers_are_one_group_however_they_are_written() -> None:
    values = [100, Decimal("100"), Decimal("100.0"), Decimal("1E2")]

    for first in values:
        rows = accumulated(Aggregate(name="a", by=["x"]), [{"x": value} for value in [first, *values]]).results()
        assert encode(rows) == b'[{"x":100,"records":5}]'


@pytest.mark.parametrize("number", [Decimal("0.10"), Decimal("1E+120"), Decimal("-0"), 10**37, Decimal("1E-130")])
def test_a_number_names_the_same_group_before_and_after_staging(number: Any) -> None:
    aggregate = Aggregate(name="a", by=["x"])
    one = accumulated(aggregate, [{"x": number}])

    assert [row["records"] for row in merged(aggregate, one, one).results()] == [2]


def test_groups_have_one_order_for_any_order_of_records() -> None:
    records: list[dict[str, Any]] = [{"day": day} for day in ("b", "a", None, 10, 9, True)]
    orders = {encode(accumulated(Aggregate(name="a", by=["day"]), random.sample(records, 6)).results()) for _ in "1234"}

    assert len(orders) == 1


@pytest.mark.parametrize("value", [{"a"}, ["a"], {"a": 1}, b"a"])
def test_a_value_that_cannot_make_a_group_rejects_its_record(value: Any) -> None:
    with pytest.raises(RejectedError, match=r"^day: .*by_day"):
        Accumulator(BY_DAY).prepare({"day": value})


@pytest.mark.parametrize("value", ["5", True, {5}, b"5"])
def test_a_value_that_cannot_be_added_up_rejects_its_record(value: Any) -> None:
    with pytest.raises(RejectedError, match=r"^value: .*by_day"):
        Accumulator(BY_DAY).prepare({"day": "1", "value": value})


def test_a_declared_float_adds_up_as_it_is_staged() -> None:
    (row,) = accumulated(BY_DAY, [{"day": "1", "value": 0.1}] * 3).results()

    assert row["value_sum"] == Decimal("0.3")


def test_a_declared_float_groups_as_it_is_staged() -> None:
    rows = accumulated(Aggregate(name="a", by=["x"]), [{"x": 0.5}, {"x": Decimal("0.5")}]).results()

    assert rows == [{"x": Decimal("0.5"), "records": 2}]


def test_sums_are_exact_over_the_whole_range_of_dynamodb() -> None:
    largest, smallest = Decimal("9." + "9" * 37 + "E+125"), Decimal("1." + "0" * 36 + "1E-130")
    records = [{"day": "1", "value": value} for value in (largest, smallest, largest.copy_negate())]

    assert accumulated(BY_DAY, records).results()[0]["value_sum"] == smallest


def test_an_average_is_rounded_to_38_digits() -> None:
    (row,) = accumulated(BY_DAY, [{"day": "1", "value": value} for value in (1, 0, 0)]).results()

    assert row["value_avg"] == Decimal("0." + "3" * 38)


def test_more_groups_than_an_aggregate_may_have_end_the_run() -> None:
    accumulator = accumulated(BY_DAY, [{"day": str(n)} for n in range(MAX_GROUPS)])
    accumulator.add([accumulator.prepare({"day": "0"})])

    with pytest.raises(TransformationError, match=r"by_day .* 10,000 groups"):
        accumulator.add([accumulator.prepare({"day": "new"})])


def test_too_many_groups_are_found_when_parts_are_merged_too() -> None:
    aggregate = Aggregate(name="a", by=["x"])
    parts = [accumulated(aggregate, [{"x": n} for n in range(start, start + 6000)]) for start in (0, 6000)]

    with pytest.raises(TransformationError, match="10,000 groups"):
        merged(aggregate, *parts)


def test_aggregates_share_the_memory_that_their_groups_may_take(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Room.__init__, "__defaults__", (50_000,))
    first, second = accumulators([BY_DAY, Aggregate(name="by_shop", by=["shop"])])
    first.add(first.prepare({"day": str(n)}) for n in range(40))
    second.add(second.prepare({"shop": str(n % 5)}) for n in range(1000))

    with pytest.raises(TransformationError, match="AGGREGATES"):
        second.add(second.prepare({"shop": str(n)}) for n in range(100))


def test_merged_groups_take_their_share_of_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    part = accumulated(BY_DAY, [{"day": "x" * 2000 + str(n)} for n in range(10)])
    monkeypatch.setattr(Room.__init__, "__defaults__", (20_000,))

    with pytest.raises(TransformationError, match="AGGREGATES"):
        merged(BY_DAY, part)


LARGE = Decimal("9." + "1" * 36 + "5E+125")


@pytest.mark.parametrize(
    "text", ["", "x" * 2000, "é" * 2000, "😀" * 2000, "\x01" * 2000], ids=["short", "ascii", "bmp", "astral", "control"]
)
@pytest.mark.parametrize("numbers", [[], [[1, 2]], [[LARGE, Decimal("1.5E-90")]] * 4], ids=["none", "one", "four"])
def test_groups_stay_below_the_estimate_in_memory_and_as_json(text: str, numbers: list[list[Any]]) -> None:
    room, groups = Room(), 300
    aggregate = Aggregate(name="a", by=["by"], of={f"v{n}": ALL for n in range(len(numbers))})
    tracemalloc.start()
    accumulator = Accumulator(aggregate, room)
    for group in range(groups):
        for record in range(2):
            values = {f"v{n}": each[record] + group for n, each in enumerate(numbers)}
            accumulator.add([accumulator.prepare({"by": f"{text}{group}"} | values)])
    taken = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    estimated = MOST_BYTES - room.free_bytes

    assert taken < estimated
    assert len(partial([accumulator])) < estimated


@pytest.mark.parametrize("value", ["x" * 2049, "é" * 3000])
def test_a_text_that_is_too_long_for_a_group_rejects_its_record(value: str) -> None:
    with pytest.raises(RejectedError) as rejected:
        Accumulator(BY_DAY).prepare({"day": value})

    assert (rejected.value.field, rejected.value.got) == ("day", f"{len(value):,}")
    assert "at most 2,048 characters" in rejected.value.rule
    assert Accumulator(BY_DAY).prepare({"day": value[:2048]})


@given(st.lists(NUMBERS.map(Decimal), min_size=1, max_size=12), st.data())
def test_parts_merge_to_what_the_whole_adds_up_to(values: list[Decimal], data: st.DataObject) -> None:
    records = [{"day": str(n % 2), "value": value} for n, value in enumerate(values)]
    cut = data.draw(st.integers(0, len(values)))
    whole = accumulated(BY_DAY, records)
    parts = merged(BY_DAY, accumulated(BY_DAY, records[:cut]), accumulated(BY_DAY, records[cut:]))

    assert parts.results() == whole.results()
    total = sum((Fraction(row["value_sum"]) for row in whole.results()), Fraction(0))
    assert total == sum(map(Fraction, values))


@given(st.lists(NUMBERS.map(Decimal), min_size=1, max_size=8))
def test_results_do_not_depend_on_the_users_arithmetic(values: list[Decimal]) -> None:
    records = [{"day": "1", "value": value} for value in values]
    with localcontext() as context:
        context.prec = 3
        imprecise = accumulated(BY_DAY, records).results()

    assert imprecise == accumulated(BY_DAY, records).results()


@pytest.mark.parametrize(
    ("definition", "facts"),
    [
        ({"by": "day"}, 'by .*"day"'),
        ({"of": {"value": "sum"}}, r"of\['value'\] .*sum, min, max, avg, got \['sum'\]"),
        ({"of": {"value": ["sum", "median"]}}, r"of\['value'\] .*sum, min, max, avg, got \['median'\]"),
        ({"by": ["records"]}, "by .*records"),
    ],
)
def test_a_definition_that_means_nothing_is_refused(definition: dict[str, Any], facts: str) -> None:
    with pytest.raises(TransformationError, match=f"aggregate a: {facts}"):
        Aggregate(name="a", **definition)


def test_a_group_to_load_has_no_attribute_of_the_key() -> None:
    with pytest.raises(TransformationError, match=r"aggregate a: by .*id, timestamp"):
        Aggregate(name="a", by=["timestamp", "id"], load=True).check_loadable(SPECIFIED)


@pytest.mark.parametrize("kind", ["N", "B"])
def test_groups_are_loaded_into_a_table_whose_key_is_text(kind: Literal["N", "B"]) -> None:
    schema = Schema(destination=(KeyAttribute("pk"), KeyAttribute("sk", kind)))
    with pytest.raises(TransformationError, match=f"aggregate a: .*sk is of type {kind}"):
        Aggregate(name="a", by=["day"], load=True).check_loadable(schema)

    Aggregate(name="a", by=["day"]).check_loadable(schema)


def test_an_aggregate_that_is_not_loaded_may_group_by_the_key() -> None:
    assert Aggregate(name="a", by=["timestamp"]).by == ["timestamp"]


def test_a_dump_is_json() -> None:
    dump = accumulated(BY_DAY, [{"day": "1", "value": Decimal("0.5")}]).dump()

    assert list(map(json.loads, dump)) == [
        {"group": ["1"], "records": 1, "of": {"value": {"count": 1, "sum": 0.5, "min": 0.5, "max": 0.5}}}
    ]
