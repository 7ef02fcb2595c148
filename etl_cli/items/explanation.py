"""The way of one item through the pipeline, from the tables, the ledger and the staged objects of runs."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec

from etl.model.instants import parse_instant
from etl.model.keys import Key
from etl.model.schema import DESTINATION_KEY, SOURCE_KEY, TIME
from etl_cli.aws.raw_items import items_of, raw_client, without_equal
from etl_cli.items.item_time import is_read_in, untimed
from etl_cli.items.search import MOST_RECORDS, MOST_RECORDS_BYTES, ItemInRun, search
from etl_cli.runs.item_changes import Wire, differ
from etl_cli.runs.staged import loaded_item, record_key, wire_key
from etl_cli.terminal.errors import UserError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from etl_cli.aws.deployment import Deployment
    from etl_cli.items.rejections import Rejection
    from etl_cli.runs.ledger import LedgerEntry, Watermark

_attributes = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


@dataclass(frozen=True)
class Explanation:
    """All facts about an item. Its versions are lines of JSON: as objects they take a hundred times as much.

    Attributes:
        source: the item in the source table, in DynamoDB JSON; None if it isn't there.
        timestamp: its timestamp there; None if it has none.
        untimed: the reason why the timestamp isn't a time; None if it is one, or if there is no item.
        runs: the runs that cover the timestamp, the latest first.
        destination: the item's records in the destination table, in DynamoDB JSON.
    """

    identity: str
    now: datetime
    source: bytes | None
    timestamp: Wire | None
    untimed: Rejection | None
    runs: list[ItemInRun] = field(default_factory=list)
    destination: list[bytes] = field(default_factory=list)
    watermark: Watermark | None = None

    @property
    def instant(self) -> datetime | None:
        """The instant of the timestamp, if it is a time."""
        return parse_instant(self.timestamp["S"]) if self.timestamp and not self.untimed else None

    @property
    def latest(self) -> ItemInRun | None:
        """The latest run that has read the item, of the runs that were searched."""
        return next((found for found in self.runs if found.state == "read"), None)

    @property
    def made(self) -> list[bytes]:
        """The records that the latest run made of the item, in plain JSON."""
        return self.latest.records if self.latest else []

    @cached_property
    def has_changed(self) -> bool:
        """Whether the source table holds another version than the latest run has read."""
        read = self.latest.line if self.latest else None
        return bool(self.source and read and differ(*map(json.loads, without_equal(read, self.source))))

    @property
    def is_as_made(self) -> bool:
        """Whether the destination table holds all records of the latest run, unchanged."""
        return bool(self.made) and len(self.as_made) == len(set(map(record_key, self.made)))

    @cached_property
    def as_made(self) -> list[bytes]:
        """The records of the destination table that are as the latest run made them."""
        made = {record_key(line): line for line in self.made}
        return [
            line
            for line in self.destination
            if (key := wire_key(line)) in made and not differ(loaded_item(made[key]), json.loads(line))
        ]


def explain_item(
    deployment: Deployment,
    identity: str,
    ledger: tuple[Sequence[LedgerEntry], Watermark | None],
    now: datetime,
    most_runs: int,
    on_progress: Callable[[int], None] = lambda _: None,
) -> Explanation:
    """Find an item's way through the pipeline, in the latest runs of its time.

    The ledger's entries begin with the latest. Progress is the number of staged records looked at in a run.

    Raises:
        UserError: there is no trace of the item.
    """
    entries, watermark = ledger
    tables = raw_client(deployment)
    source = _item(tables, deployment.source_table, {SOURCE_KEY: {"S": identity}})
    timestamp = _timestamp(source) if source else None
    destination = _with_id(tables, deployment.destination_table, identity)
    covering = _covering(entries, [*([timestamp] if source else []), *map(_timestamp, destination)])
    runs, searched = _runs(deployment, covering, identity, most_runs, on_progress)
    records = next((found.records for found in runs if found.state == "read"), [])
    known = set(map(wire_key, destination))
    others = [key for key in map(record_key, records) if key not in known]
    destination += _with_keys(tables, deployment.destination_table, others)
    if not source:
        runs = [found for found in runs if found.state == "read"]
    if not (source or runs or destination):
        raise UserError(
            f"There is no trace of {identity!r}: neither table has it, and none of the last {searched} runs with "
            "staged objects has read it.",
            "Ids are exact, in upper and lower case too. Search more runs with --runs.",
        )
    return Explanation(
        identity, now, source, timestamp, untimed(timestamp) if source else None, runs, destination, watermark
    )


def _covering(entries: Sequence[LedgerEntry], timestamps: Sequence[Wire | None]) -> list[LedgerEntry]:
    """The runs that read items of these timestamps; all runs if there is no timestamp.

    A replay may have read any item: it takes items of any time.
    """
    times = [(each, untimed(each) is None) for each in timestamps]

    def covers(entry: LedgerEntry) -> bool:
        window = entry.window
        if not window or not times or entry.replay:
            return bool(window)
        started = entry.started or window.end
        return any(is_read_in(window, started, each, is_time=is_time) for each, is_time in times)

    return [entry for entry in entries if covers(entry)]


def _runs(
    deployment: Deployment,
    entries: Sequence[LedgerEntry],
    identity: str,
    most_runs: int,
    on_progress: Callable[[int], None],
) -> tuple[list[ItemInRun], int]:
    """The item in each run, and the number of runs that were searched."""
    runs: list[ItemInRun] = []
    searched = 0
    for entry in entries:
        found = ItemInRun(entry, "not searched")
        if searched < most_runs:
            found = search(deployment, entry, identity, on_progress)
        searched += found.state in ("read", "not read")
        # A replay reads only records of quarantine: one that hasn't read the item says nothing about it.
        if found.state == "read" or not entry.replay:
            runs.append(found)
    return runs, searched


def _with_id(tables: DynamoDBClient, table: str, identity: str) -> list[bytes]:
    """The records of the destination table with the item's id, the latest first."""
    answer = tables.query(
        TableName=table,
        KeyConditionExpression="#id = :id",
        ExpressionAttributeNames={"#id": DESTINATION_KEY[0]},
        ExpressionAttributeValues={":id": {"S": identity}},
        ConsistentRead=True,
        ScanIndexForward=False,
        Limit=MOST_RECORDS,
    )
    return items_of(answer)


def _with_keys(tables: DynamoDBClient, table: str, keys: Sequence[Key]) -> list[bytes]:
    """The records of the destination table with these keys."""
    found: list[bytes] = []
    for key in keys:
        item = _item(tables, table, {name: {"S": text} for name, text in zip(DESTINATION_KEY, key, strict=True)})
        found += [item] if item else []
        if sum(map(len, found)) > MOST_RECORDS_BYTES:
            break
    return found


def _item(tables: DynamoDBClient, table: str, key: Wire) -> bytes | None:
    return next(iter(items_of(tables.get_item(TableName=table, Key=key, ConsistentRead=True))), None)


def _timestamp(line: bytes) -> Wire | None:
    found = _attributes(line).get(TIME)
    return None if found is None else json.loads(bytes(found))
