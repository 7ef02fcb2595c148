import json
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from botocore.exceptions import ClientError

from etl.extract import claim, extract_segment, plan
from etl.invocation.code_version import code_version
from etl.invocation.deadline import Deadline
from etl.model.errors import InputError, TransientError
from etl.model.run import Run, Work
from etl.settings import ExtractSettings
from etl.tables.source import Page
from tests.fakes.dynamodb import FakeDynamoDB, Item
from tests.fakes.faults import Crash, client_error
from tests.fakes.pipeline import ENVIRONMENT
from tests.fakes.s3 import FakeS3
from tests.unit.builders import (
    PICKED,
    Units,
    array,
    item,
    keys,
    ledger,
    run,
    source,
    staged,
    staging,
    unlimited,
    work,
)

SETTINGS = ExtractSettings.from_env(ENVIRONMENT)
EXECUTION = {"id": "arn:1", "name": "1", "started_at": "2024-01-16T02:00:00.123Z"}
TIMESTAMP = "20240116T020000123Z"
MANY_BYTES = 10**9


def planned(s3: FakeS3, execution: dict[str, str] = EXECUTION, given: Any = None, size_bytes: int = 0) -> Run:
    dynamodb = FakeDynamoDB()
    dynamodb.size_bytes = size_bytes
    result = plan(given or {}, execution, SETTINGS, source(dynamodb), staging(s3), ledger(dynamodb))
    planned_run: Run = result["run"]
    return planned_run


@pytest.mark.parametrize(
    ("given", "origin"),
    [
        ({}, "schedule"),
        ({"time": "2024-01-16T02:00:00Z", "detail": {}}, "schedule"),
        ({"time": "2024-01-16T02:00:00Z", "detail": {"action": "start"}}, "schedule"),
        ({"time": "2024-01-16T02:00:00Z", "detail": {"lookback_hours": 2}}, "event"),
        ({"lookback_hours": 2}, "execution"),
        ({"start": "2024-01-15", "end": "2024-01-16"}, "execution"),
    ],
)
def test_a_runs_entry_says_whether_it_is_one_of_the_schedules(given: dict[str, Any], origin: str) -> None:
    dynamodb = FakeDynamoDB()
    plan(given, EXECUTION, SETTINGS, source(dynamodb), staging(FakeS3()), ledger(dynamodb))

    assert dynamodb.ledger.entry(EXECUTION["name"])["origin"] == origin


def table(items: list[Item], page_items: int = 10) -> FakeDynamoDB:
    dynamodb = FakeDynamoDB(page_items=page_items)
    dynamodb.tables["source"] = items
    return dynamodb


def extracted(
    s3: FakeS3,
    dynamodb: FakeDynamoDB,
    given: Work | None = None,
    deadline: Deadline | None = None,
    *,
    part_bytes: int = MANY_BYTES,
    segments: int = 1,
) -> Work:
    """One invocation."""
    given, deadline = given or work(), deadline or unlimited()
    pages = source(dynamodb).pages(PICKED, given.segment, segments, given.cursor, deadline)
    return extract_segment(run(segments=segments), given, pages, staging(s3), part_bytes)


def to_the_end(
    s3: FakeS3, dynamodb: FakeDynamoDB, *, pages: int, part_bytes: int = MANY_BYTES, segments: int = 1, segment: int = 0
) -> Work:
    """As many invocations as it takes with time for so many pages each."""
    result = work(segment=segment)
    while True:
        travelled = msgspec.convert(json.loads(msgspec.json.encode(result)), Work)
        result = extracted(s3, dynamodb, travelled, Units(pages), part_bytes=part_bytes, segments=segments)
        if result.done:
            return result


def test_a_run_is_its_window_its_time_its_execution_and_its_segments() -> None:
    assert planned(FakeS3(), size_bytes=2500) == Run(
        id=TIMESTAMP,
        start="2024-01-15T01:45:00Z",
        end="2024-01-16T02:00:00Z",
        time="2024-01-16T02:00:00.123Z",
        execution="arn:1",
        segments=3,
        code=code_version(ENVIRONMENT["STORES"]),
    )


