"""Compares a run of the demo with the two tables, independently of the run's own counts.

Reads both tables whole. Use it for small tables with the specification's keys, soon after the run, while nobody else
writes to them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from etl.model.instants import format_instant
from etl.model.keys import Key, KeyAttribute, plain_reader, wire_reader
from etl.model.schema import DESTINATION_KEY, SOURCE_KEY, SPECIFIED, TIME
from etl.model.stages import LOAD, STAGED, TRANSFORM
from etl.staging.keys import stage_prefix
from etl_cli.items.quarantine import records_of
from etl_cli.runs.outcome_words import UNTIMED
from etl_cli.runs.staged import staged_lines, staged_parts
from etl_cli.terminal.errors import UserError
from etl_cli.terminal.formats import plural
from etl_cli.terminal.printable import printable

if TYPE_CHECKING:
    from etl_cli.aws.deployment import Deployment
    from etl_cli.summary.run_summary import RunSummary

_attributes = msgspec.json.Decoder(dict[str, msgspec.Raw])
_record_key = plain_reader(SPECIFIED.destination)
_item_key = wire_reader((*SPECIFIED.source, KeyAttribute(TIME)))


@dataclass(frozen=True)
class Verified:
    """Numbers that were counted in the tables."""

    source: int  # items of the source table in the window
    destination: int  # records of the run in the destination table
    outside: dict[str, int] = field(default_factory=dict)  # other extracted items by reason, without zeros


def verify(deployment: Deployment, summary: RunSummary) -> Verified:
    """Compare the source table's items of the window with the run, and the run with the destination table.

    Raises:
        UserError: they differ; the message names the difference.
    """
    in_window = set(_source_keys(deployment, summary))
    refused: dict[str, set[Key]] = {TRANSFORM: set(), LOAD: set()}
    for record in records_of(deployment, summary.entry.run):
        refused[record.stage].add(_item_key(record.item) if record.stage == TRANSFORM else _record_key(record.item))
    outside = {
        UNTIMED: summary.counts.get("untimed", len(refused[TRANSFORM] - in_window)),
        "ahead of the window": summary.counts.get("ahead", 0),
    }
    extracted = summary.counts["extracted"] - sum(outside.values())
    if len(in_window) != extracted:
        raise _differs(
            summary,
            f"{deployment.source_table} has {plural(len(in_window), 'item')} in the window, "
            f"and the run extracted {extracted:,} of it",
        )
    staged, marks = _staged(deployment, summary)
    if staged <= in_window and not summary.counts["dropped"]:  # the transformation keeps ids and timestamps
        missing = in_window - refused[TRANSFORM] - staged
        _require(summary, missing, f"of {deployment.source_table} went neither to the next stage nor to quarantine")
    arrived = set(_destination_keys(deployment, marks))
    _require(summary, staged - refused[LOAD] - arrived, f"should be in {deployment.destination_table} and aren't")
    found = len(staged & arrived)
    if len(staged) == summary.counts["records"] and found != summary.counts["loaded"]:
        raise _differs(
            summary,
            f"{deployment.destination_table} holds {plural(found, 'record')} of the run, "
            f"and the run loaded {summary.counts['loaded']:,}",
        )
    return Verified(len(in_window), found, {why: number for why, number in outside.items() if number})


def _require(summary: RunSummary, missing: set[Key], what: str) -> None:
    if missing:
        identity, *others = min(missing)
        such = "it is" if len(missing) == 1 else "one is"
        raise _differs(
            summary,
            f"{plural(len(missing), 'item')} {what}; {such} {printable(identity)} of {printable(' '.join(others))}",
        )


def _differs(summary: RunSummary, problem: str) -> UserError:
    prefixes = " and ".join(stage_prefix(action, summary.entry.run) for action in STAGED)
    return UserError(
        f"The tables and the counts of run {summary.entry.run} differ: {problem}.",
        "Unless something else writes to these tables, this is a fault of the pipeline; "
        f"the run's records are under {prefixes} in the bucket.",
    )


def _source_keys(deployment: Deployment, summary: RunSummary) -> Iterator[Key]:
    window = summary.entry.window
    for item in _scan(deployment, deployment.source_table, [SOURCE_KEY, TIME]):
        text = item.get(TIME, {}).get("S", "")
        moment = _moment(text)
        if window and moment is not None and window.start <= moment < window.end:
            yield item[SOURCE_KEY]["S"], text


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment.tzinfo and text.endswith("Z") else None


def _staged(deployment: Deployment, summary: RunSummary) -> tuple[set[Key], dict[str, str]]:
    """The keys of the records that Transform wrote, and the attributes that mark them as this run's."""
    own_time = format_instant(summary.entry.window.end) if summary.entry.window else ""
    mark = json.dumps(own_time).encode()
    keys: set[Key] = set()
    marks: dict[str, str] | None = None
    for parts in staged_parts(deployment, TRANSFORM, summary.entry.run).values():
        for line in staged_lines(deployment, *parts):
            keys.add(_record_key(line))
            own = {name: own_time for name, value in _attributes.decode(line).items() if bytes(value) == mark}
            marks = own if marks is None else dict(marks.items() & own.items())
    marks = marks or {}
    for name in DESTINATION_KEY:
        marks.pop(name, None)
    return keys, marks


def _destination_keys(deployment: Deployment, marks: dict[str, str]) -> Iterator[Key]:
    for item in _scan(deployment, deployment.destination_table, [*DESTINATION_KEY, *marks]):
        if all(item.get(name) == {"S": value} for name, value in marks.items()):
            yield tuple(item[name]["S"] for name in DESTINATION_KEY)


def _scan(deployment: Deployment, table: str, attributes: Iterable[str]) -> Iterator[dict[str, Any]]:
    names = {f"#{position}": name for position, name in enumerate(attributes)}
    pages = deployment.dynamodb.get_paginator("scan").paginate(
        TableName=table,
        ConsistentRead=True,
        ProjectionExpression=", ".join(names),
        ExpressionAttributeNames=names,
    )
    for page in pages:
        yield from page["Items"]
