"""The source table, read page by page as the bytes that DynamoDB sent."""

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import partial
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from botocore.exceptions import ClientError

from etl.aws.backoff import full_jitter
from etl.aws.clients import is_transient
from etl.aws.raw_bodies import raw_body
from etl.invocation.deadline import Deadline
from etl.model.errors import ConfigurationError, Reason, TransientError
from etl.model.keys import Key, KeyAttribute, KeyAttributes, wire_key, wire_reader
from etl.tables.ceiling import NO_CEILING, Pacer
from etl.tables.read_pace import keys_together
from etl.tables.scan import MACHINE, PageRequests, Passing
from etl.tables.selection import as_written

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


# Source: DynamoDB API reference, TableDescription, TableStatus; SSEDescription, InaccessibleEncryptionDateTime.
_USABLE = ("ACTIVE", "UPDATING")
_KEY_GONE = "INACCESSIBLE_ENCRYPTION_CREDENTIALS"
_UNPROCESSED_ATTEMPTS = 8


class _Consumed(msgspec.Struct, rename="pascal", frozen=True):
    capacity_units: Decimal = Decimal(0)


class _RawPage(msgspec.Struct, rename="pascal"):
    items: list[msgspec.Raw]
    count: int
    scanned_count: int
    last_evaluated_key: dict[str, Any] | None = None
    consumed_capacity: _Consumed = _Consumed()


class _RawItems(msgspec.Struct, rename="pascal"):
    responses: dict[str, list[msgspec.Raw]] = {}
    unprocessed_keys: dict[str, Any] = {}
    consumed_capacity: list[_Consumed] = []


_pages = msgspec.json.Decoder(_RawPage)
_answers = msgspec.json.Decoder(_RawItems)


class Page(NamedTuple):
    """A page of items for Extract.

    Attributes:
        items: each item as DynamoDB sent it, one line of DynamoDB JSON.
        read: the number of items by DynamoDB's own count; in a replay, the number of quarantined records.
        scanned: the number of items that DynamoDB read for the page, before its filter.
        cursor: the start of the next page; None on the last page.
        units: the read units that the page consumed.
        not_replayable: the number of quarantined records that a replay can't take up.
    """

    items: Sequence[bytes]
    read: int
    scanned: int
    cursor: dict[str, Any] | None
    units: Decimal
    not_replayable: int = 0


class TableFacts(NamedTuple):
    """Facts about a table.

    Attributes:
        key: its key.
        size: its bytes.
    """

    key: KeyAttributes
    size: int

    def segments(self, segment_bytes: int, most: int) -> int:
        """The number of segments to read the table in: one for each ``segment_bytes`` of it, at most ``most``.

        A table that has grown since is still read whole, in a longer time.
        """
        return max(1, min(most, math.ceil(self.size / segment_bytes)))


def described(dynamodb: "DynamoDBClient", name: str) -> TableFacts:
    """Facts about a table, as DescribeTable knows them.

    Args:
        dynamodb: a client that reaches the table.
        name: the table's name or ARN.

    Raises:
        ConfigurationError: the table can't be used now.
    """
    return facts_of(name, dynamodb.describe_table(TableName=name)["Table"])


def facts_of(name: str, table: Mapping[str, Any]) -> TableFacts:
    """The same, from an answer of DescribeTable.

    Raises:
        ConfigurationError: the table can't be used now.
    """
    _check_usable(name, table)
    types = {each["AttributeName"]: each["AttributeType"] for each in table["AttributeDefinitions"]}
    # The partition key comes first (API reference, CreateTable).
    names = [each["AttributeName"] for each in table["KeySchema"]]
    return TableFacts(tuple(KeyAttribute(each, types[each]) for each in names), table.get("TableSizeBytes", 0))


