"""`etl logs`: three logs merged, read again and again without a line lost or shown twice, and shown to people."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from etl.model.names import ETL
from etl_cli.commands.logs import Function, LogReader
from etl_cli.render.log_view import LogView, joined
from etl_cli.runs.log_lines import LogLine
from etl_cli.terminal.errors import UserError
from etl_cli.terminal.times import Times
from tests.docs.examples import example
from tests.fakes.aws import FakeAws, RefusalError

NIGHT = datetime(2026, 11, 3, 2, tzinfo=UTC)
RUN, NAME = "20261103T020000123Z", "night-3"
METRICS = {
    "Stage": "Load",
    "MemoryUsed": 480.5,
    "NearLimit": 0,
    "_aws": {
        "CloudWatchMetrics": [{"Dimensions": [["Stage"]], "Metrics": [{"Name": "MemoryUsed"}, {"Name": "NearLimit"}]}]
    },
}


def fact(seconds: float, action: str, **facts: Any) -> str:
    """A line of the pipeline's own, so many seconds into the night."""
    at = (NIGHT + timedelta(seconds=seconds)).isoformat(timespec="milliseconds")
    known = {"time": at, "level": "INFO", "message": "finished", "action": action, "run": RUN, "execution": NAME}
    return json.dumps(known | {"segment": None, "counts": None, "done": True, "duration_ms": 310} | METRICS | facts)


def event(seconds: float, message: str, identity: str = "") -> dict[str, Any]:
    """An event of a log; on AWS it has an id."""
    at = round((NIGHT + timedelta(seconds=seconds)).timestamp() * 1000)
    return {"logStreamName": "a", "timestamp": at, "message": message} | ({"eventId": identity} if identity else {})


def report(status: str) -> str:
    """Lambda's last line about an invocation that failed."""
    memory = "Memory Size: 512 MB\tMax Memory Used: 512 MB"
    return f"REPORT RequestId: 7\tDuration: 9000 ms\tBilled Duration: 9000 ms\t{memory}\t{status}\n"


REASONED = "Traceback (most recent call last):\netl.model.errors.SourceError: The table is busy. [source-busy]"
TRACEBACK = (
    'Traceback (most recent call last):\n  File "/var/task/etl/load.py", line 90, in load_segment\n'
    "etl.model.errors.StagingError: transform/0001.json is cut off"
)
EVENTS = {
    "extract": [
        event(0, "INIT_START Runtime Version: python:3.11.v100\tRuntime Version ARN: arn"),
        event(0.2, "START RequestId: 1 Version: $LATEST\n"),
        event(0.6, fact(0.5, "plan")),
        event(0.7, "REPORT RequestId: 1\tDuration: 300 ms\tBilled Duration: 300 ms\tMax Memory Used: 70 MB\n"),
        event(31, fact(31, "extract", segment=0, counts={"read": 120_412, "extract_bytes": 61_000_000})),
        event(280, fact(280, "extract", segment=1, counts={"read": 980_000}, done=False, duration_ms=279_000)),
    ],
    "transform": [
        event(300, fact(300, "transform", segment=0, counts={"records": 120_400, "rejected_transform": 12})),
        event(302, report("Status: error\tError Type: Runtime.OutOfMemory")),
        event(320, fact(320, "gate", counts={"read": 1_100_412, "rejected_transform": 12})),
    ],
    "load": [
        event(340, fact(340, "load", segment=0, counts={"loaded": 120_400, "load_throttled": 3}, NearLimit=1)),
        event(
            341,
            fact(341, "load", segment=1, message="failed", level="ERROR", error="StagingError", traceback=TRACEBACK),
        ),
        event(342, f"[ERROR] StagingError: transform/0001.json is cut off\n{TRACEBACK}"),
        event(342, report("Status: error\tError Type: StagingError")),
    ],
}


def reader(events: dict[str, list[dict[str, Any]]], *functions: Function, **bounds: datetime) -> LogReader:
    """A reader of these logs, an event a page."""
    return LogReader(client(events), ETL, functions or list(Function), bounds.get("start", NIGHT), bounds.get("end"))


