"""What is on its way to partners: one link for each pair of domains, with its stream, its queue and its patience.

    idle ──stanza──▶ dialing ──stream──▶ up ──stream lost──▶ idle, or dialing when stanzas wait
                        └──failed──▶ resting (back-off) ──time is up and stanzas wait──▶ dialing

Stanzas that the outbox holds wait through all of that; the others go back to their senders when a try has failed.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from parley.base import log as logs
from parley.edges.xmpp.federation.connection import Parcel, ServerConnection
from parley.edges.xmpp.federation.errors import Unreachable
from parley.edges.xmpp.federation.ports import Pair
from parley.protocols.xmpp.errors import StanzaCondition, StanzaError

if TYPE_CHECKING:
    from parley.edges.xmpp.federation.federation import Federation
    from parley.edges.xmpp.federation.managing import Management

log = logs.get(__name__)

# A stanza that was the first on this many connections that broke is what breaks them.
_MOST_LOSSES: Final = 3

_PATIENCE_S: Final = 10.0
"""How long a partner's resumption of its stream is waited for before stanzas go out on one of ours."""


class Link:
    """The way from a domain of ours to a partner's."""

    def __init__(self, federation: Federation, pair: Pair, chance: Callable[[], float] = random.random) -> None:
        self._federation = federation
        self._chance = chance
        self.pair = pair
        self._queue: deque[Parcel] = deque()
        self._queued_bytes = 0
        self.connection: ServerConnection | None = None
        self._is_dialing = False
        self._failures = 0
        self._retry_at = 0.0
        self._problem: Unreachable | None = None
        """Why the last try failed, while the next one waits."""
        self._broken: Management | None = None
        """The stream that broke last and may be resumed."""
        self._broken_until = 0.0
        self.answers_pings = False
        """The partner has answered one that was to tell what arrived."""

    # Stanzas.

    def check(self, *, is_kept: bool) -> None:
        """Raises StanzaError when a further stanza cannot be taken; `is_kept`: the outbox has it."""
        limits = self._federation.host.settings.federation
        if len(self._queue) >= limits.max_waiting_stanzas or self._queued_bytes >= limits.max_waiting_bytes:
            raise StanzaError(StanzaCondition.RESOURCE_CONSTRAINT, "too much waits for that server")
        if self.is_resting and self._problem is not None and (self._problem.is_final or not is_kept):
            raise self._problem.told()

    def send(self, parcel: Parcel) -> None:
        """Send a stanza, now or when there is a stream."""
        self._queue.append(parcel)
        self._queued_bytes += len(parcel.stanza)
        self.flush()
        if self._queue and self.connection is None and not self.is_resting:
            self._dial()

    def flush(self) -> None:
        """Send what waits, as far as the connection takes it."""
        connection = self.connection
        while self._queue and connection is not None and connection.is_open and connection.has_room:
            if not self._queue[0].is_ready:
                return
            parcel = self._queue.popleft()
            self._queued_bytes -= len(parcel.stanza)
            connection.transmit(parcel)

    def forget(self, seqs: set[int]) -> None:
        """These are to be sent no more."""
        if self._broken is not None and self._broken.sm is not None:
            for parcel in self._broken.sm.unacked():
                parcel.is_given_up |= parcel.seq in seqs
        kept = [parcel for parcel in self._queue if parcel.seq not in seqs]
        self._queue = deque(kept)
        self._queued_bytes = sum(len(parcel.stanza) for parcel in kept)

    @property
    def waiting(self) -> int:
        """How many stanzas wait here."""
        return len(self._queue) + (0 if self._broken is None else self._broken.outstanding)

    # The stream.

    @property
    def is_resting(self) -> bool:
        """Whether the partner is left alone for a while."""
        return self.connection is None and self._federation.host.clock.monotonic() < self._retry_at

    @property
    def is_idle(self) -> bool:
        """Whether nothing is lost when the link is forgotten."""
        is_unused = not self._queue and self.connection is None and self._broken is None
        return is_unused and not self._is_dialing and not self.is_resting

    def use(self, connection: ServerConnection) -> None:
        """Send over this connection from now on, unless there is one."""
        if self._broken is not None:
            if connection.direction == "in" and not self._broken.is_ours:
                # The partner may be about to resume the stream on it.
                return
            self.give_up_stream()
        self._failures, self._retry_at, self._problem = 0, 0.0, None
        if self.connection is None and connection.link is None:
            self.connection = connection
            connection.link = self
        self.flush()

    def partner_is_there(self) -> None:
        """The partner has shown a sign of life: no reason to wait any longer."""
        if self._broken is not None and not self._broken.is_ours:
            return
        self._retry_at = 0.0
        if self._queue and self.connection is None:
            self._dial()

    def lost(self, connection: ServerConnection) -> None:
        """The connection is gone; nobody knows what became of the stanzas that were not acknowledged."""
        if self.connection is connection:
            self.connection = None
        stream = connection.managed
        unacked = [] if stream.sm is None else stream.sm.unacked()
        losses = 0
        if unacked:
            losses = unacked[0].losses = unacked[0].losses + 1
        if stream.id and not connection.is_ended_in_order and losses < _MOST_LOSSES:
            self._broke(stream, losses, is_used=bool(unacked or self._queue or connection.stream.remotes))
            return
        unacked = stream.end()
        if losses >= _MOST_LOSSES and unacked:
            self._bounce([unacked.pop(0)], Unreachable("stream-failed", "the stream broke at this stanza"))
        self._put_back(unacked)
        if self._queue and not self._federation.host.is_draining:
            # Not at once: it may break at the same stanza again.
            self._rest(Unreachable("stream-failed", "the stream broke"), is_short=not unacked)

    def _put_back(self, parcels: list[Parcel]) -> None:
        for parcel in reversed(parcels):
            self._queue.appendleft(parcel)
            self._queued_bytes += len(parcel.stanza)

    def tick(self) -> None:
        """Do what is due."""
        if self._broken is not None and self._federation.host.clock.monotonic() >= self._broken_until:
            self.give_up_stream()
        self.flush()
        is_resuming = self._broken is not None and self._broken.is_ours
        if (self._queue or is_resuming) and self.connection is None and not self.is_resting:
            self._dial()

    # A stream that broke.

    def _broke(self, stream: Management, losses: int, *, is_used: bool) -> None:
        now = self._federation.host.clock.monotonic()
        if not stream.is_ours:
            # It is for the partner to resume it. What is sent meanwhile goes behind what that brings.
            self._broken, self._broken_until = stream, min(stream.until, now + _PATIENCE_S)
            self._retry_at, self._problem = self._broken_until, None
        elif is_used and not self._federation.host.is_draining:
            self._broken, self._broken_until = stream, stream.until
            # At once, but for one that broke at the same stanza before.
            self._rest(Unreachable("stream-failed", "the stream broke"), is_short=losses < _MOST_LOSSES - 1)
        else:
            stream.end()

    def stream_to_resume(self) -> Management | None:
        """The stream that broke, where it is for us to resume it."""
        return self._broken if self._broken is not None and self._broken.is_ours else None

    def stream_goes_on(self) -> None:
        """The stream that broke was resumed."""
        self._broken = None

    def give_up_stream(self) -> None:
        """The stream that broke is not resumed: what was not acknowledged goes out again, before all else."""
        stream, self._broken = self._broken, None
        if stream is not None:
            self._put_back(stream.end())
            if not stream.is_ours:
                self._retry_at = 0.0

    def _dial(self) -> None:
        if not self._is_dialing:
            self._is_dialing = True
            self._federation.host.supervisor.spawn("call a partner", self._call())

    async def _call(self) -> None:
        try:
            connection = await self._federation.dialer.stream(self.pair)
        except Unreachable as problem:
            self._is_dialing = False
            self._failed(problem)
            return
        finally:
            self._is_dialing = False
        log.info(
            "connected to a partner",
            partner=self.pair.remote,
            domain=self.pair.local,
            by=connection.outcome.result(),
            pii={"peer": connection.peer},
        )
        if connection.is_open:
            # Where the partner was faster and its stream takes our stanzas too, this one stays for the partner's.
            self._federation.heard_from(self.pair, connection)
        self.tick()

    def _failed(self, problem: Unreachable) -> None:
        if self.connection is not None:
            return
        self._rest(problem)
        log.warning(
            "a partner cannot be reached",
            partner=self.pair.remote,
            domain=self.pair.local,
            code=problem.code,
            reason=problem.message,
            failures=self._failures,
            retry_in_s=round(self._retry_at - self._federation.host.clock.monotonic(), 1),
        )
        self._federation.host.metrics.refused(problem.code)
        if problem.is_final:
            self.give_up_stream()
        elif self._broken is not None and self._broken.sm is not None:
            for parcel in self._broken.sm.unacked():
                if not parcel.seq and not parcel.is_given_up:
                    parcel.is_given_up = True
                    self._bounce((parcel,), problem)
        parcels = list(self._queue)
        given_up: list[Parcel] = []
        self._queue.clear()
        for parcel in parcels:
            is_kept = not parcel.is_ready or (parcel.seq and not problem.is_final)
            (self._queue if is_kept else given_up).append(parcel)
        self._queued_bytes = sum(len(parcel.stanza) for parcel in self._queue)
        self._bounce(given_up, problem)

    def _rest(self, problem: Unreachable, *, is_short: bool = False) -> None:
        settings = self._federation.host.settings.federation
        self._problem = problem
        wait_s = min(settings.retry_max_s, settings.retry_min_s * 2 ** min(self._failures, 20))
        if is_short:
            wait_s = 0.0
        else:
            self._failures += 1
        self._retry_at = self._federation.host.clock.monotonic() + wait_s * (0.5 + self._chance() / 2)

    def _bounce(self, parcels: Iterable[Parcel], problem: Unreachable) -> None:
        for parcel in parcels:
            self._federation.give_back(parcel.stanza, parcel.seq, problem.told())