def test_every_segment_begins_with_nothing_counted() -> None:
    dynamodb = FakeDynamoDB()
    dynamodb.size_bytes = 1500
    result = plan({}, EXECUTION, SETTINGS, source(dynamodb), staging(FakeS3()), ledger(dynamodb))

    assert result["segments"] == [Work(segment=0), Work(segment=1)]


def test_a_run_takes_its_window_from_the_input() -> None:
    planned_run = planned(FakeS3(), given={"start": "2024-01-15", "end": "2024-01-16"})

    assert (planned_run.start, planned_run.end) == ("2024-01-15T00:00:00Z", "2024-01-16T00:00:00Z")


def test_an_input_that_is_refused_claims_nothing() -> None:
    s3 = FakeS3()

    with pytest.raises(InputError):
        planned(s3, given={"begin": 1})

    assert not s3.objects


def test_a_run_leaves_its_manifest() -> None:
    s3 = FakeS3()
    planned_run = planned(s3)

    assert msgspec.json.decode(s3.objects[f"extract/{TIMESTAMP}/run.json"], type=Run) == planned_run


def test_a_start_in_another_zone_is_the_same_instant() -> None:
    assert planned(FakeS3(), EXECUTION | {"started_at": "2024-01-16T03:00:00.123+01:00"}).id == TIMESTAMP


def test_two_executions_of_one_millisecond_get_timestamps_of_their_own() -> None:
    s3 = FakeS3()
    timestamps = [planned(s3, EXECUTION | {"id": f"arn:{number}"}).id for number in range(3)]

    assert timestamps == ["20240116T020000123Z", "20240116T020000124Z", "20240116T020000125Z"]


def test_a_timestamp_carries_over_into_the_next_second() -> None:
    s3 = FakeS3()
    started = {"started_at": "2024-01-16T02:00:00.999Z"}
    planned(s3, EXECUTION | started)

    assert planned(s3, EXECUTION | started | {"id": "arn:2"}).id == "20240116T020001000Z"


@pytest.mark.parametrize("execution", ["arn:1", "arn:2", "arn:3"])
def test_a_retry_of_the_same_execution_gives_the_same_run(execution: str) -> None:
    s3 = FakeS3()
    first = {each: planned(s3, EXECUTION | {"id": each}) for each in ("arn:1", "arn:2", "arn:3")}

    assert planned(s3, EXECUTION | {"id": execution}) == first[execution]
    assert len(s3.objects) == 3


def test_a_retry_goes_on_with_the_segments_that_were_planned_first() -> None:
    s3 = FakeS3()
    planned(s3, size_bytes=2500)

    assert planned(s3, size_bytes=9500).segments == 3


def test_the_segments_returned_are_those_of_the_run_that_was_claimed_first() -> None:
    s3 = FakeS3()
    planned(s3, size_bytes=2500)
    dynamodb = FakeDynamoDB()
    dynamodb.size_bytes = 9500
    result = plan({}, EXECUTION, SETTINGS, source(dynamodb), staging(s3), ledger(dynamodb))

    assert len(result["segments"]) == result["run"].segments == 3


def test_a_claim_whose_answer_was_lost_is_found_by_the_retry() -> None:
    s3 = FakeS3()
    s3.faults.fail(1, after=True)
    with pytest.raises(Crash):
        planned(s3)
    s3.faults.revive()

    assert planned(s3).id == TIMESTAMP
    assert len(s3.objects) == 1


def test_a_claim_takes_nothing_from_the_run_but_the_timestamp() -> None:
    s3 = FakeS3()
    started_at = datetime.fromisoformat("2024-01-16T02:00:00.123Z")

    assert claim(run(id=""), started_at, staging(s3)) == run()


