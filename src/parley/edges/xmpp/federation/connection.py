"""One connection to or from another server: a wire, a stream, stream management, and what came in on it."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from parley.base import log as logs
from parley.base.throttle import TokenBucket
from parley.edges.xmpp.federation.managing import Management
from parley.edges.xmpp.federation.partner import Partner
from parley.edges.xmpp.transcripts import Transcripts
from parley.protocols.xmpp import s2s
from parley.protocols.xmpp.element import xml
from parley.protocols.xmpp.errors import PayloadError, StreamCondition, StreamError
from parley.protocols.xmpp.namespaces import NS_PING, NS_SM
from parley.protocols.xmpp.s2s import ServerStream, ServerStreamState

if TYPE_CHECKING:
    from parley.base.net.wire import ServerWire, Wire
    from parley.edges.xmpp.federation.federation import Federation
    from parley.edges.xmpp.federation.links import Link
    from parley.edges.xmpp.federation.ports import Pair
    from parley.protocols.xmpp.element import Element

log = logs.get(__name__)

_KINDS: Final = {ord("m"): "message", ord("p"): "presence", ord("i"): "iq"}

_PIECE_BYTES: Final = 8192
"""Looked at in one turn of the loop, of what one read has brought."""
_CUT_AFTER_S: Final = 0.05


@dataclass(slots=True)
class Parcel:
    """A stanza on its way to a partner; `seq` is its number in the outbox, 0 for what is not there."""

    stanza: bytes
    seq: int = 0
    losses: int = 0
    """How many connections were lost while it was the first that was not acknowledged."""
    is_ready: bool = True
    """It may leave: what is to be stored first waits for that, and what stands behind it with it."""
    is_given_up: bool = False
    """Its sender was told that it did not arrive."""


class ServerConnection(ABC):
    """A `Receiver` of one wire, whichever end opened it."""

    stream: ServerStream
    direction: str
    """`in` or `out`: who opened it."""

    def __init__(self, federation: Federation) -> None:
        self.federation = federation
        self.host = federation.host
        self.wire: ServerWire | None = None
        self.link: Link | None = None
        """Whose stanzas go out here."""
        self.managed = Management(self, self.ready)
        self._pauses: set[str] = set()
        self._slow_until: dict[str, float] = {}
        self._held = bytearray()
        """What was read and not looked at yet."""
        self._is_piece_due = False
        self._cut_for: tuple[StreamCondition, str] | None = None
        """Why the connection ends, once what came in is handled."""
        limits = self.host.settings.federation
        self._bucket = TokenBucket(limits.bytes_per_s, limits.burst_bytes, self.host.clock.monotonic)
        now = self.host.clock.monotonic()
        self.opened_at = self.heard_at = self.used_at = now
        self.asked_at: float | None = None
        self.is_lost = False
        self.is_ended_in_order = False
        """It ended as streams do, and not by a wire that broke."""
        self._partner = Partner(self)

    # What the two ends differ in.

    @abstractmethod
    def began(self, wire: ServerWire) -> ServerStream:
        """The connection is up: the stream to use on it."""

    @abstractmethod
    def negotiate(self, event: s2s.Event) -> None:
        """Handle an event of the negotiation."""

    @abstractmethod
    def ended(self, event: s2s.ServerStreamEnded | None) -> None:
        """The stream is over; None when the wire broke."""

    @property
    @abstractmethod
    def remote(self) -> str:
        """The partner's domain, as far as it is known."""

    @property
    @abstractmethod
    def between(self) -> Pair:
        """The domains that the stream was opened for."""

    @abstractmethod
    def ready(self) -> None:
        """As the end that opened the stream: stanzas may go out, what was asked for before was answered."""

    # Receiver

    def connected(self, wire: Wire) -> None:
        """See `Receiver.connected`."""
        # The drivers of TCP are wires of servers, and no other carries streams between them.
        self.wire = cast("ServerWire", wire)
        self.host.metrics.server_connected(self.direction)
        self.stream = self.began(self.wire)
        self.flush()

    def received(self, data: bytes) -> None:
        """See `Receiver.received`."""
        self.heard_at = self.host.clock.monotonic()
        self.asked_at = None
        wait_s = self._bucket.take(len(data))
        if wait_s > 0:
            self.slow_down("rate", wait_s)
        if self._held or (self.is_open and len(data) > _PIECE_BYTES):
            self._held += data
            self.pause("pieces")
            self._piece_due()
        else:
            self._feed(data)

    def _piece_due(self) -> None:
        if not self._is_piece_due:
            self._is_piece_due = True
            asyncio.get_running_loop().call_soon(self._next_piece)

    def _next_piece(self) -> None:
        """Look at a little of what was read, so that others get their turn and a partner that is to wait waits."""
        self._is_piece_due = False
        if self.is_lost:
            self._held.clear()
        elif self._pauses == {"pieces"}:
            piece = bytes(self._held[:_PIECE_BYTES])
            del self._held[:_PIECE_BYTES]
            self._feed(piece)
            if self._held:
                self._piece_due()
            else:
                self.unpause("pieces")

    def _feed(self, data: bytes) -> None:
        try:
            self.handle(self.stream.receive(data))
        except StreamError as error:
            self.fail(error.condition, error.text, error.application)
        except Exception as error:
            # Broad, since this is where a peer's bytes enter and all that may refuse them was caught: what is left is a
            # defect of ours, of whatever kind. It ends the stream that met it, and its peer is told; left to the event
            # loop it would close the connection without a word, which the peer answers by sending the same again.
            log.defect("server stream failed", error, partner=self.remote)
            self.fail(StreamCondition.INTERNAL_SERVER_ERROR)

    def disconnected(self) -> None:
        """See `Receiver.disconnected`."""
        self.wire = None
        if self._held and not self.managed.is_counting and not self.is_lost:
            # Nobody sends it again.
            held = bytes(self._held)
            self._held.clear()
            self._feed(held)
        self.host.metrics.server_disconnected(self.direction)
        self._over(None)

    @property
    def peer(self) -> str:
        """The partner's network address."""
        return self.wire.peer if self.wire is not None else ""

    @property
    def is_open(self) -> bool:
        """Whether stanzas can go out."""
        if self.wire is None or self.is_lost or self.managed.resuming is not None:
            return False
        return self.stream.state is ServerStreamState.ESTABLISHED

    @property
    def carries_ours(self) -> bool:
        """Whether stanzas of ours may go out here, once both know each other (XEP-0288)."""
        return self.direction == "out" or getattr(self.stream, "is_bidi", False)

    # Events.

    def handle(self, events: Iterable[s2s.Event]) -> None:
        """Do what events of the stream ask for, then send what is to be sent."""
        for event in events:
            if isinstance(event, s2s.StanzaArrived):
                self._trace("received", event.element.raw)
                self.used_at = self.heard_at
                self._partner.receive(event, self.managed.received())
            elif isinstance(event, s2s.NonzaArrived):
                self._nonza(event.element)
            elif isinstance(event, s2s.ServerStreamEnded):
                self._over(event)
            else:
                self.negotiate(event)
        self.flush()

    def _over(self, event: s2s.ServerStreamEnded | None) -> None:
        if not self.is_lost:
            self.is_lost = True
            if event is not None and event.condition is not None:
                log.info(
                    "server stream ended",
                    partner=self.remote,
                    direction=self.direction,
                    condition=event.condition.value,
                    by="partner" if event.is_remote else "here",
                    text=event.text,
                    pii={"peer": self.peer},
                )
            self.ended(event)
            self.is_ended_in_order = event is not None
            self.managed.over(self.host.clock.monotonic())
            link, self.link = self.link, None
            if link is not None:
                link.lost(self)
            elif event is not None:
                self.managed.end()
            self.federation.forget(self)
        self.flush()
        if self.wire is not None and event is not None:
            self.wire.close()

    def give_way(self) -> None:
        """The partner goes on on another connection: this one, which may seem to be there still, is not."""
        if not self.is_lost:
            self._over(None)
            self.stream.fail(StreamCondition.CONFLICT, "the stream goes on elsewhere")
            self.flush()
            self.abort_soon()

    def _nonza(self, element: Element) -> None:
        if element.namespace != NS_SM:
            raise StreamError(StreamCondition.UNSUPPORTED_STANZA_TYPE, element.name)
        self.managed.take(element)

    def handled(self, token: int) -> None:
        """A stanza that came in here needs nothing more."""
        self.managed.handled(token)

    # Towards the partner.

    @property
    def has_room(self) -> bool:
        """Whether one more stanza may go out now."""
        if self.wire is None or not self.managed.has_room:
            return False
        return self.wire.unsent_bytes < self.host.settings.limits.max_unsent_bytes

    def transmit(self, parcel: Parcel) -> None:
        """Send a stanza; `is_open` and `has_room` hold."""
        self.used_at = self.host.clock.monotonic()
        self.host.metrics.server_stanza("out", _KINDS[parcel.stanza[1]])
        self.managed.sent(parcel, self.used_at)
        self.send(parcel.stanza)
        self.managed.after_sending()

    def send(self, data: bytes) -> None:
        """Queue a first-level element."""
        try:
            self.stream.send(data)
        except PayloadError as error:
            log.error("a stanza cannot be sent to another server", partner=self.remote, reason=str(error))
        self.flush()

    def flush(self) -> None:
        """Give the wire what the stream wants sent."""
        items = self.stream.output()
        if items and self.wire is not None:
            for item in items:
                self._trace("sent", item)
            self.wire.send(items)

    def fail(self, condition: StreamCondition, text: str = "", application: bytes = b"") -> None:
        """End the stream with an error."""
        self.managed.acknowledge()
        self.handle(self.stream.fail(condition, text, application))

    def cut(self, condition: StreamCondition, text: str) -> None:
        """End the stream with an error and the connection with it, without waiting for the partner to take part.

        What came in is handled and acknowledged first, so that it does not come again; when called again, at once.
        """
        self.pause("cut")
        if self._partner.is_working and self._cut_for is None:
            self._cut_for = (condition, text)
            return
        self._cut_for = (condition, text)
        self.fail(condition, text)
        self.abort_soon()

    def abort_soon(self) -> None:
        """Cut the connection when what was said last is on its way."""
        # TLS reads on until the other end has said goodbye too: from who floods, that would be as much again.
        asyncio.get_running_loop().call_later(_CUT_AFTER_S, self.abort)

    def settled(self) -> None:
        """Something that came in was handled."""
        if self._cut_for is not None and not self._partner.is_working and not self.is_lost:
            self.cut(*self._cut_for)

    def close(self) -> None:
        """End the stream without an error."""
        self.managed.acknowledge()
        self.stream.close()
        self._over(s2s.ServerStreamEnded(is_clean=True))

    def abort(self) -> None:
        """Cut the connection."""
        if self.wire is not None:
            self.wire.abort()

    # Time.

    def tick(self, now: float) -> None:
        """Do what is due at `now`, monotonic seconds."""
        limits = self.host.settings.federation
        if self.wire is None:
            return
        if not self.is_open:
            if now - self.opened_at > limits.negotiate_timeout_s:
                self.fail(StreamCondition.CONNECTION_TIMEOUT, "nobody proved who they are in time")
        elif self._is_silent(now, limits.ping_timeout_s):
            log.info("partner is silent", partner=self.remote, direction=self.direction, pii={"peer": self.peer})
            self.abort()
        elif limits.idle_close_s and now - self.used_at > limits.idle_close_s and not self.is_working:
            self.close()
        else:
            self.managed.believe(now, limits.ping_timeout_s)
            if self.managed.owed_since is not None:
                self.managed.request()
            if now - (self.asked_at or self.heard_at) > limits.idle_before_ping_s:
                self.asked_at = now
                self._ping()

    def _is_silent(self, now: float, timeout_s: float) -> bool:
        owed_since = self.managed.owed_since
        if not self.managed.must_answer:
            return False
        if owed_since is not None and now - owed_since > timeout_s:
            return True
        return self.asked_at is not None and now - self.asked_at > timeout_s

    def _ping(self) -> None:
        if self.managed.sm is not None:
            self.managed.request()
        elif self.link is not None:
            # XEP-0199 §4.3; the answer may come on another stream. What matters is that the network says if nobody is
            # there any more.
            pair = self.link.pair
            attrs = {"type": "get", "id": self.host.new_id(), "from": pair.local, "to": pair.remote}
            self.send(xml("iq", attrs, xml("ping", {"xmlns": NS_PING})))

    @property
    def is_working(self) -> bool:
        """Whether anything is not done yet that came in, or not acknowledged that went out."""
        return self._partner.is_working or self.managed.outstanding > 0

    # Pace.

    def pause(self, reason: str) -> None:
        """Read nothing more until `unpause` was called for every reason."""
        self._pauses.add(reason)
        if self.wire is not None:
            self.wire.pause_reading()

    def unpause(self, reason: str) -> None:
        """The reason is gone."""
        self._pauses.discard(reason)
        if self._held and self._pauses == {"pieces"}:
            self._piece_due()
        elif not self._pauses and self.wire is not None:
            self.wire.resume_reading()

    def slow_down(self, reason: str, wait_s: float) -> None:
        """Read on in `wait_s` seconds, not before the time that an earlier call has named."""
        until = self.host.clock.monotonic() + wait_s
        self._slow_until[reason] = max(until, self._slow_until.get(reason, 0.0))
        if reason not in self._pauses:
            self.pause(reason)
            self.host.supervisor.spawn("slow down", self._speed_up(reason))

    async def _speed_up(self, reason: str) -> None:
        while (left_s := self._slow_until[reason] - self.host.clock.monotonic()) > 0:
            await self.host.clock.sleep(left_s)
        del self._slow_until[reason]
        # Silence while nobody read is no sign of anything.
        self.heard_at, self.asked_at = self.host.clock.monotonic(), None
        self.unpause(reason)

    def _trace(self, what: str, data: bytes) -> None:
        if log.is_tracing:
            content = self.host.memory(Transcripts).shown(data)
            log.trace(what, transport="s2s", partner=self.remote, pii={"peer": self.peer, "content": content})
