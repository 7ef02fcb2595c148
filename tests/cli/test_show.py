"""`etl show`: all that ledger, Step Functions and settings have of a run, also when one of them has it no more."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import unquote

import pytest

from etl.model.errors import EtlError
from etl.model.instants import parse_instant
from etl_cli.aws.deployment import Deployment
from etl_cli.render.run_document import show_document
from etl_cli.render.show import print_run
from etl_cli.runs.failure import explain_entry, look_words
from etl_cli.runs.ledger import LedgerEntry, Watermark
from etl_cli.summary.run_summary import Account, RunSummary, account_of, summarize
from etl_cli.terminal.console import Terminal
from etl_cli.terminal.etl_lines import EtlLines
from etl_cli.terminal.times import Span, Times
from tests.docs.examples import example
from tests.fakes.aws import ROOM, Answer, FakeAws, RefusalError, stack, stacks
from tests.fakes.recording import Recording

LOCAL = "http://127.0.0.1:4566"
SETTINGS = {
    "CONCURRENCY": "40",
    "SEGMENT_BYTES": "268435456",
    "MAX_WRITE_UNITS_PER_SECOND": "0",
    "LOOKBACK_HOURS": "24",
    "LATENESS_MINUTES": "15",
    "CATCH_UP_DAYS": "30",
    "EVENT_WINDOW_DAYS": "31",
}
REPLAYED = {"run": "20261125T091500007Z", "loaded": 1, "rejected_transform": 0}


def entry_of(recording: Recording, **facts: Any) -> LedgerEntry:
    """What the ledger has of a recorded execution; of one that failed, what `facts` say."""
    description = recording.description
    output = json.loads(description.get("output", "{}"))
    window = output.get("window")
    known = LedgerEntry(
        status=description["status"],
        window=Span(parse_instant(window["start"]), parse_instant(window["end"])) if window else None,
        name=description["name"],
        execution=recording.execution,
        run=output.get("run", ""),
        started=description["startDate"],
        finished=description["stopDate"],
        segments=output.get("segments", 0),
        counts=output.get("counts", {}),
    )
    return replace(known, **facts)


def aws_of(recording: Recording, changes: dict[str, Answer] | None = None, endpoint: str = LOCAL) -> FakeAws:
    """AWS with a recorded execution, and the stack as it is deployed without settings."""
    outputs = {
        "SourceTableName": recording.deployment.source_table,
        "DestinationTableName": recording.deployment.destination_table,
        "StagingBucketName": recording.deployment.staging_bucket,
        "StateMachineArn": recording.deployment.state_machine,
    }
    function = {"FunctionName": "etl-load", "MemorySize": 512, "Environment": {"Variables": SETTINGS}}
    answers: dict[str, Answer] = {
        "cloudformation.DescribeStacks": stacks(stack(outputs)),
        "sfn.DescribeExecution": recording.description,
        "sfn.GetExecutionHistory": {"events": recording.events[::-1]},
        "sfn.DescribeStateMachine": {"definition": '{"TimeoutSeconds": 1800}'},
        "lambda.GetFunctionConfiguration": function,
        "dynamodb.DescribeTable": {"Table": {"TableSizeBytes": 8480, "ItemCount": 40}},
    }
    return FakeAws(answers | ROOM | (changes or {}), "us-east-1", endpoint)


class Shown(NamedTuple):
    summary: RunSummary
    account: Account


def shown_of(
    recording: Recording,
    entry: LedgerEntry,
    *others: LedgerEntry,
    watermark: Watermark | None = None,
    changes: dict[str, Answer] | None = None,
    endpoint: str = LOCAL,
) -> Shown:
    deployment = Deployment.find(aws_of(recording, changes, endpoint).session)
    summary = summarize(deployment, entry)
    return Shown(summary, account_of(deployment, summary, [entry, *others], watermark))


def printed(shown: Shown) -> str:
    stream = io.StringIO()
    console = Terminal(file=stream, width=80)
    tables = ("etl-source-data", "etl-destination-data")
    print_run(console, *shown, tables, Times(), EtlLines(program="etl"))
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines()) + "\n"


def unwrapped(text: str) -> str:
    return " ".join(text.split())


@pytest.fixture
def recording() -> Recording:
    return Recording("succeeded")


WINDOW = Span(datetime(2026, 11, 20, tzinfo=UTC), datetime(2026, 11, 21, tzinfo=UTC))
GATE = {"stage": "Gate", "error": "QualityGateError", "cause": "1 of 19 items were rejected, 5.3 %"}


def failed_at_gate(**facts: Any) -> tuple[Recording, LedgerEntry]:
    """A window that failed at the gate, as history and ledger have it."""
    failed = Recording("failed_at_gate")
    known = {"window": WINDOW, "run": "20261124T211351447Z", "segments": 1, **GATE}
    return failed, entry_of(failed, **known | facts)


def test_the_example_of_the_documentation(recording: Recording) -> None:
    assert printed(shown_of(recording, entry_of(recording, replayed=REPLAYED))) == example("etl show")


def test_a_run_that_succeeded(recording: Recording) -> None:
    entry = entry_of(recording)
    document = json.loads(json.dumps(show_document(*shown_of(recording, entry))))

    assert (document["status"], document["run"], document["failure"]) == ("SUCCEEDED", entry.run, None)
    assert list(document["stages"]) == ["Plan", "Extract", "Transform", "Gate", "Load", "Finish"]
    assert all(seconds > 0 for seconds in document["stages"].values())
    assert [(line["name"], line["total"], line["holds"]) for line in document["balance"]] == [
        ("read", 38, True),
        ("extracted", 38, True),
        ("records", 37, True),
    ]
    assert document["cost"]["services"].keys() == document["predicted_cost"]["services"].keys()
    assert document["links"] == {}


def test_the_ledger_alone_is_enough(recording: Recording) -> None:
    entry = entry_of(recording)
    forgotten = shown_of(recording, entry, changes={"sfn.DescribeExecution": RefusalError("ExecutionDoesNotExist")})

    assert forgotten.summary.timeline is None
    text = printed(forgotten)
    assert "✔ 37 loaded, 1 rejected" in text
    assert "records   37 = 37 loaded" in text
    assert re.search(r"Stages .*90 days", text)
    document = show_document(*forgotten)
    assert (document["status"], document["stages"]) == ("SUCCEEDED", None)
    assert "gb_seconds" in document["cost"]["estimated"]


def test_settings_that_may_not_be_read_leave_out_the_prediction(recording: Recording) -> None:
    denied: dict[str, Answer] = {"lambda.GetFunctionConfiguration": RefusalError("AccessDeniedException")}
    shown = shown_of(recording, entry_of(recording), changes=denied)

    assert shown.account.predicted is None
    assert show_document(*shown)["predicted_cost"] is None
    assert "Predicted is" not in printed(shown)


def test_a_failure_has_a_remedy_and_the_missing_time() -> None:
    failed, entry = failed_at_gate()
    shown = shown_of(failed, entry)
    text = printed(shown)

    assert "✘ The run failed at Gate: QualityGateError\n" in text
    assert f"    {GATE['cause']}\n" in text
    assert "    etl quarantine show 20261124T211351447Z\n" in text
    missing = "Missing: 2026-11-20 00:00:00 → 2026-11-21 00:00:00 UTC. No scheduled run will cover it; this does:"
    assert missing in unwrapped(text)
    assert "    etl run --start 2026-11-20T00:00:00Z --end 2026-11-21T00:00:00Z\n" in text
    assert "✔ Transform " in text
    assert "✘ Gate " in text
    document = show_document(*shown)
    assert document["failure"]["missing"] == [{"start": "2026-11-20T00:00:00Z", "end": "2026-11-21T00:00:00Z"}]
    assert document["balance"] is None


def test_time_after_the_watermark_is_covered_by_the_next_run() -> None:
    failed, entry = failed_at_gate()
    half = WINDOW.start + timedelta(hours=12)
    shown = shown_of(failed, entry, watermark=Watermark(WINDOW.start - timedelta(days=9), half))

    assert shown.account.missing == [Span(half, WINDOW.end)]
    assert "The next scheduled run covers it too, or at once:" in unwrapped(printed(shown))


def test_time_that_other_runs_have_covered_is_not_missing() -> None:
    failed, entry = failed_at_gate()
    half = WINDOW.start + timedelta(hours=12)
    others = [LedgerEntry("SUCCEEDED", Span(WINDOW.start, half)), LedgerEntry("SUCCEEDED", Span(half, WINDOW.end))]
    shown = shown_of(failed, entry, *others)

    assert shown.account.missing == []
    assert "Nothing is missing: other runs have covered its window." in printed(shown)
    assert shown_of(failed, entry, replace(others[0], replay="20261101T020000000Z"), others[1]).account.missing == [
        Span(WINDOW.start, half)
    ]


def test_a_run_that_ended_before_it_had_a_window() -> None:
    failed = Recording("failed_at_plan")
    entry = entry_of(failed, stage="Plan", error="InputError", cause="unknown field")
    text = printed(shown_of(failed, entry))

    assert "Window    none" in text
    assert "issing" not in text
    assert f"    etl logs --run {entry.name}\n" in text
    assert "predicted\n" in text


@pytest.mark.parametrize(
    ("status", "known", "error"),
    [
        ("RUNNING", True, "QualityGateError"),  # its end is not recorded yet
        ("UNKNOWN", True, "QualityGateError"),
        ("UNKNOWN", False, "EndNotRecorded"),
    ],
)
def test_a_failure_without_an_entry_has_its_historys_reason(status: str, known: bool, error: str) -> None:
    failed, entry = failed_at_gate(status=status, stage="", error="", cause="")
    changes: dict[str, Answer] = {} if known else {"sfn.DescribeExecution": RefusalError("ExecutionDoesNotExist")}
    summary = shown_of(failed, entry, changes=changes).summary

    assert summary.failure
    assert (summary.status, summary.failure.error) == ("FAILED" if known else status, error)
    assert summary.failure.stage == ("Gate" if known else "")
    assert summary.failure.remedy


def test_a_run_that_goes_on(recording: Recording) -> None:
    recording.description |= {"status": "RUNNING"}
    entry = entry_of(recording, status="RUNNING", finished=None, counts={})
    running: dict[str, Answer] = {"sfn.GetExecutionHistory": {"events": recording.events[8::-1]}}
    shown = shown_of(recording, entry, changes=running)
    text = printed(shown)

    assert (shown.summary.status, shown.summary.failure, shown.summary.succeeded) == ("RUNNING", None, False)
    assert "… The run is running" in text
    assert f"etl watch {entry.name}" in text
    assert "✔ Plan " in text
    assert "Ended" not in text
    assert "so far" in text


def test_links_lead_to_the_execution_its_logs_and_its_objects(recording: Recording) -> None:
    links = shown_of(recording, entry_of(recording), endpoint="https://states.us-east-1.amazonaws.com").account.links
    root, run = "https://us-east-1.console.aws.amazon.com", "20261124T211315190Z"

    assert list(links) == [
        *("execution", "log of etl-extract", "log of etl-transform", "log of etl-load"),
        *("extract", "transform", "quarantine"),
    ]
    assert links["execution"] == f"{root}/states/home?region=us-east-1#/v2/executions/details/{recording.execution}"
    assert links["quarantine"] == (
        f"{root}/s3/buckets/etl-staging-000000000000-us-east-1?region=us-east-1&prefix=quarantine/{run}/"
    )
    page, _, query = links["log of etl-load"].partition("/log-events$3F")
    assert page == (
        f"{root}/cloudwatch/home?region=us-east-1#logsV2:log-groups/log-group/$252Faws$252Flambda$252Fetl-load"
    )
    given = dict(each.split("=") for each in unquote(query.replace("$", "%")).split("&"))
    assert unquote(given["filterPattern"]) == f'{{ $.run = "{run}" }}'
    started = round(recording.description["startDate"].timestamp() * 1000)
    assert int(given["start"]) < started < int(given["end"])


@pytest.mark.parametrize(
    ("partition", "console"),
    [("aws-cn", "console.amazonaws.cn"), ("aws-us-gov", "console.amazonaws-us-gov.com"), ("aws-iso", None)],
)
def test_links_are_those_of_the_partition(recording: Recording, partition: str, console: str | None) -> None:
    entry = entry_of(recording, execution=recording.execution.replace("arn:aws:", f"arn:{partition}:"))
    links = shown_of(recording, entry, endpoint="https://aws.example").account.links

    assert links.get("execution", "").startswith(f"https://us-east-1.{console}/states" if console else "")
    assert bool(links) == bool(console)


def test_a_failure_links_to_the_log_of_its_function() -> None:
    failed, entry = failed_at_gate()
    links = shown_of(failed, entry, endpoint="https://aws.example").account.links

    assert [name for name in links if name.startswith("log")] == ["log of etl-transform"]
    unnamed = shown_of(failed, replace(entry, run="", started=None), endpoint="https://aws.example").account.links
    assert list(unnamed) == ["execution", "log of etl-transform"]
    assert f"execution$2520$253D$2520$2522{entry.name}$2522" in unnamed["log of etl-transform"]


def test_every_error_of_the_functions_has_a_remedy(recording: Recording) -> None:
    unexpected = explain_entry(recording.deployment, entry_of(recording, status="FAILED", error="KeyError")).remedy
    errors = {error.__name__ for error in EtlError.__subclasses__()} | {"ABORTED", "TIMED_OUT", "Sandbox.Timedout"}
    remedies = {
        error: explain_entry(recording.deployment, entry_of(recording, status="FAILED", error=error)).remedy
        for error in errors
    }

    assert len(errors) > 9
    assert unexpected not in remedies.values()
    assert explain_entry(recording.deployment, entry_of(recording, status="ABORTED")).remedy == remedies["ABORTED"]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("CatchUpError", "gaps"),
        ("QualityGateError", "quarantine show R"),
        ("KeyError", "logs --run R"),
    ],
)
def test_a_failure_leads_on(recording: Recording, error: str, words: str) -> None:
    assert (
        look_words(explain_entry(recording.deployment, LedgerEntry("FAILED", None, run="R", error=error)))
        == words.split()
    )