def test_the_items_of_the_window_are_staged_as_they_are() -> None:
    s3 = FakeS3()
    items = [item(1, bin={"B": "aGk="}), item(2, timestamp="2024-01-14T10:00:00Z")]
    result = extracted(s3, table(items))

    assert staged(s3, "extract/") == [items[0]]
    assert result == work(
        scanned=2, read=1, read_units=1, extracted=1, extract_parts=1, extract_bytes=result.counted("extract_bytes")
    )


def test_the_bytes_counted_are_those_of_the_records() -> None:
    s3 = FakeS3()
    result = extracted(s3, table([item(1)]))

    assert result.counted("extract_bytes") == len(s3.objects[f"extract/{TIMESTAMP}/data.json"]) - len(b"[\n]\n")


def test_an_empty_table_has_an_empty_part() -> None:
    s3 = FakeS3()
    result = extracted(s3, table([]))

    assert s3.objects[f"extract/{TIMESTAMP}/data.json"] == b"[\n]\n"
    assert list(s3.objects)[1:] == [f"seals/extract/{TIMESTAMP}/data.json"]
    assert (result.done, result.by_name()) == (True, {"extract_parts": 1})


def test_a_table_without_items_in_the_window_has_an_empty_part() -> None:
    s3 = FakeS3()
    items = [item(n, timestamp="2020-01-01T00:00:00Z") for n in range(25)]
    result = to_the_end(s3, table(items), pages=1)

    assert keys(s3, "extract/") == [f"extract/{TIMESTAMP}/data.json"]
    assert (result.counted("scanned"), result.counted("extracted"), result.counted("extract_parts")) == (25, 0, 1)


@pytest.mark.parametrize("page_items", [1, 4, 10])
def test_what_the_filter_lets_through_is_staged_as_it_is(page_items: int) -> None:
    s3 = FakeS3()
    without = item(3)
    del without["timestamp"]
    unusable = [item(1, timestamp="soon"), item(2) | {"timestamp": {"N": "5"}}, without, item(4, timestamp="")]
    result = extracted(s3, table(unusable, page_items))

    assert sorted(staged(s3, "extract/"), key=str) == sorted(unusable, key=str)
    assert keys(s3, "quarantine/") == []
    assert (result.counted("read"), result.counted("extracted")) == (4, 4)


def test_read_units_are_added_up_over_the_pages_and_rounded_up_once() -> None:
    result = extracted(FakeS3(), table([item(n) for n in range(25)], page_items=5))

    assert result.counted("read_units") == 13  # five pages of 2.5


class Compact(FakeDynamoDB):
    """A table that answers as DynamoDB does, without whitespace."""

    def scan(self, **request: Any) -> dict[str, Any]:
        answer = super().scan(**request)
        return answer | {"RawBody": json.dumps(json.loads(answer["RawBody"]), separators=(",", ":")).encode()}


def test_whitespace_between_the_items_changes_nothing() -> None:
    spaced, compact = table(ITEMS), Compact(page_items=10)
    compact.tables["source"] = ITEMS
    buckets = FakeS3(), FakeS3()
    results = [
        extracted(s3, dynamodb, part_bytes=2000) for s3, dynamodb in zip(buckets, (spaced, compact), strict=True)
    ]

    assert [result.counted("extracted") for result in results] == [72, 72]
    assert staged(buckets[0], "extract/") == staged(buckets[1], "extract/")


def test_a_page_that_cannot_be_read_fails_the_invocation_and_leaves_no_open_upload() -> None:
    s3, dynamodb = FakeS3(), table([item(n, pad={"S": "x" * 600_000}) for n in range(25)])
    dynamodb.faults.fail(3, lambda: client_error("AccessDeniedException"))
    with pytest.raises(ClientError):
        extracted(s3, dynamodb)

    assert "AbortMultipartUpload" in s3.faults.calls
    assert (s3.uploads, s3.objects) == ({}, {})


