"""Seeded generators of hostile input. Every case has a seed of its own, and a failure names it."""

import json
import re
import traceback
from collections.abc import Callable
from random import Random
from typing import Any

SECRET = "SECRET"  # what a record holds, and what no log line and no error may show

ODD: list[Any] = [
    *(None, True, False, 0, -1, 1, 24, 1.0, 1.5, -0.0, 1e308, float("nan"), float("inf"), 2**63, 10**30, 10**4000),
    *("", " ", "start", "NaN", "Infinity", "1", "24", "0x10", "1_000", "\ud800", "\x00", "\u2028", "x" * 10_000),
    *("2024-01-15", "2024-W03-1", "2024W03 10", "20240115", "2024-01", "2024-02-30", "٢٠٢٤-01-15", "1705312800"),
    *("2024-01-15T10:00:00", "2024-01-15T10:00:00Z", "2024-01-15t10:00:00z", "2024-01-15T24:00:00Z"),
    *("2024-01-15T23:59:60Z", "2024-01-15T10:00:00.0000001Z", "2024-01-15T10:00:00.5Z", "2024-01-15\ud80010:00:00Z"),
    *("2024-01-15T10:00:00+14:00", "2024-01-15T10:00:00-23:59", "2024-01-15T10:00:00+25:00", "-2024-01-15T10:00:00Z"),
    *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "0001-01-01", "9999-12-31", "10000-01-01T00:00:00Z"),
    *([], {}, [[]], [None], {"": None}, {"start": {}}, ["2024-01-15T10:00:00Z"], {"detail": {"detail": {}}}),
]


def repeated(name: str, count: int, check: Callable[[Random], Any]) -> list[Any]:
    """The results of ``check`` for ``count`` seeds; a failure is noted with the seed that repeats it."""
    results = []
    for number in range(count):
        seed = f"{name}-{number}"
        try:
            results.append(check(Random(seed)))
        except BaseException as error:
            error.add_note(f"the case is that of Random({seed!r})")
            raise
    return results


def odd(random: Random, depth: int = 0) -> Any:
    """Any JSON value, most often one that is nearly right."""
    kind = random.random()
    if kind < 0.7 or depth > 3:
        return random.choice(ODD)
    if kind < 0.8:
        return "".join(random.choices("0123456789-:.TZ+ eE\x00\ud800é", k=random.randrange(30)))
    if kind < 0.9:
        return [odd(random, depth + 1) for _ in range(random.randrange(4))]
    return {_name(random): odd(random, depth + 1) for _ in range(random.randrange(4))}


def changed(random: Random, document: Any, replacement: Callable[[Random], Any] = odd) -> Any:
    """A copy of a JSON document with one place in it changed: another value, another name, one less, one more."""
    copied = json.loads(json.dumps(document))
    if random.random() < 0.05 or not isinstance(copied, (dict, list)):
        return replacement(random)
    place = random.choice([container for container in _containers(copied) if container] or [copied])
    if isinstance(place, list):
        position = random.randrange(len(place) or 1)
        place[position : position + random.randrange(2)] = [replacement(random)]
    elif place:
        name = random.choice(list(place))
        value = place.pop(name)
        way = random.randrange(6)
        if way == 0:
            place[_misspelt(random, name)] = value
        elif way < 4:
            place[name] = replacement(random)
        elif way == 4:
            place |= {name: value, _name(random): replacement(random)}
    else:
        place[_name(random)] = replacement(random)
    return copied


def _containers(value: Any) -> list[Any]:
    if not isinstance(value, (dict, list)):
        return []
    inner = value.values() if isinstance(value, dict) else value
    return [value, *(container for each in inner for container in _containers(each))]


def _name(random: Random) -> str:
    names = [
        "start",
        "end",
        "lookback_hours",
        "detail",
        "time",
        "action",
        "part",
        "offset",
        "",
        "x" * 300,
        "a.b",
        "\ud800",
    ]
    return random.choice(names)


def _misspelt(random: Random, name: str) -> str:
    position = random.randrange(len(name) + 1)
    return random.choice([name.upper(), name + " ", name[:position] + name[position + 1 :], name + "s", name[::-1]])


def harmed(random: Random, body: bytes) -> bytes:
    """A staged object that is wrong in one place: cut, flipped, with bytes or lines lost, added or in another order."""
    return random.choice(_HARMS)(random, body, random.randrange(len(body)))


_JUNK = [b"\xff", b"\x00", b",", b"}", b"]\n", b",\n", b"null", b"[" * 10_000, b"\\ud800", b"NaN", b"9" * 5000, b'"']
_OTHERS = [b"", b"[", b"[\n", b"null", b"{}", b"[\n]", b"[]\n", b"[\nnull\n]\n", b"\n]\n", b"\x1f\x8b" * 9]


def _cut(_: Random, body: bytes, place: int) -> bytes:
    return body[:place]


def _flipped(random: Random, body: bytes, place: int) -> bytes:
    return body[:place] + bytes([random.randrange(256)]) + body[place + 1 :]


def _bytes_lost(random: Random, body: bytes, place: int) -> bytes:
    return body[:place] + body[place + random.randrange(1, 60) :]


def _bytes_added(random: Random, body: bytes, place: int) -> bytes:
    return body[:place] + random.choice(_JUNK) + body[place:]


def _quote_changed(random: Random, body: bytes, place: int) -> bytes:
    return body[:place] + body[place:].replace(b'"', random.choice([b"'", b"", b'""', b'\\"']), 1)


def _lines_changed(random: Random, body: bytes, _: int) -> bytes:
    lines = body.split(b"\n")
    line, other = random.randrange(len(lines)), random.randrange(len(lines))
    swapped = [*lines]
    swapped[line], swapped[other] = lines[other], lines[line]
    return b"\n".join(random.choice([lines[:line] + lines[line + 1 :], lines[: line + 1] + lines[line:], swapped]))


def _all_changed(random: Random, body: bytes, _: int) -> bytes:
    changes = [b"\xef\xbb\xbf" + body, body.replace(b"\n", b"\r\n"), body + body, body.strip(), body[1:]]
    return random.choice(changes + _OTHERS)


_HARMS = [_cut, _flipped, _flipped, _bytes_lost, _bytes_added, _quote_changed, _lines_changed, _all_changed]


def with_line(body: bytes, number: int, record: Any) -> bytes:
    """A staged object with another record in the place of one."""
    lines = body.removeprefix(b"[\n").removesuffix(b"\n]\n").split(b",\n")
    lines[number] = record if isinstance(record, bytes) else json.dumps(record).encode()
    return b"[\n" + b",\n".join(lines) + b"\n]\n"


def records_of(body: bytes) -> list[Any]:
    """The records of a staged object, as another parser reads them; of two values with one name, the last."""
    records: list[Any] = json.loads(body, parse_float=str)
    return records


def check_message(error: BaseException, names: str, most: int = 1500) -> None:
    """An error says in bounded words where it is, and shows nothing of a record, in its causes neither."""
    message = str(error)
    assert re.search(names, message), message
    assert len(message) <= most
    assert SECRET not in "".join(traceback.format_exception(error))
