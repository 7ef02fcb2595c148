import json
import time
from decimal import Decimal
from typing import Any, TypedDict

import msgspec
import pytest

from etl.gate import pass_gate
from etl.invocation.deadline import Deadline
from etl.model.errors import RejectedError, StagingError, TransformationError
from etl.model.run import Work
from etl.staging.bucket import Staging
from etl.transform import transform_segment
from etl.user.aggregates import Aggregate
from etl.user.contract import Number
from etl.user.time_limit import TimeLimit
from etl.user.transformation import Transformation
from tests.fakes.dynamodb import Item
from tests.fakes.faults import Crash, client_error
from tests.fakes.s3 import FakeS3
from tests.unit.builders import (
    ANY_SHARE,
    Units,
    array,
    hold,
    item,
    keys,
    run,
    staged,
    staging,
    through,
    unlimited,
    user_code,
    work,
)

TIMESTAMP = "20240116T020000123Z"
MANY_BYTES = 10**9
BY_SHAPE = [
    Aggregate(name="by_shape", by=["shape"], of={"n": ["sum", "min", "max", "avg", "count"]}),
    Aggregate(name="all", of={"value": ["sum"]}),
]


class Numbered(TypedDict):
    id: str
    timestamp: str
    value: Number


KEPT = user_code(lambda record, _: record, contract=Numbered)


def extract(*parts: list[Item]) -> tuple[FakeS3, Work]:
    """What Extract staged."""
    s3 = FakeS3()
    for part, items in enumerate(parts):
        name = f"0000-{part:04d}" if part else "data"
        hold(s3, f"extract/{TIMESTAMP}/{name}.json", array(items))
    count = sum(map(len, parts))
    return s3, work(extract_parts=len(parts), read=count, extracted=count)


def transformed(
    s3: FakeS3, given: Work, user: Transformation, deadline: Deadline | None = None, *, part_bytes: int = MANY_BYTES
) -> Work:
    return transform_segment(run(), given, through(user), staging(s3), deadline or unlimited(), part_bytes)


def to_the_end(s3: FakeS3, given: Work, user: Transformation, units: list[int], part_bytes: int) -> Work:
    """As many invocations as it takes, with time for these numbers of batches, the last of them again and again."""
    result = given
    while True:
        travelled = msgspec.convert(json.loads(msgspec.json.encode(result)), Work)
        result = transformed(s3, travelled, user, Units(units[0]), part_bytes=part_bytes)
        units = units[1:] or units
        if result.done:
            return result


def records(items: list[Item], transform: Any, **more: Any) -> list[Any]:
    """What the transformation makes of these items."""
    s3, given = extract(items)
    transformed(s3, given, user_code(transform, **more))
    return staged_records(s3)


def staged_records(s3: FakeS3) -> list[Any]:
    return [
        record
        for key in keys(s3, f"transform/{TIMESTAMP}/")
        if "partials" not in key and "aggregates" not in key
        for record in json.loads(s3.objects[key], parse_float=Decimal)
    ]


def test_records_are_staged_and_counted() -> None:
    s3, given = extract([item(1, colour={"S": "red"})])
    result = transformed(s3, given, KEPT)

    assert staged_records(s3) == [
        {
            "id": "item-0001",
            "name": "Item 1",
            "value": 100,
            "timestamp": "2024-01-15T10:00:00Z",
            "colour": "red",
        }
    ]
    assert result == work(
        extract_parts=1,
        read=1,
        extracted=1,
        transformed=1,
        records=1,
        transform_parts=1,
        transform_bytes=result.counted("transform_bytes"),
    )


def test_a_record_that_breaks_the_contract_goes_to_quarantine_with_its_own_bytes() -> None:
    bad = item(1, value="1.50")
    bad["value"] = {"S": "many"}
    s3, given = extract([bad, item(2)])
    result = transformed(s3, given, KEPT)
    (rejected,) = staged(s3, "quarantine/")

    assert keys(s3, "quarantine/") == [f"quarantine/{TIMESTAMP}/transform-0000-0000.json"]
    assert rejected == {
        "stage": "transform",
        "reason": "value: expected a number, got text",
        "field": "value",
        "expected": "a number",
        "got": "text",
        "summary": "value: expected a number",
        "untimed": False,
        "run": TIMESTAMP,
        "segment": 0,
        "item": bad,
    }
    assert [record["id"] for record in staged_records(s3)] == ["item-0002"]
    assert (result.counted("rejected_transform"), result.counted("transform_quarantine_parts")) == (1, 1)