def test_out_of_time_no_page_is_read_that_the_next_invocation_reads_again() -> None:
    dynamodb = table([item(n) for n in range(45)])
    to_the_end(FakeS3(), dynamodb, pages=2)

    assert len(dynamodb.scans) == 5


def test_what_is_counted_as_extracted_is_what_is_staged() -> None:
    s3 = FakeS3()
    counts = extracted(s3, table(ITEMS)).by_name()

    assert counts["read"] == counts["extracted"] == len(staged(s3, "extract/")) < counts["scanned"] == len(ITEMS)


def test_a_full_part_is_closed_and_the_next_begun() -> None:
    s3 = FakeS3()
    result = extracted(s3, table([item(n) for n in range(35)]), part_bytes=1)

    assert keys(s3, "extract/") == [
        f"extract/{TIMESTAMP}/data.json",
        *(f"extract/{TIMESTAMP}/0000-{part:04d}.json" for part in (1, 2, 3)),
    ]
    assert result.counted("extract_parts") == 4
    assert len(staged(s3, "extract/")) == 35


def test_segments_stage_under_their_own_keys() -> None:
    s3, dynamodb = FakeS3(), table([item(n) for n in range(50)])
    results = [extracted(s3, dynamodb, work(segment=segment), segments=3) for segment in range(3)]

    assert keys(s3, "extract/") == [f"extract/{TIMESTAMP}/000{segment}-0000.json" for segment in range(3)]
    assert len(staged(s3, "extract/")) == sum(result.counted("extracted") for result in results) == 50


def test_out_of_time_the_cursor_is_the_key_of_the_last_item_read() -> None:
    dynamodb = table([item(n) for n in range(25)])
    result = extracted(FakeS3(), dynamodb, deadline=Units(1))

    assert not result.done
    assert result.cursor is not None
    assert result.cursor["key"].keys() == {"id"}
    assert result.counted("scanned") == 10


def test_the_end_of_the_segment_is_the_end_however_little_time_is_left() -> None:
    assert extracted(FakeS3(), table([item(1)]), deadline=Units(1)).done


ITEMS = [
    item(n, timestamp="soon" if n % 7 == 0 else "2020-01-01T00:00:00Z" if n % 5 == 0 else "2024-01-15T10:00:00Z")
    for n in range(87)
]


