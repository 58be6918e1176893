"""Which items of a node an answer shows (XEP-0060 §6.5, XEP-0059, XEP-0413)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from parley.domain.errors import NotFound
from parley.domain.pubsub.nodes import NodeItem


class ItemMark(NamedTuple):
    """An item as far as choosing needs it: `modified` and `created` are places in the order of publication.

    An item that is published again keeps `created` and is the newest by `modified`. `size` is that of its payload.
    """

    id: str
    modified: int
    created: int
    size: int


@dataclass(frozen=True, slots=True)
class ItemQuery:
    """Which items are wanted.

    Attributes:
        ids: those and no others; empty for all.
        newest: only so many, the ones published last; None for all.
        is_by_creation: in the order in which ids first appeared, not in that of the last publication.
        is_descending: the newest first.
        after, before: the id that the page starts behind or ends in front of; "" in `before` for the last page.
        index: the number of the page's first item.
        max: the most items of the page.
        max_bytes: the most bytes of payloads; one item is shown in any case.
        is_paged: whether a page was asked for; without, what does not fit is left out at the old end.
    """

    ids: tuple[str, ...] = ()
    newest: int | None = None
    is_by_creation: bool = False
    is_descending: bool = False
    after: str | None = None
    before: str | None = None
    index: int | None = None
    max: int | None = None
    max_bytes: int | None = None
    is_paged: bool = False


@dataclass(frozen=True, slots=True)
class ItemPage:
    """Some of a node's items: `first_index` is the place of the first one among the `count` there are."""

    items: Sequence[NodeItem] = ()
    first_index: int = 0
    count: int = 0

    @property
    def is_all(self) -> bool:
        """Whether nothing is missing."""
        return len(self.items) == self.count


@dataclass(frozen=True, slots=True)
class Choice:
    """The ids of a page in its order, and what `ItemPage` says of it."""

    ids: Sequence[str]
    first_index: int
    count: int


def choose(marks: Sequence[ItemMark], query: ItemQuery) -> Choice:
    """The page of all items of a node that a query asks for.

    Raises:
        NotFound("item-not-found"): the item that the page starts from is not there (XEP-0059 §2.5).
    """
    found = sorted(marks, key=_modified)
    if query.ids:
        wanted = set(query.ids)
        found = [mark for mark in found if mark.id in wanted]
    if query.is_by_creation:
        found.sort(key=_created)
    if query.newest is not None:
        # §6.5.7: the N most recent, as opposed to the N oldest.
        found = found[max(len(found) - query.newest, 0) :]
    if query.is_descending:
        found.reverse()
    start, end = _bounds([mark.id for mark in found], query)
    is_backward = query.before is not None if query.is_paged else not query.is_descending
    start, end = _fitting(found, start, end, query.max_bytes, is_backward=is_backward)
    return Choice([mark.id for mark in found[start:end]], start, len(found))


def _modified(mark: ItemMark) -> int:
    return mark.modified


def _created(mark: ItemMark) -> int:
    return mark.created


def _bounds(ids: Sequence[str], query: ItemQuery) -> tuple[int, int]:
    start, end = min(query.index or 0, len(ids)), len(ids)
    if query.after is not None:
        start = _place(ids, query.after) + 1
    elif query.before:
        end = _place(ids, query.before)
    if query.max is not None:
        if query.before is not None:
            start = max(start, end - query.max)
        else:
            end = min(end, start + query.max)
    return start, end


def _fitting(
    marks: Sequence[ItemMark], start: int, end: int, max_bytes: int | None, *, is_backward: bool
) -> tuple[int, int]:
    if max_bytes is None:
        return start, end
    size = 0
    places = range(end - 1, start - 1, -1) if is_backward else range(start, end)
    for number, place in enumerate(places):
        size += marks[place].size
        if number and size > max_bytes:
            return (place + 1, end) if is_backward else (start, place)
    return start, end


def _place(ids: Sequence[str], item_id: str) -> int:
    try:
        return ids.index(item_id)
    except ValueError as error:
        raise NotFound("item-not-found") from error
