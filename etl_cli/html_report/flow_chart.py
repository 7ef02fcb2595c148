"""The flow of a run's items: read, transformed, loaded, and the exits on the way, as a chart."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from markupsafe import Markup

from etl.model.counts import NOT_REPLAYABLE
from etl_cli.html_report.svg import chart, element, join, percent, text
from etl_cli.runs.outcome_words import UNTIMED

# Positions of the columns, as fractions of the width.
_COLUMNS = (0.0, 0.4, 1.0)
# In pixels: the widest and the narrowest ribbon, a node's bar, the two lines above it, the space below it.
_WIDEST, _NARROWEST, _NODE, _LABEL, _GAP = 128.0, 2.0, 6.0, 38.0, 8.0
_THIN = 5.0  # drawn darker, to be visible
# Ribbons are drawn on a field of this width, stretched to the chart's.
_FIELD = 1000

Kind = Literal["main", "rejected", "skipped", "failed"]


@dataclass(frozen=True)
class Node:
    """Items at one place of the flow."""

    name: str
    amount: int
    column: int  # the progress of the items: 0 read, 1 transformed, 2 loaded
    kind: Kind = "main"  # ``main`` on the way to the destination; otherwise the kind of the exit
    why: str = ""


@dataclass(frozen=True)
class Link:
    """Items that went from one place to another."""

    source: Node
    target: Node
    amount: int


@dataclass(frozen=True)
class Flow:
    """A flow. Only nodes of the kind ``main`` may be empty."""

    nodes: list[Node]
    links: list[Link]

    @property
    def exits(self) -> list[Node]:
        """The nodes whose items don't reach the destination."""
        return [node for node in self.nodes if node.kind != "main"]


def flow_of(counts: Mapping[str, int], stopped: str = "") -> Flow:
    """The flow of a run; ``stopped`` says why items are missing, and is empty for a run that succeeded."""
    known = Counter(counts)
    read = Node("Read", known["read"], 0)
    transformed = Node("Transformed", known["transformed"], 1)
    aggregates = Node("Aggregates", known["aggregate_records"], 1)
    loaded = Node("Loaded", known["loaded"], 2)
    first = _given(
        Node("Rejected", known["rejected_transform"], 1, "rejected", "set aside by Transform, in quarantine"),
        Node(UNTIMED.capitalize(), known["untimed"], 1, "rejected", "in no window: in quarantine until corrected"),
        Node("Dropped", known["dropped"], 1, "skipped", "transform() returned nothing for them"),
        Node("Ahead", known["ahead"], 1, "skipped", "their time is after the window: a later run reads them again"),
        Node("Outside", known["outside"], 1, "skipped", "their time isn't in the window"),
        Node("Excluded", known["excluded"], 1, "skipped", "they have no time, and the settings exclude such items"),
        Node("Not replayable", known[NOT_REPLAYABLE], 1, "skipped", "in quarantine: the source table lacks them"),
    )
    second = _given(
        Node("Rejected", known["rejected_load"], 2, "rejected", "set aside by Load, in quarantine"),
        Node("Superseded", known["superseded"], 2, "skipped", "another record with the same key followed in its batch"),
    )
    if stopped:
        rest = read.amount - transformed.amount - _sum(first)
        first += _given(Node("Not transformed", rest, 1, "failed", stopped))
        rest = transformed.amount + aggregates.amount - loaded.amount - _sum(second)
        second += _given(Node("Not loaded", rest, 2, "failed", stopped))
    taken = [Link(read, node, node.amount) for node in (transformed, *first) if node.amount]
    # The key of an aggregate is unique, so superseded records are items.
    links = taken + list(_poured([transformed, aggregates], [*second, loaded]))
    return Flow([read, transformed, *_given(aggregates), loaded, *first, *second], links)


def _given(*nodes: Node) -> list[Node]:
    return [node for node in nodes if node.amount > 0]


def _sum(nodes: Iterable[Node]) -> int:
    return sum(node.amount for node in nodes)