@pytest.mark.parametrize("pages", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("part_bytes", [1, 2000, MANY_BYTES])
@pytest.mark.parametrize("segments", [1, 2])
def test_interrupted_anywhere_the_same_records_are_staged(pages: int, part_bytes: int, segments: int) -> None:
    undisturbed, interrupted, dynamodb = FakeS3(), FakeS3(), table(ITEMS)
    for segment in range(segments):
        whole = extracted(undisturbed, dynamodb, work(segment=segment), part_bytes=part_bytes, segments=segments)
        pieces = to_the_end(
            interrupted, dynamodb, pages=pages, part_bytes=part_bytes, segments=segments, segment=segment
        )
        for name in ("scanned", "read", "extracted"):
            assert pieces.counted(name) == whole.counted(name)

    assert staged(interrupted, "extract/") == staged(undisturbed, "extract/")


def test_a_retry_after_a_crash_overwrites_its_own_objects() -> None:
    undisturbed, s3, dynamodb = FakeS3(), FakeS3(), table(ITEMS)
    whole = extracted(undisturbed, dynamodb, part_bytes=2000)
    s3.faults.fail(4, after=True)
    with pytest.raises(Crash):
        extracted(s3, dynamodb, part_bytes=2000)
    s3.faults.revive()
    assert s3.objects

    assert extracted(s3, dynamodb, part_bytes=2000) == whole
    assert s3.objects == undisturbed.objects


def test_what_was_counted_before_goes_on_adding_up() -> None:
    result = extracted(FakeS3(), table([item(1)]), work(scanned=5, read=2, extracted=2))

    assert (result.counted("scanned"), result.counted("read"), result.counted("extracted")) == (6, 3, 3)


def test_a_staged_part_is_an_array_of_one_item_a_line() -> None:
    s3 = FakeS3()
    extracted(s3, table([item(1)]))
    body = s3.objects[f"extract/{TIMESTAMP}/data.json"]
    (line,) = body.splitlines()[1:-1]

    assert body == b"[\n" + line + b"\n]\n"
    assert json.loads(array([json.loads(line)])) == [item(1)]


def failing_later(s3: FakeS3, operation: str, number: int, *, after: bool) -> None:
    """Let S3 fail in passing from this request of a kind on, which it has not done or has."""
    method, count = getattr(s3, operation), 0

    def fail(**given: Any) -> Any:
        nonlocal count
        count += 1
        if count < number:
            return method(**given)
        if after and count == number:
            method(**given)
        raise client_error("SlowDown", 503)

    setattr(s3, operation, fail)


@pytest.mark.parametrize("number", range(1, 9))
@pytest.mark.parametrize("after", [False, True])
def test_when_s3_fails_the_parts_that_are_closed_are_kept(number: int, after: bool) -> None:
    undisturbed, s3, dynamodb = FakeS3(), FakeS3(), table(ITEMS)
    whole = extracted(undisturbed, dynamodb, part_bytes=2000)
    dynamodb.scans.clear()
    failing_later(s3, "put_object", number, after=after)
    if number <= 2:  # the first part, and its seal
        with pytest.raises(ClientError):
            extracted(s3, dynamodb, part_bytes=2000)
        return
    kept = extracted(s3, dynamodb, part_bytes=2000)

    assert not kept.done
    assert kept.counted("extract_parts") == (number - 1) // 2
    del s3.put_object
    last = extracted(s3, dynamodb, kept, part_bytes=2000)
    for name in ("scanned", "read", "extracted"):
        assert last.counted(name) == whole.counted(name)
    assert staged(s3, "extract/") == staged(undisturbed, "extract/")
    assert [each.get("ExclusiveStartKey") for each in dynamodb.scans].count(None) == 1


def test_when_an_upload_is_gone_the_parts_that_are_closed_are_kept() -> None:
    s3 = FakeS3()
    s3.faults.fail(3, lambda: client_error("NoSuchUpload", 404))
    kept = extracted(s3, table(ITEMS), part_bytes=2000)

    assert (kept.done, kept.counted("extract_parts")) == (False, 1)


def test_when_s3_refuses_for_good_the_invocation_fails() -> None:
    s3 = FakeS3()
    s3.faults.fail(4, lambda: client_error("AccessDenied", 403))
    with pytest.raises(ClientError):
        extracted(s3, table(ITEMS), part_bytes=2000)


def pages_then(error: Exception, pages: int) -> Iterator[Page]:
    for number in range(pages):
        yield Page([b"{}"], 1, 1, {"part": 0, "offset": number}, Decimal(1))
    raise error


@pytest.mark.parametrize("error", [TransientError("later"), client_error("InternalServerError", 500)])
def test_the_pages_before_one_that_fails_in_passing_are_kept(error: Exception) -> None:
    """Those of a replay, too."""
    s3 = FakeS3()
    result = extract_segment(run(), work(), pages_then(error, 2), staging(s3), MANY_BYTES)

    assert result.cursor == {"part": 0, "offset": 1}
    assert result.by_name() | {"read": 2, "extracted": 2, "read_units": 2, "extract_parts": 1} == result.by_name()
    assert len(staged(s3, "extract/")) == 2


@pytest.mark.parametrize(("error", "pages"), [(TransientError("later"), 0), (InputError("no"), 2)])
def test_an_invocation_fails_without_a_page_or_for_good(error: Exception, pages: int) -> None:
    s3 = FakeS3()
    with pytest.raises(type(error)):
        extract_segment(run(), work(), pages_then(error, pages), staging(s3), MANY_BYTES)

    assert not s3.objects
