"""Paging through results (XEP-0059)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from parley.protocols.xmpp.builder import xml
from parley.protocols.xmpp.errors import PayloadError
from parley.protocols.xmpp.namespaces import NS_RSM

if TYPE_CHECKING:
    from lxml.etree import _Element

_SET: Final = f"{{{NS_RSM}}}set"
_LONGEST_NUMBER: Final = 10


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which page is wanted.

    Attributes:
        max: at most so many items; None for as many as we like; 0 asks for the count only.
        after: the id behind which the page starts; None for none.
        before: the id in front of which the page ends, "" for the last page, None for none.
        index: the number of the first item, None for none.
    """

    max: int | None = None
    after: str | None = None
    before: str | None = None
    index: int | None = None

    def to_bytes(self) -> bytes:
        """The `<set/>` of a query."""
        fields = (("max", self.max), ("after", self.after), ("before", self.before), ("index", self.index))
        return xml("set", {"xmlns": NS_RSM}, *(xml(k, None, str(v)) for k, v in fields if v is not None))


@dataclass(frozen=True, slots=True)
class Page:
    """What a page of results says about itself; `first` and `last` are ids, None for a page without items."""

    first: str | None = None
    last: str | None = None
    first_index: int | None = None
    count: int | None = None

    def to_bytes(self) -> bytes:
        """The `<set/>` of an answer."""
        parts = []
        if self.first is not None and self.last is not None:
            index = None if self.first_index is None else str(self.first_index)
            parts = [xml("first", {"index": index}, self.first), xml("last", None, self.last)]
        if self.count is not None:
            parts.append(xml("count", None, str(self.count)))
        return xml("set", {"xmlns": NS_RSM}, *parts)


def parse_page_request(query: _Element) -> PageRequest:
    """What the `<set/>` inside `query` asks for; everything when there is none.

    Raises:
        PayloadError: numbers that are none, or more than one place to start from.
    """
    element = query.find(_SET)
    if element is None:
        return PageRequest()
    after, before, index = _text(element, "after"), _text(element, "before"), _number(element, "index")
    if sum(place is not None for place in (after, before, index)) > 1:
        raise PayloadError("a page has one place to start from")
    # An empty <after/> names no item: the page starts at the beginning.
    return PageRequest(_number(element, "max"), after or None, before, index)


def parse_page(answer: _Element) -> Page:
    """What the `<set/>` inside `answer` says; raises PayloadError."""
    element = answer.find(_SET)
    if element is None:
        return Page()
    first = element.find(f"{{{NS_RSM}}}first")
    index = None if first is None else first.get("index")
    return Page(
        _text(element, "first"),
        _text(element, "last"),
        None if index is None else _parsed(index),
        _number(element, "count"),
    )


def _text(element: _Element, name: str) -> str | None:
    child = element.find(f"{{{NS_RSM}}}{name}")
    return None if child is None else child.text or ""


def _number(element: _Element, name: str) -> int | None:
    text = _text(element, name)
    return None if text is None else _parsed(text)


def _parsed(text: str) -> int:
    text = text.strip()
    if not (text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER):
        raise PayloadError("not a number of items")
    return int(text)
