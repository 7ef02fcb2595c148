"""The key of a table, and the values of a key as text: equal texts are equal keys to DynamoDB.

Text stays as it is. A number has one spelling: ``1``, ``1.0`` and ``1E0`` are one key. A binary value is base64.
"""

import re
from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from decimal import Context, Decimal, Inexact, InvalidOperation
from functools import lru_cache
from typing import Any, Literal, cast, get_args

import msgspec

KeyType = Literal["S", "N", "B"]
Key = tuple[str, ...]
"""The values of a key: one, or two if the table has a sort key."""
Records = Sequence[Mapping[str, Any]]
"""Records of decoded plain JSON."""

# Source: DynamoDB developer guide, "Constraints in Amazon DynamoDB", partition key and sort key.
MOST_KEY_BYTES = (2048, 1024)


class KeyAttribute(msgspec.Struct, frozen=True):
    """An attribute of a key.

    Attributes:
        name: its name, up to 255 bytes of any characters.
        type: its type in DynamoDB.
    """

    name: str
    type: KeyType = "S"


KeyAttributes = tuple[KeyAttribute, ...]
"""The partition key, and the sort key if there is one."""


# Source: DynamoDB developer guide, "Constraints in Amazon DynamoDB", naming rules.
_MOST_NAME_BYTES = 255
_ENTRY = re.compile(r"(?:[^,\\]|\\.)+", re.DOTALL)


def parse_keys(text: str) -> KeyAttributes:
    r"""Parse a key: ``pk:S``, or ``pk:S,sk:N`` with a sort key; a comma or a backslash of a name after a backslash.

    Raises:
        ValueError: the text is no key that a table may have.
    """
    entries = _ENTRY.findall(text)
    if ",".join(entries) != text or not 1 <= len(entries) <= len(MOST_KEY_BYTES):
        raise ValueError("write one or two attributes, with a comma between them")
    key = tuple(map(_key_attribute, entries))
    if len(set(names_of(key))) < len(key):
        raise ValueError(f"both attributes have the name {key[0].name[:80]!r}")
    return key


def keys_text(key: KeyAttributes) -> str:
    """Write a key as ``parse_keys`` reads it. It can't have a name that begins or ends with a blank."""
    return ",".join(re.sub(r"([,\\])", r"\\\1", each.name) + f":{each.type}" for each in key)


def _key_attribute(entry: str) -> KeyAttribute:
    name, colon, kind = entry.strip().rpartition(":")
    name, kind = re.sub(r"\\(.)", r"\1", name.rstrip(), flags=re.DOTALL), kind.strip()
    if not colon or kind not in get_args(KeyType):
        raise ValueError(f"write NAME:TYPE with one of the types {', '.join(get_args(KeyType))}, got {entry[:80]!r}")
    if not 1 <= len(name.encode(errors="replace")) <= _MOST_NAME_BYTES:
        raise ValueError(f"a name must have 1 to {_MOST_NAME_BYTES} bytes, got {name[:80]!r}")
    return KeyAttribute(name, cast(KeyType, kind))


class _WireText(msgspec.Struct, frozen=True):
    text: str = msgspec.field(name="S", default="")


class _WireNumber(msgspec.Struct, frozen=True):
    text: str = msgspec.field(name="N", default="")


class _WireBinary(msgspec.Struct, frozen=True):
    text: str = msgspec.field(name="B", default="")


class _PlainBinary(msgspec.Struct, frozen=True):
    text: str = msgspec.field(name="$binary")


_WIRE: dict[KeyType, Any] = {"S": _WireText, "N": _WireNumber, "B": _WireBinary}
_PLAIN: dict[KeyType, Any] = {"S": str, "N": msgspec.Raw, "B": _PlainBinary}


def names_of(key: KeyAttributes) -> tuple[str, ...]:
    """The names of a key's attributes."""
    return tuple(attribute.name for attribute in key)


def canonical(number: str) -> str:
    """The one spelling of a number.

    Raises:
        decimal.DecimalException: it is no number, or has more than 38 digits.
    """
    if number.isascii() and number.isdigit() and len(number) <= _SHORT and number[0] != "0":
        return number  # nearly all numbers of keys
    value = _EXACT.normalize(Decimal(number)) or Decimal(0)  # zero has several spellings
    return f"{value:f}" if -_SHORT < value.adjusted() < _SHORT else str(value)


# A number has at most 38 digits (DynamoDB developer guide, "Number").
_EXACT = Context(prec=38, traps=[Inexact, InvalidOperation])
_SHORT = 21
_WRITTEN_OUT = 10**_SHORT
"""A whole number below this has one spelling: all of its digits."""


def fits(key: KeyAttributes, values: Key) -> bool:
    """Whether DynamoDB may have an item with these values: none is empty or too long."""
    return all(
        attribute.type == "N" or len(b64decode(value) if attribute.type == "B" else value.encode()) <= most
        for attribute, value, most in zip(key, values, MOST_KEY_BYTES, strict=False)
    ) and all(values)


