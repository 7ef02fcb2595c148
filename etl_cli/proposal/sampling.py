"""The description of a table and a sample of its items, with the permissions DescribeTable and Scan alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from etl.aws.raw_bodies import take_raw_bodies
from etl.model.errors import ConfigurationError
from etl.model.keys import KeyAttributes
from etl.model.table_access import TableAccess
from etl.tables.source import facts_of
from etl_cli.aws.error_messages import denied_action, is_denied
from etl_cli.aws.raw_items import ScannedPage, page_of
from etl_cli.costs.usage import BYTES_PER_READ_UNIT
from etl_cli.terminal.errors import UserError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from etl_cli.aws.place import Place

# The segments of a sample: a table's items are in the order of a hash of their keys, so each has any of them.
SEGMENTS = 8
# The most that a sample keeps, as DynamoDB JSON, and so about the most that it reads.
MOST_BYTES = 50_000_000
# An item has at most 400 KB, which are 50 read units.
MOST_UNITS_OF_ITEM = 50
_MISSING = "ResourceNotFoundException"
_Progress = Callable[[int], None]


@dataclass(frozen=True, kw_only=True)
class TableDescription:
    """A table as DescribeTable knows it. Its size and number of items are up to six hours old.

    Attributes:
        read_units: provisioned read units a second; 0 for an on-demand table.
    """

    name: str
    region: str
    endpoint: str
    key: KeyAttributes
    items: int = 0
    size_bytes: int = 0
    read_units: int = 0

    @property
    def short_name(self) -> str:
        """The name without the ARN around it."""
        return self.name.rpartition("/")[2]


@dataclass(frozen=True)
class TableSample:
    """Items of a table, a line of DynamoDB JSON each.

    Attributes:
        units: the read units that it took.
        whole: whether these are all items of the table.
        full: whether it ended because the items have too many bytes.
    """

    lines: list[bytes]
    units: Decimal = Decimal(0)
    whole: bool = False
    full: bool = False

    @property
    def size_bytes(self) -> int:
        """Bytes of the items as DynamoDB JSON."""
        return sum(map(len, self.lines))


class SampledTable:
    """A table of this place.

    Args:
        place: the place.
        name: the table's name or ARN.
    """

    def __init__(self, place: Place, name: str) -> None:
        region = TableAccess(name).region
        options = {**place.options, **({"region_name": region} if region else {})}
        self._dynamodb: DynamoDBClient = place.session.client("dynamodb", **options)
        take_raw_bodies(self._dynamodb, ("Scan",))
        self._place, self._name = place, name

    def describe(self) -> TableDescription:
        """Describe the table.

        Raises:
            UserError: there is no such table, it can't be used now, or you may not describe it.
        """
        with self._explained():
            table: Any = self._dynamodb.describe_table(TableName=self._name)["Table"]
            key = facts_of(self._name, table).key
        on_demand = table.get("BillingModeSummary", {}).get("BillingMode") == "PAY_PER_REQUEST"
        return TableDescription(
            name=self._name,
            region=self._dynamodb.meta.region_name,
            endpoint=self._dynamodb.meta.endpoint_url,
            key=key,
            items=table.get("ItemCount", 0),
            size_bytes=table.get("TableSizeBytes", 0),
            read_units=0 if on_demand else table.get("ProvisionedThroughput", {}).get("ReadCapacityUnits", 0),
        )

    def sample(self, most: int, segments: int, on_progress: _Progress = lambda _: None) -> TableSample:
        """Take items of all segments in turn, until there are enough. Progress is the number so far.

        Raises:
            UserError: you may not scan the table.
        """
        lines: list[bytes] = []
        size, units = 0, Decimal(0)
        cursors: dict[int, dict[str, Any] | None] = dict.fromkeys(range(segments))
        while cursors and len(lines) < most and size < MOST_BYTES:
            share = math.ceil((most - len(lines)) / len(cursors))
            for segment in list(cursors):
                limit = min(share, most - len(lines))
                if not limit or size >= MOST_BYTES:
                    break
                page = self._page(segment, segments, limit, cursors.pop(segment))
                if page.cursor:
                    cursors[segment] = page.cursor
                lines += page.lines
                size, units = size + sum(map(len, page.lines)), units + page.units
                on_progress(len(lines))
        return TableSample(lines, units, whole=not cursors, full=bool(cursors) and size >= MOST_BYTES)

    def _page(self, segment: int, segments: int, limit: int, cursor: dict[str, Any] | None) -> ScannedPage:
        start = {"ExclusiveStartKey": cursor} if cursor else {}
        request = {"Segment": segment, "TotalSegments": segments, "Limit": limit, "ReturnConsumedCapacity": "TOTAL"}
        with self._explained():
            return page_of(self._dynamodb.scan(TableName=self._name, **request, **start))  # type: ignore[arg-type]

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except ConfigurationError as error:
            raise UserError(f"{str(error)[0].upper()}{str(error)[1:]}.") from None
        except ClientError as error:
            if error.response["Error"]["Code"] == _MISSING:
                region = self._dynamodb.meta.region_name
                raise UserError(
                    f"There is no table {self._name} in {region}.", "Give its name, or its ARN if it is elsewhere."
                ) from None
            if is_denied(error):
                action = denied_action(error, "dynamodb")
                raise UserError(
                    f"The permission {action} on the table {self._name} is missing.",
                    "Reading a table for a proposal takes dynamodb:DescribeTable and dynamodb:Scan on it, and nothing "
                    "else. Have them allowed, or give another --profile.",
                ) from None
            raise self._place.explained(error) from None
        except BotoCoreError as error:
            raise self._place.explained(error) from None


def segments_of(table: TableDescription, most: int) -> int:
    """The segments of a sample: one if that reads the whole table anyway."""
    return 1 if 0 < table.items <= most else SEGMENTS


def expected_units(table: TableDescription, most: int) -> int:
    """The read units that a sample takes, by the average size of an item; the most if DynamoDB doesn't know it yet."""
    segments = segments_of(table, most)
    bound = math.ceil(MOST_BYTES / BYTES_PER_READ_UNIT)
    if not table.items:
        return min(most * MOST_UNITS_OF_ITEM, bound) + segments
    size = min(most, table.items) * table.size_bytes / table.items
    return min(math.ceil(size / BYTES_PER_READ_UNIT), bound) + segments
