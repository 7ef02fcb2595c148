"""Elements of SVG as markup; all values are escaped.

Charts are as wide as their place: widths are in percent, and heights in pixels. So text keeps its size on a phone and
on paper.
"""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup


def element(name: str, /, *content: str, **attributes: str | float | None) -> Markup:
    """An element. Text in it is escaped, markup is not.

    Attributes that are numbers are rounded to a hundredth, and None is left out. ``class_`` means class, and other
    underscores mean hyphens.
    """
    given = {key.rstrip("_").replace("_", "-"): value for key, value in attributes.items() if value is not None}
    opening = Markup("").join(Markup(' {}="{}"').format(key, _value(value)) for key, value in given.items())
    return Markup("<{0}{1}>{2}</{0}>").format(name, opening, join(content))


def join(parts: Iterable[str]) -> Markup:
    """Join parts; those that aren't markup are escaped."""
    return Markup("").join(parts)


def percent(fraction: float) -> str:
    """A fraction of the width: ``12.5%``."""
    return f"{_value(100 * fraction)}%"


def chart(described: str, height: float, *content: str, class_: str = "") -> Markup:
    """A chart as wide as its place, of a height in pixels, with a description for screen readers."""
    title = element("title", described)
    return element(
        "svg", title, *content, class_=f"chart {class_}".strip(), role="img", aria_label=described, height=height
    )


def bar(start: float, end: float, top: float, height: float, class_: str, title: str = "") -> Markup:
    """A bar across: its edges from 0 to 1, its top and height in pixels; the title shows under the pointer."""
    described = element("title", title) if title else Markup("")
    return element(
        "rect", described, x=percent(start), y=top, width=percent(max(0.0, end - start)), height=height, class_=class_
    )


def text(fraction: float, baseline: float, words: str, class_: str = "", anchor: str | None = None) -> Markup:
    """A line of text: position from 0 to 1, baseline in pixels; the anchor is its start, ``middle`` or ``end``."""
    return element("text", words, x=percent(fraction), y=baseline, class_=class_ or None, text_anchor=anchor)


def tick(fraction: float, top: float, bottom: float, words: str, class_: str = "") -> Markup:
    """A vertical line with words below it, which stay within the chart near its edges."""
    anchor = "middle" if 0.06 < fraction < 0.94 else "end" if fraction > 0.5 else None
    where = percent(fraction)
    line = element("line", x1=where, x2=where, y1=top, y2=bottom, class_="tick")
    return line + text(fraction, bottom + 14, words, f"axis {class_}".strip(), anchor)


def _value(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")