def test_an_item_without_a_time_goes_to_quarantine_with_its_own_bytes() -> None:
    without = item(3)
    del without["timestamp"]
    bad = [item(1, timestamp="soon", extra={"N": "1.50"}), item(2) | {"timestamp": {"N": "5"}}, without]
    s3, given = extract([*bad, item(4)])
    result = transformed(s3, given, user_code(lambda record, _: record))
    rejected = staged(s3, "quarantine/")

    assert [(each["stage"], each["field"], each["got"], each["item"]) for each in rejected] == [
        ("transform", "timestamp", "'soon'", bad[0]),
        ("transform", "timestamp", "an attribute of type N", bad[1]),
        ("transform", "timestamp", "no such attribute", bad[2]),
    ]
    assert [record["id"] for record in staged_records(s3)] == ["item-0004"]
    assert [each["untimed"] for each in rejected] == [True, True, True]
    assert (result.counted("transformed"), result.counted("rejected_transform"), result.counted("untimed")) == (1, 0, 3)


def test_of_an_item_that_breaks_the_contract_too_the_timestamp_is_told() -> None:
    bad = item(1, timestamp="soon") | {"value": {"S": "many"}}
    s3, given = extract([bad, item(2) | {"value": {"S": "many"}}])
    transformed(s3, given, KEPT)

    assert [each["field"] for each in staged(s3, "quarantine/")] == ["timestamp", "value"]


def test_the_run_goes_on_after_an_exception() -> None:
    def transform(record: dict[str, Any], _: Any) -> Any:
        return record if record["id"] != "item-0001" else 1 // 0

    assert [record["id"] for record in records([item(n) for n in range(3)], transform)] == ["item-0000", "item-0002"]


def test_nothing_returned_is_dropped_and_counted() -> None:
    s3, given = extract([item(n) for n in range(3)])
    result = transformed(s3, given, user_code(lambda *_: None))

    assert result.counted("dropped") == 3
    assert s3.objects[f"transform/{TIMESTAMP}/data.json"] == b"[\n]\n"


def test_several_records_from_one_are_staged_together_and_counted_once() -> None:
    def transform(record: dict[str, Any], _: Any) -> Any:
        for n in range(3):
            yield record | {"id": f"{record['id']}-{n}"}

    s3, given = extract([item(1), item(2)])
    result = transformed(s3, given, user_code(transform))

    assert (result.counted("transformed"), result.counted("records")) == (2, 6)
    assert [record["id"] for record in staged_records(s3)][:3] == ["item-0001-0", "item-0001-1", "item-0001-2"]


def test_of_several_records_all_are_staged_or_none() -> None:
    s3, given = extract([item(1)])
    aggregates = [Aggregate(name="all", of={"n": ["sum"]})]
    transform = user_code(lambda record, _: [record | {"n": 1}, record | {"n": "one"}], aggregates=aggregates)
    result = transformed(s3, given, transform)
    gated = pass_gate(run(), [result], staging(s3), aggregates, ANY_SHARE)

    assert (staged_records(s3), result.counted("transformed"), result.counted("records")) == ([], 0, 0)
    assert json.loads(s3.objects[gated["gate"]["aggregates"]])["aggregates"][0]["groups"] == []


def test_what_goes_in_is_transformed_dropped_or_rejected() -> None:
    def transform(record: dict[str, Any], _: Any) -> Any:
        number = int(record["id"][-4:])
        if number % 3 == 0:
            raise RejectedError("", "another", "this")
        return record if number % 3 == 1 else None

    s3, given = extract([item(n) for n in range(60)], [item(n) for n in range(7)])
    counts = transformed(s3, given, user_code(transform)).by_name()

    assert counts["transformed"] + counts["dropped"] + counts["rejected_transform"] == counts["extracted"] == 67


def test_numbers_keep_every_digit() -> None:
    digits = "0.12345678901234567890123456789012345678"
    (record,) = records([item(1, value=digits)], lambda record, _: record)

    assert record["value"] == Decimal(digits)


class Scored(TypedDict):
    value: float


