from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from parley.domain.errors import StorageUnavailable
from parley.domain.messages import Outgoing
from parley.domain.partners.ports import QueuedStanza, QueueTotal
from parley.storage.sqlite.inbox import WriterLimits
from parley.storage.sqlite.store import StorageOptions

from ..people import ALICE, AnyStorage, append, between, entry, message, open_storage, two_people

OURS, THEIRS = "example.org", "partner.example"
WAY = Outgoing(OURS, THEIRS)


async def _put(storage: AnyStorage, stanza: bytes, now: int = 1, remote: str = THEIRS, local: str = OURS) -> int:
    future: asyncio.Future[int | StorageUnavailable] = asyncio.get_running_loop().create_future()
    storage.outgoing.put(local, remote, stanza, now, future.set_result)
    number = await future
    assert isinstance(number, int)
    return number


async def test_what_waits_is_taken_by_pair_in_order(storage: AnyStorage) -> None:
    numbers = [await _put(storage, b"<a/>", 5), await _put(storage, b"<b/>", 4), await _put(storage, b"<c/>", 6)]
    await _put(storage, b"<d/>", remote="other.example")
    await _put(storage, b"<e/>", local="conference.example.org")
    assert numbers == sorted(numbers)
    waiting = await storage.outgoing.take(OURS, THEIRS, 0, 10)
    assert waiting == [
        QueuedStanza(numbers[0], OURS, THEIRS, 5, b"<a/>"),
        QueuedStanza(numbers[1], OURS, THEIRS, 4, b"<b/>"),
        QueuedStanza(numbers[2], OURS, THEIRS, 6, b"<c/>"),
    ]
    assert await storage.outgoing.take(OURS, THEIRS, numbers[0], 1) == waiting[1:2]
    assert await storage.outgoing.take(OURS, "nobody.example", 0, 10) == []


async def test_what_is_removed_is_gone_and_its_number_is_not_used_again(storage: AnyStorage) -> None:
    numbers = [await _put(storage, b"<a/>"), await _put(storage, b"<b/>")]
    await storage.outgoing.remove([*numbers, 999])
    assert await storage.outgoing.take(OURS, THEIRS, 0, 10) == []
    assert await _put(storage, b"<c/>") > numbers[-1]


async def test_what_is_old_comes_by_age(storage: AnyStorage) -> None:
    for at in (30, 10, 20):
        await _put(storage, b"<a/>", at)
    assert [each.put_at for each in await storage.outgoing.older(30, 10)] == [10, 20]
    assert [each.put_at for each in await storage.outgoing.older(99, 1)] == [10]


async def test_totals_tell_how_much_waits(storage: AnyStorage) -> None:
    assert await storage.outgoing.totals() == []
    await _put(storage, b"<aa/>")
    await _put(storage, b"<b/>")
    await _put(storage, b"<c/>", remote="other.example")
    totals = sorted(await storage.outgoing.totals(), key=lambda each: each.remote)
    assert totals == [QueueTotal(OURS, "other.example", 1, 4), QueueTotal(OURS, THEIRS, 2, 9)]


async def test_answers_come_in_the_order_of_the_calls(storage: AnyStorage) -> None:
    heard: list[int | StorageUnavailable] = []
    for number in range(20):
        storage.outgoing.put(OURS, THEIRS, b"<a%d/>" % number, 1, heard.append)
    await _put(storage, b"<last/>")
    assert len(heard) == 20
    assert heard == sorted(heard)  # type: ignore[type-var]


async def test_a_message_for_a_partner_is_queued_with_the_log(storage: AnyStorage) -> None:
    alice, bob = await two_people(storage)
    abroad = replace(between(alice, bob, at=42, content=b"<message>1</message>"), outgoing=WAY)
    here = between(alice, bob)
    results = await append(storage, here, abroad, here_too := between(alice, bob))
    assert [result.outgoing > 0 for result in results] == [False, True, False]
    assert [result.id for result in results] == [here.id, abroad.id, here_too.id]
    waiting = await storage.outgoing.take(OURS, THEIRS, 0, 10)
    assert waiting == [QueuedStanza(results[1].outgoing, OURS, THEIRS, 42, b"<message>1</message>")]


async def test_a_message_that_no_mailbox_holds_waits_for_its_partner(storage: AnyStorage) -> None:
    (result,) = await append(storage, replace(message(content=b"<message/>"), outgoing=WAY))
    # The log may forget it: what waits is not the log's.
    assert await storage.messages.sweep_delivered(10) == 1
    assert [each.id for each in await storage.outgoing.take(OURS, THEIRS, 0, 10)] == [result.outgoing]


@pytest.mark.parametrize("is_same_turn", [True, False])
async def test_a_message_sent_again_is_queued_once(storage: AnyStorage, is_same_turn: bool) -> None:
    alice, _ = await two_people(storage)
    new = [
        replace(message(entry(alice, ALICE), dedup_key=key), outgoing=WAY) for key in (b"k" * 16, b"k" * 16, b"o" * 16)
    ]
    if is_same_turn:
        results = await append(storage, *new)
    else:
        results = [(await append(storage, each))[0] for each in new]
    assert [result.outgoing > 0 for result in results] == [True, False, True]
    waiting = await storage.outgoing.take(OURS, THEIRS, 0, 10)
    assert [each.id for each in waiting] == [results[0].outgoing, results[2].outgoing]


async def test_what_finds_the_writer_full_is_refused_in_order(tmp_path: Path) -> None:
    options = StorageOptions(writer=WriterLimits(queued_items=3))
    heard: list[int | StorageUnavailable] = []
    async with open_storage("sqlite", tmp_path, options) as storage:
        for _ in range(5):
            storage.outgoing.put(OURS, THEIRS, b"<a/>", 1, heard.append)
        assert heard == []
        while len(heard) < 5:
            await asyncio.sleep(0)
        assert [isinstance(each, int) for each in heard] == [True, True, True, False, False]
        assert len(await storage.outgoing.take(OURS, THEIRS, 0, 10)) == 3
    storage.outgoing.put(OURS, THEIRS, b"<a/>", 1, heard.append)
    await asyncio.sleep(0)
    assert isinstance(heard[-1], StorageUnavailable)
