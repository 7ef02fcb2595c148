"""The contract of a profile, as Python source: a TypedDict, with one of its own for each nested map."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from etl.model.keys import KeyAttributes
from etl_cli.proposal.profile import Profile, Values
from etl_cli.proposal.python_source import WIDTH, comment, entry, is_identifier, shown, text_literal

Path = tuple[str, ...]
_WORDS = {
    "S": "text",
    "N": "a number",
    "B": "binary",
    "BOOL": "true or false",
    "NULL": "null",
    "M": "a map",
    "L": "a list",
    "SS": "a set of texts",
    "NS": "a set of numbers",
    "BS": "a set of binaries",
}
_SETS = {"SS": "set[str]", "NS": "set[Number]", "BS": "set[bytes]"}
# The order of a union. A value is checked by its own type, so the order is for readers.
_ORDER = ("S", "N", "B", "BOOL", "M", "L", "SS", "NS", "BS", "NULL")
_LONG_NAME = 40
_KEY_TYPES = {"S": "Text", "N": "Number", "B": "bytes"}
# Names that the file has already; an attribute of such a name would hide it in the class.
_TAKEN = frozenset(
    {"Any", "Contract", "NotRequired", "Number", "Record", "RejectedError", "Run", "Text", "TypedDict"}
    | {"bool", "bytes", "dict", "float", "int", "list", "set", "str", "transform"}
)


@dataclass
class Contract:
    """A contract as source.

    Attributes:
        lines: the lines of its classes, with two empty lines between them.
        used: names that the source needs from ``typing`` and from ``etl.user``.
    """

    lines: list[str] = field(default_factory=list)
    used: set[str] = field(default_factory=set)


class ContractWriter:
    """Writes a contract.

    Args:
        profile: the profile of the items that it must take.
        key: the key of their table; the contract requires it in any case.
        remarks: what to say about attributes, by their paths.
    """

    def __init__(self, profile: Profile, key: KeyAttributes, remarks: dict[Path, list[str]]) -> None:
        self._profile, self._key, self._remarks = profile, key, remarks
        self._names = set(_TAKEN)
        self._blocks: list[list[str]] = []
        self.used = {"TypedDict"}

    def write(self, docstring: str) -> Contract:
        """Write it, with a docstring for the class."""
        root = self._profile.root
        fields = [(each.name, _KEY_TYPES[each.type], list[str]()) for each in self._key]
        self.used |= {_KEY_TYPES[each.type] for each in self._key} - {"bytes"}
        keys = {each.name for each in self._key}
        for name, values in root.names.items():
            if name not in keys:
                fields.append(self._field((name,), values, root.count))
        for position, (name, _, notes) in enumerate(fields):
            if name in keys:
                notes += ["Of the table's key.", *self._remarks.get((name,), ())]
                fields[position] = (name, fields[position][1], notes)
        if root.cut:
            docstring += f"\n\n    The items have more attributes than the {len(root.names):,} here."
        self._class("Contract", docstring, fields)
        lines = [line for block in self._blocks for line in ("", "", *block)]
        return Contract(lines[2:], self.used)

    def _field(self, path: Path, values: Values, parents: int) -> tuple[str, str, list[str]]:
        """The name, the type and the remarks of an attribute of maps, of which there are ``parents``."""
        notes = []
        found = self._type(path, values)
        if values.count < parents:
            self.used.add("NotRequired")
            found = f"NotRequired[{found}]"
            notes.append(f"In {percent(values.count, parents)} of the {'sampled items' if len(path) == 1 else 'maps'}.")
        notes += list(_mixture(values))
        notes += self._remarks.get(path, ())
        if "Any" in re.findall(r"\w+", found) and not values.keyed_by_data and len(values.types) > 1:
            notes.append("Any: the contract can't tell these types apart.")
        return path[-1], found, notes

    def _type(self, path: Path, values: Values) -> str:
        kinds = set(values.types)
        if not _is_checkable(kinds):
            self.used.add("Any")
            return "Any"
        found = " | ".join(self._part(kind, path, values, kinds) for kind in _ORDER if kind in kinds)
        if len(found) > WIDTH // 2:
            self.used.add("Any")
            return "Any"
        return found

    def _part(self, kind: str, path: Path, values: Values, kinds: set[str]) -> str:
        if kind == "N" and kinds & {"S", "B"}:
            return "int | float"  # the contract's Decimal can't stand next to text; the value stays as it is
        if kind in ("N", "NS"):
            self.used.add("Number")
        if kind == "N":
            return "Number"
        if kind == "M":
            return self._map(path, values)
        if kind == "L":
            return f"list[{self._elements(path, values)}]"
        return _SETS.get(kind) or {"S": "str", "B": "bytes", "BOOL": "bool", "NULL": "None"}[kind]

    def _elements(self, path: Path, values: Values) -> str:
        if values.elements is None or not values.elements.count:
            self.used.add("Any")
            return "Any"
        return self._type((*path, "item"), values.elements)

    def _map(self, path: Path, values: Values) -> str:
        if not values.names or values.keyed_by_data:
            self.used.add("Any")
            return "dict[str, Any]"
        fields = [self._field((*path, name), each, values.types["M"]) for name, each in values.names.items()]
        name = self._class_name(path)
        self._class(name, f"The map {'.'.join(map(shown, path))[: WIDTH - 30]}.", fields)
        return name

    def _short(self, attribute: str, kind: str) -> str:
        """The type of an attribute; under a name of its own if that of the attribute leaves no room for it."""
        inner = kind.removeprefix("NotRequired[").removesuffix("]") if kind.startswith("NotRequired[") else kind
        if len(attribute) <= _LONG_NAME or inner.isidentifier():
            return kind
        name = self._class_name(("Type",))
        self._blocks.append([f"{name} = {inner}"])
        return kind.replace(inner, name)

    def _class_name(self, path: Path) -> str:
        words = re.findall(r"[A-Za-z0-9]+", path[-1] if path[-1] != "item" else " ".join(path[-2:]))
        name = "".join(word[0].upper() + word[1:] for word in words)[:40]
        name = f"{name}Map" if name[:1].isalpha() else "Map"
        number = 2
        unique = name
        while unique in self._names:
            unique, number = f"{name}{number}", number + 1
        self._names.add(unique)
        return unique

    def _class(self, name: str, docstring: str, fields: list[tuple[str, str, list[str]]]) -> None:
        names = {each for each, _, _ in fields}
        plain = all(is_identifier(each) and len(each) <= _LONG_NAME for each in names)
        if plain and not names & (self._names - {name}):
            lines = [f"class {name}(TypedDict):", f'    """{docstring}{closing(docstring)}', ""]
            for attribute, kind, notes in fields:
                lines += [line for note in notes for line in comment(note, 4)]
                lines.append(f"    {attribute}: {kind}")
            self._blocks.append(lines)
            return
        about = [line for part in docstring.split("\n\n") for line in comment(" ".join(part.split()))]
        lines = [f"{name} = TypedDict({_silence(names)}", f"    {text_literal(name)},", "    {"]
        for attribute, kind, notes in fields:
            lines += [line for note in notes for line in comment(note, 8)]
            lines += entry(attribute, self._short(attribute, kind), 8)
        lines += ["    },", ")"]
        self._blocks.append([*about, *lines])


def _silence(names: Iterable[str]) -> str:
    """A comment for the linter where it would have a class instead."""
    is_plain = all(each.isidentifier() and not keyword.iskeyword(each) and not each.startswith("__") for each in names)
    return "  # noqa: UP013" if is_plain else ""


def closing(docstring: str) -> str:
    """The end of a docstring: on a line of its own if it has several."""
    return '\n    """' if "\n" in docstring else '"""'


def percent(number: int, whole: int) -> str:
    """A share that isn't the whole: ``97.2 %``, and never 100 or 0."""
    return f"{min(max(100 * number / whole, 0.1), 99.9):.1f} %"


def _is_checkable(kinds: set[str]) -> bool:
    """Whether the contract can tell these types apart, as msgspec does: one kind of text, one of lists and sets."""
    return bool(kinds) and len(kinds & {"S", "B"}) < 2 and len(kinds & {"L", "SS", "NS", "BS"}) < 2


def _mixture(values: Values) -> Iterator[str]:
    if len(values.types) > 1:
        parts = [f"{_WORDS[kind]} in {percent(number, values.count)}" for kind, number in values.types.most_common()]
        text = ", ".join(parts)
        yield f"Mixed: {text}."