def test_a_declared_float_is_one() -> None:
    (record,) = records([item(1, value="0.1")], lambda r, _: r | {"value": r["value"] + 0.2}, contract=Scored)

    assert record["value"] == Decimal("0.30000000000000004")


def test_a_segment_without_items_has_an_empty_part_and_its_aggregates() -> None:
    s3, given = extract([])
    result = transformed(s3, given, user_code(lambda record, _: record, aggregates=BY_SHAPE))

    assert (result.done, result.counted("transform_parts")) == (True, 1)
    assert s3.objects[f"transform/{TIMESTAMP}/data.json"] == b"[\n]\n"
    assert json.loads(s3.objects[f"transform/{TIMESTAMP}/partials/0000-0000.json"]) == {"by_shape": [], "all": []}


def test_without_aggregates_there_are_no_partials() -> None:
    s3, given = extract([item(1)])
    transformed(s3, given, user_code(lambda record, _: record))

    assert not keys(s3, f"transform/{TIMESTAMP}/partials")


def test_a_full_part_is_closed_with_its_own_aggregates() -> None:
    s3, given = extract([item(n) for n in range(60)])
    result = transformed(s3, given, user_code(lambda r, _: r, aggregates=BY_SHAPE), part_bytes=1)
    partials = [json.loads(s3.objects[key])["all"][0]["records"] for key in keys(s3, f"transform/{TIMESTAMP}/partials")]

    assert result.counted("transform_parts") == 3
    assert partials == [25, 25, 10]


def test_a_full_quarantine_is_closed() -> None:
    s3, given = extract([item(n) for n in range(60)])
    result = transformed(s3, given, user_code(lambda *_: 5), part_bytes=1)

    assert len(keys(s3, "quarantine/")) == result.counted("transform_quarantine_parts") == 3


def test_too_many_groups_end_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def transform(record: dict[str, Any], _: Any) -> Any:
        return [record | {"n": n} for n in range(11)]

    s3, given = extract([item(1)])

    monkeypatch.setattr("etl.user.aggregates.MAX_GROUPS", 10)

    with pytest.raises(TransformationError, match="by_n has more than 10 groups"):
        transformed(s3, given, user_code(transform, aggregates=[Aggregate(name="by_n", by=["n"])]))


@pytest.mark.parametrize(
    "line", [b"{secret}", b'"secret"', b'{"a":"secret"}', b'{"a":{"N":"secret"}}', b'{"a":{"secret":1}}', b"\xff"]
)
def test_a_malformed_item_is_a_staging_error_that_says_where_and_not_what(line: bytes) -> None:
    s3, given = extract([item(1)])
    hold(s3, f"extract/{TIMESTAMP}/data.json", b"[\n" + line + b"\n]\n")

    with pytest.raises(
        StagingError, match=r"extract/.*/data\.json isn't the array.*in the 1 records.*at byte"
    ) as error:
        transformed(s3, given, KEPT)

    shown: BaseException | None = error.value
    while shown:
        assert "secret" not in str(shown)
        shown = shown.__cause__


def test_the_cursor_is_where_to_go_on_in_the_staged_items() -> None:
    s3, given = extract([item(n) for n in range(30)])
    result = transformed(s3, given, user_code(lambda record, _: record), Units(1))

    assert not result.done
    assert result.cursor is not None
    assert result.cursor["part"] == 0
    assert s3.objects[f"extract/{TIMESTAMP}/data.json"][result.cursor["offset"] :].count(b"\n") == 6


@pytest.mark.parametrize("number", [3, 4])
def test_when_the_staged_items_cannot_be_read_for_now_what_is_done_is_kept(number: int) -> None:
    s3, given = extract([item(n) for n in range(30)], [item(n) for n in range(30, 60)])
    s3.faults.fail(number, lambda: client_error("SlowDown", 503))  # the second part's seal, or itself
    user = user_code(lambda record, _: record)
    first = transformed(s3, given, user)

    assert (first.counted("transformed"), first.cursor and first.cursor["part"]) == (30, 0)
    assert transformed(s3, first, user).counted("transformed") == 60
    assert [each["id"] for each in staged_records(s3)] == [f"item-{n:04d}" for n in range(60)]


