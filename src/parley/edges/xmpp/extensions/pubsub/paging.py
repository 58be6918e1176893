"""Pages of a node's items (XEP-0060 §6.5.4, XEP-0059): in the order of publication, the newest at the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from parley.edges.xmpp.extensions.pubsub.events import item_xml
from parley.protocols.xmpp.element import xml
from parley.protocols.xmpp.errors import StanzaCondition, StanzaError
from parley.protocols.xmpp.rsm import Page, PageRequest

if TYPE_CHECKING:
    from parley.domain.nodes import NodeItem


@dataclass(frozen=True, slots=True)
class ItemPage:
    """Some of a node's items: `first_index` is the place of the first one among the `count` there are.

    `is_backward`: what does not fit is left out at the beginning, not at the end.
    """

    items: Sequence[NodeItem]
    first_index: int
    count: int
    is_backward: bool


def page_of(items: Sequence[NodeItem], wanted: PageRequest) -> ItemPage:
    """The page that is asked for; raises StanzaError (item-not-found) when it starts at an item that is not there."""
    start, end = wanted.index or 0, len(items)
    is_backward = wanted.before is not None
    if wanted.after is not None:
        start = _place(items, wanted.after) + 1
    elif wanted.before:
        end = _place(items, wanted.before)
    if wanted.max is not None:
        if is_backward:
            start = max(start, end - wanted.max)
        else:
            end = min(end, start + wanted.max)
    return ItemPage(items[start:end], start, len(items), is_backward)


def answer(name: str, page: ItemPage, max_bytes: int, *, is_asked_for: bool) -> list[bytes]:
    """`<items/>` with what fits into `max_bytes`, one item at least.

    Behind it which page it is, if that was asked for or something is missing.
    """
    shown: list[bytes] = []
    size = 0
    for item in reversed(page.items) if page.is_backward else page.items:
        rendered = item_xml(item)
        size += len(rendered)
        if shown and size > max_bytes:
            break
        shown.append(rendered)
    left_out = len(page.items) - len(shown)
    skipped = left_out if page.is_backward else 0
    parts = [xml("items", {"node": name}, *(reversed(shown) if page.is_backward else shown))]
    if is_asked_for or left_out:
        parts.append(_described(page, skipped, len(shown)).to_bytes())
    return parts


def _described(page: ItemPage, skipped: int, shown: int) -> Page:
    if not shown:
        return Page(count=page.count)
    items = page.items[skipped : skipped + shown]
    return Page(items[0].id, items[-1].id, page.first_index + skipped, page.count)


def _place(items: Sequence[NodeItem], item_id: str) -> int:
    for place, item in enumerate(items):
        if item.id == item_id:
            return place
    # XEP-0059 §2.5: the item that the page starts from is gone.
    raise StanzaError(StanzaCondition.ITEM_NOT_FOUND)
