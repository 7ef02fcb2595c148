"""The records that runs have in quarantine."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby
from typing import TYPE_CHECKING, Any

import msgspec

from etl.model.counts import NOT_REPLAYABLE, set_aside
from etl.model.schema import SPECIFIED, Schema
from etl.model.stages import TRANSFORM
from etl.staging.keys import QUARANTINE, quarantine_prefix, run_of
from etl_cli.items.item_key import ItemKey, item_of_record, key_of_item, key_of_record
from etl_cli.items.rejections import MOST_REJECTED, Rejection, Tally
from etl_cli.runs.staged import run_schema, staged_keys, staged_lines

if TYPE_CHECKING:
    from etl_cli.aws.deployment import Deployment
    from etl_cli.runs.ledger import LedgerEntry

_HALF_CHARACTERS = re.compile("[\ud800-\udfff]")


class QuarantinedRecord(msgspec.Struct):
    """A record of quarantine, and its whole line."""

    stage: str
    item: msgspec.Raw  # as that stage read it: DynamoDB JSON, or plain JSON if Load set it aside
    field: str = ""
    rule: str = ""
    expected: str = ""  # the rule, in objects that an earlier version wrote
    got: str = ""
    summary: str = Rejection.summary
    untimed: bool = False
    line: bytes = b""
    schema: Schema = SPECIFIED

    @property
    def key(self) -> ItemKey:
        """The key of the item, or of the record if it names no item; false if it has none."""
        if self.stage == TRANSFORM:
            return key_of_item(self.item, self.schema)
        return item_of_record(self.item, self.schema) or key_of_record(self.item, self.schema)

    @property
    def rejection(self) -> Rejection:
        """The reason why the stage set the record aside."""
        rule = self.rule or f"expected {self.expected}"
        key = self.key
        return Rejection(
            *(self.stage, self.field, rule, self.got, self.summary, self.untimed), key.text, key=key.document()
        )

    def whole(self) -> dict[str, Any]:
        """The whole line as objects; numbers are exact."""
        found: dict[str, Any] = json.loads(self.line, parse_float=Decimal)
        return found


_decode = msgspec.json.Decoder(QuarantinedRecord).decode


@dataclass(frozen=True)
class Quarantine:
    """The quarantine of one run, by its id: the records by reason. If it is cut, there are more than were counted."""

    run: str
    aside: Tally
    is_cut: bool = False
    entry: LedgerEntry | None = None


def quarantines(deployment: Deployment, entries: Sequence[LedgerEntry]) -> Iterator[Quarantine]:
    """The runs that have records in quarantine, the latest first."""
    by_run = {entry.run: entry for entry in entries if entry.run}
    runs = [run_id for run_id, _ in groupby(staged_keys(deployment, QUARANTINE), run_of)]
    for run_id in reversed(runs):
        yield quarantine_of(deployment, run_id, by_run.get(run_id))


def quarantine_of(deployment: Deployment, run_id: str, entry: LedgerEntry | None = None) -> Quarantine:
    """Count the records that a run has in quarantine, which may be none."""
    tally, is_cut = Tally(), False
    for record in records_of(deployment, run_id):
        if is_cut := tally.total >= MOST_REJECTED:
            break
        tally.add(record.rejection)
    return Quarantine(run_id, tally, is_cut, entry)


def records_of(
    deployment: Deployment,
    run_id: str,
    field: str | None = None,
    key: ItemKey | None = None,
    schema: Schema | None = None,
) -> Iterator[QuarantinedRecord]:
    """The records that a run has in quarantine; none if it ended before it had an id.

    Take only those with a key, or those rejected for an attribute, which is empty for the whole record. Without a
    schema it is the run's.
    """
    keys = staged_keys(deployment, quarantine_prefix(run_id)) if run_id else []
    found = (schema or run_schema(deployment, run_id)) if keys else SPECIFIED
    for line in staged_lines(deployment, *keys):
        record = quarantined(line, found)
        if field in (None, record.field) and (key is None or record.key == key):
            yield record


def quarantined(line: bytes, schema: Schema = SPECIFIED) -> QuarantinedRecord:
    """Read a line of quarantine. Half characters, which JSON allows and UTF-8 doesn't, become visible."""
    try:
        record = _decode(line)
    except msgspec.DecodeError:
        text = json.dumps(json.loads(line), ensure_ascii=False)
        record = _decode(_HALF_CHARACTERS.sub(lambda half: rf"\\u{ord(half[0]):04x}", text))
    record.line, record.schema = line, schema
    return record


def not_loaded_by_replay(entry: LedgerEntry) -> int:
    """Number of records that a replay has set aside again, or couldn't take up."""
    return set_aside(entry.counts) + entry.counts.get(NOT_REPLAYABLE, 0)
