"""The items of the complete test, and their expected results.

They are those of the specification's transformation, in tests/fixtures/pipelines/etl.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal
from typing import Any

from tests.etl_pipeline.values import Item

ALL_TYPES: Item = {
    "text": {"S": 'naïve 日本語 🚚 "quoted" \\ \n\t\u2028'},
    "empty_text": {"S": ""},
    "digits": {"N": "12345678901234567890.123456789012345678"},
    "largest": {"N": "9.9999999999999999999999999999999999999E+125"},
    "smallest": {"N": "-1E-130"},
    "binary": {"B": bytes(range(256))},
    "empty_binary": {"B": b""},
    "yes": {"BOOL": True},
    "no": {"BOOL": False},
    "nothing": {"NULL": True},
    "map": {
        "M": {
            "empty": {"M": {}},
            "nothing": {"NULL": True},
            "deep": {"M": {"er": {"L": [{"M": {"est": {"L": [{"N": "0.1"}, {"NULL": True}]}}}]}}},
            "like a set": {"M": {"$set": {"L": [{"S": "a"}]}}},
            "like binary": {"M": {"$binary": {"S": "AA=="}}},
            "like a map": {"M": {"$map": {"M": {}}}},
        }
    },
    "list": {"L": [{"NULL": True}, {"S": ""}, {"N": "-0.5"}, {"B": b"\x00"}, {"BOOL": True}, {"M": {}}, {"L": []}]},
    "texts": {"SS": ["b", "a", "ö"]},
    "numbers": {"NS": ["3", "-1.5", "99999999999999999999999999999999999999"]},
    "binaries": {"BS": [b"\xff", b"\x00\x01"]},
}
VALUES = ("0", "99", "99.99", "100", "999", "1000", "0.00000000000000000000000000000000000001", "1" * 38)


@dataclass(frozen=True)
class Sample:
    """Items for one test, by their expected results; `start` and `end` of their window."""

    start: str
    end: str
    loaded: list[Item]
    rejected: list[tuple[Item, str]]  # with the attribute that is wrong
    untimed: list[Item]  # which sort into the window
    outside: list[Item]

    @property
    def items(self) -> list[Item]:
        return [*self.loaded, *(item for item, _ in self.quarantined), *self.outside]

    @property
    def quarantined(self) -> list[tuple[Item, str]]:
        """List the items that must be in quarantine, with the attribute that is wrong."""
        return [*self.rejected, *((item, "timestamp") for item in self.untimed)]


def make_sample(token: str) -> Sample:
    """Make items whose ids contain `token`, in a random window of 26 hours in the first millennium."""
    start = datetime(100, 1, 1, tzinfo=UTC) + timedelta(seconds=secrets.randbelow(800 * 365 * 86400))
    end = start + timedelta(hours=26)

    def item(number: int, timestamp: str, **attributes: dict[str, Any]) -> Item:
        fixed: Item = {
            "id": {"S": f"etl-test-{token}-{number:04d}"},
            "name": {"S": f"Test Item {number}"},
            "value": {"N": VALUES[number % len(VALUES)]},
            "timestamp": {"S": timestamp},
        }
        return fixed | attributes

    fractions = ("", "", ".5", ".000001", ".999999999")
    loaded = [
        item(number, f"{text(start + timedelta(minutes=6 * number))[:-1]}{fractions[number % 5]}Z")
        for number in range(260)
    ]
    loaded += [item(number, text(end - timedelta(seconds=1))[:-1] + ".999Z", **ALL_TYPES) for number in range(260, 265)]
    inside = text(start + timedelta(hours=1))
    valueless = item(301, inside)
    del valueless["value"]
    rejected = [
        (valueless, "value"),
        (item(302, inside, value={"NULL": True}, **ALL_TYPES), "value"),
        (item(303, inside, value={"S": "100"}), "value"),
        (item(304, inside, value={"N": "-1"}), "value"),
    ]
    untimed = [item(300, text(start)[:10] + "T25:00:00Z")]  # it sorts into the window, and no other
    outside = [item(400, text(start - timedelta(seconds=1))[:-1] + ".999Z"), item(401, text(end))]
    return Sample(text(start), text(end), loaded, rejected, untimed, outside)


def text(instant: datetime) -> str:
    """Write an instant as `0873-01-15T10:00:00Z`."""
    return instant.isoformat(timespec="seconds").replace("+00:00", "Z")


def expected_record(item: Item, end: str) -> Item:
    """Transform a valid item of a window that ends at `end`: add the computed attributes."""
    value = Decimal(item["value"]["N"])
    size = "small" if value < 100 else "medium" if value < 1000 else "large"
    return item | {
        "date": {"S": item["timestamp"]["S"][:10]},
        "size": {"S": size},
        "as_of": {"S": end},
    }


def expected_groups(loaded: Sequence[Item]) -> list[dict[str, Any]]:
    """Give the groups of the aggregate `value_by_date` over the valid items."""
    values: dict[str, list[Decimal]] = {}
    for item in loaded:
        values.setdefault(item["timestamp"]["S"][:10], []).append(Decimal(item["value"]["N"]))
    groups = []
    for date, numbers in sorted(values.items()):
        total = Decimal(0)
        for number in numbers:
            total = Context(prec=320).add(total, number)
        groups.append(
            {
                "date": date,
                "records": len(numbers),
                "value_sum": total,
                "value_min": min(numbers),
                "value_max": max(numbers),
                "value_avg": Context(prec=38).divide(total, Decimal(len(numbers))),
            }
        )
    return groups


def expected_loaded(record: Item) -> Item:
    """Load a record: leave null out, except in a list, where it holds a place."""

    def kept(value: dict[str, Any]) -> dict[str, Any]:
        if "M" in value:
            return {"M": expected_loaded(value["M"])}
        return {"L": [kept(each) for each in value["L"]]} if "L" in value else value

    return {name: kept(value) for name, value in record.items() if "NULL" not in value}
