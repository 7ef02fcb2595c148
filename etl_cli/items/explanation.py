"""One item's way through the pipeline, put together from the tables, the ledger and what the runs have staged."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

from etl_cli.aws.raw_items import items_of, raw_client, without_alike
from etl_cli.items import local_transformation as stage_code
from etl_cli.items.item_time import instant_of, is_read_in
from etl_cli.items.search import MOST_RECORDS, MOST_RECORDS_BYTES, Found, search
from etl_cli.runs.item import Wire, differ
from etl_cli.runs.staged import keys_of, text_of
from etl_cli.runs.staged_record import loaded_item
from etl_cli.terminal.errors import UserError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from etl_cli.aws.deployment import Pipeline
    from etl_cli.items.rejections import Reason
    from etl_cli.runs.ledger import Entry, Watermark


@dataclass(frozen=True)
class Explanation:
    """All that is known of an item. Its versions are lines of JSON: as objects they take a hundred times as much.

    Attributes:
        identity: its id.
        now: when it was asked for.
        source: as the source table holds it, in DynamoDB JSON; None if it isn't there.
        timestamp: its timestamp there; None if it has none.
        untimed: why its timestamp isn't one; None if it is, or if there is no item.
        runs: the runs that cover its time, the latest first, with what they made of it.
        destination: the records that the destination table holds of it, in DynamoDB JSON.
        watermark: up to where everything is loaded; None before the first scheduled run.
    """

    identity: str
    now: datetime
    source: bytes | None
    timestamp: Wire | None
    untimed: Reason | None
    runs: list[Found] = field(default_factory=list)
    destination: list[bytes] = field(default_factory=list)
    watermark: Watermark | None = None

    @property
    def instant(self) -> datetime | None:
        """The instant of its timestamp, where it has one."""
        return instant_of(self.timestamp) if not self.untimed else None

    @property
    def latest(self) -> Found | None:
        """The latest run that read it, of those that were searched."""
        return next((found for found in self.runs if found.state == "read"), None)

    @property
    def made(self) -> list[bytes]:
        """The records that the latest run made of it, in plain JSON."""
        return self.latest.records if self.latest else []

    @cached_property
    def has_changed(self) -> bool:
        """Whether the source table holds another version than the latest run read."""
        read = self.latest.line if self.latest else None
        return bool(self.source and read and differ(*map(json.loads, without_alike(read, self.source))))

    @property
    def is_as_made(self) -> bool:
        """Whether the destination table holds all that the latest run made of it, as the run made it."""
        return bool(self.made) and len(self.as_made) == len(set(map(_key, self.made)))

    @cached_property
    def as_made(self) -> list[bytes]:
        """The records of the destination table that are as the latest run made them."""
        made = {_key(line): line for line in self.made}
        return [
            line
            for line in self.destination
            if _key(line) in made and not differ(loaded_item(made[_key(line)]), json.loads(line))
        ]


def explain_item(
    pipeline: Pipeline,
    identity: str,
    ledger: tuple[Sequence[Entry], Watermark | None],
    now: datetime,
    most_runs: int,
    on_progress: Callable[[int], None] = lambda _: None,
) -> Explanation:
    """Find out what became of an item.

    Args:
        pipeline: where to look.
        identity: its id.
        ledger: its entries, the latest first, and the watermark.
        now: the present.
        most_runs: in what so many of the latest runs have staged it is searched.
        on_progress: called with the number of staged records that were looked at in a run.

    Raises:
        UserError: no trace of it was found.
    """
    entries, watermark = ledger
    tables = raw_client(pipeline)
    source = _item(tables, pipeline.source_table, {"id": {"S": identity}})
    timestamp = _timestamp(source) if source else None
    untimed = stage_code.untimed(timestamp) if source else None
    destination = _with_its_id(tables, pipeline.destination_table, identity)
    runs: list[Found] = []
    searched = 0
    timestamps = [timestamp] if source else []
    for entry in _covering(entries, [*timestamps, *map(_timestamp, destination)]):
        found = search(pipeline, entry, identity, on_progress) if searched < most_runs else Found(entry, "not searched")
        searched += found.state in ("read", "not read")
        # A replay takes up what is in quarantine alone: what it isn't known to have read is no news.
        if found.state == "read" or not entry.replay:
            runs.append(found)
    records = next((found.records for found in runs if found.state == "read"), [])
    known = set(map(_key, destination))
    others = [key for key in map(stage_code.key_of, records) if key not in known]
    destination += _with_keys(tables, pipeline.destination_table, others)
    if not source:
        runs = [found for found in runs if found.state == "read"]
    if not (source or runs or destination):
        raise UserError(
            f"There is no trace of {identity!r}: neither table has it, and none of the last {searched} runs whose "
            "staged objects are still there has read it.",
            "Ids are exact, with upper and lower case. More runs are searched with --runs.",
        )
    return Explanation(identity, now, source, timestamp, untimed, runs, destination, watermark)


def _covering(entries: Sequence[Entry], timestamps: Sequence[Wire | None]) -> list[Entry]:
    """The runs that read items of its timestamps, now and as far as the destination tells; all if nobody knows one.

    A replay may have read any: it takes an item whatever time that has by now.
    """
    times = [(each, stage_code.untimed(each) is None) for each in timestamps]

    def covers(entry: Entry) -> bool:
        window = entry.window
        if not window or not times or entry.replay:
            return bool(window)
        now = entry.started or window.end
        return any(is_read_in(window, now, each, is_time=timed) for each, timed in times)

    return [entry for entry in entries if covers(entry)]


def _with_its_id(tables: DynamoDBClient, table: str, identity: str) -> list[bytes]:
    """The records of the destination table with the item's id, the latest timestamp first."""
    answer = tables.query(
        TableName=table,
        KeyConditionExpression="#id = :id",
        ExpressionAttributeNames={"#id": "id"},
        ExpressionAttributeValues={":id": {"S": identity}},
        ConsistentRead=True,
        ScanIndexForward=False,
        Limit=MOST_RECORDS,
    )
    return items_of(answer)


def _with_keys(tables: DynamoDBClient, table: str, keys: Sequence[tuple[str, str]]) -> list[bytes]:
    """The records of the destination table that have these keys."""
    found: list[bytes] = []
    for identity, timestamp in keys:
        item = _item(tables, table, {"id": {"S": identity}, "timestamp": {"S": timestamp}})
        found += [item] if item else []
        if sum(map(len, found)) > MOST_RECORDS_BYTES:
            break
    return found


def _item(tables: DynamoDBClient, table: str, key: Wire) -> bytes | None:
    return next(iter(items_of(tables.get_item(TableName=table, Key=key, ConsistentRead=True))), None)


def _timestamp(line: bytes) -> Wire | None:
    found: Wire | None = json.loads(bytes(keys_of(line).timestamp))
    return found


def _key(line: bytes) -> tuple[str, str]:
    return text_of(line, "id"), text_of(line, "timestamp")
