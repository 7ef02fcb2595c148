import asyncio
import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from etl.finish import finish
from etl.invocation.deadline import Deadline
from etl.load import IN_FLIGHT_BYTES, load_segment
from etl.model.errors import BalanceError, QualityGateError, StagingError, TransientError
from etl.model.keys import KeyAttribute, KeyType
from etl.model.limits import IN_FLIGHT
from etl.model.run import Work
from etl.model.schema import DESTINATION_KEY, SPECIFIED, Schema
from etl.model.stages import LOAD, read_by
from etl.staging.batches import BATCH_BYTES, RETRY_SHARE
from etl.staging.keys import aggregates_key, part_key
from etl.tables.ceiling import Pacer
from etl.tables.destination import DestinationTable
from etl.values.plain_json import encode
from tests.fakes.channel import FakeChannel
from tests.fakes.dynamodb import FakeDynamoDB
from tests.fakes.faults import Crash, client_error
from tests.fakes.s3 import FakeS3
from tests.unit.builders import Units, array, destination, hold, keys, run, staged, staging, unlimited, work
from tests.unit.virtual_time import in_virtual_time

TIMESTAMP = "20240116T020000123Z"
Record = dict[str, Any]


def record(number: int, **more: Any) -> Record:
    key = zip(DESTINATION_KEY, (f"item-{number:04d}", "2024-01-15T10:00:00Z"), strict=False)
    return {**dict(key), "n": number, **more}


def records(count: int) -> list[Record]:
    return [record(n) for n in range(count)]


def transformed(*parts: list[Record]) -> tuple[FakeS3, Work]:
    """A segment that Transform staged."""
    s3 = FakeS3()
    for part, given_records in enumerate(parts):
        lines = b",\n".join(encode(each) for each in given_records)
        hold(s3, part_key(read_by(LOAD), run(), 0, part), b"[\n%s\n]\n" % lines if given_records else b"[\n]\n")
    return s3, work(transform_parts=len(parts), records=sum(map(len, parts)))


def loaded(
    s3: FakeS3,
    given_work: Work,
    dynamodb: FakeDynamoDB,
    deadline: Deadline | None = None,
    schema: Schema = SPECIFIED,
) -> Work:
    """One invocation."""
    deadline = deadline or unlimited()
    given_run = msgspec.structs.replace(run(), schema=schema)
    return asyncio.run(load_segment(given_run, given_work, destination(dynamodb, deadline), staging(s3), deadline))


def copy(given_work: Work) -> Work:
    return msgspec.convert(json.loads(msgspec.json.encode(given_work)), Work)


def held(dynamodb: FakeDynamoDB) -> dict[str, Any]:
    """The destination's numbers by key."""
    return {each["id"]["S"]: each.get("n", {}).get("N") for each in dynamodb.tables["destination"]}


def accounted(result: Work) -> int:
    return sum(result.counted(name) for name in ("loaded", "superseded", "rejected_load"))


def test_every_record_is_written_as_an_item() -> None:
    s3, given_work = transformed([record(1, deep={"a": [1, None]}, none=None)])
    dynamodb = FakeDynamoDB()
    result = loaded(s3, given_work, dynamodb)

    assert dynamodb.tables["destination"] == [
        {
            "id": {"S": "item-0001"},
            "timestamp": {"S": "2024-01-15T10:00:00Z"},
            "n": {"N": "1"},
            "deep": {"M": {"a": {"L": [{"N": "1"}, {"NULL": True}]}}},
        }
    ]
    assert result == work(transform_parts=1, records=1, loaded=1, load_requests=1, write_units=1)


def test_batches_are_of_25() -> None:
    s3, given_work = transformed(records(60))
    dynamodb = FakeDynamoDB()
    result = loaded(s3, given_work, dynamodb)

    assert sorted(len(request) for request in dynamodb.requests) == [10, 25, 25]
    assert (result.counted("loaded"), result.counted("load_requests")) == (60, 3)