class Links:
    """All links, by pair."""

    def __init__(self, federation: Federation) -> None:
        self._federation = federation
        self._links: dict[Pair, Link] = {}

    def get(self, pair: Pair) -> Link:
        """The link of a pair, made when there is none; raises StanzaError when there are too many."""
        link = self._links.get(pair)
        if link is None:
            if len(self._links) >= self._federation.host.settings.federation.max_links:
                self._sweep()
            if len(self._links) >= self._federation.host.settings.federation.max_links:
                raise StanzaError(StanzaCondition.RESOURCE_CONSTRAINT, "too many servers are being written to")
            link = self._links[pair] = Link(self._federation, pair)
        return link

    def find(self, pair: Pair) -> Link | None:
        """The link of a pair if there is one."""
        return self._links.get(pair)

    def of(self, remote: str) -> list[Link]:
        """The links to a partner's domain."""
        return [link for pair, link in self._links.items() if pair.remote == remote]

    def tick(self) -> None:
        """Do what is due."""
        for link in list(self._links.values()):
            link.tick()
        self._sweep()

    def _sweep(self) -> None:
        for pair, link in list(self._links.items()):
            if link.is_idle:
                del self._links[pair]

    @property
    def waiting(self) -> int:
        """How many stanzas wait, for all partners together."""
        return sum(link.waiting for link in self._links.values())
