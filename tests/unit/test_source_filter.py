"""A filter of the settings: which are refused, and how one joins the filter of the window."""

import json
from typing import Any

import pytest

from etl.model.change_time import MOST_STEPS, ChangeTime, Format
from etl.model.errors import ConfigurationError
from etl.model.schema import SPECIFIED, Schema
from etl.model.source_filter import MOST_FILTER_BYTES, SourceFilter, parse_filter
from etl.tables.change_time import EVER, bounds, rule_of
from etl.tables.selection import check_length, selection
from tests.fakes.faults import client_error
from tests.fakes.filter_expression import matches
from tests.fakes.pipeline import FakePipeline
from tests.unit.builders import PICKED, item
from tests.unit.test_any_table import as_it_is, module

MODULE = module(as_it_is)

RUN = bounds("2024-01-15T00:00:00Z", "2024-01-16T00:00:00Z", "2024-01-16T02:00:00Z")
ORDERS = {"expression": "begins_with(sk, :start)", "values": {":start": "ORDER#"}}


UNFIT: list[Any] = [None, [], {}, {"S": 1}, {"N": "x"}, {"N": 1}, {"B": "?"}, {"SS": []}, {"M": []}, {"X": "a"}]


def parsed(expression: str, names: Any = (), values: Any = ()) -> SourceFilter:
    return parse_filter(json.dumps({"expression": expression, "names": dict(names), "values": dict(values)}))


@pytest.mark.parametrize(
    ("value", "wire"),
    [
        ("", {"S": ""}),
        ("ORDER#", {"S": "ORDER#"}),
        (0, {"N": "0"}),
        (10**37, {"N": str(10**37)}),
        (True, {"BOOL": True}),
        ({"N": "1.50"}, {"N": "1.50"}),
        ({"B": "AA=="}, {"B": "AA=="}),
        ({"NULL": True}, {"NULL": True}),
        ({"SS": ["a"]}, {"SS": ["a"]}),
        (
            {"L": [{"M": {"a": {"BS": ["AA=="]}}}, {"NS": ["1"]}]},
            {"L": [{"M": {"a": {"BS": ["AA=="]}}}, {"NS": ["1"]}]},
        ),
    ],
)
def test_a_value_is_plain_or_dynamodb_json(value: Any, wire: Any) -> None:
    assert parsed("kind = :v", values={":v": value}).values == {":v": wire}


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("begins_with(sk, :p)", "no JSON"),
        ("[" * 2000, 'write {"expression"'),
        ("[]", 'write {"expression"'),
        ("{}", 'write {"expression"'),
        ('{"expression": "a = b", "value": {}}', 'write {"expression"'),
        ('{"expression": "a = b", "names": []}', 'write {"expression"'),
        ('{"expression": " "}', "is empty"),
        ('{"expression": "(a = b"}', "balanced"),
        ('{"expression": ")a = b("}', "balanced"),
        ('{"expression": "begins_with(sk, \\"ORDER#\\")"}', "a placeholder"),
        ('{"expression": "a = 5"}', "a placeholder"),
        ('{"expression": "a = :b"}', ":b, which values must declare"),
        ('{"expression": "a = :b", "names": {":b": "c"}}', "doesn't use :b"),
        ('{"expression": "#a = b"}', "#a, which names must declare"),
        ('{"expression": "a = b", "values": {":c": 1}}', "doesn't use :c"),
        ('{"expression": "#a = b", "names": {"#a": ""}}', "the name of an attribute"),
        ('{"expression": "#a = b", "names": {"#a": 5}}', "the name of an attribute"),
        ('{"expression": "a = :b", "values": {":b": 1.5}}', '{"N": "1.5"}'),
        ('{"expression": "a = :b", "values": {":b": NaN}}', "exact"),
        *(
            (json.dumps({"expression": "a = :b", "values": {":b": value}}), "the value of :b must be text")
            for value in UNFIT
        ),
        (json.dumps({"expression": "a = :b", "values": {":b": 10**38 + 1}}), "the value of :b"),
        (json.dumps({"expression": "a = b" + " " * MOST_FILTER_BYTES}), "at most 2,048 bytes"),
    ],
)
def test_a_filter_that_dynamodb_would_refuse_is_refused(text: str, fact: str) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        parse_filter(text)

    assert fact in str(refused.value)


def test_equal_filters_are_one_key_of_a_cache() -> None:
    one, other = (Schema(filter=parse_filter(json.dumps(ORDERS))) for _ in range(2))

    assert hash(one) == hash(other)
    assert one == other != Schema(filter=parsed("begins_with(sk, :start)", values={":start": "USER#"}))


