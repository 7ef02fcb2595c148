"""Draws a flow of items: three columns, and ribbons as wide as what goes along them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from markupsafe import Markup

from etl_cli.html_report.flow import Flow, Link, Node
from etl_cli.html_report.svg import chart, element, join, percent, text

# Where the columns are, in shares of the width.
_COLUMNS = (0.0, 0.4, 1.0)
# In pixels: the widest ribbon, the narrowest, a node's bar, the two lines above it, and what is below it.
_WIDEST, _NARROWEST, _NODE, _LABEL, _GAP = 128.0, 2.0, 6.0, 38.0, 8.0
_THIN = 5.0  # is drawn darker, to be seen
# Ribbons are drawn on a field of this width, which is stretched to that of the chart.
_FIELD = 1000


@dataclass
class _Place:
    """Where a node is, from the top in pixels, and how much of its height is taken by ribbons on each side."""

    top: float
    height: float
    taken: dict[str, float] = field(default_factory=lambda: {"in": 0.0, "out": 0.0})

    def take(self, side: str, width: float) -> float:
        """Take the next ribbon's place, and give its top."""
        top = self.top + self.taken[side]
        self.taken[side] += width
        return top


def draw_flow(flow: Flow) -> Markup:
    """The flow as a chart; what is little is still seen."""
    most = max(node.amount for node in flow.nodes) or 1
    widths = {link: max(_NARROWEST, link.amount / most * _WIDEST) for link in flow.links}
    places = _places(flow.nodes, widths)
    height = max(place.top + place.height for place in places.values()) + _GAP
    # From the top down on both sides, so that none crosses another without need.
    order = {node: number for number, node in enumerate(flow.nodes)}
    links = sorted(flow.links, key=lambda link: (order[link.source], order[link.target]))
    ribbons = [_ribbon(link, places, widths[link]) for link in links]
    field_ = element(
        "svg", *ribbons, width="100%", height=height, viewBox=f"0 0 {_FIELD} {height:.2f}", preserveAspectRatio="none"
    )
    told = "; ".join(f"{node.name.lower()} {node.amount:,}" for node in flow.nodes)
    return chart(f"Items: {told}", height, field_, *(_node(node, places[node]) for node in flow.nodes), class_="flow")


def _places(nodes: Iterable[Node], widths: dict[Link, float]) -> dict[Node, _Place]:
    """The nodes of a column below each other, each as high as its ribbons."""
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
