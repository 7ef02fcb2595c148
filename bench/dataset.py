"""The items that every variant moves: 416 bytes of DynamoDB JSON on average, with nesting, numbers and a null."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

Wire = dict[str, Any]  # an attribute value of DynamoDB JSON, such as {"S": "text"}
Item = dict[str, Wire]

SOURCE_TABLE = "bench-source"
DESTINATION_TABLE = "bench-destination"
BUCKET = "bench-staging"
WINDOW_START, WINDOW_END = "2026-11-22T01:45:00Z", "2026-11-23T02:00:00Z"
RUN_TIME = "2026-11-23T02:00:00.123Z"

# A page of a Scan ends when the items read for it reach 1 MB. Source: API reference of Scan.
PAGE_BYTES = 1024 * 1024
# The table repeats these pages. Their ids differ, so a writer meets an equal key only thousands of records later.
DISTINCT_PAGES = 4
# Of a sparse table 1 item in 100 is in the window.
SPARSE = 100

_CITIES = ("Vienna", "Graz", "Innsbruck", "Salzburg", "Linz")
_COLOURS = ("red", "green", "blue", "amber", "violet", "teal", "grey")


def item(number: int) -> Item:
    """Item ``number`` of the table, in DynamoDB JSON."""
    moment = datetime(2026, 11, 22, 2, 0, tzinfo=UTC) + timedelta(seconds=number * 7 % 86_000)
    return {
        "id": {"S": f"order-{number * 2654435761 % 2**32:08x}-{number:08d}"},
        "timestamp": {"S": f"{moment:%Y-%m-%dT%H:%M:%S}.{number % 1000:03d}Z"},
        "name": {"S": f"customer number {number % 977}"},
        "email": {"S": f"c{number % 977}@example.com"},
        "value": {"N": f"{number % 2003}.{number % 90 + 10}"},
        "quantity": {"N": str(number % 40)},
        "active": {"BOOL": number % 3 != 0},
        "note": {"NULL": True},
        "address": {
            "M": {
                "street": {"S": f"{number % 199} Main Street"},
                "city": {"S": _CITIES[number % 5]},
                "lat": {"N": f"48.{number % 9000 + 1000}"},
                "open": {"BOOL": True},
            }
        },
        "tags": {"L": [{"S": _COLOURS[number % 7]}, {"N": str(number % 11)}, {"M": {"k": {"S": "v"}}}]},
    }


def transformed(wire: Item) -> dict[str, Any]:
    """Transform an item like the tests' transformation, with numbers as floats and without nulls."""
    record: dict[str, Any] = simplified({"M": wire})
    value = record["value"]
    size = "small" if value < 100 else "medium" if value < 1000 else "large"
    return record | {"date": record["timestamp"][:10], "size": size, "as_of": WINDOW_END}


def simplified(value: Wire) -> Any:
    """A DynamoDB JSON value as Python's, numbers as floats and without nulls: for comparing, not for keeping."""
    ((kind, content),) = value.items()
    if kind == "M":
        return {name: simplified(each) for name, each in content.items() if "NULL" not in each}
    if kind == "L":
        return [simplified(each) for each in content]
    return float(content) if kind == "N" else content


def size_of(value: Wire) -> int:
    """Size of a value in bytes as DynamoDB counts it. Source: Developer Guide, "Item sizes and formats"."""
    ((kind, content),) = value.items()
    if kind == "S":
        return len(content.encode())
    if kind == "N":
        return (len(content.replace(".", "").strip("-0")) + 1) // 2 + 1
    if kind == "M":
        return 3 + sum(len(name) + 1 + size_of(each) for name, each in content.items())
    if kind == "L":
        return 3 + sum(1 + size_of(each) for each in content)
    return 1


@cache
def pages() -> list[list[Item]]:
    """The distinct pages of the table, each as many items as DynamoDB puts into one."""
    numbers = _numbers()
    made = []
    for _ in range(DISTINCT_PAGES):
        page, size = [], 0
        while size < PAGE_BYTES:
            page.append(item(next(numbers)))
            size += sum(len(name) + size_of(value) for name, value in page[-1].items())
        made.append(page)
    return made


def _numbers() -> Iterator[int]:
    number = 0
    while True:
        yield number
        number += 1


@cache
def raw_lines() -> list[bytes]:
    """The distinct items as extract stages them: one line of DynamoDB JSON each."""
    return [_compact(each) for page in pages() for each in page]


@cache
def plain_lines() -> list[bytes]:
    """The distinct items as plain JSON, one line each, for a tutorial's transform."""
    return [plain({"M": each}).encode() for page in pages() for each in page]


@cache
def transformed_lines() -> list[bytes]:
    """The distinct items as transform stages them for load."""
    lines = []
    for line, each in zip(plain_lines(), (each for page in pages() for each in page), strict=True):
        extra = {name: text for name, text in transformed(each).items() if name in ("date", "size", "as_of")}
        lines.append(line[:-1] + b"," + _compact(extra)[1:])
    return lines


def plain(value: Wire) -> str:
    """A value as plain JSON, numbers with the text that they have."""
    ((kind, content),) = value.items()
    if kind in ("N", "NULL"):
        return str(content) if kind == "N" else "null"
    if kind == "M":
        return "{" + ",".join(f"{json.dumps(name)}:{plain(each)}" for name, each in content.items()) + "}"
    if kind == "L":
        return "[" + ",".join(map(plain, content)) + "]"
    if kind in ("SS", "NS", "BS"):  # tagged as in etl/values/plain_json.py
        return '{"$set":[' + ",".join(plain({kind[0]: each}) for each in content) + "]}"
    return json.dumps({"$binary": content} if kind == "B" else content)


def _compact(document: Any) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()
