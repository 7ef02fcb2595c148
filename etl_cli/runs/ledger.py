"""Reads the run ledger."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from etl.model.statuses import status_of
from etl_cli.aws.deployment import deploy_line
from etl_cli.runs.coverage import Run, Watermark
from etl_cli.terminal.errors import UserError
from etl_cli.terminal.paths import command
from etl_cli.terminal.times import Span
from etl_cli.terminal.words import parse_instant

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# The name is fixed; what is in it is described in runtime/etl/ledger.py.
TABLE = "etl-run-ledger"
# A scheduled event that could not start an execution is tried again for two hours.
_MOST_DELAY = timedelta(hours=2)


@dataclass(frozen=True)
class Entry(Run):
    """The ledger's entry of one execution. Text is empty, and an instant None, where the entry has none yet.

    Attributes:
        name: the execution's name.
        execution: its ARN.
        started: when it started.
        run: the run's timestamp, which names it and its objects; empty if it ended before it had one.
        finished: when it ended.
        segments: number of its segments.
        counts: what it counted, by name; of a run that succeeded.
        stage: the state in which it failed.
        error: the name of the error with which it failed.
        cause: what that error says.
        origin: schedule, event or execution: see runtime/etl/ledger.py; empty in entries that were written before it.
        replayed: how a later run replayed this one's quarantine: ``run``, and its counts by name; empty if none did.
    """

    name: str = ""
    execution: str = ""
    started: datetime | None = None
    run: str = ""
    finished: datetime | None = None
    segments: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    stage: str = ""
    error: str = ""
    cause: str = ""
    origin: str = ""
    replayed: dict[str, Any] = field(default_factory=dict)

    @property
    def seconds(self) -> float | None:
        """How long it took; None unless it has ended."""
        return (self.finished - self.started).total_seconds() if self.started and self.finished else None

    @property
    def label(self) -> str:
        """Its name: the run's timestamp, or the execution's name where there is none."""
        return self.run or self.name

    @property
    def is_scheduled(self) -> bool:
        """Whether it is one of the schedule's: a run that was given no window of its own.

        An entry that doesn't tell is one if its window ends where its execution starts, as a default window does. One
        that ended before it had a window may be one, unless it is its input that was wrong.
        """
        if self.origin:
            return self.origin == "schedule"
        if self.replay or not self.started:
            return False
        if not self.window:
            return self.error != "InputError"
        return timedelta(0) <= self.started - self.window.end <= _MOST_DELAY


def read_ledger(dynamodb: DynamoDBClient, now: datetime) -> tuple[list[Entry], Watermark | None]:
    """All entries of the ledger, the execution that started last first, and the watermark; None before there is one.

    Args:
        dynamodb: client of DynamoDB.
        now: the present, by which a run without a recorded end is running or can't be any more.

    Raises:
        UserError: there is no ledger.
    """
    pages = dynamodb.get_paginator("query").paginate(
        TableName=TABLE,
        KeyConditionExpression="#kind = :run",
        ExpressionAttributeNames={"#kind": "kind"},
        ExpressionAttributeValues={":run": {"S": "run"}},
        ConsistentRead=True,
    )
    try:
        entries = [_entry(item, now) for page in pages for item in page["Items"]]
    except dynamodb.exceptions.ResourceNotFoundException:
        deploy = deploy_line(dynamodb.meta.endpoint_url)
        raise UserError(f"There is no table {TABLE}.", f"Deploy the stack: {deploy}") from None
    entries.sort(key=lambda entry: (entry.started is not None, entry.started, entry.name), reverse=True)
    key = {"kind": {"S": "watermark"}, "id": {"S": "watermark"}}
    found: Any = dynamodb.get_item(TableName=TABLE, Key=key, ConsistentRead=True).get("Item")
    if not found:
        return entries, None
    return entries, Watermark(parse_instant(found["since"]["S"]), parse_instant(found["end"]["S"]))


def find_run(entries: Iterable[Entry], name: str) -> Entry:
    """The entry of a run.

    Args:
        entries: all of the ledger, the latest first.
        name: the run's timestamp, the execution's name or ARN, or ``latest``.

    Raises:
        UserError: there is none.
    """
    entries = list(entries)
    for entry in entries:
        if name in ("latest", entry.run, entry.name, entry.execution):
            return entry
    if not entries:
        raise UserError("The ledger has no run yet.", f"Start one: {command()} run")
    raise UserError(
        f"The ledger has no run {name!r}.",
        f"Give a run's timestamp, such as {entries[0].run or entries[0].name}, an execution's name or ARN, or latest; "
        f"{command()} runs lists them.",
    )


def _entry(item: Any, now: datetime) -> Entry:
    def text(name: str) -> str:
        return str(item[name]["S"]) if name in item else ""

    def instant(name: str) -> datetime | None:
        return parse_instant(item[name]["S"]) if name in item else None

    # A run that failed at its very start has no window.
    start, end = instant("window_start"), instant("window_end")
    replayed = item.get("replayed", {}).get("M", {})
    started = instant("started_at")
    return Entry(
        status=status_of(text("status"), started, now),
        window=Span(start, end) if start and end else None,
        name=text("id"),
        execution=text("execution"),
        run=text("run"),
        started=started,
        finished=instant("finished_at"),
        segments=int(item["segments"]["N"]) if "segments" in item else 0,
        counts=_numbers(item.get("counts", {}).get("M", {})),
        stage=text("stage"),
        error=text("error"),
        cause=text("cause"),
        replay=text("replay"),
        origin=text("origin"),
        replayed=({"run": replayed["run"]["S"]} | _numbers(replayed)) if replayed else {},
    )


def _numbers(values: Any) -> dict[str, int]:
    return {name: int(value["N"]) for name, value in values.items() if "N" in value}
