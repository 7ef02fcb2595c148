import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest

import etl.user.accumulator
from etl.gate import Allowed, aggregate_record, pass_gate
from etl.model.counts import Share
from etl.model.errors import BalanceError, QualityGateError, StagingError, TransformationError
from etl.model.rejection import RejectedError, UntimedError
from etl.model.run import Replayed, Work
from etl.rejection_checks import check_rejected
from etl.staging.keys import part_key, partial_key, quarantine_key
from etl.staging.quarantine import rejected_line
from etl.user.accumulator import accumulators
from etl.user.aggregates import Aggregate
from tests.fakes.s3 import FakeS3
from tests.unit.builders import array, hold, run, staged, staging, work

TIMESTAMP = "20240116T020000123Z"
FIVE, NEARLY_ALL = Decimal(5), Decimal(99)
DEFAULT = Allowed(FIVE, NEARLY_ALL)
BY_DAY = Aggregate(name="by_day", by=["day"], of={"value": ["sum", "avg"]})
LOADED = Aggregate(name="loaded", by=["day", "shop"], of={"value": ["sum"]}, load=True)


def read(rejected: int, total: int = 100) -> Work:
    """A segment of which so many items were rejected."""
    return work(
        read=total,
        extracted=total,
        transformed=total - rejected,
        rejected_transform=rejected,
        records=total - rejected,
        transform_parts=1,
    )


def with_quarantine(s3: FakeS3, segment: Work, part: int = 0) -> Work:
    """The segment, with its rejected records in a part of quarantine."""
    if segment.counted("rejected_transform"):
        quarantine(s3, [("value", "a number")] * segment.counted("rejected_transform"), segment.segment, part)
        segment.count("transform_quarantine_parts")
    return segment


def quarantine(s3: FakeS3, reasons: list[tuple[str, str]], segment: int = 0, part: int = 0) -> None:
    lines = []
    for field, expected in reasons:
        reason = RejectedError(f"expected {expected}", field=field, got="secret")
        reason.summary = f"{field or 'record'}: expected {expected}"
        lines.append(rejected_line("transform", run(), segment, reason, b'{"id":{"S":"secret"}}'))
    hold(s3, quarantine_key("transform", run(), segment, part), b"[\n" + b",\n".join(lines) + b"\n]\n")


def with_untimed(s3: FakeS3, segment: Work, number: int, part: int) -> Work:
    """The segment, with so many more items that have no time, and their part of quarantine."""
    reason = UntimedError("expected a time", field="timestamp", got="secret")
    reason.summary = "timestamp: expected a time"
    line = rejected_line("transform", run(), segment.segment, reason, b'{"id":{"S":"secret"}}')
    hold(
        s3, quarantine_key("transform", run(), segment.segment, part), b"[\n" + b",\n".join([line] * number) + b"\n]\n"
    )
    for name in ("read", "extracted", "untimed"):
        segment.count(name, number)
    segment.count("transform_quarantine_parts")
    return segment


def partial(s3: FakeS3, aggregates: list[Aggregate], records: list[dict[str, Any]], segment: int, part: int) -> None:
    """The aggregates of one part, as Transform stages them."""
    parts = accumulators(aggregates)
    for each in parts:
        each.add([each.prepare(record) for record in records])
    hold(s3, partial_key(run(), segment, part), etl.user.accumulator.partial(parts))


def passed(
    s3: FakeS3,
    segments: list[Work],
    aggregates: list[Aggregate] | None = None,
    percent: Decimal = FIVE,
    dropped: Decimal = NEARLY_ALL,
) -> dict[str, Any]:
    return pass_gate(run(segments=len(segments)), segments, staging(s3), aggregates or [], Allowed(percent, dropped))


def test_what_passes_is_the_state_that_load_starts_from() -> None:
    segments = [read(0), Work(segment=1)]
    state = passed(FakeS3(), segments)

    assert state == {
        "run": run(segments=2),
        "segments": [work(transform_parts=1), work(segment=1)],
        "gate": {
            "aggregates": f"transform/{TIMESTAMP}/aggregates.json",
            "threshold_percent": "5",
            "counts": {"read": 100, "extracted": 100, "transformed": 100, "records": 100},
        },
    }