def client(events: dict[str, list[dict[str, Any]]]) -> Any:
    def answer(logGroupName: str, startTime: int, endTime: int | None = None, nextToken: str = "0") -> dict[str, Any]:  # noqa: N803 - boto3's names
        found = [
            each
            for each in events[logGroupName.removeprefix("/aws/lambda/etl-")]
            if startTime <= each["timestamp"] and (endTime is None or each["timestamp"] <= endTime)
        ]
        position = int(nextToken)
        more = {"nextToken": str(position + 1)} if position + 1 < len(found) else {}
        return {"events": found[position : position + 1]} | more

    return FakeAws({"cloudwatch-logs.FilterLogEvents": answer}).session.client("logs")


def seconds(lines: list[LogLine]) -> list[float]:
    return [(line.at - NIGHT).total_seconds() for line in lines]


def shown(lines: list[LogLine], times: Times | None = None) -> list[str]:
    view = LogView(times or Times())
    return [text.plain.rstrip() for line in joined(lines) if not line.is_routine for text in view.show(line)]


def test_the_example_of_the_documentation() -> None:
    assert "\n".join(shown(reader(EVENTS).new_lines())) + "\n" == example("etl logs")


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("Status: timeout", "stopped by Lambda: its time was up"),
        ("Status: error\tError Type: Runtime.OutOfMemory", "killed by Lambda: it took more than its 512 MB"),
        ("Status: error\tError Type: Runtime.ExitError", "its process ended, or was killed"),
        ("Status: error\tError Type: ValueError", "failed with ValueError"),
        ("Status: error", "failed with an error"),
    ],
)
def test_a_report_says_in_words_how_an_invocation_ended(status: str, words: str) -> None:
    printed = event(1, "what transform() prints")
    lines = shown(reader({"extract": [], "transform": [printed, event(1, report(status))], "load": []}).new_lines())

    assert lines[1:3] == [
        "02:00:01.000  transform  what transform() prints",
        f"02:00:01.000  transform  {words}",
    ]
    assert lines[3].startswith("    REPORT RequestId: 7")


def test_a_report_that_repeats_a_logged_error_is_left_out() -> None:
    failed = event(1, fact(1, "load", message="failed", level="ERROR", error="StagingError", traceback=TRACEBACK))
    reports = [event(2, report(f"Status: error\tError Type: {name}")) for name in ("StagingError", "Runtime.ExitError")]

    lines = shown(reader({"extract": [], "transform": [], "load": [failed, *reports]}).new_lines())

    assert [line for line in lines if "REPORT" in line or "process" in line] == [
        "02:00:02.000  load       its process ended, or was killed",
        f"    {report('Status: error' + chr(9) + 'Error Type: Runtime.ExitError').expandtabs().rstrip()}",
    ]


def test_the_logs_are_merged_in_the_order_of_time() -> None:
    found = seconds(reader(EVENTS).new_lines())

    assert found == sorted(found)
    assert len(found) == sum(map(len, EVENTS.values()))
    assert found[2] == 0.5, "when the function wrote the line, not when it came to the log"
    crossed = {"extract": [event(1, "a"), event(3, "c")], "transform": [event(2, "b")], "load": [event(0, "0")]}
    assert [each.text for each in reader(crossed).new_lines()] == ["0", "a", "b", "c"]


def test_only_the_functions_and_the_time_that_are_asked_for() -> None:
    assert {line.function for line in reader(EVENTS, Function("load")).new_lines()} == {"load"}
    bounds = {"start": NIGHT + timedelta(seconds=300), "end": NIGHT + timedelta(seconds=341)}
    assert seconds(reader(EVENTS, **bounds).new_lines()) == [300, 302, 320, 340, 341]


def test_new_lines_are_shown_once_even_if_they_come_late() -> None:
    events: dict[str, list[dict[str, Any]]] = {
        "load": [event(0, "a"), event(10, "at the edge"), event(40, "b", "1"), event(40, "b", "2")]
    }
    following = reader(events, Function("load"))

    assert [line.text for line in following.new_lines()] == ["a", "at the edge", "b", "b"]
    assert following.new_lines() == []
    events["load"] += [event(15, "late"), event(41, "c")]
    assert [line.text for line in following.new_lines()] == ["late", "c"]
    events["load"].append(event(90, "d"))
    assert [line.text for line in following.new_lines()] == ["d"]
    assert following.new_lines() == []


def test_a_log_that_is_not_there_is_named() -> None:
    aws = FakeAws({"cloudwatch-logs.FilterLogEvents": RefusalError("ResourceNotFoundException")})

    with pytest.raises(UserError, match="There is no log group /aws/lambda/etl-load") as caught:
        LogReader(aws.session.client("logs"), ETL, [Function("load")], NIGHT).new_lines()
    assert "cdk deploy EtlPipelineStack" in caught.value.remedy


