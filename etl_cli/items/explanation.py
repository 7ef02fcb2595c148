"""The way of one item through the pipeline, from the tables, the ledger and the staged objects of runs."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from etl.model.keys import wire_reader
from etl.model.schema import Schema
from etl.tables.change_time import ABSENT
from etl_cli.aws.raw_items import items_of, raw_client, without_equal
from etl_cli.items.item_key import ItemKey, key_of_record
from etl_cli.items.item_time import is_read_in, span_of, untimed, value_of
from etl_cli.items.search import MOST_RECORDS, MOST_RECORDS_BYTES, ItemInRun, search
from etl_cli.runs.item_changes import differ
from etl_cli.runs.staged import loaded_item
from etl_cli.terminal.errors import UserError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from etl.model.change_time import ChangeTime
    from etl_cli.aws.deployment import Deployment
    from etl_cli.items.rejections import Rejection
    from etl_cli.runs.ledger import LedgerEntry, Watermark
    from etl_cli.terminal.times import Span


@dataclass(frozen=True)
class Explanation:
    """All facts about an item. Its versions are lines of JSON: as objects they take a hundred times as much.

    Attributes:
        schema: the keys of the tables, and the time of an item.
        source: the item in the source table, in DynamoDB JSON; None if it isn't there.
        runs: the runs that cover its time, the latest first.
        destination: the item's records in the destination table, in DynamoDB JSON.
    """

    key: ItemKey
    schema: Schema
    now: datetime
    source: bytes | None
    runs: list[ItemInRun] = field(default_factory=list)
    destination: list[bytes] = field(default_factory=list)
    watermark: Watermark | None = None

    @cached_property
    def time(self) -> Any:
        """The value of its time in the source table; ``ABSENT`` if there is none."""
        return value_of(self.schema.time, self.source) if self.source else ABSENT

    @cached_property
    def untimed(self) -> Rejection | None:
        """The reason why that value isn't a time; None if it is one, or if there is no item."""
        return untimed(self.schema.time, self.time) if self.source else None

    @cached_property
    def span(self) -> Span | None:
        """The first and the last second of that time."""
        return span_of(self.schema.time, self.time)

    @property
    def instant(self) -> datetime | None:
        """The first second of that time."""
        return self.span.start if self.span else None

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
        return bool(self.made) and len(self.as_made) == len({key_of_record(line, self.schema) for line in self.made})

    @cached_property
    def as_made(self) -> list[bytes]:
        """The records of the destination table that are as the latest run made them."""
        made = {key_of_record(line, self.schema): line for line in self.made}
        return [
            line
            for line in self.destination
            if (key := self.key_of(line)) in made and not differ(loaded_item(made[key]), json.loads(line))
        ]

    def key_of(self, line: bytes) -> ItemKey:
        """The key of a record of the destination table."""
        return ItemKey(self.schema.destination, wire_reader(self.schema.destination)(line))


def explain_item(  # noqa: PLR0913 - the item, the pipeline's state, and the limits of the search
    deployment: Deployment,
    key: ItemKey,
    schema: Schema,
    ledger: tuple[Sequence[LedgerEntry], Watermark | None],
    *,
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
    sources, destinations = raw_client(deployment, "source"), raw_client(deployment, "destination")
    explanation = Explanation(
        key,
        schema,
        now,
        _item(sources, deployment.source_table, key),
        watermark=watermark,
        destination=_of_item(destinations, deployment.destination_table, key, schema),
    )
    source, destination = explanation.source, explanation.destination
    values = [value for value in (value_of(schema.time, line) for line in destination) if value is not ABSENT]
    covering = _covering(schema.time, entries, [*([explanation.time] if source else []), *values])
    runs, searched = _runs(
        partial(search, deployment, key=key, schema=schema, on_progress=on_progress), covering, most_runs
    )
    records = next((found.records for found in runs if found.state == "read"), [])
    known = set(map(explanation.key_of, destination))
    made = (key_of_record(line, schema) for line in records)
    destination += _with_keys(destinations, deployment.destination_table, [each for each in made if each not in known])
    if not source:
        runs = [found for found in runs if found.state == "read"]
    if not (source or runs or destination):
        raise UserError(
            f"There is no trace of {key.text!r}: neither table has it, and none of the last {searched} runs with "
            "staged objects has read it.",
            "Keys are exact, in upper and lower case too. Search more runs with --runs.",
        )
    return replace(explanation, runs=runs, destination=destination)


def _covering(time: ChangeTime, entries: Sequence[LedgerEntry], values: Sequence[Any]) -> list[LedgerEntry]:
    """The runs that read items of these times; all runs if there is no time.

    A replay may have read any item: it takes items of any time.
    """

    def covers(entry: LedgerEntry) -> bool:
        window = entry.window
        if not window or not values or entry.replay:
            return bool(window)
        started = entry.started or window.end
        return any(is_read_in(time, each, window, started) for each in values)

    return [entry for entry in entries if covers(entry)]


def _runs(
    search_in: Callable[[LedgerEntry], ItemInRun], entries: Sequence[LedgerEntry], most_runs: int
) -> tuple[list[ItemInRun], int]:
    """The item in each run, and the number of runs that were searched."""
    runs: list[ItemInRun] = []
    searched = 0
    for entry in entries:
        found = ItemInRun(entry, "not searched")
        if searched < most_runs:
            found = search_in(entry)
        searched += found.state in ("read", "not read")
        # A replay reads only records of quarantine: one that hasn't read the item says nothing about it.
        if found.state == "read" or not entry.replay:
            runs.append(found)
    return runs, searched


def _of_item(tables: DynamoDBClient, table: str, key: ItemKey, schema: Schema) -> list[bytes]:
    """The records of the destination table whose key begins with the item's key, the latest first.

    There are none if the types of the two keys differ.
    """
    pairs = list(zip(schema.destination, key.attributes, key.values, strict=False))
    if len(key.attributes) > len(schema.destination) or any(own.type != other.type for own, other, _ in pairs):
        return []
    request = ItemKey(schema.destination[: len(pairs)], key.values).request
    answer = tables.query(
        TableName=table,
        KeyConditionExpression=" AND ".join(f"#key{number} = :key{number}" for number in range(len(pairs))),
        ExpressionAttributeNames={f"#key{number}": name for number, name in enumerate(request)},
        ExpressionAttributeValues={f":key{number}": value for number, value in enumerate(request.values())},
        ConsistentRead=True,
        ScanIndexForward=False,
        Limit=MOST_RECORDS,
    )
    return items_of(answer)


def _with_keys(tables: DynamoDBClient, table: str, keys: Sequence[ItemKey]) -> list[bytes]:
    """The records of the destination table with these keys."""
    found: list[bytes] = []
    for key in keys:
        item = _item(tables, table, key)
        found += [item] if item else []
        if sum(map(len, found)) > MOST_RECORDS_BYTES:
            break
    return found


def _item(tables: DynamoDBClient, table: str, key: ItemKey) -> bytes | None:
    return next(iter(items_of(tables.get_item(TableName=table, Key=key.request, ConsistentRead=True))), None)
