from __future__ import annotations

from dataclasses import replace

import pytest

from parley.domain.errors import NotFound
from parley.domain.messages import Appended, ArchiveQuery, Confidentiality, Direction, StoredMessage

from ..people import (
    ALICE,
    BOB,
    CAROL,
    AnyStorage,
    answer,
    append,
    between,
    entry,
    message,
    two_people,
)


async def _ids(storage: AnyStorage, query: ArchiveQuery) -> list[str]:
    return [found.id for found in (await storage.messages.page(query)).messages]


async def test_a_message_is_seen_from_both_sides(storage: AnyStorage) -> None:
    alice, bob = await two_people(storage)
    new = between(alice, bob, at=42, content="<message>grüß dich\x00</message>".encode())
    (appended,) = await append(storage, new)
    expected = StoredMessage(
        seq=appended.seq,
        id=new.id,
        received_at=42,
        sender=ALICE,
        recipient=BOB,
        peer=BOB,
        direction=Direction.OUT,
        confidentiality=Confidentiality.SEALED,
        content=new.content,
    )
    assert (await storage.messages.page(ArchiveQuery(alice))).messages == (expected,)
    assert await storage.messages.pending(alice, 0, 10) == []
    theirs = replace(expected, peer=ALICE, direction=Direction.IN)
    assert await storage.messages.pending(bob, 0, 10) == [theirs]
    assert await storage.messages.bounds(bob) == (theirs, theirs)


async def test_answers_come_in_the_order_of_the_calls(storage: AnyStorage) -> None:
    alice, bob = await two_people(storage)
    heard: list[str] = []
    new = [between(alice, bob, at=number) for number in range(50)]
    for made in new:
        storage.messages.append(made, lambda result: heard.append(getattr(result, "id", "")))
    assert heard == []
    await answer(storage, between(alice, bob))
    assert heard == [made.id for made in new]
    assert await _ids(storage, ArchiveQuery(bob, limit=100)) == [
        *heard,
        (await _ids(storage, ArchiveQuery(bob, limit=100)))[-1],
    ]


async def test_the_order_is_the_logs_not_the_clocks(storage: AnyStorage) -> None:
    alice, bob = await two_people(storage)
    new = [between(alice, bob, at=at) for at in (300, 100, 200)]
    results = await append(storage, *new)
    assert [result.seq for result in results] == sorted(result.seq for result in results)
    assert await _ids(storage, ArchiveQuery(alice)) == [made.id for made in new]
    assert await _ids(storage, ArchiveQuery(alice, start=100, end=200)) == [new[1].id, new[2].id]


@pytest.mark.parametrize("is_same_turn", [True, False])
async def test_a_message_sent_again_is_kept_once(storage: AnyStorage, is_same_turn: bool) -> None:
    alice, bob = await two_people(storage)
    first = between(alice, bob, dedup_key=b"k" * 16)
    again = between(alice, bob, dedup_key=b"k" * 16)
    other = between(alice, bob, dedup_key=b"o" * 16)
    if is_same_turn:
        results = await append(storage, first, again, other)
    else:
        results = [(await append(storage, new))[0] for new in (first, again, other)]
    assert results[1] == Appended(results[0].seq, first.id, is_duplicate=True)
    assert [result.is_duplicate for result in results] == [False, True, False]
    assert await _ids(storage, ArchiveQuery(bob)) == [first.id, other.id]


async def test_an_entry_of_nobody_is_left_out(storage: AnyStorage) -> None:
    alice, bob = await two_people(storage)
    await storage.accounts.remove(bob)
    new = between(alice, bob)
    fine = message(entry(alice, CAROL))
    results = await append(storage, new, fine)
    assert [result.is_duplicate for result in results] == [False, False]
    assert await _ids(storage, ArchiveQuery(alice)) == [new.id, fine.id]
    assert await storage.messages.pending(bob, 0, 10) == []


async def test_a_malformed_id_is_refused_at_once(storage: AnyStorage) -> None:
    alice, bob = await two_people(storage)
    for bad in ("", "x" * 36, "0190163d-8694-739b-aea5-966c26f8ad9", "0190163d8694739baea5966c26f8ad91"):
        with pytest.raises(ValueError, match=r".+"):
            storage.messages.append(between(alice, bob, id=bad), lambda _: None)