def line(text: str) -> LogLine:
    return LogLine.of("load", event(1, text))


def test_a_line_belongs_to_its_run_and_lambdas_own_to_any() -> None:
    own = line(fact(1, "load"))

    assert own.belongs_to(RUN, "another")
    assert own.belongs_to("", NAME)
    assert not own.belongs_to("20261104T020000123Z", "night-4")
    assert line("Task timed out after 300.00 seconds").belongs_to("20261104T020000123Z", "night-4")


@pytest.mark.parametrize(
    "text", ["{", "[1]", '{"message": 1}', '{"message": "a"}', '{"message": "a", "time": "now"}', ""]
)
def test_other_lines_are_shown_as_they_are(text: str) -> None:
    found = line(text)

    assert not found.facts
    assert not found.is_routine
    assert shown([found])[-1].endswith(f"load       {text}".rstrip())


@pytest.mark.parametrize("at", ["2026-11-03T03:00:00+00:00", "0001-01-01T00:00:00+00:00", "2026-11-03T02:00:01"])
def test_a_line_of_another_time_is_text(at: str) -> None:
    assert not line(fact(1, "load", time=at)).facts


@pytest.mark.parametrize(
    "odd",
    [
        *({"counts": []}, {"counts": {"loaded": "1"}}, {"counts": {"loaded": 10**400}}, {"duration_ms": "x"}),
        *({"duration_ms": 1e300}, {"segment": -1}, {"_aws": 7}, {"level": 1}, {"run": 1}, {"traceback": []}),
        {"done": "no"},
    ],
)
def test_a_line_of_another_shape_is_text(odd: dict[str, Any]) -> None:
    text = fact(1, "load").removesuffix("}") + ", " + json.dumps(odd).removeprefix("{")

    assert not line(text).facts
    assert shown([line(text)])[-1].endswith(text)


def test_facts_that_nobody_expected_are_shown() -> None:
    assert shown([line(fact(1, "load", message="waiting", attempt=3))])[-1].endswith("waiting   attempt=3, 0.3 s")


def test_the_first_count_of_an_action_is_shown_even_if_it_is_0() -> None:
    nothing = line(fact(1, "load", counts={"loaded": 0, "superseded": 0}))

    assert shown([nothing])[-1].endswith("finished  0 loaded, 0.3 s")


def test_texts_of_several_lines_are_put_together_again() -> None:
    lines = [LogLine.of("load", event(1, text)) for text in ("START RequestId: 1", "Traceback:", "  a", "KeyError: 0")]

    assert [each.text for each in joined(lines)] == ["START RequestId: 1", "Traceback:\n  a\nKeyError: 0"]


def test_an_error_is_shown_once() -> None:
    failed = line(fact(1, "load", message="failed", traceback="Traceback:\n  a\nKeyError: 'x'"))

    assert len(shown([failed, line("[ERROR] KeyError: 'x'\nTraceback")])) == 5
    assert shown([failed, line("[ERROR] KeyError: 'y'")])[-1].endswith("[ERROR] KeyError: 'y'")


def test_a_heading_shows_a_new_day_zone_or_run() -> None:
    lines = [
        line(fact(1, "load")),
        line(fact(2, "load", run="other")),
        LogLine.of("load", event(90_000, fact(90_000, "load", run="other"))),
    ]

    assert [text for text in shown(lines) if not text.startswith("0")] == [
        f"2026-11-03 UTC  run {RUN}",
        "2026-11-03 UTC  run other",
        "2026-11-04 UTC  run other",
    ]


@pytest.mark.parametrize("odd", ['"time": "2026-11-24T02:00:00.000z"', '"x": 1e999', '"x": -1e999'])
def test_a_line_that_only_msgspec_takes_ends_nothing(odd: str) -> None:
    text = '{"time": "2026-11-24T02:00:00.000Z", "level": "INFO", "message": "m", ' + odd + "}"
    line = LogLine.of("etl-load", {"message": text, "timestamp": 1795485600000})

    assert json.loads(json.dumps(line.document(), allow_nan=False))


def test_a_reason_is_a_sentence() -> None:
    line = LogLine.of("extract", event(1, fact(1, "extract", message="failed", traceback=REASONED)))

    *_, last = LogView(Times()).show(line)
    assert last.plain.strip() == "etl.model.errors.SourceError: The table is busy. Reason: source-busy."
