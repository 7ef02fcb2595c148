"""Where the items of a run went, as a flow: read, transformed, loaded, and what left on the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from etl_cli.runs.counts import UNTIMED

Kind = Literal["main", "rejected", "left", "failed"]


@dataclass(frozen=True)
class Node:
    """Items at one place of the way.

    Attributes:
        name: what they are.
        amount: how many.
        column: how far they are: 0 read, 1 transformed, 2 loaded.
        kind: whether they are on their way, or why they left it.
        why: why they left it, in words.
    """

    name: str
    amount: int
    column: int
    kind: Kind = "main"
    why: str = ""


@dataclass(frozen=True)
class Link:
    """Items that went from one place to another."""

    source: Node
    target: Node
    amount: int


@dataclass(frozen=True)
class Flow:
    """A flow; nothing in it is empty, but the way itself may be."""

    nodes: list[Node]
    links: list[Link]

    @property
    def left(self) -> list[Node]:
        """What left the way."""
        return [node for node in self.nodes if node.kind != "main"]


def flow_of(counts: Mapping[str, int], stopped: str = "") -> Flow:
    """The flow of a run.

    Args:
        counts: its counts by name, as far as it came.
        stopped: in words, why what isn't loaded isn't; empty for a run that succeeded.
    """
    known = Counter(counts)
    read = Node("Read", known["read"], 0)
    transformed = Node("Transformed", known["transformed"], 1)
    aggregates = Node("Aggregates", known["aggregate_records"], 1)
    loaded = Node("Loaded", known["loaded"], 2)
    first = _given(
        Node("Rejected", known["rejected_transform"], 1, "rejected", "set aside by Transform, in quarantine"),
        Node(UNTIMED.capitalize(), known["untimed"], 1, "rejected", "in no window: in quarantine until corrected"),
        Node("Dropped", known["dropped"], 1, "left", "transform() returned nothing for them"),
        Node("Ahead", known["ahead"], 1, "left", "their time is yet to come: a later run reads them again"),
        Node("Left", known["left"], 1, "left", "in quarantine, since the source table has their items no more"),
    )
    second = _given(
        Node("Rejected", known["rejected_load"], 2, "rejected", "set aside by Load, in quarantine"),
        Node("Superseded", known["superseded"], 2, "left", "another record with the same key followed in its batch"),
    )
    if stopped:
        rest = read.amount - transformed.amount - _sum(first)
        first += _given(Node("Not transformed", rest, 1, "failed", stopped))
        rest = transformed.amount + aggregates.amount - loaded.amount - _sum(second)
        second += _given(Node("Not loaded", rest, 2, "failed", stopped))
    taken = [Link(read, node, node.amount) for node in (transformed, *first) if node.amount]
    # The key of an aggregate is its alone, so that what is superseded is none: it is taken from the items.
    links = taken + list(_poured([transformed, aggregates], [*second, loaded]))
    return Flow([read, transformed, *_given(aggregates), loaded, *first, *second], links)


def _given(*nodes: Node) -> list[Node]:
    return [node for node in nodes if node.amount > 0]


def _sum(nodes: Iterable[Node]) -> int:
    return sum(node.amount for node in nodes)


def _poured(sources: Iterable[Node], targets: Iterable[Node]) -> Iterator[Link]:
    """What goes from where to where, if the first target takes from the first source."""
    left = {source: source.amount for source in sources}
    for target in targets:
        wanted = target.amount
        for source, amount in left.items():
            taken = min(wanted, amount)
            if taken > 0:
                wanted -= taken
                left[source] -= taken
                yield Link(source, target, taken)
