"""Values that compare exactly, whichever of the pipeline's forms they come in."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

Item = dict[str, dict[str, Any]]  # as boto3's client takes and gives it: {"id": {"S": "…"}, …}
Canonical = tuple[str, Any]  # a type of DynamoDB, and a value that compares exactly
Key = tuple[str, str]  # id and timestamp

SHOWN = 5  # differences of one comparison


class CheckError(Exception):
    """A check failed: the message has the place, the expected value and the found one."""


def of_boto3(value: dict[str, Any]) -> Canonical:
    """Read an attribute value as boto3 gives it."""
    ((kind, content),) = value.items()
    return _canonical(kind, content, of_boto3, bytes)


def of_dynamodb_json(value: dict[str, Any]) -> Canonical:
    """Read an attribute value as Extract stages it: binary is base64."""
    ((kind, content),) = value.items()
    return _canonical(kind, content, of_dynamodb_json, base64.b64decode)


def _canonical(
    kind: str, content: Any, nested: Callable[[dict[str, Any]], Canonical], binary: Callable[[Any], bytes]
) -> Canonical:
    match kind:
        case "N":
            return kind, Decimal(content)
        case "B":
            return kind, binary(content)
        case "M":
            return kind, {name: nested(each) for name, each in content.items()}
        case "L":
            return kind, [nested(each) for each in content]
        case "SS" | "NS" | "BS":
            return kind, frozenset(_canonical(kind[0], each, nested, binary) for each in content)
    return kind, content


def of_plain_json(value: Any) -> Canonical:
    """Read a value as Transform stages it: plain JSON, with tags for further types."""
    match value:
        case None:
            return "NULL", True
        case dict():
            return _of_object(value)
        case list():
            return "L", [of_plain_json(each) for each in value]
        case int() | Decimal() if not isinstance(value, bool):
            return "N", Decimal(value)
    return ("BOOL" if isinstance(value, bool) else "S"), value


def _of_object(value: dict[str, Any]) -> Canonical:
    match value:
        case {"$binary": str(content), **rest} if not rest:
            return "B", base64.b64decode(content)
        case {"$set": [first, *more], **rest} if not rest:
            members = [of_plain_json(member) for member in (first, *more)]
            return f"{members[0][0]}S", frozenset(members)
        case {"$map": dict(content), **rest} if not rest:
            return "M", {name: of_plain_json(each) for name, each in content.items()}
    return "M", {name: of_plain_json(each) for name, each in value.items()}


def key_of(item: dict[str, Canonical]) -> Key:
    """Give the key of an item; one without a timestamp has an empty one."""
    return str(item["id"][1]), str(item.get("timestamp", ("", ""))[1])


def read(item: dict[str, Any], value: Callable[[Any], Canonical]) -> dict[str, Canonical]:
    """Read an item's values."""
    return {name: value(each) for name, each in item.items()}


def canonical(items: Iterable[dict[str, Any]], value: Callable[[Any], Canonical]) -> dict[Key, dict[str, Canonical]]:
    """Read items, and give them by key.

    Raises:
        CheckError: two of them have one key.
    """
    by_key: dict[Key, dict[str, Canonical]] = {}
    for item in items:
        values = read(item, value)
        key = key_of(values)
        if key in by_key:
            raise CheckError(f"item {key[0]} is there twice")
        by_key[key] = values
    return by_key


def without_nulls(record: dict[str, Canonical]) -> dict[str, Canonical]:
    """Leave nulls out as Load does: of a record and of its maps, not of lists, where they hold a place."""

    def kept(value: Canonical) -> Canonical:
        kind, content = value
        if kind == "M":
            return kind, without_nulls(content)
        return (kind, [kept(each) for each in content]) if kind == "L" else value

    return {name: kept(value) for name, value in record.items() if value[0] != "NULL"}


def compare(
    where: str, expected: dict[Key, dict[str, Canonical]], got: dict[Key, dict[str, Canonical]], what: str = "item"
) -> None:
    """Compare items attribute by attribute.

    Raises:
        CheckError: it names the first items and attributes that differ.
    """
    problems = [f"{what} {key[0]} is missing" for key in sorted(expected.keys() - got.keys())]
    problems += [f"{what} {key[0]} must not be there" for key in sorted(got.keys() - expected.keys())]
    for key in sorted(expected.keys() & got.keys()):
        names = expected[key].keys() | got[key].keys()
        problems += [
            f"{what} {key[0]}, attribute {name}: expected {_shown(expected[key].get(name))}, "
            f"got {_shown(got[key].get(name))}"
            for name in sorted(names)
            if expected[key].get(name) != got[key].get(name)
        ]
    if problems:
        more = [f"and {len(problems) - SHOWN} more"] if len(problems) > SHOWN else []
        raise CheckError("\n".join([f"{where}:", *problems[:SHOWN], *more]))


def _shown(value: Canonical | None) -> str:
    shown = "nothing" if value is None else f"{value[0]} {value[1]!r}"
    return shown if len(shown) <= 300 else shown[:297] + "..."


def expect(what: str, expected: object, got: object) -> None:
    """Compare two values.

    Raises:
        CheckError: they differ.
    """
    if expected != got:
        raise CheckError(f"{what}: expected {expected!r}, got {got!r}")
