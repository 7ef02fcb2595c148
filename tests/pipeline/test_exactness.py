"""Items arrive as they were: every type, every digit."""

from __future__ import annotations

from decimal import Decimal

from tests.etl_pipeline.sample import ALL_TYPES, expected_groups, expected_record
from tests.etl_pipeline.values import canonical, compare, of_boto3, of_dynamodb_json, of_plain_json
from tests.pipeline.execution import Window
from tests.pipeline.generated import deep, generate, types_of
from tests.pipeline.pipeline import Pipeline

TYPES = {"S", "N", "B", "BOOL", "NULL", "M", "L", "SS", "NS", "BS"}


def test_generated_items_of_all_ten_types_arrive_exactly(pipeline: Pipeline, window: Window) -> None:
    items = pipeline.put(
        pipeline.item(f"{number:04d}", window.at(number), value={"N": value}, **attributes)
        for number, (attributes, value) in enumerate(generate(400))
    )
    assert set().union(*map(types_of, items)) == TYPES

    execution = pipeline.run(window.input)

    assert execution.counts["loaded"] == len(items)
    pipeline.expect_destination(items, window.end)
    staged = pipeline.document(f"extract/{execution.run}/data.json")
    compare("extract", canonical(items, of_boto3), canonical(staged, of_dynamodb_json))
    records = [expected_record(item, window.end) for item in items]
    staged = pipeline.document(f"transform/{execution.run}/data.json")
    compare("transform", canonical(records, of_boto3), canonical(staged, of_plain_json))
    (aggregate,) = pipeline.document(f"transform/{execution.run}/aggregates.json")["aggregates"]
    assert aggregate["groups"] == expected_groups(items)


def test_the_limits_of_dynamodb_arrive_exactly(pipeline: Pipeline, window: Window) -> None:
    items = pipeline.put(
        [
            pipeline.item("types", window.at(1), **ALL_TYPES),
            pipeline.item("deep", window.at(2), deep=deep(31)),
            pipeline.item("large", window.at(3), large={"S": "ä" * 190_000}),
            pipeline.item("wide", window.at(4), **{f"attribute {n}": {"N": str(n)} for n in range(5000)}),
            pipeline.item("digits", window.at(5), value={"N": "9" * 38}),
            pipeline.item("tiny", window.at(6), value={"N": "1.2345678901234567890123456789012345678E-130"}),
            pipeline.item("huge", window.at(7), value={"N": "9.9999999999999999999999999999999999999E+125"}),
            pipeline.item("zero", window.at(8), value={"N": "-0"}),
            pipeline.item("zeros", window.at(9), value={"N": "100.5000"}),
        ]
    )

    pipeline.run(window.input)

    pipeline.expect_destination(items, window.end)
    kept = pipeline.destination()[(f"{pipeline.token}digits", window.at(5))]["value"]
    assert kept == ("N", Decimal("9" * 38))


def test_null_is_left_out_but_in_a_list(pipeline: Pipeline, window: Window) -> None:
    null = {"NULL": True}
    pipeline.put(
        [pipeline.item("a", window.at(1), gone=null, map={"M": {"gone": null}}, list={"L": [null, {"N": "1"}]})]
    )

    pipeline.run(window.input)

    (item,) = pipeline.destination().values()
    assert "gone" not in item
    assert item["map"] == ("M", {})
    assert item["list"] == ("L", [("NULL", True), ("N", Decimal(1))])


def test_the_specifications_item_is_staged_as_it_says(pipeline: Pipeline, window: Window) -> None:
    (item,) = pipeline.put([pipeline.item("a", window.at(600))])

    execution = pipeline.run(window.input)

    assert pipeline.document(f"extract/{execution.run}/data.json") == [item]
    record = {"id": f"{pipeline.token}a", "name": "Test Item a", "value": 100, "timestamp": window.at(600)}
    computed = {"date": window.start[:10], "size": "medium", "as_of": window.end}
    assert pipeline.document(f"transform/{execution.run}/data.json") == [record | computed]
    assert execution.output["keys"] == {
        "extract": f"extract/{execution.run}/data.json",
        "transform": f"transform/{execution.run}/data.json",
        "aggregates": f"transform/{execution.run}/aggregates.json",
    }


def test_two_runs_over_a_window_leave_the_same_table(pipeline: Pipeline, window: Window) -> None:
    pipeline.put(pipeline.item(f"{n}", window.at(n), value={"N": str(n)}, **ALL_TYPES) for n in range(60))
    first = pipeline.run(window.input)
    before = pipeline.destination()

    second = pipeline.run(window.input)

    assert pipeline.destination() == before
    assert len(before) == 60
    assert second.counts == first.counts
    for stage in ("extract", "transform"):
        staged = [pipeline.body(f"{stage}/{execution.run}/data.json") for execution in (first, second)]
        assert staged[0] == staged[1], stage
