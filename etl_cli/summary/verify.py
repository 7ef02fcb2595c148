"""Checks a run against the two tables themselves, whatever the run says of itself.

Reads both tables whole: for the sizes of a demonstration, soon after the run and with nobody else writing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from etl.model.schema import DESTINATION_KEY, SOURCE_KEY, TIME, Key, reader
from etl.model.stages import TRANSFORM
from etl_cli.items.quarantine import records_of
from etl_cli.runs.counts import UNTIMED
from etl_cli.runs.staged import record_key, staged_keys, staged_lines
from etl_cli.terminal.errors import UserError
from etl_cli.terminal.printable import printable
from etl_cli.terminal.words import count, parse_instant

if TYPE_CHECKING:
    from etl_cli.aws.deployment import Pipeline
    from etl_cli.summary.report import RunReport

_attributes = msgspec.json.Decoder(dict[str, msgspec.Raw])
_item_key = reader(SOURCE_KEY, TIME, wire=True)


@dataclass(frozen=True)
class Verified:
    """What was counted in the tables.

    Attributes:
        source: items of the source table that lie in the window.
        destination: records of the run that the destination table holds.
        outside: what the run extracted beside the items in the window, by why that is; nothing that is 0.
    """

    source: int
    destination: int
    outside: dict[str, int] = field(default_factory=dict)


def verify(pipeline: Pipeline, report: RunReport) -> Verified:
    """Compare the source table's items of the window with the run, and the run with the destination table.

    Raises:
        UserError: they differ; the message says in what.
    """
    in_window = set(_source_keys(pipeline, report))
    refused: dict[str, set[Key]] = {"transform": set(), "load": set()}
    for record in records_of(pipeline, report.run):
        refused[record.stage].add(_item_key(record.item) if record.stage == TRANSFORM else record_key(record.item))
    outside = {
        UNTIMED: report.counts.get("untimed", len(refused["transform"] - in_window)),
        "ahead of the window": report.counts.get("ahead", 0),
    }
    extracted = report.counts["extracted"] - sum(outside.values())
    if len(in_window) != extracted:
        raise _differs(
            report,
            f"{pipeline.source_table} has {count(len(in_window), 'item')} in the window, "
            f"and the run extracted {extracted:,} of it",
        )
    staged, marks = _staged(pipeline, report)
    if staged <= in_window and not report.counts["dropped"]:  # the transformation keeps ids and timestamps
        missing = in_window - refused["transform"] - staged
        _require(report, missing, f"of {pipeline.source_table} went neither on nor to quarantine")
    arrived = set(_destination_keys(pipeline, marks))
    _require(report, staged - refused["load"] - arrived, f"should be in {pipeline.destination_table} and aren't")
    found = len(staged & arrived)
    if len(staged) == report.counts["records"] and found != report.counts["loaded"]:
        raise _differs(
            report,
            f"{pipeline.destination_table} holds {count(found, 'record')} of the run, "
            f"and the run loaded {report.counts['loaded']:,}",
        )
    return Verified(len(in_window), found, {why: number for why, number in outside.items() if number})


def _require(report: RunReport, missing: set[Key], what: str) -> None:
    if missing:
        identity, *others = min(missing)
        such = "it is" if len(missing) == 1 else "one is"
        key = f"{printable(identity)} of {printable(' '.join(others))}"
        raise _differs(report, f"{count(len(missing), 'item')} {what}; {such} {key}")


def _differs(report: RunReport, problem: str) -> UserError:
    return UserError(
        f"The tables don't hold what run {report.run} says: {problem}.",
        "Unless something else writes to these tables, this is a fault of the pipeline; "
        f"what the stages wrote is under extract/{report.run}/ and transform/{report.run}/ of the staging bucket.",
    )


def _source_keys(pipeline: Pipeline, report: RunReport) -> Iterator[Key]:
    start, end = (parse_instant(report.window[name]) for name in ("start", "end"))
    for item in _scan(pipeline, pipeline.source_table, [SOURCE_KEY, TIME]):
        text = item.get(TIME, {}).get("S", "")
        moment = _moment(text)
        if moment is not None and start <= moment < end:
            yield item[SOURCE_KEY]["S"], text


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment.tzinfo and text.endswith("Z") else None


def _staged(pipeline: Pipeline, report: RunReport) -> tuple[set[Key], dict[str, str]]:
    """The keys of the records that Transform wrote, and the attributes that mark them as this run's."""
    own_time = report.window["end"]
    mark = json.dumps(own_time).encode()
    prefix = f"transform/{report.run}/"
    keys: set[Key] = set()
    marks: dict[str, str] | None = None
    for key in staged_keys(pipeline, prefix):
        if key.startswith(f"{prefix}partials/") or key == report.keys["aggregates"]:
            continue
        for line in staged_lines(pipeline, key):
            keys.add(record_key(line))
            own = {name: own_time for name, value in _attributes.decode(line).items() if bytes(value) == mark}
            marks = own if marks is None else dict(marks.items() & own.items())
    marks = marks or {}
    for name in DESTINATION_KEY:
        marks.pop(name, None)
    return keys, marks


def _destination_keys(pipeline: Pipeline, marks: dict[str, str]) -> Iterator[Key]:
    for item in _scan(pipeline, pipeline.destination_table, [*DESTINATION_KEY, *marks]):
        if all(item.get(name) == {"S": value} for name, value in marks.items()):
            yield tuple(item[name]["S"] for name in DESTINATION_KEY)


def _scan(pipeline: Pipeline, table: str, attributes: Iterable[str]) -> Iterator[dict[str, Any]]:
    names = {f"#{position}": name for position, name in enumerate(attributes)}
    pages = pipeline.dynamodb.get_paginator("scan").paginate(
        TableName=table,
        ConsistentRead=True,
        ProjectionExpression=", ".join(names),
        ExpressionAttributeNames=names,
    )
    for page in pages:
        yield from page["Items"]
