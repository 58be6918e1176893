"""Which items are asked for, and the answer that shows them (XEP-0060 §6.5, XEP-0059, XEP-0413)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from parley.domain.pubsub.pages import ItemPage, ItemQuery
from parley.edges.xmpp.extensions.pubsub.events import item_xml
from parley.protocols.xmpp.element import xml
from parley.protocols.xmpp.errors import StanzaCondition, StanzaError
from parley.protocols.xmpp.namespaces import NS_PUBSUB
from parley.protocols.xmpp.rsm import Page, PageRequest, parse_page_request

if TYPE_CHECKING:
    from lxml.etree import _Element

    from parley.domain.pubsub.nodes import Node

NS_ORDER_BY: Final = "urn:xmpp:order-by:1"

_MAX_DIGITS: Final = 9
_MAX_IDS: Final = 1000


def query_of(element: _Element, pubsub: _Element, max_bytes: int) -> ItemQuery:
    """What `<items/>` inside `pubsub` asks for, in an answer of at most `max_bytes`.

    Raises:
        StanzaError, PayloadError: numbers that are none, an order that is not known.
    """
    ids = tuple(item.get("id", "") for item in element.iterchildren(f"{{{NS_PUBSUB}}}item"))
    if len(ids) > _MAX_IDS:
        raise StanzaError(StanzaCondition.NOT_ACCEPTABLE, "too many items are asked for at once")
    wanted = parse_page_request(pubsub)
    is_by_creation, is_descending = _order(pubsub)
    if ids:
        return ItemQuery(ids, is_by_creation=is_by_creation, is_descending=is_descending, max_bytes=max_bytes)
    return ItemQuery(
        newest=_newest(element),
        is_by_creation=is_by_creation,
        is_descending=is_descending,
        after=wanted.after,
        before=wanted.before,
        index=wanted.index,
        max=wanted.max,
        max_bytes=max_bytes,
        is_paged=wanted != PageRequest(),
    )


def _newest(element: _Element) -> int | None:
    text = element.get("max_items", "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS):
        raise StanzaError(StanzaCondition.BAD_REQUEST, "max_items is not a number")
    return int(text)


def _order(pubsub: _Element) -> tuple[bool, bool]:
    # XEP-0413 §4.1: the topmost is the main one. No two items are created or modified at once, so no other matters.
    order = pubsub.find(f"{{{NS_ORDER_BY}}}order")
    if order is None:
        return False, False
    by = order.get("by")
    if by not in ("creation", "modification"):
        raise StanzaError(StanzaCondition.FEATURE_NOT_IMPLEMENTED, "there is no such order")
    return by == "creation", order.get("desc") in ("1", "true")


def answer(node: Node, page: ItemPage, *, is_asked_for: bool) -> list[bytes]:
    """`<items/>`, and behind it which page it is, if that was asked for or something is missing (§6.5.4)."""
    parts = [xml("items", {"node": node.name}, *(item_xml(node, item) for item in page.items))]
    if is_asked_for or not page.is_all:
        parts.append(_described(page).to_bytes())
    return parts


def _described(page: ItemPage) -> Page:
    if not page.items:
        return Page(count=page.count)
    return Page(page.items[0].id, page.items[-1].id, page.first_index, page.count)
