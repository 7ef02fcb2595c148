import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from etl.model.errors import BalanceError, InputError, Reason, StagingError, reason_of
from etl.model.rejection import RejectedError
from etl.model.run import Replayed, Run, Work
from etl.model.schema import SOURCE_KEY, TIME
from etl.model.windows import requested_replay
from etl.replay import plan_replay, quarantined_pages
from etl.staging.keys import replayed_key
from etl.staging.quarantine import rejected_line
from etl.tables.source import Page
from tests.fakes.dynamodb import FakeDynamoDB, Item
from tests.fakes.pipeline import FakePipeline
from tests.fakes.s3 import FakeS3
from tests.unit.builders import Units, array, hold, item, ledger, run, source, staged, staging, work

REPLAYED = Replayed("20240116T020000123Z", "arn:aws:states:execution:1")
RUN = msgspec.structs.replace(run(id="20240117T000000000Z"), replay=REPLAYED)
PREFIX = f"quarantine/{REPLAYED.run}/"


def rejected(stage: str, *items: Any) -> bytes:
    """An object of quarantine."""
    reason = RejectedError("expected a number", field="value", got="text")
    lines = [rejected_line(stage, run(), 0, reason, json.dumps(each).encode()) for each in items]
    return b"[\n" + b",\n".join(lines) + b"\n]\n"


def made(key: str) -> dict[str, str]:
    """A record that transform() made of the item with this key."""
    return {SOURCE_KEY: key, TIME: "2024-01-15T10:00:00Z"}


def pages(
    s3: FakeS3, dynamodb: FakeDynamoDB, given: Work | None = None, units: int = 1000, *, run: Run = RUN
) -> list[Page]:
    staging(s3).put(replayed_key(run.id), json.dumps(staging(s3).sealed(PREFIX)).encode())
    return list(quarantined_pages(run, given or work(), source(dynamodb), staging(s3), Units(units)))


def records(found: list[Page]) -> list[Any]:
    return [json.loads(line) for page in found for line in page.items]


def table(*items: Item) -> FakeDynamoDB:
    dynamodb = FakeDynamoDB()
    dynamodb.tables["source"] = list(items)
    return dynamodb


def test_a_record_is_taken_up_as_its_item_is_now() -> None:
    s3 = FakeS3()
    hold(s3, PREFIX + "transform-0000-0000.json", rejected("transform", item(1, value="-1"), item(2, timestamp="soon")))
    corrected = item(1), item(2, timestamp="2001-05-05T00:00:00Z")

    found = pages(s3, table(*corrected, item(3)))

    assert records(found) == [*corrected]
    assert (found[0].read, found[0].scanned, found[0].not_replayable, found[0].units) == (2, 2, 0, Decimal(2))


def test_a_record_without_an_item_is_taken_up_from_quarantine() -> None:
    s3 = FakeS3()
    hold(s3, PREFIX + "transform-0000-0000.json", rejected("transform", item(1, value="-1")))

    found = pages(s3, table())

    assert records(found) == [item(1, value="-1")]
    assert (found[0].read, found[0].scanned, found[0].not_replayable) == (1, 0, 0)


@pytest.mark.parametrize("moved_to", ["2024-01-16T00:00:00Z", "2024-01-16T00:00:00.5Z", "2031-05-05T00:00:00Z"])
def test_an_item_after_the_window_belongs_to_a_later_run(moved_to: str) -> None:
    s3 = FakeS3()
    plain = made("item-0002")
    hold(s3, PREFIX + "transform-0000-0000.json", rejected("transform", item(1, value="-1")))
    hold(s3, PREFIX + "load-0000-0000.json", rejected("load", plain))

    found = pages(s3, table(item(1, timestamp=moved_to), item(2, timestamp=moved_to)))

    assert records(found) == [item(1, value="-1")]
    assert sum(page.not_replayable for page in found) == 1


def test_an_item_without_a_timestamp_is_taken_up_as_it_is_now() -> None:
    s3 = FakeS3()
    hold(s3, PREFIX + "transform-0000-0000.json", rejected("transform", item(1, timestamp="soon")))
    now = item(1) | {"timestamp": {"N": "5"}}

    assert records(pages(s3, table(now))) == [now]


def test_records_of_load_are_taken_up_from_the_source_or_not() -> None:
    s3 = FakeS3()
    plain = [made(each) for each in ("item-0001", "made-up")]
    hold(s3, PREFIX + "load-0000-0000.json", rejected("load", *plain))

    found = pages(s3, table(item(1)))

    assert records(found) == [item(1)]
    assert (found[0].read, found[0].scanned, found[0].not_replayable) == (2, 1, 1)