def _poured(sources: Iterable[Node], targets: Iterable[Node]) -> Iterator[Link]:
    """The links between sources and targets, if the first target takes from the first source."""
    remaining = {source: source.amount for source in sources}
    for target in targets:
        wanted = target.amount
        for source, amount in remaining.items():
            taken = min(wanted, amount)
            if taken > 0:
                wanted -= taken
                remaining[source] -= taken
                yield Link(source, target, taken)


@dataclass
class _Place:
    """The place of a node in pixels from the top, and the height that ribbons take on each side."""

    top: float
    height: float
    taken: dict[str, float] = field(default_factory=lambda: {"in": 0.0, "out": 0.0})

    def take(self, side: str, width: float) -> float:
        """Take the place of the next ribbon, and return its top."""
        top = self.top + self.taken[side]
        self.taken[side] += width
        return top


def draw_flow(flow: Flow) -> Markup:
    """Draw a flow. Small numbers stay visible."""
    most = max(node.amount for node in flow.nodes) or 1
    widths = {link: max(_NARROWEST, link.amount / most * _WIDEST) for link in flow.links}
    places = _places(flow.nodes, widths)
    height = max(place.top + place.height for place in places.values()) + _GAP
    # From the top down on both sides, so that ribbons rarely cross.
    order = {node: number for number, node in enumerate(flow.nodes)}
    links = sorted(flow.links, key=lambda link: (order[link.source], order[link.target]))
    ribbons = [_ribbon(link, places, widths[link]) for link in links]
    field_ = element(
        "svg", *ribbons, width="100%", height=height, viewBox=f"0 0 {_FIELD} {height:.2f}", preserveAspectRatio="none"
    )
    amounts = "; ".join(f"{node.name.lower()} {node.amount:,}" for node in flow.nodes)
    return chart(
        f"Items: {amounts}", height, field_, *(_node(node, places[node]) for node in flow.nodes), class_="flow"
    )


def _places(nodes: Iterable[Node], widths: dict[Link, float]) -> dict[Node, _Place]:
    """Place the nodes of a column one below the other, each as high as its ribbons."""
    heights: dict[Node, dict[str, float]] = defaultdict(lambda: {"in": 0.0, "out": 0.0})
    for link, width in widths.items():
        heights[link.source]["out"] += width
        heights[link.target]["in"] += width
    places, bottoms = {}, [0.0] * len(_COLUMNS)
    for node in nodes:
        top = bottoms[node.column] + _LABEL
        places[node] = _Place(top, max(_NARROWEST, *heights[node].values()))
        bottoms[node.column] = top + places[node].height + _GAP
    return places


def _ribbon(link: Link, places: dict[Node, _Place], width: float) -> Markup:
    left, right = (_COLUMNS[node.column] * _FIELD for node in (link.source, link.target))
    upper, lower = places[link.source].take("out", width), places[link.target].take("in", width)
    middle = (left + right) / 2
    path = (
        f"M{left:.0f} {upper:.2f}C{middle:.0f} {upper:.2f} {middle:.0f} {lower:.2f} {right:.0f} {lower:.2f}"
        f"V{lower + width:.2f}C{middle:.0f} {lower + width:.2f} {middle:.0f} {upper + width:.2f} "
        f"{left:.0f} {upper + width:.2f}Z"
    )
    title = element("title", f"{link.source.name} to {link.target.name}: {link.amount:,}")
    thin = "thin " if width < _THIN else ""
    return element("path", title, d=path, class_=f"ribbon {thin}{link.target.kind}")


def _node(node: Node, place: _Place) -> Markup:
    where, last = _COLUMNS[node.column], node.column == len(_COLUMNS) - 1
    anchor = "end" if last else None
    shift = f"translate(-{_NODE:.0f})" if last else None
    return join(
        [
            element(
                "rect",
                x=percent(where),
                y=place.top,
                width=_NODE,
                height=place.height,
                transform=shift,
                class_=f"node {node.kind}",
            ),
            text(where, place.top - 22, node.name, "label", anchor),
            text(where, place.top - 6, f"{node.amount:,}", "amount", anchor),
        ]
    )
