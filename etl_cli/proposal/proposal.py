"""A proposal: all that was found out about a table, and the choices that were made for its pipeline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from etl.model.change_time import ChangeTime
from etl.model.keys import KeyAttribute, KeyAttributes, keys_text, parse_keys
from etl.model.names import Names
from etl_cli.proposal.cursors import NO_TIME, Reading
from etl_cli.proposal.kinds import EntityType, is_expiry, is_key, personal
from etl_cli.proposal.profile import Profile, Values
from etl_cli.proposal.sampling import TableDescription, TableSample

# A run of a provisioned table may take a quarter of its read units.
_CEILING_SHARE = 4


@dataclass(frozen=True, kw_only=True)
class Findings:
    """The findings about a table.

    Attributes:
        profile: the profile of all sampled items.
        readings: the attributes with values that are times.
        candidates: those that may be the cursor, the best first.
        types: the types of the items; none if all are of one.
        now: when the sample was taken.
    """

    table: TableDescription
    sample: TableSample
    profile: Profile
    readings: Sequence[Reading]
    candidates: Sequence[Reading]
    types: Sequence[EntityType]
    now: datetime

    def looks_like(self, path: tuple[str, ...], values: Values) -> Iterator[str]:
        """The likely purposes of an attribute, in words, the most certain first."""
        if is_key(path, self.table.key):
            yield "key"
        if any(each.time.path == path for each in self.candidates):
            yield "cursor"
        if any(path == (each.attribute,) for each in self.types):
            yield "entity type"
        if is_expiry(path, self.readings):
            yield "TTL"
        if personal(path[-1], values):
            yield "personal data"


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """A pipeline for a table.

    Attributes:
        names: the names of the pipeline.
        found: what the table shows.
        profile: the profile of the items that the pipeline reads.
        candidates: the attributes of these items that may be the cursor, the best first.
        cursor: the reading of the cursor; None for none.
        entity: the type of the items that it reads; None for all.
        destination: a table that exists; None for one that the stack makes.
    """

    names: Names
    found: Findings
    profile: Profile
    candidates: Sequence[Reading]
    cursor: Reading | None
    entity: EntityType | None = None
    destination: TableDescription | None = None

    @property
    def time(self) -> ChangeTime:
        """The change time."""
        return self.cursor.time if self.cursor else NO_TIME

    @property
    def has_times_missing(self) -> bool:
        """Whether items lack the cursor, or have another value in it."""
        return self.cursor is not None and self.cursor.times < self.cursor.items

    @property
    def made_keys(self) -> KeyAttributes:
        """The key of the table that the stack makes: the source's, if a setting can have its names."""
        key = self.found.table.key
        if parsed(keys_text(key)) == key:
            return key
        return tuple(KeyAttribute(name, each.type) for name, each in zip(("pk", "sk"), key, strict=False))

    @property
    def destination_key(self) -> KeyAttributes:
        """The key of the destination."""
        return self.destination.key if self.destination else self.made_keys

    @property
    def renamed_keys(self) -> dict[str, str]:
        """The names of the destination's key that the source's key has under another name."""
        if self.destination or self.made_keys == self.found.table.key:
            return {}
        return {to.name: of.name for to, of in zip(self.made_keys, self.found.table.key, strict=True)}

    @property
    def lacking_keys(self) -> list[tuple[KeyAttribute, float]]:
        """The attributes of the destination's key that not every item has with that type, and the share that has."""
        found = []
        for each in self.destination.key if self.destination else ():
            if each in self.found.table.key:
                continue
            values = self.profile.at((each.name,))
            share = values.types[each.type] / self.profile.items if values and self.profile.items else 0.0
            if share < 1:
                found.append((each, share))
        return found

    @property
    def warnings(self) -> list[str]:
        """Everything to write or check before the first run."""
        missing = [each.name for each, share in self.lacking_keys if not share]
        found = []
        if missing:
            found.append(
                f"No sampled item has {', '.join(missing)}, which the destination's key needs: write it in "
                "transform(), which rejects each item until then."
            )
        if self.cursor is None and not self.candidates:
            found.append(
                "No attribute looks like the time of an item's last change. So every run reads and loads the whole "
                "table. If your application writes such a time, set source_cursor."
            )
        return found

    @property
    def read_ceiling(self) -> int:
        """The ceiling of reads from a provisioned table; 0 for none."""
        units = self.found.table.read_units
        return max(1, units // _CEILING_SHARE) if units else 0


def parsed(text: str) -> KeyAttributes | None:
    """The key that a setting stands for; None if it can't be one."""
    try:
        return parse_keys(text.strip())
    except ValueError:
        return None
