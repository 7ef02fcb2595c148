"""Runs for the tests of the report's page: recorded ones, and made-up ones of any size."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from botocore.response import StreamingBody

from etl.model.instants import format_instant, parse_instant
from etl_cli.aws.deployment import Deployment
from etl_cli.html_report.page import Page, page_of
from etl_cli.items.rejections import Rejection, Tally
from etl_cli.runs.ledger import LedgerEntry, Watermark
from etl_cli.summary.run_summary import account_of, summarize, with_contents
from etl_cli.terminal.etl_lines import EtlLines
from etl_cli.terminal.times import Span, Times
from tests.cli.test_show import LOCAL, aws_of, entry_of
from tests.fakes.aws import Answer, RefusalError
from tests.fakes.history import FakeHistory
from tests.fakes.recording import Recording

SUCCEEDED, FAILED, IN_MAP_RUNS = "succeeded_in_segments", "failed_in_segments", "succeeded_in_map_runs"
AWS = "https://states.us-east-1.amazonaws.com"


def answers_of(recording: Recording) -> dict[str, Answer]:
    """What AWS answers about what a recorded run left behind, and about its Distributed Maps."""

    def listing(**asked: Any) -> dict[str, Any]:
        keys = [key for key in sorted(recording.s3.objects) if key.startswith(asked["Prefix"])]
        return {"Contents": [{"Key": key, "Size": 1} for key in keys]}

    def content(**asked: Any) -> dict[str, Any]:
        if asked["Key"] not in recording.s3.objects:
            raise RefusalError("NoSuchKey")
        body = recording.s3.objects[asked["Key"]].encode()
        return {"Body": StreamingBody(io.BytesIO(body), len(body))}

    def item(**asked: Any) -> dict[str, Any]:
        table = recording.dynamodb.tables[asked["TableName"]]
        found = [each for each in table if asked["Key"].items() <= each.items()]
        return {"Item": found[0]} if found else {}

    runs = {run["mapRunArn"]: run for run in map_runs(recording)}
    return {
        "s3.ListObjectsV2": listing,
        "s3.GetObject": content,
        "dynamodb.GetItem": item,
        "sfn.ListMapRuns": {"mapRuns": list(runs.values())},
        "sfn.DescribeMapRun": lambda **asked: runs[asked["mapRunArn"]],
    }


def map_runs(recording: Recording, segments: int = 4, failed: int = 0) -> list[dict[str, Any]]:
    """The Map Runs of a recorded execution, which has no items of Maps in its own history."""
    if any(event["type"] == "MapIterationStarted" for event in recording.events):
        return []
    times: dict[str, list[datetime]] = {}
    for event in recording.events:
        if event["type"] in ("MapStateEntered", "MapStateExited"):
            details = event.get("stateEnteredEventDetails") or event["stateExitedEventDetails"]
            times.setdefault(details["name"], []).append(event["timestamp"])
    counts = {"failed": failed, "timedOut": 0, "aborted": 0, "total": segments, "succeeded": segments - failed}
    return [
        {
            "mapRunArn": f"arn:aws:states:us-east-1:000000000000:mapRun:etl-pipeline/{stage}:{stage}-1",
            "startDate": start,
            "stopDate": stop,
            "itemCounts": counts,
        }
        for stage, (start, stop) in times.items()
    ]


def run_of(recording: Recording) -> LedgerEntry:
    """The ledger's entry of a recorded run, of one that failed as the state RecordFailure writes it."""
    entry = entry_of(recording)
    if entry.status == "SUCCEEDED":
        return entry
    planned = next(event for event in recording.events if event["type"] == "TaskSucceeded")
    run = json.loads(planned["taskSucceededEventDetails"]["output"])["run"]
    return replace(
        entry,
        run=run["timestamp"],
        window=Span(parse_instant(run["start"]), parse_instant(run["end"])),
        segments=run["segments"],
        stage="Gate",
        error=recording.description["error"],
        cause=recording.description["cause"],
    )


def nights(entry: LedgerEntry) -> list[LedgerEntry]:
    """The runs of 25 nights before a run: that of the 19th night before it failed, and that of the 8th never was."""
    assert entry.started
    midnight = entry.started.replace(hour=2, minute=0, second=0, microsecond=0)
    found = []
    for ago in range(1, 26):
        end = midnight - timedelta(days=ago)
        if ago != 8:
            status = "FAILED" if ago == 19 else "SUCCEEDED"
            window = Span(end - timedelta(days=1), end)
            found.append(replace(entry, name=f"night-{ago}", status=status, window=window, replay="", started=end))
    return found


def page_facts(
    recording: Recording,
    entry: LedgerEntry | None = None,
    *,
    with_nights: bool = True,
    endpoint: str = LOCAL,
    changes: dict[str, Answer] | None = None,
) -> Page:
    """The page of a recorded run, ten minutes after its end."""
    entry = entry or run_of(recording)
    entries = [entry, *(nights(entry) if with_nights else [])]
    assert entry.finished
    first = min(each.window.start for each in entries if each.window)
    watermark = Watermark(first, first + timedelta(days=5)) if with_nights else None
    deployment = Deployment.find(aws_of(recording, answers_of(recording) | (changes or {}), endpoint).session)
    summary = with_contents(deployment, summarize(deployment, entry))
    account = account_of(deployment, summary, entries, watermark)
    now = (entry.finished + timedelta(minutes=10)).replace(microsecond=0)
    return page_of(deployment, summary, account, entries, now=now, times=Times(), etl=EtlLines(program="etl"))


def tally_of(*rejections: Rejection) -> Tally:
    """Records in quarantine, by their reasons."""
    tally = Tally()
    for each in rejections:
        tally.add(each)
    return tally


def made_up(segments: int) -> Recording:
    """A recorded run as if it had had so many segments, a night's window, and many more items."""
    recording = Recording(SUCCEEDED)
    description = recording.description
    started = description["startDate"].replace(hour=2, minute=0, second=0)
    end, run = started.replace(microsecond=0), f"{started:%Y%m%dT%H%M%S%f}"[:-3] + "Z"
    before = json.loads(description["output"])["run"]
    output = json.loads(description["output"].replace(before, run))
    output["window"] = {"start": format_instant(end - timedelta(days=1, minutes=15)), "end": format_instant(end)}
    history = FakeHistory(started, segments, {"timestamp": run, **output["window"]}, output)
    recording.events[:] = history.events
    recording.s3.objects = {key.replace(before, run): content for key, content in recording.s3.objects.items()}
    description.update(startDate=started, stopDate=history.ended)
    description["output"] = json.dumps(output | {"counts": history.counts, "segments": segments})
    return recording
