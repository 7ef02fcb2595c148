"""Reads a page of HTML as a browser does: its elements, and what it says."""

from __future__ import annotations

from html.parser import HTMLParser

_VOID = {"meta", "link", "img", "br", "hr", "input"}
# What text stands in of its own; text of any other element is part of these.
_BLOCKS = {"h1", "h2", "p", "dt", "dd", "li", "th", "td", "pre", "text", "title"}


class Outline(HTMLParser):
    """A page.

    Attributes:
        elements: in the order of the page, each with its attributes.
        blocks: what it says, block by block: the element's name and its text.
        unclosed: elements that are open at the end.
    """

    def __init__(self, page: str) -> None:
        """Read a page."""
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.blocks: list[tuple[str, str]] = []
        self.unclosed: list[str] = []
        self._texts: list[tuple[str, list[str]]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in _VOID:
            self.unclosed.append(tag)
        if tag in _BLOCKS:
            self._texts.append((tag, []))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.unclosed.pop() == tag, f"</{tag}> closes what is not open"
        if tag in _BLOCKS:
            name, texts = self._texts.pop()
            self.blocks.append((name, "".join(texts)))

    def handle_data(self, data: str) -> None:
        if self._texts:
            self._texts[-1][1].append(data)

    @property
    def skeleton(self) -> list[tuple[str, tuple[str, ...]]]:
        """The elements and the names of their attributes."""
        return [(tag, tuple(attributes)) for tag, attributes in self.elements]

    def all(self, tag: str) -> list[dict[str, str]]:
        """The attributes of all elements of a name."""
        return [attributes for name, attributes in self.elements if name == tag]

    def said(self, tag: str) -> list[str]:
        """What the blocks of a name say, each in one line."""
        return [" ".join(text.split()) for name, text in self.blocks if name == tag]