def test_all_parts_are_loaded() -> None:
    s3, given_work = transformed(records(30), [], [record(100)])
    dynamodb = FakeDynamoDB()

    assert loaded(s3, given_work, dynamodb).counted("loaded") == 31
    assert len(held(dynamodb)) == 31


def test_an_empty_segment_is_done_without_a_request() -> None:
    s3, given_work = transformed([])
    dynamodb = FakeDynamoDB()

    assert loaded(s3, given_work, dynamodb).done
    assert not dynamodb.requests


def test_loaded_twice_the_destination_is_the_same() -> None:
    s3, given_work = transformed(records(60))
    dynamodb = FakeDynamoDB()
    loaded(s3, copy(given_work), dynamodb)
    once = held(dynamodb)
    loaded(s3, given_work, dynamodb)

    assert held(dynamodb) == once


def test_the_last_record_of_a_key_wins_in_a_batch() -> None:
    s3, given_work = transformed([record(1), record(2), record(1) | {"n": 99}])
    dynamodb = FakeDynamoDB()
    result = loaded(s3, given_work, dynamodb)

    assert held(dynamodb) == {"item-0001": "99", "item-0002": "2"}
    assert (result.counted("loaded"), result.counted("superseded")) == (2, 1)


def test_records_that_differ_in_their_timestamp_alone_are_two() -> None:
    s3, given_work = transformed([record(1), record(1) | {"timestamp": "2024-01-15T11:00:00Z"}])
    dynamodb = FakeDynamoDB()
    loaded(s3, given_work, dynamodb)

    assert len(dynamodb.tables["destination"]) == 2


class Slow(FakeDynamoDB):
    """A table whose first requests take long."""

    def __init__(self) -> None:
        super().__init__()
        self._count = 0

    async def before_write(self) -> None:
        self._count += 1
        if self._count == 1:
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("distance", [1, 2, IN_FLIGHT, IN_FLIGHT + 1])
def test_the_last_record_of_a_key_wins_in_close_batches(distance: int) -> None:
    many = records(25 * (distance + 1))
    many[25 * distance] = record(0) | {"n": 99}
    s3, given_work = transformed(many)
    dynamodb = Slow()
    result = loaded(s3, given_work, dynamodb)

    assert held(dynamodb)["item-0000"] == "99"
    assert result.counted("loaded") == len(many)


@pytest.mark.parametrize("number", [3, 4])
def test_written_records_count_when_staging_fails_for_a_while(number: int) -> None:
    s3, given_work = transformed(records(30), records(60)[30:])
    s3.faults.fail(number, lambda: client_error("SlowDown", 503))  # the second part's seal, or itself
    dynamodb = FakeDynamoDB()
    first = loaded(s3, copy(given_work), dynamodb)

    assert (first.counted("loaded"), first.cursor and first.cursor["part"]) == (30, 0)
    assert loaded(s3, copy(first), dynamodb).counted("loaded") == 60
    assert len(held(dynamodb)) == 60


def test_when_staging_cannot_be_read_at_all_the_invocation_fails() -> None:
    s3, given_work = transformed(records(30))
    s3.faults.fail(1, lambda: client_error("SlowDown", 503))

    with pytest.raises(ClientError, match="SlowDown"):
        loaded(s3, given_work, FakeDynamoDB())


def loaded_through(channel: FakeChannel, records_of: list[Record]) -> Work:
    s3, given_work = transformed(records_of)
    table = DestinationTable(channel, "destination", Pacer(None), lambda: 300_000)
    return in_virtual_time(load_segment(run(), given_work, table, staging(s3), unlimited()))


def test_the_number_of_batches_in_flight_is_bounded() -> None:
    channel = FakeChannel(FakeDynamoDB(), 0.001)
    loaded_through(channel, records(25 * 60))

    assert max(channel.under_way) == IN_FLIGHT
    assert max(channel.tasks) <= IN_FLIGHT + 1  # and the worker's own


