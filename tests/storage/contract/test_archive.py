"""Preferences, conversations with what is unread, retractions, and words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from parley.domain.archive.inbox import InboxPage, InboxQuery
from parley.domain.archive.preferences import Keep, Preferences
from parley.domain.errors import NotFound
from parley.domain.messages import (
    LOOKED_BACK,
    ArchiveQuery,
    Direction,
    Displayed,
    NewMessage,
    Retraction,
)

from ..people import ALICE, BOB, CAROL, AnyStorage, append, entry, message, two_people

DAVE = "dave@example.org"


def from_(peer: str, owner: int, name: str = "", *, has_content: bool = True, origin: str = "") -> NewMessage:
    """A message of a peer in the owner's archive."""
    made = message(entry(owner, peer), sender=peer, recipient=ALICE)
    return replace(made, client_id=name, has_content=has_content, origin_id=origin)


def to(peer: str, owner: int, *, displays: str = "", has_content: bool = True) -> NewMessage:
    """A message of the owner to a peer."""
    made = message(entry(owner, peer, Direction.OUT), sender=ALICE, recipient=peer)
    seen = Displayed(owner, peer, displays) if displays else None
    return replace(made, displays=seen, has_content=has_content)


def told(page: InboxPage) -> list[tuple[str, int]]:
    return [(entry.peer, entry.unread) for entry in page.entries]


async def inbox(storage: AnyStorage, owner: int, **others: object) -> list[tuple[str, int]]:
    return told(await storage.inbox.inbox(InboxQuery(owner, ALICE, **others)))  # type: ignore[arg-type]


async def test_preferences_are_kept_and_go_with_their_account(storage: AnyStorage) -> None:
    alice, bob = await two_people(storage)
    assert await storage.preferences.get(alice) is None
    first = Preferences(Keep.ROSTER, (BOB, f"{CAROL}/desk"), (DAVE,))
    for chosen in (first, Preferences(Keep.NEVER)):
        await storage.preferences.put(alice, chosen)
        assert await storage.preferences.get(alice) == chosen
    assert await storage.preferences.get(bob) is None
    await storage.accounts.remove(alice)
    assert await storage.preferences.get(alice) is None
    with pytest.raises(NotFound):
        await storage.preferences.put(alice, first)


async def test_conversations_come_with_the_latest_first(storage: AnyStorage) -> None:
    alice, bob = await two_people(storage)
    await append(
        storage,
        from_(BOB, alice, "b1"),
        from_(CAROL, alice, "c1"),
        from_(BOB, alice, has_content=False),
        from_(DAVE, alice, has_content=False),
        message(entry(alice, DAVE, is_archived=False)),
        message(entry(bob, DAVE)),
    )
    page = await storage.inbox.inbox(InboxQuery(alice, ALICE))
    assert told(page) == [(CAROL, 1), (BOB, 1)]
    assert [entry.latest.sender for entry in page.entries] == [CAROL, BOB]
    whole = (await storage.messages.page(ArchiveQuery(alice))).messages
    assert [entry.last_id for entry in page.entries] == [whole[1].id, whole[2].id]
    assert (page.conversations, page.listed, page.unread, page.unread_messages) == (2, 2, 2, 2)
    assert (page.index, page.is_complete) == (0, True)
    assert await inbox(storage, bob) == [(DAVE, 1)]
    assert await inbox(storage, 99) == []


async def test_what_was_displayed_is_read(storage: AnyStorage) -> None:
    alice, bob = await two_people(storage)
    await append(storage, *(from_(BOB, alice, f"b{n}", origin=f"o{n}") for n in range(5)), from_(CAROL, alice, "b4"))
    steps = [
        ("b1", 3),
        ("b0", 3),
        ("unknown", 3),
        ("o2", 2),
        ("b4", 0),
    ]
    for target, unread in steps:
        await append(storage, to(BOB, alice, displays=target, has_content=False))
        assert await inbox(storage, alice) == [(CAROL, 1), (BOB, unread)], target
    # A message that comes later is unread; what somebody else has seen is theirs.
    await append(storage, from_(BOB, alice, "b5"), message(entry(bob, CAROL), sender=CAROL))
    assert await inbox(storage, alice) == [(BOB, 1), (CAROL, 1)]
    assert await inbox(storage, bob) == [(CAROL, 1)]


async def test_of_two_messages_with_one_name_the_later_is_meant(storage: AnyStorage) -> None:
    alice, _ = await two_people(storage)
    await append(storage, from_(BOB, alice, "same"), from_(BOB, alice, "other"), from_(BOB, alice, "same"))
    await append(storage, to(BOB, alice, displays="same", has_content=False))
    assert await inbox(storage, alice) == [(BOB, 0)]


async def test_a_message_in_one_commit_with_its_marker(storage: AnyStorage) -> None:
    alice, _ = await two_people(storage)
    await append(storage, from_(BOB, alice, "b1"), to(BOB, alice, displays="b1", has_content=False))
    assert await inbox(storage, alice) == [(BOB, 0)]