@pytest.mark.parametrize("key", ["", "x" * 2049, "é" * 1025])
def test_a_key_that_dynamodb_cannot_have_is_not_asked_for(key: str) -> None:
    s3 = FakeS3()
    hold(s3, PREFIX + "load-0000-0000.json", rejected("load", made(key)))
    dynamodb = table()

    assert [page.not_replayable for page in pages(s3, dynamodb)] == [1, 0]
    assert dynamodb.faults.calls == []


def test_two_records_of_one_item_are_both_accounted_for() -> None:
    s3 = FakeS3()
    plain = made("item-0001")
    hold(s3, PREFIX + "load-0000-0000.json", rejected("load", plain, plain))

    found = pages(s3, table(item(1)))

    assert records(found) == [item(1), item(1)]
    assert (found[0].read, found[0].scanned) == (2, 1)


def test_segments_share_the_objects_and_keep_their_cursors() -> None:
    s3 = FakeS3()
    names = [f"{stage}-{n:04d}-0000.json" for stage in ("load", "transform") for n in range(3)]
    for number, name in enumerate(names):
        first = number * 60
        items = [item(n) for n in range(first, first + 60)]
        plain = [made(each[SOURCE_KEY]["S"]) for each in items]
        stage = name.partition("-")[0]
        hold(s3, PREFIX + name, rejected(stage, *(items if stage == "transform" else plain)))
    dynamodb = table(*(item(n) for n in range(360)))
    wide = msgspec.structs.replace(RUN, segments=4)
    taken = []
    for segment in range(4):
        given = work(segment=segment)
        while True:
            found = pages(s3, dynamodb, given, units=2, run=wide)
            taken += records(found)
            if found[-1].cursor is None:
                break
            given = work(segment=segment, cursor=found[-1].cursor)

    assert sorted(each["id"]["S"] for each in taken) == [f"item-{n:04d}" for n in range(360)]


def test_a_quarantine_that_was_changed_is_refused() -> None:
    s3 = FakeS3()
    hold(s3, PREFIX + "transform-0000-0000.json", rejected("transform", item(1)))
    s3.objects[PREFIX + "transform-0000-0000.json"] = rejected("transform", item(2))

    with pytest.raises(StagingError, match="its ETag isn't that of its seal") as caught:
        pages(s3, table())
    assert reason_of("StagingError", str(caught.value)) is Reason.QUARANTINE_LOST


@pytest.mark.parametrize(
    "line",
    [
        b"5",
        b"{}",
        b'{"stage":"transform"}',
        b'{"stage":"load"',
        b'{"stage":"load","item":{"id":"\\ud800"}}',
    ],
)
def test_a_quarantine_that_no_stage_wrote_is_refused(line: bytes) -> None:
    s3 = FakeS3()
    hold(s3, PREFIX + "load-0000-0000.json", b"[\n" + line + b"\n]\n")

    with pytest.raises(StagingError, match=r"load-0000-0000\.json") as caught:
        pages(s3, table())
    assert reason_of("StagingError", str(caught.value)) is Reason.QUARANTINE_LOST


def test_an_item_without_a_key_is_taken_up_as_it_is() -> None:
    s3 = FakeS3()
    odd: list[Any] = [{}, {"id": {"N": "5"}}, {"id": {"S": ""}}]
    hold(s3, PREFIX + "transform-0000-0000.json", rejected("transform", *odd))

    assert records(pages(s3, table())) == odd


NOW = datetime(2024, 1, 17, tzinfo=UTC)


def planned(s3: FakeS3, dynamodb: FakeDynamoDB, concurrency: int = 40, *, at: datetime = NOW) -> Run:
    replay, keys = plan_replay(REPLAYED.run, at, staging(s3), ledger(dynamodb), concurrency)
    assert keys == staging(s3).sealed(PREFIX)
    return replay


def ended(s3: FakeS3, *, objects: int = 1) -> FakeDynamoDB:
    """A run that has succeeded, with so many objects in quarantine."""
    original = msgspec.structs.replace(run(segments=7), execution=REPLAYED.execution)
    s3.objects[f"extract/{REPLAYED.run}/run.json"] = msgspec.json.encode(original)
    for number in range(objects):
        hold(s3, f"{PREFIX}transform-{number:04d}-0000.json", array([]))
    dynamodb = FakeDynamoDB()
    ledger(dynamodb).begin(original)
    ledger(dynamodb).succeed(original, {}, "2024-01-16T02:10:00Z")
    return dynamodb


