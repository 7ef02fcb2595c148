"""Reads the run ledger."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from etl.model import ledger_fields as fields
from etl.model.errors import ConfigurationError
from etl.model.ledger_rows import instant_in, position_in
from etl.model.names import Names
from etl.model.statuses import SUCCEEDED, status_of
from etl.model.windows import LATEST_DELIVERY
from etl_cli.aws.deploy_line import deploy_line
from etl_cli.terminal.errors import UserError
from etl_cli.terminal.paths import command
from etl_cli.terminal.times import Span

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@dataclass(frozen=True)
class LedgerEntry:
    """The ledger's entry of one execution. Text is empty and an instant None if the entry has none yet."""

    status: str  # RUNNING, SUCCEEDED, FAILED, TIMED_OUT, ABORTED or UNKNOWN: see ``etl.model.statuses``
    window: Span | None  # its window; None if it ended before Plan fixed one
    replay: str = ""  # id of the run whose quarantine it runs again; such a run covers no time
    name: str = ""
    execution: str = ""  # its ARN
    started: datetime | None = None
    run: str = ""  # the run's id; empty if it ended before Plan fixed one
    finished: datetime | None = None
    segments: int = 0
    counts: dict[str, int] = field(default_factory=dict)  # its counts by name, if it succeeded
    stage: str = ""  # the state in which it failed
    error: str = ""
    cause: str = ""
    origin: str = ""  # schedule, event or execution; empty in entries that are older than this field
    replayed: dict[str, Any] = field(default_factory=dict)  # the latest replay's ``run``, and its counts

    @property
    def seconds(self) -> float | None:
        """Its duration; None unless it has ended."""
        return (self.finished - self.started).total_seconds() if self.started and self.finished else None

    @property
    def label(self) -> str:
        """The run's id, or the execution's name if it has none."""
        return self.run or self.name

    @property
    def succeeded(self) -> bool:
        """Whether it succeeded."""
        return self.status == SUCCEEDED

    @property
    def is_scheduled(self) -> bool:
        """Whether it is the schedule's: a run whose input had no window.

        An entry without an origin is one if its window ends where its execution starts, as a default window does. An
        entry without a window may be one, unless its input was wrong.
        """
        if self.origin:
            return self.origin == "schedule"
        if self.replay or not self.started:
            return False
        if not self.window:
            return self.error != "InputError"
        return timedelta(0) <= self.started - self.window.end <= LATEST_DELIVERY


@dataclass(frozen=True)
class Watermark:
    """The schedule has covered every instant from ``since`` up to ``end``."""

    since: datetime
    end: datetime


def read_ledger(dynamodb: DynamoDBClient, names: Names, now: datetime) -> tuple[list[LedgerEntry], Watermark | None]:
    """Read all entries of the ledger, the latest start first, and the watermark; None before there is one.

    A run without a recorded end is running if it started a short while ago.

    Raises:
        UserError: there is no ledger, or a row was changed.
    """
    pages = dynamodb.get_paginator("query").paginate(
        TableName=names.ledger_table,
        KeyConditionExpression="#kind = :run",
        ExpressionAttributeNames=fields.placeholders(fields.KIND),
        ExpressionAttributeValues={":run": {"S": fields.OF_RUN}},
        ConsistentRead=True,
    )
    try:
        entries = [_entry(item, names, now) for page in pages for item in page["Items"]]
    except dynamodb.exceptions.ResourceNotFoundException:
        deploy = deploy_line(dynamodb.meta.endpoint_url, names)
        raise UserError(f"There is no table {names.ledger_table}.", f"Deploy the stack: {deploy}") from None
    except ConfigurationError as error:
        raise UserError(str(error)) from None
    entries.sort(key=lambda entry: (entry.started is not None, entry.started, entry.name), reverse=True)
    found: Any = dynamodb.get_item(TableName=names.ledger_table, Key=fields.WATERMARK_KEY, ConsistentRead=True).get(
        "Item"
    )
    try:
        if not found:
            return entries, None
        since, end = (
            instant_in(found, fields.SINCE, names.ledger_table),
            position_in(found, fields.END, names.ledger_table),
        )
        return entries, Watermark(since, end)
    except ConfigurationError as error:
        raise UserError(str(error)) from None


def read_run(dynamodb: DynamoDBClient, names: Names, name: str, now: datetime) -> LedgerEntry:
    """Read the ledger, and find the entry of a run as `find_run` does."""
    entries, _ = read_ledger(dynamodb, names, now)
    return find_run(entries, name)


def find_run(entries: Iterable[LedgerEntry], name: str) -> LedgerEntry:
    """Find the entry of a run by its id, its execution's name or ARN, or ``latest``; the latest entry comes first.

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
        f"Give a run's id, such as {entries[0].label}, an execution's name or ARN, or latest; "
        f"{command()} runs lists them.",
    )


def _entry(item: Any, names: Names, now: datetime) -> LedgerEntry:
    texts = {name: str(value["S"]) for name, value in item.items() if "S" in value}

    def instant(name: str) -> datetime | None:
        return instant_in(item, name, names.ledger_table) if name in item else None

    start, end, started = map(instant, (fields.WINDOW_START, fields.WINDOW_END, fields.STARTED_AT))
    replayed = item.get(fields.REPLAYED, {}).get("M", {})
    same = (
        *(fields.EXECUTION, fields.RUN, fields.STAGE, fields.ERROR, fields.CAUSE),
        *(fields.REPLAY, fields.ORIGIN),
    )
    return LedgerEntry(
        status=status_of(texts.get(fields.STATUS, ""), started, now),
        window=Span(start, end) if start and end else None,  # a run that failed at its very start has none
        name=texts.get(fields.ID, ""),
        started=started,
        finished=instant(fields.FINISHED_AT),
        segments=_numbers(item).get(fields.SEGMENTS, 0),
        counts=_numbers(item.get(fields.COUNTS, {}).get("M", {})),
        replayed=({"run": replayed.get(fields.RUN, {}).get("S", "")} | _numbers(replayed)) if replayed else {},
        **{name: texts[name] for name in same if name in texts},
    )


def _numbers(values: Any) -> dict[str, int]:
    return {name: int(value["N"]) for name, value in values.items() if value.get("N", "").isdecimal()}
