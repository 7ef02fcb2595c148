"""Keys of items and records as people type and read them, and as programs get them.

You type a key as ``ID`` if it has one attribute, otherwise as ``PK SK`` or as ``pk=PK sk=SK``. A number has any
spelling, and a binary value is base64.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, b64encode
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal, DecimalException
from typing import Any

import msgspec

from etl.model.keys import (
    MOST_KEY_BYTES,
    Key,
    KeyAttribute,
    KeyAttributes,
    canonical,
    names_of,
    plain_reader,
    wire_key,
    wire_reader,
)
from etl.model.schema import SPECIFIED, Schema
from etl_cli.terminal.errors import UserError
from etl_cli.terminal.printable import printable, shell_words

_EXAMPLES = {"S": "TEXT", "N": "42", "B": "AAEC"}
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?", re.ASCII)
# DynamoDB developer guide, "Number".
_MOST_EXPONENT, _LEAST_EXPONENT = 125, -130
_MOST_SHOWN = 80


@dataclass(frozen=True)
class ItemKey:
    """A key with its attributes. The values are in the spelling of ``etl.model.keys``; there are none of no key."""

    attributes: KeyAttributes
    values: Key = ()

    def __bool__(self) -> bool:
        """Whether an item can have it."""
        return bool(self.values) and all(self.values)

    @property
    def text(self) -> str:
        """The key in one line: ``order-1``, or ``pk=customer-1 sk=7``; empty if there is none."""
        return " ".join(self.words) if self else ""

    @property
    def words(self) -> list[str]:
        """The words to type for it."""
        if len(self.attributes) == 1:
            return list(self.values)
        return [f"{name}={value}" for name, value in zip(names_of(self.attributes), self.values, strict=True)]

    @property
    def options(self) -> list[str]:
        """The words to type for it after a verb that takes a key as its argument; a dash may begin a value."""
        return ["--", *self.words] if any(word.startswith("-") for word in self.words) else self.words

    @property
    def wire(self) -> dict[str, dict[str, str]]:
        """The key in DynamoDB JSON."""
        return wire_key(self.attributes, self.values)

    @property
    def request(self) -> dict[str, Any]:
        """The key as boto3 takes it in a request: binary values are bytes."""
        return {
            name: {kind: b64decode(value) if kind == "B" else value}
            for name, typed in self.wire.items()
            for kind, value in typed.items()
        }

    def document(self) -> dict[str, Any]:
        """The key for programs: text as it is, a number as ``{"N": …}``, a binary value as ``{"B": …}``."""
        return {name: typed.get("S", typed) for name, typed in self.wire.items()} if self else {}


def parse_key(attributes: KeyAttributes, words: Sequence[str], table: str) -> ItemKey:
    """Parse the words that are typed for a key of a table.

    Raises:
        UserError: they are no such key; the message says how to type one.
    """
    texts = _by_name(attributes, words) or list(words)
    if len(texts) != len(attributes):
        number = "1 value" if len(attributes) == 1 else f"{len(attributes)} values"
        raise _unfit(attributes, table, f"The key of {table} has {number}, got {len(texts)}.")
    values = tuple(
        _value(attributes, position, text, table) for position, text in enumerate(texts) if position < len(attributes)
    )
    return ItemKey(attributes, values)


def parse_key_option(attributes: KeyAttributes, text: str, table: str) -> ItemKey:
    """Parse a key that is typed as the one value of an option: with a sort key, its words have a blank in between.

    Raises:
        UserError: it is no such key; the message says how to type one.
    """
    if len(attributes) == 1:
        return parse_key(attributes, [text], table)
    first, second = names_of(attributes)
    # Names begin the two words, in this order or in the other, so that values may have blanks.
    for names in ((first, second), (second, first)):
        found = re.fullmatch("{}=(.*?) {}=(.*)".format(*map(re.escape, names)), text, re.DOTALL)
        if found:
            return parse_key(attributes, [f"{n}={v}" for n, v in zip(names, found.groups(), strict=True)], table)
    return parse_key(attributes, text.split(" "), table)


def typed_key(attributes: KeyAttributes) -> str:
    """The form in which you type a key, such as ``pk=TEXT sk=42``."""
    return shell_words(*ItemKey(attributes, tuple(_EXAMPLES[each.type] for each in attributes)).words)


def key_of_item(line: bytes | msgspec.Raw, schema: Schema = SPECIFIED) -> ItemKey:
    """The key of an item of the source table, in DynamoDB JSON; false if it has none."""
    return ItemKey(schema.source, wire_reader(schema.source)(line))


def item_of_record(line: bytes | msgspec.Raw, schema: Schema = SPECIFIED) -> ItemKey:
    """The key of the item that a record of plain JSON names by the same attributes; false if it names none."""
    with suppress(msgspec.ValidationError, DecimalException, ValueError):
        return ItemKey(schema.source, plain_reader(schema.source)(line))
    return ItemKey(schema.source)


def key_of_record(line: bytes | msgspec.Raw, schema: Schema = SPECIFIED) -> ItemKey:
    """The key of a record of plain JSON, for the destination table; false if it has none."""
    with suppress(msgspec.ValidationError, DecimalException, ValueError):
        return ItemKey(schema.destination, plain_reader(schema.destination)(line))
    return ItemKey(schema.destination)


def _by_name(attributes: KeyAttributes, words: Sequence[str]) -> list[str]:
    """The texts of words such as ``pk=a``, in the key's order; none unless each attribute has such a word."""
    names = names_of(attributes)
    found: dict[str, str] = {}
    if len(names) == 1:
        return []
    for word in words:
        # Of two names, one may be the beginning of the other: a=b and a.
        name = max((each for each in names if word.startswith(f"{each}=")), key=len, default=None)
        if name is None or name in found:
            return []
        found[name] = word[len(name) + 1 :]
    return [found[name] for name in names] if len(found) == len(names) else []