def test_a_replay_has_the_runs_window_and_a_segment_per_object() -> None:
    s3 = FakeS3()
    dynamodb = ended(s3, objects=3)

    replay = planned(s3, dynamodb)

    assert (replay.start, replay.end, replay.segments) == (run().start, run().end, 3)
    assert replay.replay == REPLAYED
    assert planned(s3, dynamodb, concurrency=2).segments == 2


def test_a_run_that_never_was_or_has_expired_is_not_replayed() -> None:
    with pytest.raises(InputError, match=rf"{REPLAYED.run}.*\[run-expired\]"):
        planned(FakeS3(), FakeDynamoDB())


@pytest.mark.parametrize("manifest", [b"{", b"{}", msgspec.json.encode(msgspec.structs.replace(run(), time="soon"))])
def test_a_run_whose_manifest_was_changed_is_not_replayed(manifest: bytes) -> None:
    s3 = FakeS3()
    dynamodb = ended(s3)
    s3.objects[f"extract/{REPLAYED.run}/run.json"] = manifest

    with pytest.raises(InputError, match=rf"{REPLAYED.run}.* changed.*\[run-expired\]"):
        planned(s3, dynamodb)


def test_a_run_that_has_nothing_in_quarantine_is_not_replayed() -> None:
    s3 = FakeS3()
    dynamodb = ended(s3, objects=0)
    s3.objects[f"{PREFIX}transform-0000-0000.json"] = b"left by an invocation that died"

    with pytest.raises(InputError, match=rf"{REPLAYED.run} .*\[nothing-quarantined\]"):
        planned(s3, dynamodb)


def test_a_run_that_is_still_going_is_not_replayed() -> None:
    s3 = FakeS3()
    ended(s3)
    going = FakeDynamoDB()
    ledger(going).begin(msgspec.structs.replace(run(), execution=REPLAYED.execution))

    with pytest.raises(InputError, match=rf"{REPLAYED.run} .* until 2024-01-16T02:35:00.123Z \[run-not-over\]"):
        planned(s3, going, at=datetime(2024, 1, 16, 2, 35, 0, 123_000, tzinfo=UTC))


def test_a_run_without_an_end_is_replayed_after_its_longest_time() -> None:
    s3 = FakeS3()
    ended(s3)
    going = FakeDynamoDB()
    ledger(going).begin(msgspec.structs.replace(run(), execution=REPLAYED.execution))

    assert planned(s3, going, at=datetime(2024, 1, 16, 2, 35, 1, tzinfo=UTC)).replay == REPLAYED


@pytest.mark.parametrize("status", ["FAILED", "ABORTED", "TIMED_OUT"])
@pytest.mark.parametrize(
    ("stage", "waits"),
    [("Transform", True), ("Load", True), ("unknown", True), ("Plan", False), ("Gate", False), ("Finish", False)],
)
def test_a_replay_waits_for_workers_of_a_failed_run(status: str, stage: str, waits: bool) -> None:
    s3 = FakeS3()
    dynamodb = ended(s3)
    entry = dynamodb.ledger.items["run", "1"]
    entry |= {"status": {"S": status}, "stage": {"S": stage}, "finished_at": {"S": "2024-01-16T23:56:00.000Z"}}

    assert planned(s3, dynamodb, at=NOW + timedelta(minutes=1)).replay == REPLAYED
    if waits:
        with pytest.raises(InputError, match=r"until 2024-01-17T00:01:00Z \[workers-not-over\]"):
            planned(s3, dynamodb)
    else:
        assert planned(s3, dynamodb).replay == REPLAYED


def test_a_run_that_succeeded_just_now_is_replayed_at_once() -> None:
    s3 = FakeS3()
    dynamodb = ended(s3)
    dynamodb.ledger.items["run", "1"] |= {"finished_at": {"S": "2024-01-16T23:59:59.000Z"}}

    assert planned(s3, dynamodb).replay == REPLAYED


def test_a_run_whose_entry_is_lost_is_replayed_all_the_same() -> None:
    s3 = FakeS3()
    ended(s3)

    assert planned(s3, FakeDynamoDB()).replay == REPLAYED