def test_without_a_filter_the_request_is_that_of_the_window() -> None:
    assert selection(SPECIFIED, RUN) == rule_of(SPECIFIED.time).filter(RUN)


@pytest.mark.parametrize(
    "expression",
    [
        "begins_with(sk, :start)",
        "(begins_with(sk, :start))",
        "sk = :start OR begins_with(sk, :start)",
        "(sk = :start) OR begins_with(sk, :start)",
    ],
)
def test_both_filters_must_pick_an_item(expression: str) -> None:
    schema = Schema(filter=parsed(expression, values={":start": "ORDER#"}))
    picked = selection(schema, RUN)
    test = matches(picked)

    assert [
        test({"timestamp": {"S": f"2024-01-{day}T10:00:00Z"}, "sk": {"S": sk}})
        for day, sk in ((15, "ORDER#1"), (15, "USER#1"), (14, "ORDER#1"), (14, "USER#1"))
    ] == [True, False, False, False]
    assert not test({"sk": {"S": "USER#1"}})  # without a time
    assert "((begins_with" not in picked["FilterExpression"]  # DynamoDB refuses redundant parentheses


def test_a_filter_is_alone_where_there_is_no_time() -> None:
    schema = Schema(time=ChangeTime(path=("t",), format="none"), filter=parsed("attribute_exists(sk)"))

    assert selection(schema, RUN) == {"FilterExpression": "attribute_exists(sk)"}


@pytest.mark.parametrize("form", ["iso", "iso_offset", "iso_local", "date", "epoch_ns", "none"])
def test_the_longest_path_leaves_room_for_a_filter(form: Format) -> None:
    time = ChangeTime(path=("x" * 255,) * MOST_STEPS, format=form)

    check_length(selection(Schema(time=time, filter=parsed("begins_with(sk, :p)", values={":p": "x"})), RUN))


def test_a_filter_that_is_too_long_together_is_refused() -> None:
    long = parsed(" OR ".join(["attribute_exists(a)"] * 80))

    check_length(selection(Schema(time=ChangeTime(path=("t",), format="epoch_s"), filter=long), RUN))
    with pytest.raises(ValueError, match=r"4,0\d\d bytes|operators.*4,096 and 300"):
        check_length(selection(Schema(filter=long), bounds(*EVER, EVER[1])))


def test_a_run_reads_what_the_filter_picks() -> None:
    items = [item(number, sk={"S": f"{kind}#{number}"}) for number, kind in enumerate(("ORDER", "USER") * 20)]
    pipeline = FakePipeline(items, segments=2)
    with pipeline.deployed({"SOURCE_FILTER": json.dumps(ORDERS)}, MODULE):
        output = pipeline.run()

    assert (output["counts"]["read"], output["counts"]["scanned"]) == (20, 40)
    assert {each["id"]["S"] for each in pipeline.dynamodb.tables["destination"]} == {
        each["id"]["S"] for each in items if each["sk"]["S"].startswith("ORDER#")
    }
    assert pipeline.dynamodb.scans[0]["Limit"] == 1


def test_plan_asks_dynamodb_for_its_opinion_only_if_there_is_a_filter() -> None:
    pipeline = FakePipeline([item(1)])
    with pipeline.deployed(module=MODULE):
        pipeline.run()

    assert [scan for scan in pipeline.dynamodb.scans if "Limit" in scan] == []
    assert pipeline.dynamodb.scans[0]["FilterExpression"] == PICKED["FilterExpression"]


def test_a_refusal_of_dynamodb_is_shown_in_your_own_words() -> None:
    pipeline = FakePipeline([item(1)])
    message = "Invalid FilterExpression: Incorrect operand type for operator or function; operand: :userstart"
    pipeline.faults.fail(3, lambda: client_error("ValidationException", message=message, operation="Scan"))
    with (
        pipeline.deployed({"SOURCE_FILTER": json.dumps(ORDERS)}, MODULE),
        pytest.raises(ConfigurationError, match=r"source.*Incorrect operand type.*:start; .*\[filter-refused\]$"),
    ):
        pipeline.run()


def test_another_failure_of_that_request_stays_itself() -> None:
    pipeline = FakePipeline([item(1)])
    pipeline.faults.fail(3, lambda: client_error("AccessDeniedException", message="no", operation="Scan"))
    with (
        pipeline.deployed({"SOURCE_FILTER": json.dumps(ORDERS)}, MODULE),
        pytest.raises(ConfigurationError, match=r"\[access-denied\]$"),
    ):
        pipeline.run()
