"""Every combination of filters, bounds, directions and limits over a small archive."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from parley.domain.errors import NotFound
from parley.domain.messages import ArchiveQuery, Direction

from ..people import ALICE, BOB, CAROL, AnyStorage, append, entry, message, two_people
from .archive_model import Archived, expected_page, summary

PEERS = (BOB, CAROL, BOB, BOB, CAROL, BOB, CAROL)
TIMES = (10, 20, 50, 30, 30, 40, 60)


async def _archive(storage: AnyStorage) -> tuple[int, list[Archived]]:
    """An archive whose clock jumped, between messages of somebody else; returns its owner and what is in it."""
    alice, bob = await two_people(storage)
    found = []
    for at, peer in zip(TIMES, PEERS, strict=True):
        new = message(entry(alice, peer), at=at)
        appended = await append(storage, message(entry(bob, CAROL), at=at), new, message(entry(bob, CAROL), at=at))
        found.append(Archived(appended[1].seq, new.id, at, peer))
    return alice, found


async def test_every_page(storage: AnyStorage) -> None:
    owner, archive = await _archive(storage)
    ends = (None, archive[0].id, archive[3].id, archive[6].id)
    spans = ((None, None), (30, None), (None, 30), (20, 40), (70, 80))
    combined = itertools.product(
        (None, BOB, CAROL, "nobody@example.org"), spans, ends, ends, (False, True), (0, 1, 2, 3, 7, 50)
    )
    for peer, (start, end), after, before, is_backward, limit in combined:
        query = ArchiveQuery(owner, peer, start, end, after, before, (), is_backward, limit)
        assert summary(await storage.messages.page(query)) == expected_page(archive, query), query


async def test_every_page_of_a_range(storage: AnyStorage) -> None:
    owner, archive = await _archive(storage)
    ends = (None, archive[1].id, archive[4].id)
    for newer, older, after, before, peer, is_backward, limit in itertools.product(
        ends, ends, ends, ends, (None, BOB), (False, True), (0, 2, 50)
    ):
        query = ArchiveQuery(
            owner, peer, 20, 50, after, before, (), is_backward, limit, newer_than=newer, older_than=older
        )
        assert summary(await storage.messages.page(query)) == expected_page(archive, query), query
        query = replace(query, ids=tuple(message.id for message in archive[1:6]), start=None)
        assert summary(await storage.messages.page(query)) == expected_page(archive, query), query


async def test_every_page_by_number(storage: AnyStorage) -> None:
    owner, archive = await _archive(storage)
    for index, limit, peer, newer, named in itertools.product(
        (0, 1, 3, 6, 7, 8, 100), (0, 2, 50), (None, BOB), (None, archive[2].id), (False, True)
    ):
        ids = tuple(message.id for message in archive[:5]) if named else ()
        query = ArchiveQuery(owner, peer, ids=ids, limit=limit, newer_than=newer, index=index)
        assert summary(await storage.messages.page(query)) == expected_page(archive, query), query


async def test_every_page_with_a_device(storage: AnyStorage) -> None:
    alice, _ = await two_people(storage)
    devices = ("desk", "phone", "desk", "", "phone", "desk")
    archive = []
    for number, device in enumerate(devices):
        full = f"{BOB}/{device}" if device else BOB
        is_sent = number % 2 == 0
        sender, recipient = (f"{ALICE}/home", full) if is_sent else (full, f"{ALICE}/home")
        direction = Direction.OUT if is_sent else Direction.IN
        new = message(entry(alice, BOB, direction), at=number, sender=sender, recipient=recipient)
        (appended,) = await append(storage, new)
        archive.append(Archived(appended.seq, new.id, number, BOB, (sender, recipient)))
    for device, is_backward, limit, after in itertools.product(
        ("", f"{BOB}/desk", f"{BOB}/phone", f"{BOB}/gone"), (False, True), (0, 1, 2, 50), (None, archive[2].id)
    ):
        query = ArchiveQuery(alice, BOB, device=device, is_backward=is_backward, limit=limit, after_id=after)
        assert summary(await storage.messages.page(query)) == expected_page(archive, query), query
        query = replace(query, ids=tuple(each.id for each in archive))
        assert summary(await storage.messages.page(query)) == expected_page(archive, query), query


async def test_every_page_of_named_messages(storage: AnyStorage) -> None:
    owner, archive = await _archive(storage)
    names = [(archive[5].id, archive[1].id), tuple(message.id for message in archive), (archive[3].id,) * 2]
    ends = (None, archive[1].id, archive[5].id)
    for ids, peer, start, after, before, is_backward, limit in itertools.product(
        names, (None, BOB), (None, 30), ends, ends, (False, True), (0, 1, 2, 50)
    ):
        query = ArchiveQuery(owner, peer, start, None, after, before, ids, is_backward, limit)
        assert summary(await storage.messages.page(query)) == expected_page(archive, query), query


@pytest.mark.parametrize("ids", [False, True])
async def test_counting_ends_where_the_query_wants_it_to(storage: AnyStorage, ids: bool) -> None:
    owner, archive = await _archive(storage)
    named = tuple(message.id for message in archive) if ids else ()
    for counted, total, index in ((None, 7, 5), (7, 7, 5), (6, None, None)):
        page = await storage.messages.page(ArchiveQuery(owner, ids=named, is_backward=True, limit=2, counted=counted))
        assert [message.id for message in page.messages] == [archive[5].id, archive[6].id]
        assert (page.total, page.index, page.is_complete) == (total, index, False)
    bobs = ArchiveQuery(owner, peer=BOB, ids=named, limit=0, counted=4)
    assert summary(await storage.messages.page(bobs)) == ([], False, 4, 0)


async def test_walking_by_pages_sees_everything_once(storage: AnyStorage) -> None:
    owner, archive = await _archive(storage)
    seen: list[int] = []
    query = ArchiveQuery(owner, limit=2)
    while not (page := await storage.messages.page(query)).is_complete:
        seen += [found.seq for found in page.messages]
        query = ArchiveQuery(owner, limit=2, after_id=page.messages[-1].id)
    seen += [found.seq for found in page.messages]
    assert seen == [archived.seq for archived in archive]


@pytest.mark.parametrize("unknown", ["00000000-0000-7000-8000-000000000000", "not-an-id", ""])
async def test_unknown_ids(storage: AnyStorage, unknown: str) -> None:
    owner, archive = await _archive(storage)
    for query in (
        ArchiveQuery(owner, after_id=unknown),
        ArchiveQuery(owner, before_id=unknown),
        ArchiveQuery(owner, newer_than=unknown),
        ArchiveQuery(owner, older_than=unknown),
        ArchiveQuery(owner, ids=(archive[0].id, unknown)),
    ):
        with pytest.raises(NotFound) as refused:
            await storage.messages.page(query)
        assert refused.value.code == "item-not-found"


async def test_an_id_written_otherwise_is_unknown(storage: AnyStorage) -> None:
    owner, archive = await _archive(storage)
    plain = archive[0].id.replace("-", "")
    for unknown in (archive[0].id.upper(), f"{plain[:16]}----{plain[16:]}", f"{plain[:16]}    {plain[16:]}"):
        with pytest.raises(NotFound):
            await storage.messages.page(ArchiveQuery(owner, ids=(unknown,)))


async def test_an_id_of_somebody_elses_archive_is_unknown(storage: AnyStorage) -> None:
    owner, archive = await _archive(storage)
    other = (await storage.accounts.find(BOB)).id  # type: ignore[union-attr]
    assert other != owner
    with pytest.raises(NotFound):
        await storage.messages.page(ArchiveQuery(other, after_id=archive[0].id))