class Measured(FakeChannel):
    """A channel that takes everything after a while, and notes the bytes under way."""

    def __init__(self) -> None:
        super().__init__(FakeDynamoDB())
        self._bytes = 0
        self.bytes: list[int] = []
        self.bodies: list[int] = []

    async def batch_write_item(self, body: bytes) -> bytes:
        self._bytes += len(body)
        self.bytes.append(self._bytes)
        self.bodies.append(len(body))
        await asyncio.sleep(0.001)
        self._bytes -= len(body)
        return b"{}"


def test_bytes_in_flight_are_bounded_and_a_larger_batch_is_alone() -> None:
    channel = Measured()
    loaded_through(channel, [record(n, text="x" * 390_000) for n in range(60)])
    assert 0.8 * IN_FLIGHT_BYTES < max(channel.bytes) < IN_FLIGHT_BYTES + 100 * IN_FLIGHT

    channel = Measured()
    loaded_through(channel, [record(n, text="x" * (4_000_000 + 8_000_000 * (n == 4))) for n in range(8)])
    assert max(channel.bytes) < 12_100_000


@pytest.mark.parametrize("value", [0, [], {}, "", True, [[[[]]]], {"$binary": ""}, {"$set": [1]}])
def test_a_request_is_always_less_than_16_mb(value: Any) -> None:
    """The most that BatchWriteItem takes over the network."""
    channel = Measured()
    width = len(encode([value])) - 1
    loaded_through(channel, [record(n, many=[value] * (41_000 // width)) for n in range(30)])

    assert max(channel.bodies) < 16_000_000 / 2


def test_a_retry_has_as_many_small_records_in_flight() -> None:
    assert BATCH_BYTES // RETRY_SHARE >= 25 * 4096
    assert IN_FLIGHT * 25 * 4096 <= IN_FLIGHT_BYTES // RETRY_SHARE


def test_a_key_that_comes_again_much_later_holds_nothing_up() -> None:
    many = records(25 * 60)
    many[25 * 50] = record(0)
    channel = FakeChannel(FakeDynamoDB(), 1)
    loaded_through(channel, many)

    assert channel.under_way[50] > 2


def test_after_a_failure_nothing_more_is_sent() -> None:
    dynamodb = FakeDynamoDB()
    dynamodb.script = [client_error("AccessDeniedException")]
    channel = FakeChannel(dynamodb, 0.01)
    s3, given_work = transformed(records(25 * 60))
    table = DestinationTable(channel, "destination", Pacer(None), lambda: 300_000)

    async def load() -> int:
        with pytest.raises(ClientError):
            await load_segment(run(), given_work, table, staging(s3), unlimited())
        return len(asyncio.all_tasks())

    assert asyncio.run(load()) == 1
    assert len(channel.under_way) == IN_FLIGHT


@given(st.lists(st.integers(0, 30), max_size=120))
def test_the_destination_holds_the_last_of_each_key(numbers: list[int]) -> None:
    s3, given_work = transformed([record(n) | {"n": position} for position, n in enumerate(numbers)])
    dynamodb = FakeDynamoDB()
    result = loaded(s3, given_work, dynamodb)

    assert held(dynamodb) == {f"item-{n:04d}": str(position) for position, n in enumerate(numbers)}
    assert accounted(result) == len(numbers)


def test_unprocessed_items_are_loaded_and_counted_as_throttled() -> None:
    s3, given_work = transformed(records(25))
    dynamodb = FakeDynamoDB()
    dynamodb.script = [5, client_error("ThrottlingException")]
    result = loaded(s3, given_work, dynamodb)

    assert len(held(dynamodb)) == 25
    assert (result.counted("load_throttled"), result.counted("load_requests")) == (2, 3)


def test_a_refused_item_is_quarantined_and_its_neighbours_load() -> None:
    large = record(3, blob="x" * 500_000, exact=Decimal("1.50"))
    s3, given_work = transformed([record(1), record(2), large])
    dynamodb = FakeDynamoDB()
    result = loaded(s3, given_work, dynamodb)
    (rejected,) = staged(s3, "quarantine/")

    assert keys(s3, "quarantine/") == [f"quarantine/{TIMESTAMP}/load-0000-0000.json"]
    assert (rejected["stage"], rejected["got"]) == ("load", "Item size has exceeded the maximum allowed size")
    assert rejected["item"] == large | {"exact": "1.50"}
    assert len(held(dynamodb)) == 2
    assert (result.counted("loaded"), result.counted("rejected_load")) == (2, 1)
    assert result.counted("load_quarantine_parts") == 1


def test_the_last_refused_record_of_a_key_is_quarantined() -> None:
    s3, given_work = transformed([record(1, blob="x" * 500_000), record(1, blob="y" * 500_000), record(2)])
    result = loaded(s3, given_work, FakeDynamoDB())
    (rejected,) = staged(s3, "quarantine/")

    assert rejected["item"]["blob"][0] == "y"
    assert (result.counted("superseded"), result.counted("rejected_load"), result.counted("loaded")) == (1, 1, 1)


def test_quarantine_rolls_at_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("etl.load._QUARANTINE_BYTES", 1)
    s3, given_work = transformed([record(n, blob="x" * 3000) for n in range(60)])
    dynamodb = FakeDynamoDB()
    dynamodb.most_item_bytes = 2000
    result = loaded(s3, given_work, dynamodb)

    assert len(keys(s3, "quarantine/")) == result.counted("load_quarantine_parts") == 3
    assert len(staged(s3, "quarantine/")) == result.counted("rejected_load") == 60


def test_an_invocation_numbers_its_quarantine_on() -> None:
    s3, given_work = transformed([record(1, blob="x" * 500_000)])
    given_work.count("load_quarantine_parts", 2)
    loaded(s3, given_work, FakeDynamoDB())

    assert keys(s3, "quarantine/") == [f"quarantine/{TIMESTAMP}/load-0000-0002.json"]


def refused_some() -> list[Record]:
    return [record(n % 130, blob="x" * (3000 if n % 9 == 0 else 1)) | {"n": n} for n in range(180)]


@pytest.mark.parametrize("units", range(1, 10))
def test_an_interruption_after_any_batch_changes_nothing(units: int) -> None:
    undisturbed, interrupted = FakeDynamoDB(), FakeDynamoDB()
    for dynamodb in (undisturbed, interrupted):
        dynamodb.most_item_bytes = 2000
    whole_s3, given_work = transformed(refused_some()[:120], refused_some()[120:])
    whole = loaded(whole_s3, copy(given_work), undisturbed)
    s3, result = transformed(refused_some()[:120], refused_some()[120:])
    invocations = 0
    while not invocations or not result.done:
        result = loaded(s3, copy(result), interrupted, Units(units))
        invocations += 1

    assert invocations == -(-8 // units)
    assert held(interrupted) == held(undisturbed)
    assert staged(s3, "quarantine/") == staged(whole_s3, "quarantine/")
    for name in ("loaded", "superseded", "rejected_load"):
        assert result.counted(name) == whole.counted(name)
    assert accounted(result) == result.counted("records")


def test_the_cursor_is_after_the_last_batch_that_was_begun() -> None:
    s3, given_work = transformed(records(60))
    result = loaded(s3, given_work, FakeDynamoDB(), Units(2))

    assert not result.done
    assert result.counted("loaded") == 50
    assert s3.objects[part_key(read_by(LOAD), run(), 0, 0)][(result.cursor or {})["offset"] :].count(b"\n") == 11


class Throttling(FakeDynamoDB):
    """A table that throttles every request with one of these records."""

    def __init__(self, *numbers: int) -> None:
        super().__init__()
        self.throttled = {f"item-{number:04d}" for number in numbers}

    def batch_write_item(self, **request: Any) -> dict[str, Any]:
        writes = json.loads(request["RawBody"])["RequestItems"]["destination"]
        if self.throttled & {write["PutRequest"]["Item"]["id"]["S"] for write in writes}:
            raise client_error("ProvisionedThroughputExceededException")
        return super().batch_write_item(**request)


def hurried(s3: FakeS3, given_work: Work, dynamodb: FakeDynamoDB) -> Work:
    """An invocation in which waiting takes time, and there is a second of it."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    deadline = Deadline(lambda: int(1000 - 1000 * sum(slept)), clock=lambda: 0.0)
    table = DestinationTable(FakeChannel(dynamodb), "destination", Pacer(None), deadline.remaining_ms, sleep)
    return asyncio.run(load_segment(run(), given_work, table, staging(s3), deadline))


def test_the_next_invocation_begins_at_an_unwritten_batch() -> None:
    s3, given_work = transformed(records(75))
    dynamodb = Throttling(30)
    result = hurried(s3, given_work, dynamodb)

    assert not result.done
    assert result.counted("loaded") == 25
    assert s3.objects[part_key(read_by(LOAD), run(), 0, 0)][(result.cursor or {})["offset"] :].count(b"\n") == 51

    dynamodb.throttled.clear()
    result = loaded(s3, copy(result), dynamodb)

    assert (result.done, result.counted("loaded"), len(held(dynamodb))) == (True, 75, 75)


def loaded_in_time(
    channel: FakeChannel, given: list[Record], *, seconds: float, ceiling: float | None = None
) -> tuple[Work, float]:
    """One invocation of so many virtual seconds, and the second in which it ended."""
    s3, given_work = transformed(given)

    async def load() -> tuple[Work, float]:
        clock = asyncio.get_running_loop().time
        deadline = Deadline(lambda: int((seconds - clock()) * 1000), clock)
        table = DestinationTable(channel, "destination", Pacer(ceiling, clock), deadline.remaining_ms)
        return await load_segment(run(), given_work, table, staging(s3), deadline), clock()

    return in_virtual_time(load())


def test_a_ceiling_does_not_make_an_invocation_miss_its_end() -> None:
    result, ended = loaded_in_time(FakeChannel(FakeDynamoDB()), records(1000), seconds=1.5, ceiling=100)

    assert ended < 1.5
    assert not result.done
    assert result.counted("loaded") >= 25


class Hanging(FakeChannel):
    """A channel whose request with one of the records isn't answered in time."""

    async def batch_write_item(self, body: bytes) -> bytes:
        if b"item-0030" in body:
            await asyncio.sleep(30)
        return await super().batch_write_item(body)


def test_hanging_answers_do_not_delay_the_end() -> None:
    result, ended = loaded_in_time(Hanging(FakeDynamoDB()), records(75), seconds=1.5)

    assert ended < 1.5
    assert (result.done, result.counted("loaded")) == (False, 25)


class ThrottlingThenHanging(FakeChannel):
    """A channel that takes the first batch alone."""

    async def batch_write_item(self, body: bytes) -> bytes:
        if b"item-0000" in body:
            return await super().batch_write_item(body)
        self.under_way.append(1)
        if len(self.under_way) > 40:
            await asyncio.sleep(30)
        raise client_error("ThrottlingException")


def test_waiting_batches_are_not_sent_when_time_is_over() -> None:
    result, ended = loaded_in_time(ThrottlingThenHanging(FakeDynamoDB()), records(425), seconds=2)

    assert ended < 2
    assert (result.done, result.counted("loaded")) == (False, 25)


def test_nothing_written_at_all_is_a_transient_error() -> None:
    s3, given_work = transformed(records(75))

    with pytest.raises(TransientError, match=r"segment 0: .*\[destination-busy\]"):
        hurried(s3, given_work, Throttling(0))


def test_nothing_written_after_a_cursor_is_a_transient_error() -> None:
    s3, given_work = transformed(records(75))
    result = loaded(s3, given_work, FakeDynamoDB(), Units(1))

    with pytest.raises(TransientError):
        hurried(s3, result, Throttling(30))


def test_a_batch_after_one_that_stopped_is_not_counted() -> None:
    s3, given_work = transformed(records(200))
    result = hurried(s3, given_work, Throttling(60))

    assert result.counted("loaded") == 50
    assert result.counted("load_requests") == 2


@pytest.mark.parametrize("code", ["AccessDeniedException", "ResourceNotFoundException"])
def test_an_error_that_does_not_pass_ends_the_invocation(code: str) -> None:
    s3, given_work = transformed(records(200))
    dynamodb = FakeDynamoDB()
    dynamodb.script = [0, client_error(code)]

    with pytest.raises(ClientError, match=code):
        loaded(s3, given_work, dynamodb)


@pytest.mark.parametrize(
    "line",
    [
        b"{secret}",
        b'"secret"',
        b'{"id":"secret"}',
        b'{"id":"a","timestamp":"b","c":{"$set":"secret"}}',
        b'{"id":"a","timestamp":"b","c":{"$map":"secret"}}',
        b'{"id":["secret"],"timestamp":"b"}',
        b"",
    ],
)
def test_a_malformed_record_is_refused_by_its_place_alone(line: bytes) -> None:
    s3, given_work = transformed(records(30))
    hold(s3, part_key(read_by(LOAD), run(), 0, 0), b"[\n" + line + b"\n]\n")

    with pytest.raises(StagingError, match=r"transform/.*/data\.json isn't the array.*in the 1 records") as error:
        loaded(s3, given_work, FakeDynamoDB())

    shown: BaseException | None = error.value
    while shown:
        assert "secret" not in str(shown)
        shown = shown.__cause__


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("N", b'"5"'),
        ("N", b"null"),
        ("N", b"[5]"),
        ("N", b"1." + b"3" * 39),
        ("B", b'"NQ=="'),
        ("B", b'{"$set":["NQ=="]}'),
        ("B", b'{"$binary":5}'),
    ],
)
def test_a_malformed_value_of_the_key_is_refused_by_its_place(kind: KeyType, value: bytes) -> None:
    s3, given_work = transformed(records(30))
    hold(s3, part_key(read_by(LOAD), run(), 0, 0), b'[\n{"k":' + value + b"}\n]\n")

    with pytest.raises(StagingError, match=r"transform/.*/data\.json isn't the array.*in the 1 records"):
        loaded(s3, given_work, FakeDynamoDB(), schema=Schema(destination=(KeyAttribute("k", kind),)))


@pytest.mark.parametrize("after", [False, True])
def test_a_crash_at_any_call_leaves_the_same_destination(after: bool) -> None:
    undisturbed = FakeDynamoDB()
    undisturbed.most_item_bytes = 2000
    few = refused_some()[25:130:2]
    whole_s3, given_work = transformed(few)
    whole = loaded(whole_s3, copy(given_work), undisturbed)
    number = 0
    while True:
        number += 1
        s3, _ = transformed(few)
        dynamodb = FakeDynamoDB(s3.faults)
        dynamodb.most_item_bytes = 2000
        s3.faults.fail(number, after=after)
        try:
            loaded(s3, copy(given_work), dynamodb)
        except Crash:
            s3.faults.revive()
        else:
            break
        result = loaded(s3, copy(given_work), dynamodb)
        assert held(dynamodb) == held(undisturbed)
        assert result == whole
        assert staged(s3, "quarantine/") == staged(whole_s3, "quarantine/")

    assert number > 40


GATE: dict[str, Any] = {"aggregates": aggregates_key(run()), "threshold_percent": "5", "counts": {}}


def finished(*segments: Work, percent: str = "5", **counts: int) -> dict[str, Any]:
    """The report of these segments, and of these totals of the stages before."""
    s3 = FakeS3()
    hold(s3, GATE["aggregates"], b"{}")
    for segment in segments:
        if segment.counted("rejected_load"):
            segment.count("load_quarantine_parts", 1 - segment.counted("load_quarantine_parts"))
            key = f"quarantine/{TIMESTAMP}/load-{segment.segment:04d}-0000.json"
            hold(s3, key, array([{}] * segment.counted("rejected_load")))
    return finish(run(segments=len(segments)), list(segments), staging(s3), Decimal(percent), GATE | {"counts": counts})


def test_the_report_is_the_executions_output() -> None:
    report = finished(
        work(transform_parts=2, loaded=9, superseded=1, load_requests=1),
        work(segment=1, transform_parts=1, loaded=2),
        read=12,
        extracted=10,
        transformed=10,
        records=12,
    )

    assert report == {
        "status": "success",
        "run": TIMESTAMP,
        "window": {"start": "2024-01-15T00:00:00Z", "end": "2024-01-16T00:00:00Z"},
        "segments": 2,
        "keys": {
            "extract": f"extract/{TIMESTAMP}/0000-0000.json",
            "transform": f"transform/{TIMESTAMP}/0000-0000.json",
            "aggregates": f"transform/{TIMESTAMP}/aggregates.json",
        },
        "counts": {
            "dropped": 0,
            "extracted": 10,
            "load_requests": 1,
            "loaded": 11,
            "read": 12,
            "records": 12,
            "rejected_load": 0,
            "rejected_transform": 0,
            "scanned": 0,
            "superseded": 1,
            "transform_parts": 3,
            "transformed": 10,
        },
    }


def test_the_keys_of_a_run_of_one_segment_are_those_of_data_json() -> None:
    assert finished(work())["keys"]["extract"] == f"extract/{TIMESTAMP}/data.json"


@pytest.mark.parametrize(("count", "words"), [(9, "1 fewer"), (11, "1 more")])
def test_a_run_that_does_not_add_up_does_not_finish(count: int, words: str) -> None:
    with pytest.raises(BalanceError, match=words):
        finished(work(loaded=count), records=10)


@pytest.mark.parametrize("rejected", [0, 5])
def test_a_share_of_refused_records_up_to_the_threshold_finishes(rejected: int) -> None:
    report = finished(work(loaded=100 - rejected, rejected_load=rejected), records=100)

    assert report["counts"]["rejected_load"] == rejected


def test_more_refused_records_than_the_threshold_fail_the_run() -> None:
    with pytest.raises(QualityGateError, match=r"6 of 100 .* 6\.0 %.* 5 %"):
        finished(work(loaded=94, rejected_load=6), records=100)


def test_write_units_are_those_that_dynamodb_says_were_consumed() -> None:
    s3, given_work = transformed([record(n) for n in range(60)])
    dynamodb = FakeDynamoDB()
    dynamodb.script = [5]  # which are left undone, and consume nothing

    assert loaded(s3, given_work, dynamodb).counted("write_units") == 60


def after_gate(s3: FakeS3) -> tuple[Work, dict[str, Any]]:
    """A segment of which Transform set two records aside, and the result of Gate."""
    key = f"quarantine/{TIMESTAMP}/transform-0000-0000.json"
    hold(s3, key, array([{}, {}]))
    hold(s3, GATE["aggregates"], b"{}")
    segment = work(transform_parts=1, transform_quarantine_parts=1, loaded=3)
    return segment, GATE | {
        "counts": {"read": 5, "extracted": 5, "transformed": 3, "rejected_transform": 1, "untimed": 1, "records": 3}
    }


def test_a_quarantine_that_is_as_gate_found_it_finishes() -> None:
    s3 = FakeS3()
    segment, gate = after_gate(s3)

    counts = finish(run(), [segment], staging(s3), Decimal(50), gate)["counts"]

    assert (counts["rejected_transform"], counts["untimed"]) == (1, 1)


@pytest.mark.parametrize("key", [f"quarantine/{TIMESTAMP}/transform-0000-0000.json", GATE["aggregates"]])
@pytest.mark.parametrize("body", [array([{}]), array([{}, {"a": 1}]), None])
def test_what_is_changed_after_gate_is_noticed_by_finish(key: str, body: bytes | None) -> None:
    s3 = FakeS3()
    segment, gate = after_gate(s3)
    if body is None:
        del s3.objects[key]
    else:
        s3.objects[key] = body

    with pytest.raises(StagingError, match=key):
        finish(run(), [segment], staging(s3), Decimal(50), gate)


def test_a_quarantine_that_changed_after_gate_does_not_finish() -> None:
    s3 = FakeS3()
    segment, gate = after_gate(s3)
    hold(s3, f"quarantine/{TIMESTAMP}/transform-0000-0000.json", array([{}]))

    with pytest.raises(BalanceError, match=r"transform set 2 .* 1, 1 fewer"):
        finish(run(), [segment], staging(s3), Decimal(50), gate)