@pytest.mark.parametrize(
    ("rejected", "percent", "passes"),
    [
        (0, "0", True),
        (1, "0", False),
        (5, "5", True),
        (6, "5", False),
        (1, "1.0", True),
        (1, "0.99", False),
        (100, "100", True),
        (100, "99.9", False),
    ],
)
def test_a_share_up_to_the_threshold_passes(rejected: int, percent: str, passes: bool) -> None:
    s3 = FakeS3()
    segments = [with_quarantine(s3, read(rejected))]
    if passes:
        passed(s3, segments, percent=Decimal(percent))
        return

    with pytest.raises(QualityGateError):
        passed(s3, segments, percent=Decimal(percent))


def test_the_share_is_over_all_segments() -> None:
    s3 = FakeS3()
    passed(s3, [with_quarantine(s3, read(10)), msgspec.structs.replace(read(0), segment=1)])


def test_a_share_is_compared_exactly_with_the_threshold() -> None:
    many = 10**17
    with pytest.raises(QualityGateError):
        check_rejected(run(), Share(many // 20 + 1, many), FIVE)

    check_rejected(run(), Share(many // 20, many), FIVE)


def test_a_run_that_read_nothing_passes() -> None:
    passed(FakeS3(), [work()], percent=Decimal(0))


def test_a_refusal_has_numbers_reasons_and_a_remedy() -> None:
    s3 = FakeS3()
    reasons = [("value", "a number")] * 4 + [("", "no KeyError in transform()")] * 2 + [("timestamp", "a time")]
    quarantine(s3, reasons)
    segment = read(7)
    segment.count("transform_quarantine_parts")

    with pytest.raises(QualityGateError) as error:
        passed(s3, [segment])

    for fact in (
        f"run {TIMESTAMP}: 7 of 100 items",
        "7.0 %",
        "5 %",
        "REJECT_THRESHOLD_PERCENT",
        "value: expected a number (4×); record: expected no KeyError in transform() (2×); ",
        "timestamp: expected a time (1×);",
        f"quarantine/{TIMESTAMP}/",
        "2024-01-15T00:00:00Z to 2024-01-16T00:00:00Z",
    ):
        assert fact in str(error.value)


def test_reasons_are_counted_over_segments_and_parts() -> None:
    s3 = FakeS3()
    for segment in range(2):
        for part in range(2):
            quarantine(s3, [("value", "a number")] * 30, segment, part)
    segments = [msgspec.structs.replace(read(60), segment=segment) for segment in range(2)]
    for each in segments:
        each.count("transform_quarantine_parts", 2)

    with pytest.raises(QualityGateError, match=r"value: .* \(120×\)"):
        passed(s3, segments)


def test_the_commonest_three_reasons_are_shown() -> None:
    s3 = FakeS3()
    quarantine(s3, [(f"field{n}", "x") for n in range(5) for _ in range(n + 1)])
    segment = read(15)
    segment.count("transform_quarantine_parts")

    with pytest.raises(
        QualityGateError,
        match=r"field4: .* \(5×\); field3: .* \(4×\); field2: .* \(3×\); look",
    ):
        passed(s3, [segment])


def test_after_enough_reasons_the_rest_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("etl.gate._MOST_TALLIED", 50)
    s3 = FakeS3()
    segment = with_quarantine(s3, with_quarantine(s3, read(60)), 1)
    segment.count("rejected_transform", 60)
    segment.count("transformed", -60)
    s3.ranges.clear()

    with pytest.raises(QualityGateError, match=r"value: .* \(50×\)"):
        passed(s3, [segment])
    assert s3.ranges == ["bytes=0-0", "bytes=0-0", "bytes=0-4194303"]  # both were counted, and one was read


def test_a_refusal_shows_no_reason_of_items_without_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    s3 = FakeS3()
    segment = with_untimed(s3, read(6), 50, 0)
    quarantine(s3, [("value", "a number")] * 6, part=1)
    segment.count("transform_quarantine_parts")
    monkeypatch.setattr("etl.gate._MOST_TALLIED", 10)  # it reads on until it has a reason

    with pytest.raises(QualityGateError, match=r"6 of 100 items .* Most common: value: .* \(6×\); look"):
        passed(s3, [segment])


@pytest.mark.parametrize("number", [1, 5, 5000])
def test_items_without_a_time_never_fail_a_run(number: int) -> None:
    s3 = FakeS3()
    state = passed(s3, [with_untimed(s3, with_quarantine(s3, read(5)), number, 1)])
    alone = passed(s3, [with_untimed(s3, work(transform_parts=1), number, 0)], percent=Decimal(0), dropped=Decimal(0))

    assert state["gate"]["counts"]["untimed"] == alone["gate"]["counts"]["untimed"] == number


def test_a_refusal_quotes_no_record() -> None:
    s3 = FakeS3()
    quarantine(s3, [("value", "a number")] * 6)
    segment = read(6)
    segment.count("transform_quarantine_parts")

    with pytest.raises(QualityGateError) as error:
        passed(s3, [segment])

    assert "secret" not in str(error.value)


def test_a_refused_run_stages_nothing() -> None:
    s3 = FakeS3()
    segment = with_quarantine(s3, read(6))
    before = dict(s3.objects)
    with pytest.raises(QualityGateError):
        passed(s3, [segment])

    assert s3.objects == before


def test_quarantine_must_hold_the_rejected_records() -> None:
    s3 = FakeS3()
    segment = with_quarantine(s3, read(5))
    segment.count("rejected_transform", -1)
    segment.count("dropped")

    with pytest.raises(BalanceError, match=r"transform set 4 .* 5, 1 more"):
        passed(s3, [segment])


@pytest.mark.parametrize("change", [None, b"[\n{}\n]\n"])
def test_a_missing_or_changed_quarantine_object_does_not_pass(change: bytes | None) -> None:
    s3 = FakeS3()
    segment, key = with_quarantine(s3, read(1)), quarantine_key("transform", run(), 0, 0)
    if change:
        s3.objects[key] = change
    else:
        del s3.objects[key]

    with pytest.raises(StagingError, match=rf"s3://staging/{key} is(n't the array| missing)"):
        passed(s3, [segment])


REPLAY = msgspec.structs.replace(run(), replay=Replayed("20240116T010000000Z", "arn:replayed"))


def test_a_replay_passes_with_any_share_of_failures() -> None:
    s3 = FakeS3()
    state = pass_gate(REPLAY, [with_quarantine(s3, read(99))], staging(s3), [], DEFAULT)

    assert state["gate"]["counts"]["rejected_transform"] == 99
    check_rejected(REPLAY, Share(1, 1), FIVE)


def test_a_replay_loads_no_aggregates() -> None:
    s3 = FakeS3()
    partial(s3, [LOADED], [{"day": "1", "shop": "x", "value": 1}], 0, 0)
    state = pass_gate(REPLAY, [read(0)], staging(s3), [LOADED], DEFAULT)

    assert state["segments"][0].counted("transform_parts") == 1
    assert "aggregate_records" not in state["gate"]["counts"]
    assert len(document(s3)["aggregates"][0]["groups"]) == 1


@pytest.mark.parametrize("transformed", [94, 96])
def test_a_transform_that_does_not_add_up_does_not_pass(transformed: int) -> None:
    segment = read(5)
    segment.count("transformed", transformed - segment.counted("transformed"))

    with pytest.raises(BalanceError, match="extract wrote 100 records and transform accounts for"):
        passed(FakeS3(), [segment])


def test_an_extract_that_does_not_add_up_does_not_pass() -> None:
    segment = read(0)
    segment.count("read")

    with pytest.raises(BalanceError, match=r"DynamoDB .*101 .* extract .*100"):
        passed(FakeS3(), [segment])


def document(s3: FakeS3) -> Any:
    return json.loads(s3.objects[f"transform/{TIMESTAMP}/aggregates.json"], parse_float=Decimal)


def test_without_aggregates_the_document_says_so() -> None:
    s3 = FakeS3()
    passed(s3, [read(0)])

    assert document(s3) == {
        "run": TIMESTAMP,
        "window": {"start": "2024-01-15T00:00:00Z", "end": "2024-01-16T00:00:00Z"},
        "aggregates": [],
    }


def test_aggregates_are_merged_over_segments_and_parts() -> None:
    s3 = FakeS3()
    partial(s3, [BY_DAY], [{"day": "1", "value": 1}, {"day": "2", "value": Decimal("0.1")}], 0, 0)
    partial(s3, [BY_DAY], [{"day": "1", "value": 10**37}], 0, 1)
    partial(s3, [BY_DAY], [{"day": "2", "value": Decimal("0.2")}], 1, 0)
    first, second = read(0), msgspec.structs.replace(read(0), segment=1)
    first.count("transform_parts")
    passed(s3, [first, second], [BY_DAY])

    assert document(s3)["aggregates"] == [
        {
            "name": "by_day",
            "by": ["day"],
            "groups": [
                {
                    "day": "1",
                    "records": 2,
                    "value_sum": 10**37 + 1,
                    "value_avg": Decimal("5000000000000000000000000000000000000.5"),
                },
                {"day": "2", "records": 2, "value_sum": Decimal("0.3"), "value_avg": Decimal("0.15")},
            ],
        }
    ]


def test_parts_are_begun_together_and_read_whole_in_turn() -> None:
    s3, aggregate = FakeS3(), Aggregate(name="by_name", by=["name"])
    names = [f"{n:03d}" + "x" * 2000 for n in range(800)]
    for part in range(20):
        partial(s3, [aggregate], [{"name": name} for name in names], 0, part)
    passed(s3, [work(transform_parts=20, transform_quarantine_parts=0)], [aggregate])

    groups = document(s3)["aggregates"][0]["groups"]
    assert [(row["name"], row["records"]) for row in groups] == [(name, 20) for name in names]
    (size,) = {len(s3.objects[partial_key(run(), 0, part)]) for part in range(20)}
    assert sorted(map(str, s3.ranges)) == ["bytes=0-1048575"] * 20 + [f"bytes=1048576-{size - 1}"] * 20


def test_partial_aggregates_that_are_missing_are_a_staging_error() -> None:
    with pytest.raises(StagingError, match=r"partials/0000-0000\.json is missing"):
        passed(FakeS3(), [read(0)], [BY_DAY])


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b'{"other": []}', b'{"by_day": [{"group": ["1"], "records": 1, "of": {"gone": {}}}]}']
)
def test_aggregates_of_another_transformation_are_refused(body: bytes) -> None:
    s3 = FakeS3()
    hold(s3, partial_key(run(), 0, 0), body)

    with pytest.raises(StagingError, match=r"\[aggregates-changed\]"):
        passed(s3, [read(0)], [BY_DAY])


def test_an_aggregate_that_is_not_loaded_adds_no_record() -> None:
    s3 = FakeS3()
    partial(s3, [BY_DAY], [{"day": "1"}], 0, 0)
    state = passed(s3, [read(0)], [BY_DAY])

    assert "aggregate_records" not in state["gate"]["counts"]
    assert state["segments"][0].counted("transform_parts") == 1


def test_a_loaded_aggregate_is_a_part_of_the_first_segment() -> None:
    s3 = FakeS3()
    partial(s3, [BY_DAY, LOADED], [{"day": "1", "shop": 7, "value": Decimal("0.5")}, {"day": "2"}], 0, 0)
    state = passed(s3, [read(0)], [BY_DAY, LOADED])
    (segment,) = state["segments"]

    assert staged(s3, part_key("transform", run(), 0, 1)) == [
        {
            "day": "1",
            "shop": 7,
            "records": 1,
            "value_sum": "0.5",
            "id": 'aggregate#loaded#["1",7]',
            "timestamp": "2024-01-16T00:00:00Z",
        },
        {
            "day": "2",
            "shop": None,
            "records": 1,
            "value_sum": 0,
            "id": 'aggregate#loaded#["2",null]',
            "timestamp": "2024-01-16T00:00:00Z",
        },
    ]
    assert segment == work(transform_parts=2)
    assert (state["gate"]["counts"]["records"], state["gate"]["counts"]["aggregate_records"]) == (102, 2)


def test_a_loaded_aggregate_without_groups_adds_no_part() -> None:
    s3 = FakeS3()
    partial(s3, [LOADED], [], 0, 0)

    assert passed(s3, [read(0)], [LOADED])["segments"][0].counted("transform_parts") == 1


def test_a_repeated_gate_gives_the_same_state_and_bytes() -> None:
    states, objects = [], []
    s3 = FakeS3()
    partial(s3, [LOADED], [{"day": "1", "value": 1}], 0, 0)
    for _ in range(2):
        states.append(passed(s3, [read(0)], [LOADED]))
        objects.append(dict(s3.objects))

    assert states[0] == states[1]
    assert objects[0] == objects[1]


def key_of(**group: Any) -> str:
    aggregate = Aggregate(name="a", by=list(group), load=True)
    return str(aggregate_record(run(), aggregate, group)["id"])


def test_groups_that_only_look_alike_have_keys_of_their_own() -> None:
    groups: list[dict[str, Any]] = [
        {"x": "a#b", "y": "c"},
        {"x": "a", "y": "b#c"},
        {"x": None, "y": "c"},
        {"x": "None", "y": "c"},
        {"x": "null", "y": "c"},
        {"x": 1, "y": "c"},
        {"x": "1", "y": "c"},
        {"x": True, "y": "c"},
        {"x": '","', "y": ""},
        {"x": "", "y": '","'},
    ]

    assert len({key_of(**group) for group in groups}) == len(groups)


def test_an_aggregates_key_follows_from_window_and_group() -> None:
    aggregate = Aggregate(name="a", by=["x"], load=True)
    one, other = (aggregate_record(run(id=each), aggregate, {"x": 1}) for each in ("1", "2"))

    assert one == other
    assert one["timestamp"] == run().end


def test_a_sum_with_too_many_digits_ends_the_run_unseen() -> None:
    aggregate = Aggregate(name="a", of={"value": ["sum"]}, load=True)
    row = {"records": 2, "value_sum": Decimal("1" + "0" * 60 + "23")}

    with pytest.raises(TransformationError, match="aggregate a can't be loaded: value_sum: ") as error:
        aggregate_record(run(), aggregate, row)

    assert "00000023" not in str(error.value)
    assert error.value.__cause__ is None


def test_the_part_of_loaded_aggregates_is_a_staged_array() -> None:
    s3 = FakeS3()
    aggregate = Aggregate(name="a", load=True)
    partial(s3, [aggregate], [{}], 0, 0)
    passed(s3, [read(0)], [aggregate])
    body = s3.objects[part_key("transform", run(), 0, 1)]

    assert json.loads(array(json.loads(body))) == json.loads(body)
    assert list(staging(s3).batches(part_key("transform", run(), 0, 1)))


@pytest.mark.parametrize(
    ("dropped", "percent", "passes"),
    [(0, "0", True), (99, "99", True), (100, "99", False), (100, "100", True), (1, "0", False), (51, "50.5", False)],
)
def test_a_run_that_drops_more_than_allowed_is_stopped(dropped: int, percent: str, passes: bool) -> None:
    segment = work(read=100, extracted=100, dropped=dropped, transformed=100 - dropped, transform_parts=1)
    if passes:
        passed(FakeS3(), [segment], dropped=Decimal(percent))
        return

    with pytest.raises(TransformationError) as stopped:
        passed(FakeS3(), [segment], dropped=Decimal(percent))

    words = str(stopped.value)
    assert f"nothing for {dropped} of 100 items" in words
    assert f"{percent} % are allowed (DROP_THRESHOLD_PERCENT)" in words
    assert "set drop_threshold_percent to 100" in words


def test_rejected_items_are_not_counted_as_dropped() -> None:
    s3 = FakeS3()
    segment = work(read=100, extracted=100, dropped=97, rejected_transform=3, transform_parts=1)

    with pytest.raises(TransformationError, match=r"97 of 97 items, 100\.0 %"):
        passed(s3, [with_quarantine(s3, segment)])


def test_a_run_without_items_drops_none() -> None:
    passed(FakeS3(), [work(transform_parts=1)], dropped=Decimal(0))


def test_a_replay_may_drop_all_that_it_takes_up() -> None:
    segment = work(read=2, extracted=2, dropped=2, transform_parts=1)

    assert pass_gate(REPLAY, [segment], staging(FakeS3()), [], DEFAULT)["gate"]["counts"]["dropped"] == 2


def test_the_share_of_rejected_items_is_one_of_this_runs_items() -> None:
    s3 = FakeS3()
    segment = work(read=100, extracted=100, ahead=90, transformed=9, rejected_transform=1, transform_parts=1)

    with pytest.raises(QualityGateError, match="1 of 10 items were rejected"):
        passed(s3, [with_quarantine(s3, segment)])