def shape(record: dict[str, Any], _: Any) -> Any:
    """Reject some, drop some, make two of some."""
    number = int(record["id"][-4:])
    if number % 11 == 0:
        raise RejectedError("", "another", "this")
    if number % 7 == 0:
        return None
    record |= {"shape": f"shape {number % 4}", "n": record["value"] / 3}
    return [record, record | {"id": record["id"] + "b"}] if number % 5 == 0 else record


PARTS = [
    [item(n, value=f"{n}.{n:03d}") for n in range(130)],
    [],
    [item(n, value=str(n)) for n in range(200, 250)],
    [item(n, value=str(n)) for n in range(300, 301)],
]
USER = user_code(shape, contract=Numbered, aggregates=BY_SHAPE)
BATCHES = 6 + 2 + 1


def aggregates(s3: FakeS3, result: Work) -> bytes:
    gated = pass_gate(run(), [result], staging(s3), BY_SHAPE, ANY_SHARE)
    return s3.objects[gated["gate"]["aggregates"]]


@pytest.fixture(scope="module", name="whole")
def _whole() -> tuple[FakeS3, Work, bytes]:
    s3, given = extract(*PARTS)
    result = transformed(s3, given, USER)
    return s3, result, aggregates(s3, result)


def assert_same(s3: FakeS3, result: Work, whole: tuple[FakeS3, Work, bytes]) -> None:
    assert aggregates(s3, result) == whole[2]
    assert staged_records(s3) == staged_records(whole[0])
    assert staged(s3, "quarantine/") == staged(whole[0], "quarantine/")
    for name in ("transformed", "dropped", "records", "rejected_transform"):
        assert result.counted(name) == whole[1].counted(name)


@pytest.mark.parametrize("units", [*([first, 1000] for first in range(1, BATCHES + 1)), [1], [2], [3]])
@pytest.mark.parametrize("part_bytes", [1, 3000, MANY_BYTES])
def test_interrupted_after_any_batch_everything_is_as_undisturbed(
    units: list[int], part_bytes: int, whole: tuple[FakeS3, Work, bytes]
) -> None:
    s3, given = extract(*PARTS)
    result = to_the_end(s3, given, USER, units, part_bytes)

    assert_same(s3, result, whole)


@pytest.mark.parametrize("after", [False, True])
def test_crashed_at_any_call_and_run_again_everything_is_as_undisturbed(
    after: bool, whole: tuple[FakeS3, Work, bytes]
) -> None:
    number = 0
    while True:
        number += 1
        s3, given = extract(*PARTS)
        s3.faults.fail(number, after=after)
        try:
            transformed(s3, msgspec.convert(msgspec.to_builtins(given), Work), USER, part_bytes=3000)
        except Crash:
            s3.faults.revive()
        else:
            break
        assert_same(s3, transformed(s3, given, USER, part_bytes=3000), whole)

    assert number > 10


def test_what_an_attempt_that_died_has_set_aside_is_there_once() -> None:
    s3, given = extract([item(n, filling={"S": "x" * 30_000}) for n in range(75)])

    def refusing(record: dict[str, Any], _: Any) -> Any:
        return None if record["id"] in ("item-0003", "item-0028") and 1 / 0 else record

    def attempt(bucket: Staging) -> Work:
        anew = msgspec.convert(msgspec.to_builtins(given), Work)
        return transform_segment(run(), anew, through(user_code(refusing)), bucket, unlimited(), 710_000)

    # Its result never came. A retry has smaller batches, which end in other places.
    assert attempt(staging(s3)).counted("transform_quarantine_parts") == 2
    staging(s3).empty_quarantine("transform", run(), given)
    assert attempt(staging(s3).for_retry()).counted("transform_quarantine_parts") == 1

    sealed = staging(s3).sealed(f"quarantine/{TIMESTAMP}")
    aside = [record["item"]["id"]["S"] for key in sealed for record in json.loads(s3.objects[key])]
    assert aside == ["item-0003", "item-0028"]


def test_staged_twice_the_bytes_are_the_same() -> None:
    s3, given = extract(*PARTS)
    again, given_again = extract(*PARTS)
    transformed(s3, given, USER)
    transformed(again, given_again, USER)

    assert s3.objects == again.objects


