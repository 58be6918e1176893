from __future__ import annotations

from dataclasses import replace

import pytest

from parley.domain.errors import Conflict, LimitReached, NotFound
from parley.domain.messages import Confidentiality, ConversationClass
from parley.domain.uploads import UploadState

from ..people import ALICE, BOB, CAROL, AnyStorage, append, between, two_people, upload


async def _known(storage: AnyStorage) -> Confidentiality | None:
    found = [await storage.conversations.confidentiality(*pair) for pair in ((ALICE, BOB), (BOB, ALICE))]
    assert found[0] is found[1]
    return found[0]


def _raising(confidentiality: Confidentiality) -> ConversationClass:
    return ConversationClass(ALICE, BOB, confidentiality)


async def test_the_class_of_a_conversation_comes_with_its_messages_and_is_never_lowered(storage: AnyStorage) -> None:
    alice, bob = await two_people(storage)
    assert await _known(storage) is None
    await append(storage, between(alice, bob))
    assert await _known(storage) is None
    highest = Confidentiality.MANAGED
    for word in (
        Confidentiality.MANAGED,
        Confidentiality.SEALED_ARCHIVE,
        Confidentiality.MANAGED,
        Confidentiality.SEALED,
        Confidentiality.SEALED_ARCHIVE,
    ):
        await append(storage, between(alice, bob, raises=_raising(word)))
        highest = max(highest, word, key=lambda each: each.rank)
        assert await _known(storage) is highest
    assert await storage.conversations.confidentiality(ALICE, CAROL) is None


async def test_in_one_turn_the_highest_class_wins(storage: AnyStorage) -> None:
    alice, bob = await two_people(storage)
    words = (Confidentiality.SEALED, Confidentiality.MANAGED)
    await append(storage, *(between(alice, bob, raises=_raising(word)) for word in words))
    assert await _known(storage) is Confidentiality.SEALED


async def test_a_message_that_is_not_new_raises_nothing(storage: AnyStorage) -> None:
    alice, bob = await two_people(storage)
    first = between(alice, bob, dedup_key=b"k" * 16, raises=_raising(Confidentiality.MANAGED))
    await append(storage, first)
    again = between(alice, bob, dedup_key=b"k" * 16, raises=_raising(Confidentiality.SEALED))
    # Beside one that is new.
    await append(storage, again, between(alice, bob))
    assert await _known(storage) is Confidentiality.MANAGED


async def test_an_upload_from_slot_to_blob(storage: AnyStorage) -> None:
    alice, _ = await two_people(storage)
    slot = upload("u1", alice, size_bytes=10, expires_at=100)
    await storage.uploads.add(slot, 1000, 9)
    assert await storage.uploads.find("u1") == slot
    await storage.uploads.advance("u1", 4, 200)
    assert await storage.uploads.find("u1") == replace(slot, offset_bytes=4, expires_at=200)
    assert await storage.uploads.references(b"d" * 32) == 0
    await storage.uploads.complete("u1", b"d" * 32, 900)
    with pytest.raises(NotFound):
        await storage.uploads.advance("u1", 0, 1000)
    done = replace(slot, offset_bytes=10, state=UploadState.COMPLETE, digest=b"d" * 32, expires_at=900)
    assert await storage.uploads.find("u1") == done
    assert await storage.uploads.references(b"d" * 32) == 1
    assert (await storage.uploads.count(UploadState.OPEN), await storage.uploads.count(UploadState.COMPLETE)) == (0, 1)
    await storage.uploads.remove("u1")
    await storage.uploads.remove("u1")
    assert await storage.uploads.find("u1") is None
    assert await storage.uploads.references(b"d" * 32) == 0


async def test_the_quota_counts_open_slots(storage: AnyStorage) -> None:
    alice, bob = await two_people(storage)
    await storage.uploads.add(upload("u1", alice, size_bytes=60), 100, 9)
    with pytest.raises(LimitReached) as refused:
        await storage.uploads.add(upload("u2", alice, size_bytes=41), 100, 9)
    assert refused.value.code == "quota-exceeded"
    await storage.uploads.add(upload("u3", alice, size_bytes=40), 100, 9)
    await storage.uploads.add(upload("u4", bob, size_bytes=100), 100, 9)
    assert await storage.uploads.used_bytes(alice) == 100
    assert await storage.uploads.find("u2") is None
    with pytest.raises(Conflict) as doubled:
        await storage.uploads.add(upload("u1", bob, size_bytes=0), 1000, 9)
    assert doubled.value.code == "upload-exists"


async def test_open_slots_are_bounded(storage: AnyStorage) -> None:
    alice, bob = await two_people(storage)
    await storage.uploads.add(upload("u1", alice), 1000, 2)
    await storage.uploads.add(upload("u2", alice), 1000, 2)
    with pytest.raises(LimitReached) as refused:
        await storage.uploads.add(upload("u3", alice), 1000, 2)
    assert refused.value.code == "too-many-uploads"
    await storage.uploads.add(upload("u4", bob), 1000, 2)
    await storage.uploads.complete("u1", b"d" * 32, 900)
    await storage.uploads.add(upload("u3", alice), 1000, 2)


async def test_what_is_over_comes_oldest_first(storage: AnyStorage) -> None:
    alice, _ = await two_people(storage)
    for name, expires_at in (("late", 300), ("b", 100), ("a", 100), ("early", 50)):
        await storage.uploads.add(upload(name, alice, expires_at=expires_at), 1000, 9)
    await storage.uploads.complete("early", b"d" * 32, 60)
    assert [found.id for found in await storage.uploads.expired(100, 10)] == ["early", "a", "b"]
    assert [found.id for found in await storage.uploads.expired(99, 10)] == ["early"]
    assert [found.id for found in await storage.uploads.expired(1000, 2)] == ["early", "a"]


async def test_unknown_slots(storage: AnyStorage) -> None:
    assert await storage.uploads.find("none") is None
    for change in (storage.uploads.advance("none", 1, 1), storage.uploads.complete("none", b"d" * 32, 1)):
        with pytest.raises(NotFound) as refused:
            await change
        assert refused.value.code == "upload-not-found"