@pytest.mark.parametrize(
    "given",
    [
        {"replay": REPLAYED.run},
        {"detail": {"replay": REPLAYED.run}, "time": "2024-01-17T00:00:00Z"},
        {"detail": {"replay": REPLAYED.run, "action": "start"}},
    ],
)
def test_a_replay_is_asked_for_by_the_input_or_an_event(given: Any) -> None:
    assert requested_replay(given) == REPLAYED.run


@pytest.mark.parametrize("given", [{}, {"lookback_hours": 4}, {"detail": {}}, None, [], "replay", 5])
def test_other_inputs_ask_for_a_window(given: Any) -> None:
    assert requested_replay(given) is None


@pytest.mark.parametrize("value", [None, 5, "", "latest", "2024-01-16T02:00:00Z", REPLAYED.run + "\n", [REPLAYED.run]])
def test_a_text_that_is_no_run_id_is_refused(value: Any) -> None:
    with pytest.raises(InputError, match=r"replay .*20240116T020000123Z, got"):
        requested_replay({"replay": value})


@pytest.mark.parametrize("other", ["start", "end", "lookback_hours", "time", "unknown"])
def test_a_replay_takes_no_other_field(other: str) -> None:
    with pytest.raises(InputError, match=r"replay can't be combined"):
        requested_replay({"replay": REPLAYED.run, other: 1})


BAD = [item(n, value="-1") for n in range(3)]


class Night(FakePipeline):
    """A pipeline that has loaded 100 items and rejected three."""

    first: dict[str, Any]

    def __init__(self) -> None:
        super().__init__([*(item(n) for n in range(3, 103)), *BAD])

    def correct(self, *numbers: int) -> None:
        """Correct items in the source table."""
        source = {each["id"]["S"]: each for each in self.dynamodb.tables["source"]}
        source |= {f"item-{n:04d}": item(n) for n in numbers}
        self.dynamodb.tables["source"] = list(source.values())

    def replay(self, number: int = 2, of: str = "") -> dict[str, Any]:
        """Replay the first run, or another."""
        started_at = datetime(2024, 1, 17, tzinfo=UTC) + timedelta(minutes=number)
        execution = {
            "id": f"arn:aws:states:execution:{number}",
            "name": str(number),
            "started_at": started_at.isoformat(),
        }
        return self.run({"replay": of or self.first["run"]}, execution)

    def destination(self) -> list[str]:
        return sorted(json.dumps(each, sort_keys=True) for each in self.dynamodb.tables["destination"])


@pytest.fixture
def night() -> Iterator[Night]:
    pipeline = Night()
    with pipeline.deployed():
        pipeline.first = pipeline.run({"start": run().start, "end": run().end})
        yield pipeline


def test_a_replay_loads_what_passes_and_quarantines_the_rest(night: Night) -> None:
    night.correct(0, 2)

    report = night.replay()

    counts = report["counts"]
    assert report["replay"] == night.first["run"]
    assert report["window"] == night.first["window"]
    assert (counts["read"], counts["loaded"], counts["rejected_transform"]) == (3, 2, 1)
    assert len(night.dynamodb.tables["destination"]) == 102
    [again] = staged(night.s3, f"quarantine/{report['run']}/")
    assert (again["item"]["id"]["S"], again["run"]) == ("item-0001", report["run"])


def test_a_replay_loads_the_same_as_the_run_would_have(night: Night) -> None:
    other = FakePipeline([item(n) for n in range(103)])
    night.correct(0, 1, 2)
    night.replay()
    replayed = night.destination()
    with other.deployed():
        other.run({"start": run().start, "end": run().end})
    whole = sorted(json.dumps(each, sort_keys=True) for each in other.dynamodb.tables["destination"])

    assert replayed == whole


def test_the_run_is_marked_as_replayed_and_the_watermark_stays(night: Night) -> None:
    night.correct(0, 2)
    report = night.replay()

    ledger = night.dynamodb.ledger
    assert ledger.entry("1")["replayed"] == {
        "run": report["run"],
        "finished_at": "2024-01-16T02:10:00.000Z",
        "read": 3,
        "left": 0,
        "dropped": 0,
        "ahead": 0,
        "untimed": 0,
        "loaded": 2,
        "superseded": 0,
        "rejected_transform": 1,
        "rejected_load": 0,
    }
    assert (ledger.entry("2")["status"], ledger.entry("2")["replay"]) == ("SUCCEEDED", night.first["run"])
    assert ledger.watermark is None


