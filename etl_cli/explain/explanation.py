"""One item's way through the pipeline, put together from the tables, the ledger and what the runs have staged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from etl_cli.errors import UserError
from etl_cli.execution.coverage import Watermark
from etl_cli.explain.item_time import instant_of, is_read_in
from etl_cli.explain.search import Found, search
from etl_cli.item_view import Item, changes
from etl_cli.preview import stage_code
from etl_cli.staged_record import loaded_item

if TYPE_CHECKING:
    from etl_cli.deployment import Pipeline
    from etl_cli.execution.ledger import Entry
    from etl_cli.quarantine.rejections import Reason

# Records of one item in other ids are few; so many are looked up at the destination.
_MOST_RECORDS = 25


@dataclass(frozen=True)
class Explanation:
    """All that is known of an item.

    Attributes:
        identity: its id.
        now: when it was asked for.
        source: as the source table holds it; None if it isn't there.
        untimed: why its timestamp isn't one; None if it is, or if there is no item.
        runs: the runs that cover its time, the latest first, with what they made of it.
        destination: the records that the destination table holds of it.
        watermark: up to where everything is loaded; None before the first scheduled run.
    """

    identity: str
    now: datetime
    source: Item | None
    untimed: Reason | None
    runs: list[Found] = field(default_factory=list)
    destination: list[Item] = field(default_factory=list)
    watermark: Watermark | None = None

    @property
    def instant(self) -> datetime | None:
        """The instant of its timestamp, where it has one."""
        return instant_of((self.source or {}).get("timestamp")) if not self.untimed else None

    @property
    def latest(self) -> Found | None:
        """The latest run that read it, of those that were searched."""
        return next((found for found in self.runs if found.state == "read"), None)

    @cached_property
    def made(self) -> list[Item]:
        """The records that the latest run made of it."""
        return [loaded_item(line) for line in self.latest.records] if self.latest else []

    @property
    def has_changed(self) -> bool:
        """Whether the source table holds another version than the latest run read."""
        return bool(self.source and self.latest and self.latest.item and changes(self.latest.item, self.source))

    @property
    def is_as_made(self) -> bool:
        """Whether the destination table holds all that the latest run made of it, as the run made it."""
        return bool(self.made) and len(self.as_made) == len({_key(item) for item in self.made})

    @cached_property
    def as_made(self) -> list[Item]:
        """The records of the destination table that are as the latest run made them."""
        made = {_key(item): item for item in self.made}
        return [item for item in self.destination if _key(item) in made and not changes(made[_key(item)], item)]


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
    source = _item(pipeline, pipeline.source_table, {"id": {"S": identity}})
    untimed = stage_code.untimed(source.get("timestamp")) if source else None
    destination = _with_its_id(pipeline, identity)
    runs: list[Found] = []
    searched = 0
    for entry in _covering(entries, source, destination):
        found = search(pipeline, entry, identity, on_progress) if searched < most_runs else Found(entry, "not searched")
        searched += found.state in ("read", "not read")
        # A replay takes up what is in quarantine alone: what it isn't known to have read is no news.
        if found.state == "read" or not entry.replay:
            runs.append(found)
    records = next((found.records for found in runs if found.state == "read"), [])
    destination += _with_other_ids(pipeline, identity, [stage_code.key_of(line) for line in records])
    if not source:
        runs = [found for found in runs if found.state == "read"]
    if not (source or runs or destination):
        raise UserError(
            f"There is no trace of {identity!r}: neither table has it, and none of the last {searched} runs whose "
            "staged objects are still there has read it.",
            "Ids are exact, with upper and lower case. More runs are searched with --runs.",
        )
    return Explanation(identity, now, source, untimed, runs, destination, watermark)


def _covering(entries: Sequence[Entry], source: Item | None, destination: Sequence[Item]) -> list[Entry]:
    """The runs that read items of its timestamps, now and as far as the destination tells; all if nobody knows one.

    A replay may have read any: it takes an item whatever time that has by now.
    """
    timestamps = [item.get("timestamp") for item in ([source] if source else []) + list(destination)]
    times = [(each, stage_code.untimed(each) is None) for each in timestamps]

    def covers(entry: Entry) -> bool:
        window = entry.window
        if not window or not times or entry.replay:
            return bool(window)
        now = entry.started or window.end
        return any(is_read_in(window, now, each, is_time=timed) for each, timed in times)

    return [entry for entry in entries if covers(entry)]


def _with_its_id(pipeline: Pipeline, identity: str) -> list[Item]:
    """The records of the destination table with the item's id, the latest timestamp first."""
    answer: Any = pipeline.dynamodb.query(
        TableName=pipeline.destination_table,
        KeyConditionExpression="#id = :id",
        ExpressionAttributeNames={"#id": "id"},
        ExpressionAttributeValues={":id": {"S": identity}},
        ConsistentRead=True,
        ScanIndexForward=False,
        Limit=_MOST_RECORDS,
    )
    return [_json(item) for item in answer["Items"]]


def _with_other_ids(pipeline: Pipeline, identity: str, keys: Sequence[tuple[str, str]]) -> list[Item]:
    """The records of the destination table that were made of the item, and have these keys."""
    others = [key for key in keys if key[0] != identity][:_MOST_RECORDS]
    found = [
        _item(pipeline, pipeline.destination_table, {"id": {"S": other}, "timestamp": {"S": timestamp}})
        for other, timestamp in others
    ]
    return [item for item in found if item]


def _item(pipeline: Pipeline, table: str, key: Item) -> Item | None:
    found: Any = pipeline.dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item")
    return _json(found) if found else None


def _json(item: Any) -> Item:
    """An item as the client returns it, as one of JSON: binaries in base64."""
    return stage_code.Outcome(stage_code.wire_line(item)).item


def _key(item: Item) -> tuple[str, str]:
    return item["id"]["S"], item["timestamp"]["S"]
