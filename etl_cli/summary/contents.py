"""The contents of a run in the bucket: rejections, aggregates, one item before and after."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from etl.model.schema import SPECIFIED, Schema
from etl.model.stages import EXTRACT, TRANSFORM
from etl.model.statuses import SUCCEEDED
from etl.staging.keys import quarantine_prefix
from etl_cli.items.item_key import ItemKey, item_of_record, key_of_item, key_of_record
from etl_cli.items.quarantine import Quarantine, quarantine_of
from etl_cli.items.rejections import Rejection, Tally
from etl_cli.runs.history import Timeline
from etl_cli.runs.item_changes import Change, Item, compare
from etl_cli.runs.staged import before_and_after, run_schema, staged_keys, staged_lines
from etl_cli.terminal.errors import UserError

if TYPE_CHECKING:
    from etl_cli.aws.deployment import Deployment

EXPIRED = (
    "The run's staged objects have expired after 30 days, or were removed. Reasons of rejection, aggregates, and the "
    "item before and after are missing."
)
LEFT_OUT = (
    "Contents of items are left out: values found in rejected items, names of attributes that the contract doesn't "
    "declare, groups of aggregates, an item before and after. --items shows them."
)


@dataclass(frozen=True)
class Sample:
    """One item before and after, in bytes: as objects it takes a hundred times as much memory."""

    key: dict[str, Any]
    read: bytes  # the item as the run read it, a line of DynamoDB JSON
    made: bytes  # the record as the run made it, a line of plain JSON
    schema: Schema = SPECIFIED

    @property
    def item_key(self) -> ItemKey:
        """The item's key."""
        return key_of_item(self.read, self.schema)

    def compared(self) -> Iterator[Change]:
        """Both sides, compared: the keys come first."""
        return compare(*self.sides(), self.schema.shown_first)

    def sides(self) -> tuple[Item, Item]:
        """The item, and the record as it is for the destination table, in DynamoDB JSON, binaries in base64."""
        return before_and_after(self.read, self.made)


@dataclass(frozen=True, kw_only=True)
class Contents:
    """The contents of a run in the bucket."""

    keys: dict[str, str] = field(default_factory=dict)  # S3 keys of the first object of each kind
    quarantine: list[str] = field(default_factory=list)  # S3 keys of the objects in quarantine
    aside: Tally = field(default_factory=Tally)  # the records in quarantine, counted by reason
    is_cut: bool = False  # whether quarantine has more records than were counted
    aggregates: list[dict[str, Any]] = field(default_factory=list)  # as the gate staged them, with exact numbers
    sample: Sample | None = None
    expired: bool = False
    with_items: bool = True

    @property
    def rejections(self) -> list[Rejection]:
        """The reasons of rejection, the commonest first."""
        return self.aside.rejections() if self.with_items else self.aside.without_items()

    @property
    def notes(self) -> list[str]:
        """The reasons, in words, why something is missing."""
        return [*([EXPIRED] if self.expired else []), *([] if self.with_items else [LEFT_OUT])]

    def without_items(self) -> Contents:
        """The same without contents of items: aggregates have the number of their groups."""
        aggregates = [each | {"groups": [], "groups_left_out": len(each["groups"])} for each in self.aggregates]
        return replace(self, aggregates=aggregates, sample=None, with_items=False)


def read_contents(deployment: Deployment, run: str, timeline: Timeline | None) -> Contents:
    """Read the contents of a run by its id, which may be empty; its timeline is None if Step Functions forgot it."""
    if not run:
        return Contents()
    if timeline is None:
        return Contents(expired=True)
    try:
        if timeline.status == SUCCEEDED:
            return read_staged(deployment, run, timeline.output["keys"])
        return _set_aside(quarantine_of(deployment, run))
    except (UserError, deployment.s3.exceptions.NoSuchKey):
        return Contents(expired=True)


def read_staged(deployment: Deployment, run: str, keys: dict[str, str]) -> Contents:
    """Read the contents of a run that succeeded; ``keys`` are those of its output.

    Raises:
        UserError: an object of the run isn't in the bucket any more.
    """
    return replace(
        _set_aside(quarantine_of(deployment, run)),
        keys=keys,
        quarantine=staged_keys(deployment, quarantine_prefix(run)),
        aggregates=_aggregates(deployment, keys["aggregates"]),
        sample=_sample(deployment, keys, run_schema(deployment, run)),
    )


def _set_aside(found: Quarantine) -> Contents:
    return Contents(aside=found.aside, is_cut=found.is_cut)


def _aggregates(deployment: Deployment, key: str) -> list[dict[str, Any]]:
    body = deployment.s3.get_object(Bucket=deployment.staging_bucket, Key=key)["Body"].read()
    aggregates: list[dict[str, Any]] = json.loads(body, parse_float=Decimal)["aggregates"]
    return aggregates


def _sample(deployment: Deployment, keys: dict[str, str], schema: Schema) -> Sample | None:
    """The first record that was transformed and its item, if the record names an item by its key.

    Both are staged ones: other runs and programs may have written the tables since.
    """
    for made in staged_lines(deployment, keys[TRANSFORM]):
        item = item_of_record(made, schema)
        for read in staged_lines(deployment, keys[EXTRACT]) if item else ():
            if key_of_item(read, schema) == item:
                return Sample(key_of_record(made, schema).document(), read, made, schema)
        break
    return None
