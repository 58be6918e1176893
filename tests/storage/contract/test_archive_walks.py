"""Whoever pages through an archive, in whatever way, sees each message once and in order."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from parley.domain.messages import ArchivePage, ArchiveQuery, StoredMessage

from ..people import BOB, CAROL, AnyStorage, append, entry, message, open_storage, two_people

LENGTH = 23

RANGES = st.fixed_dictionaries(
    {
        "peer": st.sampled_from((None, BOB, CAROL)),
        "start": st.one_of(st.none(), st.integers(0, LENGTH)),
        "end": st.one_of(st.none(), st.integers(0, LENGTH)),
    }
)


async def _filled(storage: AnyStorage) -> tuple[int, list[str]]:
    alice, bob = await two_people(storage)
    ids = []
    for number in range(LENGTH):
        # A clock that stands still now and then, a message of somebody else between, one that is not archived.
        new = message(entry(alice, CAROL if number % 3 else BOB), at=number // 2)
        others = (message(entry(bob, CAROL)), message(entry(alice, BOB, is_archived=False)))
        await append(storage, new, *others[: number % 3])
        ids.append(new.id)
    return alice, ids


async def _walk(storage: AnyStorage, query: ArchiveQuery) -> tuple[list[StoredMessage], list[ArchivePage]]:
    """All messages in the archive's order, page by page in the query's direction."""
    pages: list[ArchivePage] = []
    while True:
        page = await storage.messages.page(query)
        pages.append(page)
        if page.is_complete:
            break
        assert page.messages
        ends = {"before_id": page.messages[0].id} if query.is_backward else {"after_id": page.messages[-1].id}
        query = replace(query, **ends)
    in_order = reversed(pages) if query.is_backward else pages
    return [found for page in in_order for found in page.messages], pages


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
async def test_a_walk_sees_exactly_the_archive(kind: str, tmp_path: Path) -> None:
    async with open_storage(kind, tmp_path) as storage:
        owner, ids = await _filled(storage)
        whole = (await storage.messages.page(ArchiveQuery(owner, limit=100))).messages
        assert [found.id for found in whole] == ids

        cases = []

        @settings(max_examples=60, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(RANGES, st.integers(1, LENGTH + 2), st.booleans())
        def collect(ranges: dict[str, str | int | None], limit: int, is_backward: bool) -> None:
            cases.append(ArchiveQuery(owner, limit=limit, is_backward=is_backward, **ranges))  # type: ignore[arg-type]

        collect()
        for query in cases:
            wanted = [
                found
                for found in whole
                if query.peer in (None, found.peer)
                and (query.start is None or found.received_at >= query.start)
                and (query.end is None or found.received_at <= query.end)
            ]
            seen, pages = await _walk(storage, query)
            assert seen == wanted, query
            assert {page.total for page in pages} == {len(wanted)}, query
            for page in pages:
                assert page.index is not None
                assert list(page.messages) == wanted[page.index : page.index + len(page.messages)], query
            by_number = [await storage.messages.page(replace(query, is_backward=False, index=n)) for n in range(3)]
            for number, page in enumerate(by_number):
                assert list(page.messages) == wanted[number : number + query.limit], query
