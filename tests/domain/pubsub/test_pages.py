"""Pages of items against a plain model: the whole list, sorted and cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.domain.errors import NotFound
from parley.domain.pubsub.pages import ItemMark, ItemQuery, choose

IDS, PLACES = "abcdef", [3, 0, 5, 1, 4, 2]
# Created in the order of the letters, modified in another one.
MARKS = [
    ItemMark(name, modified, created, 10) for created, (name, modified) in enumerate(zip(IDS, PLACES, strict=True))
]
MODIFIED = "bdfaec"


def chosen(query: ItemQuery) -> str:
    return "".join(choose(MARKS, query).ids)


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        (ItemQuery(), MODIFIED),
        (ItemQuery(is_descending=True), MODIFIED[::-1]),
        (ItemQuery(is_by_creation=True), IDS),
        (ItemQuery(is_by_creation=True, is_descending=True), IDS[::-1]),
        (ItemQuery(newest=2), "ec"),
        (ItemQuery(newest=2, is_descending=True), "ce"),
        (ItemQuery(newest=2, is_by_creation=True, is_descending=True), "fe"),
        (ItemQuery(("a", "f", "x", "a")), "fa"),
        (ItemQuery(max=2, is_paged=True), "bd"),
        (ItemQuery(max=2, before="", is_paged=True), "ec"),
        (ItemQuery(max=2, before="e", is_paged=True), "fa"),
        (ItemQuery(max=2, after="e", is_paged=True), "c"),
        (ItemQuery(max=2, index=1, is_paged=True), "df"),
        (ItemQuery(index=99, is_paged=True), ""),
        (ItemQuery(max=0, is_paged=True), ""),
        # Without a page what does not fit is missing at the old end, with one at the end that was not asked for.
        (ItemQuery(max_bytes=25), "ec"),
        (ItemQuery(max_bytes=25, is_descending=True), "ce"),
        (ItemQuery(max_bytes=25, is_paged=True, max=5), "bd"),
        (ItemQuery(max_bytes=25, is_paged=True, before=""), "ec"),
        (ItemQuery(max_bytes=1), "c"),
    ],
)
def test_pages(query: ItemQuery, ids: str) -> None:
    assert chosen(query) == ids


def test_where_a_page_is_among_all() -> None:
    choice = choose(MARKS, ItemQuery(after="d", max=2, is_paged=True))
    assert (choice.ids, choice.first_index, choice.count) == (["f", "a"], 2, 6)


@pytest.mark.parametrize("query", [ItemQuery(after="x"), ItemQuery(before="x"), ItemQuery(newest=2, after="b")])
def test_a_page_that_starts_nowhere(query: ItemQuery) -> None:
    with pytest.raises(NotFound):
        chosen(query)


@given(st.integers(1, 7), st.booleans(), st.booleans(), st.integers(1, 70))
def test_pages_one_after_the_other_are_everything(size: int, created: bool, descending: bool, max_bytes: int) -> None:
    everything = chosen(ItemQuery(is_by_creation=created, is_descending=descending))
    for is_forward in (True, False):
        got, place = "", None if is_forward else ""
        while True:
            query = ItemQuery(
                is_by_creation=created,
                is_descending=descending,
                after=place if is_forward else None,
                before=None if is_forward else place,
                max=size,
                max_bytes=max_bytes,
                is_paged=True,
            )
            page = chosen(query)
            if not page:
                break
            got = got + page if is_forward else page + got
            place = page[-1] if is_forward else page[0]
        assert got == everything
