"""`Outbox` on the domain's outgoing queue: bounded for each partner, emptied in the background."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Final

from parley.base import log as logs
from parley.domain.errors import StorageUnavailable
from parley.edges.xmpp.federation.ports import Pair, Put, Waiting
from parley.protocols.xmpp.errors import StanzaCondition, StanzaError

if TYPE_CHECKING:
    from parley.base.clock import Clock
    from parley.base.config.federation import FederationSettings
    from parley.base.supervise import Supervisor
    from parley.domain.partners.ports import OutgoingQueue, QueuedStanza

log = logs.get(__name__)

_PIECE: Final = 500
_RETRY_S: Final = 1.0
_SECOND: Final = 1_000_000


class QueueOutbox:
    """What waits for partners; see the port. `open` it before anything else.

    Args:
        queue: where everything is.
        clock: says how old things are.
        supervisor: for the work in the background.
        settings: those in force.
        is_time_believed: whether the wall clock is right, so that something may be given up for its age.
    """

    def __init__(
        self,
        queue: OutgoingQueue,
        clock: Clock,
        supervisor: Supervisor,
        settings: Callable[[], FederationSettings],
        is_time_believed: Callable[[], Awaitable[bool]],
    ) -> None:
        self._queue = queue
        self._clock = clock
        self._supervisor = supervisor
        self._settings = settings
        self._is_time_believed = is_time_believed
        self._counts: dict[str, int] = {}
        self._sizes: dict[str, int] = {}
        self._known: dict[int, tuple[str, int]] = {}
        """Partner and size of what was seen here: what is from an earlier run is seen when it is taken."""
        self._removed: set[int] = set()
        """What is to be removed and may be in the queue still."""
        self._is_removing = False
        self._reads = 0
        self._gone: set[int] = set()
        """What was removed while somebody read, who may have seen it there."""

    async def open(self) -> None:
        """Count what waits from earlier runs. Raises StorageUnavailable."""
        for total in await self._queue.totals():
            self._counts[total.remote] = self._counts.get(total.remote, 0) + total.count
            self._sizes[total.remote] = self._sizes.get(total.remote, 0) + total.size_bytes

    def waiting(self, remote: str) -> tuple[int, int]:
        """How many stanzas and how many bytes wait for a partner's domain."""
        return self._counts.get(remote, 0), self._sizes.get(remote, 0)

    def check(self, remote: str, size_bytes: int) -> None:
        """Raises StanzaError(resource-constraint) when a further stanza would be too much for that partner."""
        settings = self._settings()
        count, size = self.waiting(remote)
        if count >= settings.queue_max_stanzas or size + size_bytes > settings.queue_max_bytes:
            raise StanzaError(StanzaCondition.RESOURCE_CONSTRAINT, "too much waits for that server")

    def put(self, pair: Pair, stanza: bytes, done: Put) -> None:
        """Store a stanza; see the port."""
        self.check(pair.remote, len(stanza))
        self._count(pair.remote, 1, len(stanza))

        def stored(outcome: int | StorageUnavailable) -> None:
            if isinstance(outcome, StorageUnavailable):
                self._count(pair.remote, -1, -len(stanza))
            else:
                self._known[outcome] = (pair.remote, len(stanza))
            done(outcome)

        self._queue.put(pair.local, pair.remote, stanza, self._clock.now_us(), stored)

    def written(self, number: int, remote: str, size_bytes: int) -> None:
        """A message was queued with the log, under this number."""
        self._known[number] = (remote, size_bytes)
        self._count(remote, 1, size_bytes)

    async def take(self, pair: Pair, after: int, limit: int) -> Sequence[Waiting]:
        """What waits for the pair behind number `after`, in order; see the port."""
        while True:
            found, last = await self._read(self._queue.take(pair.local, pair.remote, after, limit))
            waiting = self._seen(found)
            if waiting or not last:
                return waiting
            after = last

    def remove(self, seqs: Sequence[int]) -> None:
        """They need not wait any longer; see the port."""
        for seq in seqs:
            known = self._known.pop(seq, None)
            if known is not None:
                self._count(known[0], -1, -known[1])
            self._removed.add(seq)
        if self._removed and not self._is_removing:
            self._is_removing = True
            self._supervisor.spawn("delivered to partners", self._remove())

    async def _remove(self) -> None:
        try:
            while self._removed:
                piece = sorted(self._removed)[:_PIECE]
                try:
                    await self._queue.remove(piece)
                except StorageUnavailable as error:
                    # A restart before it succeeds sends them again, which partners are used to.
                    log.error("what partners have cannot be removed", code=error.code)
                    await self._clock.sleep(_RETRY_S)
                else:
                    self._removed.difference_update(piece)
                    if self._reads:
                        self._gone.update(piece)
        finally:
            self._is_removing = False

    async def expired(self, limit: int) -> Sequence[Waiting]:
        """What has waited longer than its lifetime, unless the wall clock jumped; see the port."""
        if not await self._is_time_believed():
            return []
        before = self._clock.now_us() - self._settings().queue_lifetime_s * _SECOND
        found, _ = await self._read(self._queue.older(before, limit + len(self._removed)))
        return self._seen(found)[:limit]

    async def pairs(self) -> Sequence[Pair]:
        """For whom something waits."""
        return [Pair(total.local, total.remote) for total in await self._queue.totals()]

    async def _read(self, reading: Awaitable[list[QueuedStanza]]) -> tuple[list[QueuedStanza], int]:
        """What is there still of what was read, and the last number that was (0: nothing)."""
        self._reads += 1
        try:
            found = await reading
            return [each for each in found if each.id not in self._gone], found[-1].id if found else 0
        finally:
            self._reads -= 1
            if not self._reads:
                self._gone.clear()

    def _seen(self, found: Sequence[QueuedStanza]) -> list[Waiting]:
        waiting = [each for each in found if each.id not in self._removed]
        for each in waiting:
            self._known.setdefault(each.id, (each.remote, len(each.stanza)))
        return [Waiting(each.id, Pair(each.local, each.remote), each.stanza, each.put_at) for each in waiting]

    def _count(self, remote: str, count: int, size_bytes: int) -> None:
        self._counts[remote] = self._counts.get(remote, 0) + count
        self._sizes[remote] = self._sizes.get(remote, 0) + size_bytes
        if self._counts[remote] <= 0:
            del self._counts[remote], self._sizes[remote]
