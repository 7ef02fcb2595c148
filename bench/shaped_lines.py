"""The items of `bench.shapes` as the server has them: pages of a table, and records as our stages stage them."""

import json
from functools import cache

from bench.dataset import PAGE_BYTES, WINDOW_END, plain
from bench.shapes import Shape, hostile_shapes, sized_shapes

# So many lines differ that no two of one id are in flight in Load at once.
_LEAST, _MOST, _LINES_BYTES = 40, 10_000, 32_000_000
_ADDED = json.dumps({"date": WINDOW_END[:10], "size": "small", "as_of": WINDOW_END})[1:].encode()


@cache
def shape_of(name: str) -> Shape:
    """The shape of this name."""
    return next(shape for shape in sized_shapes() + hostile_shapes() if shape.name == name)


@cache
def shaped_lines(name: str, kind: str) -> list[bytes]:
    """The distinct items of a shape, as Extract stages them (``raw``) or as Transform does (``transformed``)."""
    shape = shape_of(name)
    number = min(_MOST, max(_LEAST, _LINES_BYTES // len(shape.line(0))))
    lines = [shape.line(each) for each in range(number)]
    return lines if kind == "raw" else _transformed(lines)


def shaped_pages(name: str) -> list[list[bytes]]:
    """The distinct items in pages of 1 MB."""
    lines, many = shaped_lines(name, "raw"), max(1, PAGE_BYTES // shape_of(name).item_bytes)
    return [lines[start : start + many] for start in range(0, len(lines), many)]


def _transformed(lines: list[bytes]) -> list[bytes]:
    """The records that the tests' transformation makes of the items; their large attribute is the same in all."""
    heads, (tail, *_) = zip(*(_parted(line) for line in lines), strict=True)
    large = plain({"M": json.loads(tail)})[1:-1].encode()
    return [b"%b,%b,%b" % (plain({"M": json.loads(head)})[:-1].encode(), large, _ADDED) for head in heads]


def _parted(line: bytes) -> tuple[bytes, bytes]:
    """Split an item into its small attributes and its large one."""
    head, mark, tail = line.partition(b',"content":')
    return head + b"}", b"{" + mark[1:] + tail