async def test_who_wrote_later_has_read(storage: AnyStorage) -> None:
    alice, _ = await two_people(storage)
    await append(storage, from_(BOB, alice), to(BOB, alice, has_content=False))
    assert await inbox(storage, alice) == [(BOB, 1)]
    await append(storage, to(BOB, alice), from_(BOB, alice))
    assert await inbox(storage, alice) == [(BOB, 1)]
    assert await inbox(storage, alice, is_unread_only=True) == [(BOB, 1)]
    await append(storage, to(BOB, alice))
    assert await inbox(storage, alice) == [(BOB, 0)]
    assert await inbox(storage, alice, is_unread_only=True) == []


async def test_notes_to_oneself_are_never_unread(storage: AnyStorage) -> None:
    alice, _ = await two_people(storage)
    await append(storage, message(entry(alice, ALICE), sender=ALICE, recipient=ALICE))
    assert await inbox(storage, alice) == [(ALICE, 0)]


async def test_what_devices_tell_counts_where_it_is_known(storage: AnyStorage) -> None:
    alice, _ = await two_people(storage)
    messages = [from_(BOB, alice, f"b{n}") for n in range(3)]
    await append(storage, *messages)
    for told_id, unread in ((messages[0].id, 2), (messages[2].id, 0), ("nonsense", 3), (messages[0].id[:-1] + "z", 3)):
        assert await inbox(storage, alice, displayed={BOB: told_id}) == [(BOB, unread)]
    await append(storage, to(BOB, alice, displays="b1", has_content=False))
    assert await inbox(storage, alice, displayed={BOB: messages[0].id}) == [(BOB, 1)]


async def test_pages_of_conversations(storage: AnyStorage) -> None:
    alice, _ = await two_people(storage)
    peers = [f"p{number}@example.org" for number in range(7)]
    messages = [from_(peer, alice) for peer in peers]
    await append(storage, *messages)
    wanted = list(reversed(peers))
    for limit in range(1, 9):
        for is_backward in (False, True):
            seen: list[str] = []
            query = InboxQuery(alice, ALICE, limit=limit, is_backward=is_backward)
            while True:
                page = await storage.inbox.inbox(query)
                found = [entry.peer for entry in page.entries]
                assert found == wanted[page.index : page.index + len(found)]
                seen = found + seen if is_backward else seen + found
                if page.is_complete:
                    break
                edge = page.entries[0 if is_backward else -1].latest.id
                query = replace(query, **{"before_id" if is_backward else "after_id": edge})
            assert seen == wanted
    by_number = await storage.inbox.inbox(InboxQuery(alice, ALICE, index=5, limit=10))
    assert ([entry.peer for entry in by_number.entries], by_number.index) == (wanted[5:], 5)
    nothing = await storage.inbox.inbox(InboxQuery(alice, ALICE, index=50))
    assert (nothing.entries, nothing.listed, nothing.is_complete) == ((), 7, True)
    counted = await storage.inbox.inbox(InboxQuery(alice, ALICE, limit=0))
    assert (counted.entries, counted.conversations, counted.unread_messages) == ((), 7, 7)
    for unknown in ("nonsense", messages[0].id[:-1] + "z"):
        with pytest.raises(NotFound):
            await storage.inbox.inbox(InboxQuery(alice, ALICE, after_id=unknown))


async def test_a_retracted_message_becomes_its_tombstone_for_both(storage: AnyStorage) -> None:
    alice, bob = await two_people(storage)

    def said(name: str, content: bytes, retracts: Retraction | None = None) -> NewMessage:
        both = (entry(alice, BOB, Direction.OUT), entry(bob, ALICE))
        return replace(message(*both, content=content), client_id=name, retracts=retracts)

    stone = Retraction("m1", lambda content: b"stone of " + content)
    await append(storage, said("m1", b"one"), said("m2", b"two"), said("m1", b"three"))
    # One of the same name by the other side is not theirs to take back.
    answer = message(entry(alice, BOB), entry(bob, ALICE, Direction.OUT), content=b"four", sender=BOB, recipient=ALICE)
    await append(storage, replace(answer, client_id="m1"))
    await append(storage, said("m3", b"five", stone), said("m4", b"six", Retraction("m9", stone.tombstone)))
    expected = [b"one", b"two", b"stone of three", b"four", b"five", b"six"]
    for owner in (alice, bob):
        page = await storage.messages.page(ArchiveQuery(owner))
        assert [found.content for found in page.messages] == expected


async def test_targets_are_looked_for_among_the_latest(storage: AnyStorage) -> None:
    alice, _ = await two_people(storage)
    await append(storage, from_(BOB, alice, "old"), *(from_(BOB, alice, f"b{n}") for n in range(LOOKED_BACK)))
    await append(storage, to(BOB, alice, displays="old", has_content=False))
    assert await inbox(storage, alice) == [(BOB, LOOKED_BACK + 1)]
    await append(storage, to(BOB, alice, displays="b0", has_content=False))
    assert await inbox(storage, alice) == [(BOB, LOOKED_BACK - 1)]


async def test_what_waits_says_whether_it_is_archived(storage: AnyStorage) -> None:
    alice, _ = await two_people(storage)
    await append(storage, message(entry(alice, BOB)), message(entry(alice, BOB, is_archived=False)))
    assert [waiting.is_archived for waiting in await storage.messages.pending(alice, 0, 10)] == [True, False]
