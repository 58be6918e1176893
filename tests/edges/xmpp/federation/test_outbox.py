from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from parley.base.clock import VirtualClock
from parley.base.config.federation import FederationSettings
from parley.base.supervise import Supervisor
from parley.domain.errors import StorageUnavailable
from parley.domain.partners.ports import QueuedStanza
from parley.edges.xmpp.federation.outbox import QueueOutbox
from parley.edges.xmpp.federation.ports import Pair
from parley.protocols.xmpp.errors import StanzaCondition, StanzaError
from parley.storage.memory.partners import MemoryOutgoing
from parley.storage.memory.state import Tables

PAIR = Pair("example.org", "partner.example")


class Queue(MemoryOutgoing):
    """Says when it removes, and can fail and hold reads up."""

    def __init__(self) -> None:
        super().__init__(Tables())
        self.failures = 0
        self.gate: asyncio.Event | None = None

    async def remove(self, ids: Sequence[int]) -> None:
        if self.failures:
            self.failures -= 1
            raise StorageUnavailable("storage-full")
        await super().remove(ids)

    async def take(self, local: str, remote: str, after: int, limit: int) -> list[QueuedStanza]:
        found = await super().take(local, remote, after, limit)
        if self.gate is not None:
            await self.gate.wait()
        return found


class Bench:
    def __init__(self, supervisor: Supervisor, clock: VirtualClock) -> None:
        self.queue = Queue()
        self.clock = clock
        self.supervisor = supervisor
        self.settings = FederationSettings(queue_max_stanzas=5, queue_lifetime_s=100)
        self.is_time_believed = True
        self.outbox = self.opened()

    def opened(self) -> QueueOutbox:
        async def is_believed() -> bool:
            return self.is_time_believed

        return QueueOutbox(self.queue, self.clock, self.supervisor, lambda: self.settings, is_believed)

    async def put(self, stanza: bytes = b"<a/>", pair: Pair = PAIR) -> int:
        future: asyncio.Future[int | StorageUnavailable] = asyncio.get_running_loop().create_future()
        self.outbox.put(pair, stanza, future.set_result)
        number = await future
        assert isinstance(number, int)
        return number

    async def stanzas(self, after: int = 0) -> list[bytes]:
        return [each.stanza for each in await self.outbox.take(PAIR, after, 10)]

    async def settled(self) -> None:
        while self.supervisor.running and not self.clock.sleepers:
            await asyncio.sleep(0)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    clock = VirtualClock()
    async with Supervisor(clock) as supervisor:
        yield Bench(supervisor, clock)


async def test_what_is_put_waits_until_it_is_removed(bench: Bench) -> None:
    numbers = [await bench.put(b"<a/>"), await bench.put(b"<b/>")]
    await bench.put(b"<c/>", Pair("example.org", "other.example"))
    assert await bench.stanzas() == [b"<a/>", b"<b/>"]
    assert bench.outbox.waiting(PAIR.remote) == (2, 8)
    bench.outbox.remove(numbers[:1])
    assert await bench.stanzas() == [b"<b/>"]
    assert bench.outbox.waiting(PAIR.remote) == (1, 4)
    await bench.settled()
    assert [each.id for each in await bench.queue.take("example.org", PAIR.remote, 0, 9)] == numbers[1:]
    assert set(await bench.outbox.pairs()) == {PAIR, Pair("example.org", "other.example")}


async def test_a_partner_has_a_bound_and_the_others_have_their_own(bench: Bench) -> None:
    numbers = [await bench.put() for _ in range(5)]
    with pytest.raises(StanzaError) as caught:
        bench.outbox.put(PAIR, b"<a/>", lambda outcome: None)
    assert caught.value.condition is StanzaCondition.RESOURCE_CONSTRAINT
    with pytest.raises(StanzaError):
        bench.outbox.check(PAIR.remote, 1)
    await bench.put(b"<a/>", Pair("example.org", "other.example"))
    bench.outbox.remove(numbers[:1])
    await bench.put()


async def test_bytes_are_bounded_as_well(bench: Bench) -> None:
    bench.settings = FederationSettings(queue_max_bytes=1024 * 1024)
    await bench.put(b"x" * 1_000_000)
    with pytest.raises(StanzaError):
        bench.outbox.check(PAIR.remote, 50_000)
    bench.outbox.check(PAIR.remote, 40_000)


async def test_what_an_earlier_run_left_counts_and_is_found(bench: Bench) -> None:
    for _ in range(5):
        await bench.put()
    bench.outbox = bench.opened()
    await bench.outbox.open()
    assert bench.outbox.waiting(PAIR.remote) == (5, 20)
    with pytest.raises(StanzaError):
        bench.outbox.check(PAIR.remote, 1)
    waiting = await bench.outbox.take(PAIR, 0, 10)
    bench.outbox.remove([each.seq for each in waiting])
    assert bench.outbox.waiting(PAIR.remote) == (0, 0)
    await bench.settled()
    assert await bench.queue.totals() == []


async def test_messages_of_the_log_count(bench: Bench) -> None:
    number = bench.queue._tables.queue("example.org", PAIR.remote, 1, b"<m/>")
    bench.outbox.written(number, PAIR.remote, 4)
    assert bench.outbox.waiting(PAIR.remote) == (1, 4)
    bench.outbox.remove([number])
    assert bench.outbox.waiting(PAIR.remote) == (0, 0)


async def test_what_cannot_be_removed_now_is_removed_later_and_not_sent_again(bench: Bench) -> None:
    number = await bench.put()
    bench.queue.failures = 2
    bench.outbox.remove([number])
    for _ in range(2):
        await bench.settled()
        assert await bench.stanzas() == []
        bench.clock.advance(1)
    await bench.settled()
    assert await bench.queue.totals() == []


async def test_what_is_removed_while_it_is_read_is_not_handed_out(bench: Bench) -> None:
    numbers = [await bench.put(b"<a/>"), await bench.put(b"<b/>")]
    bench.queue.gate = asyncio.Event()
    reading = asyncio.ensure_future(bench.stanzas())
    await asyncio.sleep(0)
    bench.outbox.remove(numbers[:1])
    while await bench.queue.totals() and (await bench.queue.totals())[0].count > 1:
        await asyncio.sleep(0)
    bench.queue.gate.set()
    assert await reading == [b"<b/>"]


async def test_a_page_of_removed_stanzas_does_not_hide_what_is_behind_it(bench: Bench) -> None:
    numbers = [await bench.put(b"<%d/>" % number) for number in range(4)]
    bench.queue.failures = 99
    bench.outbox.remove(numbers[:3])
    await bench.settled()
    assert [each.stanza for each in await bench.outbox.take(PAIR, 0, 2)] == [b"<3/>"]


async def test_what_waited_for_its_lifetime_is_over_unless_the_clock_jumped(bench: Bench) -> None:
    await bench.put(b"<old/>")
    bench.clock.advance(60)
    await bench.put(b"<new/>")
    assert await bench.outbox.expired(10) == []
    bench.clock.advance(50)
    bench.is_time_believed = False
    assert await bench.outbox.expired(10) == []
    bench.is_time_believed = True
    over = await bench.outbox.expired(10)
    assert [each.stanza for each in over] == [b"<old/>"]
    bench.outbox.remove([each.seq for each in over])
    assert await bench.outbox.expired(10) == []