def wire_key(key: KeyAttributes, values: Key) -> dict[str, dict[str, str]]:
    """A key in DynamoDB JSON."""
    return {attribute.name: {attribute.type: value} for attribute, value in zip(key, values, strict=True)}


@lru_cache
def keys_of(key: KeyAttributes) -> Callable[[Records], list[Key]]:
    """Make a function that gets the keys of records of decoded plain JSON, as Load has them.

    The function raises KeyError, TypeError, AttributeError or ArithmeticError if a record has no such key. But it
    returns a value of S or B without a check that it is text.
    """
    columns = [(_COLUMNS[attribute.type], attribute.name) for attribute in key]
    return lambda records: list(zip(*[column(records, name) for column, name in columns], strict=True))


def _decoded_number(value: Any) -> str:
    if type(value) is not int:
        return canonical(value.N)
    return str(value) if -_WRITTEN_OUT < value < _WRITTEN_OUT else canonical(str(value))


# A column at a time takes a third of the time of a call for each record.
_COLUMNS: dict[KeyType, Callable[[Records, str], list[str]]] = {
    "S": lambda records, name: [record[name] for record in records],
    "N": lambda records, name: [_decoded_number(record[name]) for record in records],
    "B": lambda records, name: [record[name]["$binary"] for record in records],
}


@lru_cache
def wire_reader(key: KeyAttributes) -> Callable[[bytes | msgspec.Raw], Key]:
    """Make a function that reads the key of an item of DynamoDB JSON, and skips the rest of its JSON.

    An attribute that is missing or has another type is read as empty.
    """
    decode = _attributes(key, _WIRE, [_WIRE[attribute.type]() for attribute in key])
    numbers = [attribute.type == "N" for attribute in key]
    if not any(numbers):
        return lambda line: tuple(value.text for value in decode(line))
    return lambda line: tuple(
        canonical(value.text) if is_number and value.text else value.text
        for is_number, value in zip(numbers, decode(line), strict=True)
    )


@lru_cache
def plain_reader(key: KeyAttributes) -> Callable[[bytes | msgspec.Raw], Key]:
    """Make a function that reads the key of a record of plain JSON, and skips the rest of its JSON.

    The function raises msgspec.ValidationError for a record without such a key.
    """
    decode = _attributes(key, _PLAIN)
    if all(attribute.type == "S" for attribute in key):
        return decode
    readers = [_READ[attribute.type] for attribute in key]
    return lambda line: tuple(read(value) for read, value in zip(readers, decode(line), strict=True))


_READ: dict[KeyType, Callable[[Any], str]] = {
    "S": lambda value: value,
    "N": lambda value: canonical(bytes(value).decode()),
    "B": lambda value: value.text,
}


def raw_reader(name: str) -> Callable[[bytes | msgspec.Raw], tuple[msgspec.Raw]]:
    """Make a function that gets an attribute of an item of DynamoDB JSON; ``{}`` if it is missing."""
    return _attributes((KeyAttribute(name),), {"S": msgspec.Raw}, [msgspec.Raw(b"{}")])


# msgspec's structs can't have fields of such names.
_UNFIT = re.compile(r'[\x00-\x1f"\\]')


def _attributes(
    key: KeyAttributes, types: Mapping[KeyType, Any], defaults: Sequence[Any] = ()
) -> Callable[[bytes | msgspec.Raw], tuple[Any, ...]]:
    """Make a function that decodes the attributes of a key and skips the rest.

    Args:
        key: the key.
        types: the types to decode, by DynamoDB's types.
        defaults: the values of attributes that are missing or have another shape; without them the function raises
            msgspec.ValidationError.
    """
    kinds = [types[attribute.type] for attribute in key]
    if any(map(_UNFIT.search, names_of(key))):
        document = msgspec.json.Decoder(dict[str, msgspec.Raw])
        missing = msgspec.Raw(b"{}" if defaults else b"null")
        decoders = [(attribute.name, msgspec.json.Decoder(kind)) for attribute, kind in zip(key, kinds, strict=True)]

        def decode(line: bytes | msgspec.Raw) -> tuple[Any, ...]:
            found = document.decode(line)
            return tuple(decoder.decode(found.get(name, missing)) for name, decoder in decoders)

        return decode
    fields: list[Any] = [
        (
            f"field{number}",
            kind,
            msgspec.field(name=attribute.name, **({"default": defaults[number]} if defaults else {})),
        )
        for number, (attribute, kind) in enumerate(zip(key, kinds, strict=True))
    ]
    read = msgspec.json.Decoder(msgspec.defstruct("Attributes", fields)).decode
    return lambda line: msgspec.structs.astuple(read(line))