def _check_usable(name: str, table: Mapping[str, Any]) -> None:
    status = table.get("TableStatus", "ACTIVE")
    if status in _USABLE:
        return
    if status == _KEY_GONE:
        key = table.get("SSEDescription", {}).get("KMSMasterKeyArn", "its key")
        raise ConfigurationError(
            f"the table {name} is {status}: DynamoDB can't use {key} in KMS any more. Enable that key, or cancel its "
            "deletion, within seven days: then DynamoDB archives the table",
            Reason.KEY_DENIED,
        )
    raise ConfigurationError(
        f"the table {name} must be {' or '.join(_USABLE)}, got {status}: wait, or restore the table",
        Reason.TABLE_UNUSABLE,
    )


class ExistingTable(NamedTuple):
    """A table that the stack didn't make.

    Attributes:
        dynamodb: a client that reaches it.
        name: its name or ARN.
    """

    dynamodb: "DynamoDBClient"
    name: str

    def key(self) -> KeyAttributes:
        """Its key, as DescribeTable knows it."""
        return described(self.dynamodb, self.name).key


class SourceTable:
    """The source table.

    Args:
        dynamodb: client of DynamoDB, made by ``etl.aws.clients.dynamodb_client``.
        name: name or ARN of the table.
        passing: the clock, the sleep and the threads.
    """

    def __init__(self, dynamodb: "DynamoDBClient", name: str, passing: Passing = MACHINE) -> None:
        self._dynamodb = dynamodb
        self._name = name
        self._passing = passing

    def describe(self) -> TableFacts:
        """The key of the table, and its size: DynamoDB's figure of the size is up to six hours old."""
        return described(self._dynamodb, self._name)

    def check_filter(self, picked: Mapping[str, Any]) -> None:
        """Check that DynamoDB accepts a filter, with a request that reads one item.

        Raises:
            ConfigurationError: it refuses the filter; the error has its message, which quotes no item.
        """
        try:
            self._scan({"TableName": self._name, "Limit": 1, "ReturnConsumedCapacity": "TOTAL", **picked})
        except ClientError as error:
            if error.response["Error"]["Code"] != "ValidationException":
                raise
            raise ConfigurationError(
                f"DynamoDB refuses source_filter on the table {self._name}: "
                f"{as_written(error.response['Error']['Message'])}; correct source_filter and deploy the stack again",
                Reason.FILTER_REFUSED,
            ) from None

    def try_to_read(self) -> None:
        """Read one item and forget it: DescribeTable says neither whether the items may be read, nor their key used.

        Raises:
            ClientError: DynamoDB refuses it, and not only for now.
        """
        try:
            self._scan({"TableName": self._name, "Segment": 0, "TotalSegments": 1, "Limit": 1})
        except ClientError as error:
            if not is_transient(error):
                raise

    def pages(
        self,
        picked: Mapping[str, Any],
        segment: int,
        segments: int,
        cursor: dict[str, Any] | None,
        deadline: Deadline | None = None,
        pacer: Pacer = NO_CEILING,
    ) -> Iterator[Page]:
        """Read the pages of one segment with the items that a filter picks, until the segment or the time ends.

        The next page is fetched while the caller works on this one; its failure is raised after that. A page that
        DynamoDB refuses for now is requested again while there is time, so the pages before it are kept.

        Args:
            picked: the filter, a part of a Scan request, as ``etl.tables.selection.selection`` makes it.
            segment: number of the segment, from 0.
            segments: number of segments that the table is read in.
            cursor: the cursor of the page before, ``{"key": …}`` with a key in DynamoDB JSON; None for the segment's
                beginning.
            deadline: the end of the invocation; None for no end, and for one attempt at each page.
            pacer: the ceiling.

        Raises:
            ClientError: DynamoDB refuses a page, and not only for now; or the first one until the time ended.
            TransientError: no page arrived before the time ended.
        """
        request = {
            "TableName": self._name,
            "Segment": segment,
            "TotalSegments": segments,
            "ReturnConsumedCapacity": "TOTAL",
            **picked,
        }
        first = True
        with PageRequests(self._scan, deadline, self._passing, pacer) as requests:
            requests.ask(request | ({"ExclusiveStartKey": cursor["key"]} if cursor else {}))
            while (body := requests.page()) is not None:
                page, first = _page(body), False
                requests.consumed(page.units, page.scanned)
                continues = bool(page.cursor) and (deadline is None or deadline.allows_another())
                if page.cursor and continues:
                    requests.ask(request | {"ExclusiveStartKey": page.cursor["key"]})
                yield page
                if not continues:
                    return
            if first:
                raise requests.nothing_came(self._name)

    def items(
        self,
        key: KeyAttributes,
        wanted: Collection[Key],
        sleep: Callable[[float], object] | None = None,
        pacer: Pacer = NO_CEILING,
        deadline: Deadline | None = None,
    ) -> tuple[dict[Key, bytes], Decimal]:
        """Read the items with these keys as they are now; return them by key, and the read units.

        Args:
            key: the table's key.
            wanted: its values, no two alike.
            sleep: waits for a number of seconds; the machine's own if None.
            pacer: the ceiling.
            deadline: the end of the invocation. A wait for the ceiling takes at most half of the remaining time, so
                that any number of requests end in time, at any ceiling.

        Raises:
            TransientError: DynamoDB left some of them unprocessed again and again.
        """
        found: dict[Key, bytes] = {}
        key_of_item = wire_reader(key)
        units = Decimal(0)
        rest = iter(wanted)
        get = partial(self._get, sleep=sleep or self._passing.sleep, pacer=pacer, deadline=deadline)
        while some := [wire_key(key, values) for values in islice(rest, keys_together(pacer))]:
            items, consumed = get(some)
            found |= {key_of_item(item): _one_line(item) for item in items}
            units += consumed
        return found, units

    def _get(
        self, keys: list[Any], *, sleep: Callable[[float], object], pacer: Pacer, deadline: Deadline | None
    ) -> tuple[list[msgspec.Raw], Decimal]:
        """Read the items with a few keys; return them and the read units."""
        items: list[msgspec.Raw] = []
        units = Decimal(0)
        # A consistent read sees corrections of a moment ago.
        unread: Any = {self._name: {"Keys": keys, "ConsistentRead": True}}
        for attempt in range(_UNPROCESSED_ATTEMPTS):
            if attempt:
                sleep(full_jitter(attempt))
            if wait := pacer.reserve(0):
                sleep(min(wait, deadline.remaining_ms() / 1000 / 2) if deadline else wait)
            answer = _answers.decode(
                raw_body(self._dynamodb.batch_get_item(RequestItems=unread, ReturnConsumedCapacity="TOTAL"))
            )
            # By the name or ARN of the one table that was asked for (API reference, BatchGetItem).
            items += chain.from_iterable(answer.responses.values())
            consumed = sum((each.capacity_units for each in answer.consumed_capacity), Decimal(0))
            pacer.correct(consumed)
            units += consumed
            unread = answer.unprocessed_keys
            if not unread:
                return items, units
        raise TransientError(
            f"the source table {self._name} left keys of a BatchGetItem unprocessed {_UNPROCESSED_ATTEMPTS} times: "
            "look at its throttling metrics",
            Reason.SOURCE_BUSY,
        )

    def _scan(self, request: dict[str, Any]) -> bytes:
        return raw_body(self._dynamodb.scan(**request))


def _page(body: bytes) -> Page:
    raw = _pages.decode(body)
    # DynamoDB sends no line breaks, and the search for one in the whole page costs almost nothing.
    items = [_one_line(item) for item in raw.items] if b"\n" in body else raw.items
    cursor = {"key": raw.last_evaluated_key} if raw.last_evaluated_key else None
    return Page(items, raw.count, raw.scanned_count, cursor, raw.consumed_capacity.capacity_units)


def _one_line(item: msgspec.Raw) -> bytes:
    line = bytes(item)
    return line if b"\n" not in line else msgspec.json.encode(msgspec.json.decode(line))