async def test_pending_stands_behind_the_cursor(storage: AnyStorage) -> None:
    alice, bob = await two_people(storage)
    mailed = [between(alice, bob, at=number) for number in range(4)]
    unmailed = message(entry(bob, ALICE, is_mailed=False))
    outgoing = message(entry(bob, ALICE, Direction.OUT, is_mailed=True), sender=BOB, recipient=ALICE)
    seqs = [result.seq for result in await append(storage, *mailed, unmailed, outgoing)]

    async def waiting(after: int = 0, limit: int = 10) -> list[int]:
        return [found.seq for found in await storage.messages.pending(bob, after, limit)]

    assert await waiting() == seqs[:4]
    assert await waiting(limit=2) == seqs[:2]
    assert await waiting(after=seqs[1]) == seqs[2:4]
    storage.messages.delivered(bob, seqs[1])
    assert await waiting() == seqs[2:4]
    storage.messages.delivered(bob, seqs[0])
    assert await waiting() == seqs[2:4]
    await storage.flush()
    assert await waiting() == seqs[2:4]
    assert await waiting(after=seqs[0]) == seqs[2:4]
    storage.messages.delivered(bob, seqs[3])
    storage.messages.delivered(99, 7)
    await storage.flush()
    assert await waiting() == []
    assert await storage.messages.pending(99, 0, 10) == []


async def test_only_archived_messages_are_in_the_archive(storage: AnyStorage) -> None:
    alice, bob = await two_people(storage)
    hidden = message(entry(alice, BOB, Direction.OUT, is_archived=False), entry(bob, ALICE, is_archived=False))
    shown = between(alice, bob)
    await append(storage, hidden, shown)
    assert (await storage.messages.page(ArchiveQuery(bob))).total == 1
    bounds = await storage.messages.bounds(bob)
    assert bounds is not None
    assert bounds[0].id == bounds[1].id == shown.id
    assert [found.id for found in await storage.messages.pending(bob, 0, 10)] == [hidden.id, shown.id]
    for query in (ArchiveQuery(bob, after_id=hidden.id), ArchiveQuery(bob, ids=(shown.id, hidden.id))):
        with pytest.raises(NotFound):
            await storage.messages.page(query)
    assert await storage.messages.bounds(99) is None


async def test_sweeping_takes_what_is_delivered_and_not_archived(storage: AnyStorage) -> None:
    alice, bob = await two_people(storage)
    passing = [
        message(entry(bob, ALICE, is_archived=False), at=number, dedup_key=bytes([number]) * 16) for number in range(4)
    ]
    both = between(alice, bob)
    nobody = message(at=2)
    seqs = [result.seq for result in await append(storage, *passing, both, nobody)]
    storage.messages.delivered(bob, seqs[2])
    await storage.flush()
    assert await storage.messages.sweep_delivered(10, before=1) == 1
    assert await storage.messages.sweep_delivered(1) == 1
    assert await storage.messages.sweep_delivered(10) == 2
    assert await storage.messages.sweep_delivered(10) == 0
    assert [found.seq for found in await storage.messages.pending(bob, 0, 10)] == [seqs[3], seqs[4]]
    again, fresh = await append(
        storage, message(entry(bob, ALICE), dedup_key=passing[3].dedup_key), message(dedup_key=passing[0].dedup_key)
    )
    assert (again.is_duplicate, again.seq) == (True, seqs[3])
    assert not fresh.is_duplicate
    assert await _ids(storage, ArchiveQuery(alice)) == [both.id]


async def test_purging_by_age(storage: AnyStorage) -> None:
    alice, bob = await two_people(storage)
    new = [between(alice, bob, at=at) for at in (10, 30, 20, 40)]
    await append(storage, *new)
    assert await storage.messages.purge(alice, 30) == 2
    assert await _ids(storage, ArchiveQuery(alice)) == [new[1].id, new[3].id]
    assert len(await _ids(storage, ArchiveQuery(bob))) == 4
    assert await storage.messages.purge(None, 40) == 4
    assert await _ids(storage, ArchiveQuery(alice)) == [new[3].id]
    assert await _ids(storage, ArchiveQuery(bob)) == [new[3].id]
    assert await storage.messages.purge(99, 1000) == 0
    again = between(alice, bob, at=50)
    await append(storage, again)
    assert await _ids(storage, ArchiveQuery(bob, peer=ALICE)) == [new[3].id, again.id]


async def test_the_end_of_the_log_is_told_whoever_holds_it(storage: AnyStorage) -> None:
    assert await storage.messages.last_seq() == 0
    alice, bob = await two_people(storage)
    new = [between(alice, bob, at=number, content=b"%d" % number) for number in range(4)]
    appended = await append(storage, *new)
    assert await storage.messages.last_seq() == appended[-1].seq
    assert await storage.messages.sent_since(appended[1].seq, 10) == [(ALICE, b"2"), (ALICE, b"3")]
    assert await storage.messages.sent_since(0, 1) == [(ALICE, b"0")]
    assert await storage.messages.sent_since(appended[-1].seq, 10) == []


async def test_whom_an_account_wrote_to_is_known(storage: AnyStorage) -> None:
    alice, bob = await two_people(storage)
    await append(storage, between(alice, bob), message(entry(bob, CAROL)))
    assert await storage.messages.has_written(alice, BOB)
    assert not await storage.messages.has_written(bob, ALICE)
    assert not await storage.messages.has_written(bob, CAROL)
    assert not await storage.messages.has_written(alice, "nobody@example.org")
    assert not await storage.messages.has_written(99, BOB)
