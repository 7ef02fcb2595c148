"""From a table's sample to its findings, and from the findings and your choices to a proposal."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from etl.values.attribute_values import Record
from etl_cli.proposal.cursors import candidates, readings
from etl_cli.proposal.kinds import EntityType, entity_types, is_expiry
from etl_cli.proposal.profile import decoded, profile_of
from etl_cli.proposal.proposal import Findings
from etl_cli.proposal.sampling import TableDescription, TableSample


def findings_of(
    table: TableDescription, sample: TableSample, now: datetime, entity: EntityType | None = None
) -> Findings:
    """The findings of a sample; of one type of items, if that is given."""

    def records() -> Iterable[Record]:
        return records_of(sample, entity)

    profile = profile_of(records())
    found = readings(records(), profile, now)
    return Findings(
        table=table,
        sample=sample,
        profile=profile,
        readings=found,
        candidates=candidates(found, [each.time.path for each in found if is_expiry(each.time.path, found)]),
        types=[] if entity else entity_types(records, profile, table.key),
        now=now,
    )


def records_of(sample: TableSample, entity: EntityType | None = None) -> Iterable[Record]:
    """The items of a sample, or those of one type."""
    return (record for record in decoded(sample.lines) if entity is None or entity.has(record))
