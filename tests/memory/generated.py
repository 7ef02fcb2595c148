"""Shapes of items that hypothesis draws: any nesting of any values that DynamoDB takes."""

from __future__ import annotations

from hypothesis import strategies as st

from bench.shapes import CONTAINER_BYTES, MEMBER_BYTES, MOST_BYTES, MOST_DEPTH, Shape, members, named, repeated

# Values with their sizes as DynamoDB counts them.
_LEAVES = st.one_of(
    st.sampled_from(
        [
            (b'{"BOOL":true}', 1),
            (b'{"NULL":true}', 1),
            (b'{"S":""}', 0),
            (b'{"B":""}', 0),
            (b'{"L":[]}', CONTAINER_BYTES),
            (b'{"M":{}}', CONTAINER_BYTES),
            (b'{"SS":["a","b"]}', 2),
            (b'{"NS":["1","2.5"]}', 4),
        ]
    ),
    st.integers(1, 38).map(lambda digits: (b'{"N":"%b"}' % (b"7" * digits), (digits + 1) // 2 + 1)),
    st.integers(1, 37).map(lambda digits: (b'{"N":"0.%b"}' % (b"7" * digits), (digits + 1) // 2 + 1)),
    st.integers(1, 50_000).map(lambda length: (b'{"S":"%b"}' % (b"t" * length), length)),
    st.integers(1, 300).map(lambda length: (b'{"S":"%b"}' % ("é€"[length % 2] * length).encode(), 3 * length)),
    st.integers(1, 10_000).map(lambda triples: (b'{"B":"%b"}' % (b"AAAA" * triples), 3 * triples)),
)


def _within(kind: str, value: tuple[bytes, int], times: int) -> tuple[bytes, int]:
    """A list or a map of one value."""
    member, size = value
    if kind == "L":
        return b'{"L":[%b]}' % b",".join([member] * times), CONTAINER_BYTES + times * (size + MEMBER_BYTES)
    inside = b",".join(b'"m%d":%b' % (each, member) for each in range(times))
    return b'{"M":{%b}}' % inside, CONTAINER_BYTES + times * (size + MEMBER_BYTES + 4)


@st.composite
def shapes(draw: st.DrawFn) -> Shape:
    """One shape, which fills an item."""
    if draw(st.integers(0, 7)) == 0:
        kind = draw(st.sampled_from(("NS", "SS")))
        return members(kind, "a set", lambda number: b"%d" % (10**9 + number), 10)
    value = draw(_LEAVES)
    for _ in range(draw(st.integers(0, MOST_DEPTH - 3))):
        times = draw(st.sampled_from((1, 1, 1, 2, 5)))
        larger = _within(draw(st.sampled_from("LM")), value, times)
        if larger[1] > MOST_BYTES // 4:
            break
        value = larger
    member, size = value
    if draw(st.booleans()):
        return repeated("drawn", "a list", member, size)
    return named("drawn", "a map", member, size, MOST_BYTES // (size + 6 + MEMBER_BYTES))