def test_a_time_after_the_runs_start_is_left_to_its_run() -> None:
    s3, given = extract([item(1), item(2, timestamp="2024-01-16T02:00:01Z"), item(3, timestamp="2O24-01-15T10:00:00Z")])
    result = transformed(s3, given, KEPT)

    assert [record["id"] for record in staged_records(s3)] == ["item-0001"]
    assert {
        name: result.counted(name) for name in ("transformed", "dropped", "ahead", "untimed", "rejected_transform")
    } == {
        "transformed": 1,
        "dropped": 0,
        "ahead": 1,
        "untimed": 1,
        "rejected_transform": 0,
    }
    assert [each["got"] for each in staged(s3, "quarantine/")] == ["'2O24-01-15T10:00:00Z'"]


def sleepy(*slow: int) -> Transformation:
    """A transformation that takes too long for some items."""

    def transform(record: dict[str, Any], _: Any) -> dict[str, Any]:
        while int(record["id"].rpartition("-")[2]) in slow:
            time.sleep(0.01)
        return record

    return user_code(transform)


def stopping(s3: FakeS3, given: Work, user: Transformation, deadline: Deadline) -> Work:
    way = through(user, seconds=1)
    way._limit = TimeLimit(0.05)
    with way:
        return transform_segment(run(), given, way, staging(s3), deadline, MANY_BYTES)


def test_a_slow_record_goes_to_quarantine_and_the_others_go_on() -> None:
    s3, given = extract([item(n) for n in range(60)], [item(n) for n in range(60, 70)])
    result = stopping(s3, given, sleepy(0, 3, 24, 25, 59, 69), unlimited())

    assert [each["item"]["id"]["S"] for each in staged(s3, "quarantine/")] == [
        f"item-{n:04d}" for n in (0, 3, 24, 25, 59, 69)
    ]
    assert len(staged_records(s3)) == 64
    assert result.counted("rejected_transform") == 6
    assert result.done


def test_a_worker_may_stop_behind_a_slow_record_within_a_batch() -> None:
    def ids(given: list[Any]) -> list[str]:
        return [str(each["id"]) for each in given]

    user = sleepy(0, 3, 24, 29)
    whole_s3, given = extract([item(n) for n in range(30)])
    stopping(whole_s3, given, user, unlimited())
    s3, result = extract([item(n) for n in range(30)])
    invocations = 0
    while invocations == 0 or not result.done:
        result = stopping(s3, result, user, Units(1))
        invocations += 1

    assert invocations == 5  # behind 0, 3, 24, which ends its batch too, and 29; and one that finds the end
    assert ids(staged_records(s3)) == ids(staged_records(whole_s3))
    assert len(staged(s3, "quarantine/")) == len(staged(whole_s3, "quarantine/")) == 4


class Clock(Deadline):
    """A deadline of an invocation that has used some of its time whenever it is asked."""

    def __init__(self, elapsed_ms: int) -> None:
        self._asked = 0
        super().__init__(lambda: 300_000)
        self._elapsed_ms = elapsed_ms

    def remaining_ms(self) -> int:
        self._asked += 1
        return 300_000 - (self._elapsed_ms if self._asked > 1 else 0)

    def allows_another(self) -> bool:
        return True


def test_a_transformation_that_hangs_again_and_again_is_to_blame() -> None:
    s3, given = extract([item(n) for n in range(30)])

    with pytest.raises(TransformationError, match=r"stopped for 10 records .* each after 1 s \(RECORD_SECONDS\).*line"):
        stopping(s3, given, sleepy(*range(30)), Clock(15_000))


def test_slow_records_among_many_others_are_not_to_blame() -> None:
    s3, given = extract([item(n) for n in range(30)])
    result = stopping(s3, given, sleepy(*range(12)), Clock(60_000))

    assert result.counted("rejected_transform") == 12


@pytest.mark.parametrize(("seconds", "most"), [(10, 25), (11, 25), (12, 23), (60, 4), (240, 1)])
def test_records_that_are_taken_together_fit_into_an_invocation(seconds: int, most: int) -> None:
    s3, given = extract([item(n) for n in range(30)])
    way = through(KEPT, seconds=seconds)
    taken: list[int] = []

    class Counting:
        seconds = way.seconds
        aggregates = way.aggregates

        def __call__(self, lines: Any) -> Any:
            taken.append(len(lines))
            return way(lines)

    result = transform_segment(run(), given, Counting(), staging(s3), unlimited(), MANY_BYTES)

    assert max(taken) == most
    assert result.counted("transformed") == 30
