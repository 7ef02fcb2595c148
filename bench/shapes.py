"""Items of every size and shape that DynamoDB can hold, as lines of DynamoDB JSON.

A shape is one attribute value, written as bytes: a list of 199,000 truths is made in no time, and takes a few MB. Sizes
are DynamoDB's own. Source: Developer Guide, "DynamoDB item sizes and formats".
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count, islice

# Attribute names and values of an item together. Source: Developer Guide, "Quotas", item size.
MOST_ITEM_BYTES = 400 * 1024
# The bytes for a shape, without the item's other attributes.
MOST_BYTES = MOST_ITEM_BYTES - 512
# Levels of lists and maps in an attribute. Source: Developer Guide, "Quotas", nested attribute depth.
MOST_DEPTH = 32
# Of a map and of a list, whatever is in them, and of each value in them.
CONTAINER_BYTES, MEMBER_BYTES = 3, 1


@dataclass(frozen=True)
class Shape:
    """The content of an item's large attribute.

    Attributes:
        name: a word for ids.
        words: the same for readers.
        value: the attribute value, in DynamoDB JSON; further attributes may follow.
        size: its bytes as DynamoDB counts them.
    """

    name: str
    words: str
    value: bytes
    size: int

    @property
    def item_bytes(self) -> int:
        """Size of an item with it, as DynamoDB counts it, or a little more."""
        return self.size + 256

    def line(self, number: int) -> bytes:
        """An item with it, of the day 2026-11-22."""
        return _ITEM % (self.name.encode(), number, number % 60, number % 977, number % 2003, self.value)


_ITEM = (
    b'{"id":{"S":"%b-%06d"},"timestamp":{"S":"2026-11-22T10:00:%02dZ"},"name":{"S":"customer %d"},'
    b'"value":{"N":"%d.50"},"content":%b}'
)


def text(name: str, words: str, size: int) -> Shape:
    """An item of so many bytes, most of them one text."""
    length = max(1, size - 256)
    return Shape(name, words, b'{"S":"%b"}' % (b"0123456789abcdef" * (length // 16 + 1))[:length], length)


def repeated(name: str, words: str, member: bytes, member_bytes: int, most: int = MOST_BYTES) -> Shape:
    """A list of one value, as often as it fits."""
    times = (most - CONTAINER_BYTES) // (member_bytes + MEMBER_BYTES)
    size = CONTAINER_BYTES + times * (member_bytes + MEMBER_BYTES)
    return Shape(name, words, b'{"L":[%b]}' % b",".join([member] * times), size)


def named(name: str, words: str, member: bytes, member_bytes: int, number: int) -> Shape:
    """A map of one value under so many names."""
    inside = b",".join(b'"n%05d":%b' % (each, member) for each in range(number))
    return Shape(name, words, b'{"M":{%b}}' % inside, CONTAINER_BYTES + (6 + member_bytes + MEMBER_BYTES) * number)


def wide(number: int) -> Shape:
    """So many attributes."""
    attributes = b"".join(b',"n%05d":{"N":"%d"}' % (each, each % 10) for each in range(number))
    return Shape("wide", f"{number:,} attributes", b'{"S":""}' + attributes, 8 * number)


def nested(kind: str) -> Shape:
    """A list of chains as deep as can be, each of maps or of lists that hold nothing else."""
    levels = MOST_DEPTH - 1
    empty, opening, closing, level_bytes = {
        "M": (b'{"M":{}}', b'{"M":{"m":', b"}}", CONTAINER_BYTES + MEMBER_BYTES + 1),
        "L": (b'{"L":[]}', b'{"L":[', b"]}", CONTAINER_BYTES + MEMBER_BYTES),
    }[kind]
    chain = opening * (levels - 1) + empty + closing * (levels - 1)
    words = f"{MOST_DEPTH} levels of {'maps' if kind == 'M' else 'lists'}"
    return repeated(f"deep-{kind}", words, chain, levels * level_bytes - MEMBER_BYTES)


def members(kind: str, words: str, member: Callable[[int], bytes], member_bytes: int) -> Shape:
    """A set of as many different members as fit."""
    times = (MOST_BYTES - CONTAINER_BYTES) // member_bytes
    inside = b",".join(b'"%b"' % member(each) for each in range(times))
    return Shape(kind.lower(), words, b'{"%b":[%b]}' % (kind.encode(), inside), CONTAINER_BYTES + times * member_bytes)


def sized_shapes() -> list[Shape]:
    """Texts of growing sizes."""
    sizes = {"400 B": 400, "4 KB": 4_096, "40 KB": 40_960, "400 KB": MOST_ITEM_BYTES}
    return [text("text-" + words.replace(" ", ""), f"{words} of text", size) for words, size in sizes.items()]


def hostile_shapes() -> list[Shape]:
    """The shapes that take the most memory for their bytes."""
    return [
        repeated("truths", "a list of 199,000 truths", b'{"BOOL":true}', 1, 398_003),
        repeated("texts", "a list of empty texts", b'{"S":""}', 0),
        repeated("binaries", "a list of empty binaries", b'{"B":""}', 0),
        repeated("sets", "a list of sets of an empty binary", b'{"BS":[""]}', 0),
        repeated("nulls", "a list of nulls", b'{"NULL":true}', 1),
        repeated("zeros", "a list of zeros", b'{"N":"0"}', 1),
        repeated("numbers", "a list of 1.5", b'{"N":"1.5"}', 2),
        repeated("lists", "a list of empty lists", b'{"L":[]}', CONTAINER_BYTES),
        repeated("maps", "a list of empty maps", b'{"M":{}}', CONTAINER_BYTES),
        named("names", "a map of 40,000 names", b'{"N":"1"}', 2, 40_000),
        wide(40_000),
        nested("M"),
        nested("L"),
        members("NS", "a set of numbers", lambda number: b"%d.5" % number, 4),
        members("SS", "a set of texts", lambda number: b"%05x" % number, 5),
        members("BS", "a set of binaries", lambda number: b"%04d" % number if number < 10_000 else _base64(number), 3),
    ]


def _base64(number: int) -> bytes:
    """Four letters of base64, which are three bytes, for each number from 10,000 on another."""
    letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    return bytes(letters[number // len(letters) ** place % len(letters)] for place in range(4))


def alternating(shapes: list[Shape]) -> Iterator[bytes]:
    """Items of these shapes in turn, without an end."""
    return (shapes[number % len(shapes)].line(number) for number in count())


def lines(shapes: list[Shape], number: int) -> list[bytes]:
    """So many items of these shapes in turn."""
    return list(islice(alternating(shapes), number))