def test_items_without_a_time_load_once_they_have_one(night: Night) -> None:
    untimed = [item(n, timestamp="2024-01-15T10:00:00+0000") for n in range(200, 203)]
    night.dynamodb.tables["source"] += untimed
    execution = {"id": "arn:aws:states:execution:9", "name": "9", "started_at": "2024-01-17T01:00:00+00:00"}
    whole = night.run({"start": run().start, "end": run().end}, execution)
    night.correct(0, 1, 2, 200, 201)

    report = night.replay(of=whole["run"])

    assert (whole["counts"]["untimed"], whole["counts"]["rejected_transform"]) == (3, 3)
    assert {name: report["counts"].get(name, 0) for name in ("read", "loaded", "untimed", "rejected_transform")} == {
        "read": 6,
        "loaded": 5,
        "untimed": 1,
        "rejected_transform": 0,
    }
    assert night.dynamodb.ledger.entry("9")["replayed"]["untimed"] == 1


@pytest.mark.parametrize(
    ("moved_to", "counted"), [("2024-01-16T23:59:59Z", "loaded"), ("2024-01-18T00:00:00Z", "ahead")]
)
def test_items_without_a_time_load_in_any_window(night: Night, moved_to: str, counted: str) -> None:
    night.dynamodb.tables["source"].append(item(200, timestamp="2024-01-16T23:59:59+00:00"))
    execution = {"id": "arn:aws:states:execution:9", "name": "9", "started_at": "2024-01-17T01:00:00+00:00"}
    whole = night.run({"start": "2001-01-01", "end": "2001-01-02"}, execution)
    night.dynamodb.tables["source"][-1] = item(200, timestamp=moved_to)

    counts = night.replay(of=whole["run"])["counts"]

    assert {name for name in ("loaded", "ahead", "untimed") if counts.get(name)} == {counted}


def test_a_second_replay_changes_nothing(night: Night) -> None:
    night.correct(0, 2)
    first = night.replay()
    before = night.destination()
    second = night.replay(3)

    assert night.destination() == before
    assert second["counts"] == first["counts"]
    assert night.dynamodb.ledger.entry("1")["replayed"]["run"] == second["run"]


def test_a_replay_is_replayed_in_its_turn(night: Night) -> None:
    night.correct(0, 2)
    first = night.replay()
    night.correct(1)
    second = night.replay(3, of=first["run"])

    assert (second["counts"]["read"], second["counts"]["loaded"]) == (1, 1)
    assert len(night.dynamodb.tables["destination"]) == 103
    assert night.dynamodb.ledger.entry("2")["replayed"]["run"] == second["run"]


def test_a_replay_of_a_run_without_an_entry_succeeds(night: Night) -> None:
    del night.dynamodb.ledger.items["run", "1"]
    night.replay()

    assert [entry["status"] for entry in night.dynamodb.ledger.entries()] == ["SUCCEEDED"]


def test_a_replay_that_crashes_anywhere_is_done_once(night: Night) -> None:
    night.correct(0, 2)
    night.faults.calls.clear()
    night.replay()
    undisturbed, calls = night.destination(), len(night.faults.calls)
    for number in range(1, calls + 1):
        night.faults.calls.clear()
        night.faults.fail(number)
        night.replay(number + 2)
        assert night.destination() == undisturbed


def test_a_missing_quarantined_record_fails_the_replay(night: Night) -> None:
    key = f"quarantine/{night.first['run']}/transform-0000-0000.json"
    hold(night.s3, key, rejected("transform", *BAD))
    map_segments = night._map

    def lose(state: Any, action: str, handler: Any) -> None:
        map_segments(state, action, handler)
        if action == "extract":
            state["segments"][0]["counts"][1] += 1

    night._map = lose  # type: ignore[method-assign]
    with pytest.raises(BalanceError, match=r"quarantine held 4 .* 3, 1 fewer"):
        night.replay()


def test_all_workers_share_the_list_that_plan_has_made(night: Night) -> None:
    late = f"quarantine/{night.first['run']}/load-0000-0000.json"
    map_segments = night._map

    def arrive_late(state: Any, action: str, handler: Any) -> None:
        if action == "extract":
            hold(night.s3, late, rejected("load", made("item-0050")))
        map_segments(state, action, handler)

    night._map = arrive_late  # type: ignore[method-assign]
    night.correct(0, 1, 2)

    assert night.replay()["counts"]["read"] == 3
