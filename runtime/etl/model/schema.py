"""The attributes that the pipeline itself uses: the keys of both tables, and the time of an item.

No other module names them. Source: ``docs/specification.md``, ``etl-source-data`` and ``etl-destination-data``.
"""

import msgspec

from etl.model.change_time import ChangeTime
from etl.model.keys import KeyAttribute, KeyAttributes, names_of
from etl.model.source_filter import SourceFilter

SOURCE_KEY = "id"
"""The partition key of the source table, text."""

TIME = "timestamp"
"""The attribute with the time of an item's last change."""

DESTINATION_KEY: tuple[str, ...] = ("id", "timestamp")
"""The partition key and the sort key of the destination table, both text. A table may have no sort key."""


class Schema(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The attributes of a run's tables that the pipeline itself uses. The defaults are the specification's.

    Attributes:
        source: the key of the source table.
        destination: the key of the destination table.
        time: the attribute with the time of an item's last change.
        filter: a condition that picks some of the source's items; None for all.
    """

    source: KeyAttributes = (KeyAttribute(SOURCE_KEY),)
    destination: KeyAttributes = tuple(map(KeyAttribute, DESTINATION_KEY))
    time: ChangeTime = ChangeTime(path=(TIME,))
    filter: SourceFilter | None = None

    @property
    def source_names(self) -> tuple[str, ...]:
        """The names of the source key's attributes."""
        return names_of(self.source)

    @property
    def destination_names(self) -> tuple[str, ...]:
        """The names of the destination key's attributes."""
        return names_of(self.destination)

    @property
    def shown_first(self) -> tuple[str, ...]:
        """The names of the attributes to show first."""
        return tuple(dict.fromkeys((*self.source_names, self.time.path[0], *self.destination_names)))


SPECIFIED = Schema()
"""The schema of the specification's tables."""