def _value(attributes: KeyAttributes, position: int, text: str, table: str) -> str:
    attribute = attributes[position]
    problem, value, size = "", text, 0
    if attribute.type == "N":
        value, problem = _number(text)
    elif attribute.type == "B":
        value, size, problem = _binary(text)
    else:
        size, problem = _text(text)
    most = MOST_KEY_BYTES[position]
    if not problem and size > most:
        problem = f"is too long: it may have {most:,} bytes and has {size:,}"
    if problem:
        raise _unfit(attributes, table, f"{_named(attribute)} of {table} {problem}.")
    return value


def _text(text: str) -> tuple[int, str]:
    try:
        size = len(text.encode())
    except UnicodeEncodeError:  # bytes of the command line that aren't UTF-8
        return 0, "must be text in UTF-8"
    return size, "" if size else "must not be empty"


def _number(text: str) -> tuple[str, str]:
    shown = printable(repr(text[:_MOST_SHOWN]))
    if not _NUMBER.fullmatch(text):
        return "", f"is a number such as 42 or -1.5e3, got {shown}"
    try:
        value = canonical(text)
    except DecimalException:
        return "", f"is a number of at most 38 digits, got {shown}"
    if value != "0" and not _LEAST_EXPONENT <= Decimal(value).adjusted() <= _MOST_EXPONENT:
        return "", f"is a number between 1e{_LEAST_EXPONENT} and 1e{_MOST_EXPONENT + 1}, got {shown}"
    return value, ""


def _binary(text: str) -> tuple[str, int, str]:
    try:
        content = b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return "", 0, f"is binary, typed as base64 such as AAEC, got {printable(repr(text[:_MOST_SHOWN]))}"
    # One value has several spellings in base64, and one in DynamoDB's answers.
    return b64encode(content).decode(), len(content), "" if content else "must not be empty"


def _named(attribute: KeyAttribute) -> str:
    return f"The key attribute {printable(attribute.name, _MOST_SHOWN)} ({attribute.type})"


def _unfit(attributes: KeyAttributes, table: str, problem: str) -> UserError:
    kinds = " and ".join(f"{printable(each.name, _MOST_SHOWN)} ({each.type})" for each in attributes)
    order = " or its values alone in this order" if len(attributes) > 1 else ""
    remedy = f"The key of {table} is {kinds}. Type {typed_key(attributes)}{order}; a word that begins with - comes "
    return UserError(problem, f"{remedy}after --.")
